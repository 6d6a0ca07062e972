//! Running tests: all of them once, some elsewhere, the namespace rig many times, or those of the lab in containers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::summary::Summary;
use crate::{cargo, run, workspace};

/// Names the file into which a test writes a line when this machine cannot run it (see `require!` in `tests/`).
pub(crate) const SKIPPED: &str = "PDMLINE_SKIPPED";

/// Runs every test of the workspace, doc tests included, and ends with a table.
pub(crate) fn all() -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    summarize(command).map(drop)
}

/// Runs `command`, which runs tests, to its success, prints a table, and returns how many have passed.
pub(crate) fn summarize(mut command: Command) -> Result<u32> {
    let target = workspace().join("target");
    let skipped = target.join("skipped.txt");
    fs::create_dir_all(&target).context("cannot create the target directory")?;
    fs::write(&skipped, "").with_context(|| format!("cannot write {}", skipped.display()))?;

    // One pipe for both streams: cargo names a suite on one and the suite reports on the other, and order matters.
    let (reader, writer) = std::io::pipe()?;
    command.env(SKIPPED, &skipped).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    drop(command); // holds the pipe's writing end, without whose closing the reader never ends

    let mut summary = Summary::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        summary.read(&line);
    }
    let status = child.wait()?;
    println!("\n{summary}");
    print_skipped(&fs::read_to_string(&skipped)?);
    ensure!(status.success(), "not all tests passed");
    ensure!(summary.passed() > 0, "no test ran");
    Ok(summary.passed())
}

fn print_skipped(lines: &str) {
    if lines.is_empty() {
        println!("Nothing was skipped.");
        return;
    }
    println!("Skipped, because this machine cannot run them:");
    for line in lines.lines() {
        println!("  {line}");
    }
}

/// Runs the namespace rig `times` times; the first round that fails ends it.
pub(crate) fn rig(times: u32) -> Result<()> {
    for round in 1..=times {
        println!("=== round {round} of {times}");
        run(cargo().args(["test", "--package", "pdmline-tests", "--test", "namespaces"]))?;
    }
    Ok(())
}

/// Builds the images, and runs the tests of the lab in containers, which is there once: one after the other, and with what
/// they tell of sizes and times.
pub(crate) fn docker() -> Result<()> {
    let start = Instant::now();
    run(Command::new(workspace().join("docker/rig")).arg("build"))?;
    println!("The images took {} s", start.elapsed().as_secs());
    let mut command = cargo();
    command.args(["test", "--package", "pdmline-tests", "--test", "docker", "--"]);
    command.args(["--ignored", "--nocapture", "--test-threads=1"]);
    summarize(command).map(drop)
}
