//! Questions to tshark, the independent reader of captures.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::program::text_of;

/// The fields of the option, as tshark names them, in the order in which they stand in it.
pub const PDM_FIELDS: [&str; 6] = [
    "ipv6.opt.pdm.scale_dtlr",
    "ipv6.opt.pdm.scale_dtls",
    "ipv6.opt.pdm.psn_this_pkt",
    "ipv6.opt.pdm.psn_last_recv",
    "ipv6.opt.pdm.delta_last_recv",
    "ipv6.opt.pdm.delta_last_sent",
];

/// For each packet that passes a display filter, in order, the values of the fields: a text for each, empty where the
/// packet has no such field, values separated by commas where it has several.
///
/// # Errors
///
/// If tshark cannot read the capture, or does not know a field.
pub fn rows(capture: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-T", "fields", "-Y", filter, "-r"]).arg(capture);
    // By default it does not look at them, for offloads make captures on a sending host all wrong.
    for protocol in ["tcp", "udp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    for field in fields {
        command.args(["-e", field]);
    }
    let text = text_of(&mut command)?;
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// How many packets pass a display filter.
///
/// # Errors
///
/// If tshark cannot read the capture.
pub fn count(capture: &Path, filter: &str) -> Result<usize> {
    Ok(rows(capture, filter, &["frame.number"])?.len())
}
