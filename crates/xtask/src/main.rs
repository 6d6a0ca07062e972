//! `cargo xtask`: the project's own conveniences. Each command first installs what a bare Debian or Ubuntu machine with
//! Rust lacks, then does its work, so that one command is all anybody has to know.
//!
//! It is not part of the program, and it links neither DPDK nor any crate of ours: it must build before they can.

#![expect(clippy::print_stdout, reason = "telling what it does is what this program is for")]

mod dpdk;
mod instructions;
mod packages;
mod summary;
mod tests;
mod tools;
mod versus;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser;

/// Sets this machine up and runs pdmline's demonstration and tests.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Install what building and testing need, and nothing else.
    Setup,
    /// Show two appliances measuring a simulated path: no NIC, no root, no hugepages.
    Demo,
    /// Run every test, and say at the end what ran and what was skipped.
    Test {
        /// Run only those that concern DPDK, against this release of it.
        #[arg(long, value_name = "RELEASE")]
        dpdk: Option<dpdk::Release>,
    },
    /// Run the namespace rig again and again (as root), until a round fails.
    Rig {
        /// How many rounds.
        #[arg(long, default_value_t = 10)]
        times: u32,
    },
    /// Count the instructions of the packet path, and fail if they differ from those that are committed.
    Instructions(instructions::Args),
    /// Build the container images, and test the lab in containers (as root).
    Docker,
    /// Measure pdmline against DPDK's own dpdk-testpmd.
    Versus(versus::Args),
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Setup => set_up(),
        Task::Demo => {
            packages::install(packages::BUILD, &[])?;
            run(cargo().args(["run", "--release", "--package", "pdmline", "--", "demo"]))
        }
        Task::Test { dpdk: None } => {
            set_up()?;
            tests::all()
        }
        Task::Test { dpdk: Some(release) } => dpdk::test(release),
        Task::Rig { times } => {
            packages::install(packages::BUILD, packages::TEST)?;
            tests::rig(times)
        }
        Task::Instructions(args) => instructions::run(&args),
        Task::Docker => {
            packages::install(packages::BUILD, packages::LAB)?;
            tests::docker()
        }
        Task::Versus(args) => versus::run(&args),
    }
}

/// All that building and testing need.
fn set_up() -> Result<()> {
    packages::install(packages::BUILD, packages::TEST)?;
    tools::fetch()
}

/// The cargo that runs us, in the workspace, wherever we were called from.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Runs a command whose output is for the user.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}

/// The program `bin` of `package`, built as it is released.
fn release(package: &str, bin: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release", "--package", package, "--bin", bin]);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    ensure!(output.status.success(), "{bin} does not build");
    let messages = String::from_utf8(output.stdout)?;
    let mut executables = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    executables.next_back().with_context(|| format!("cargo built no {bin}"))
}
