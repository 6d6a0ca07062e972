//! Independent judges of what we export, where `cargo xtask setup` puts them.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Prometheus' own checker.
pub const PROMTOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/promtool");

/// What a program that reads `input` writes to both of its outputs.
///
/// # Errors
///
/// If it cannot start or fails; with what it wrote.
pub fn told(command: &mut Command, input: &str) -> Result<String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    // Both programs read everything before they write; the end of input comes with the drop.
    let written = child.stdin.take().context("no standard input")?.write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let told =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    ensure!(output.status.success(), "{command:?} ended with {}: {told}", output.status);
    written.with_context(|| format!("{command:?} did not read its input"))?;
    Ok(told)
}
