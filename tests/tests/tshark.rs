//! tshark reads what `pdmline replay` wrote: it finds the same option as our own codec, and good checksums wherever they
//! were good before.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use pcap_file::pcap::PcapReader;
use pdm::PdmOption;
use pdmline_tests::requirement::Requirement;
use pdmline_tests::tshark::{PDM_FIELDS, rows};
use pdmline_tests::{require, vectors};

/// tshark's name for a checksum that is right.
const GOOD: &str = "1";

#[test]
fn tshark_reads_the_fields_we_wrote() -> Result<()> {
    require!(Requirement::Program("tshark"));
    let directory = tempfile::tempdir()?;
    let mut options = 0;
    for vector in vectors::all()? {
        let output = vector.replay(directory.path())?.output;
        let theirs = rows(&output, "frame", &PDM_FIELDS)?;
        let ours = options_of(&output)?;
        assert_eq!(ours.len(), theirs.len(), "{}: packets", vector.name);
        for (number, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            let Some(ours) = ours else { continue };
            assert_eq!(
                ours.map(|value| value.to_string()).to_vec(),
                theirs,
                "{}: packet {}",
                vector.name,
                number + 1
            );
            options += 1;
        }
    }
    assert!(options > 3000, "only {options} options compared");
    Ok(())
}

#[test]
fn checksums_that_were_good_stay_good() -> Result<()> {
    require!(Requirement::Program("tshark"));
    let fields = ["tcp.checksum.status", "udp.checksum.status", "icmpv6.checksum.status"];
    let directory = tempfile::tempdir()?;
    let mut good = 0;
    for vector in vectors::all()? {
        let before = rows(&vector.input(), "frame", &fields)?;
        let after = rows(&vector.replay(directory.path())?.output, "frame", &fields)?;
        assert_eq!(before.len(), after.len(), "{}: packets", vector.name);
        for (number, (before, after)) in before.into_iter().zip(after).enumerate() {
            if before.iter().any(|status| status == GOOD) {
                assert_eq!(before, after, "{}: packet {}", vector.name, number + 1);
                good += 1;
            }
        }
    }
    assert!(good > 3000, "only {good} checksums compared");
    Ok(())
}

/// For each packet of a capture the values of its option, in tshark's order; None for packets without one.
fn options_of(capture: &Path) -> Result<Vec<Option<[u16; 6]>>> {
    let mut reader = PcapReader::new(File::open(capture)?)?;
    let mut options = Vec::new();
    while let Some(packet) = reader.next_packet() {
        options.push(option_of(&packet?.data));
    }
    Ok(options)
}

/// What our own codec makes of a frame.
fn option_of(frame: &[u8]) -> Option<[u16; 6]> {
    let ip = pdm::ethernet::network_offset(frame).ok()?;
    let at = pdm::look(frame, frame.len(), ip).ok()?.layout.pdm(frame).ok()??;
    let PdmOption { psntp, psnlr, delta_tlr, delta_tls } = PdmOption::read(frame, &at);
    let scales = [delta_tlr.scale, delta_tls.scale].map(u16::from);
    Some([scales[0], scales[1], psntp.get(), psnlr.get(), delta_tlr.mantissa, delta_tls.mantissa])
}
