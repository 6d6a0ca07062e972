//! Tests against each long-term release of DPDK that pdmline is for: built from source by `dpdk-build/build`, or where its
//! source cannot be had, in an image of the Debian that comes with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::packages::{self, as_root};
use crate::tests::{SKIPPED, summarize};
use crate::{cargo, run, workspace};

/// The tests of the DPDK layer, which send the vectors through ports, and of the program on ports.
const TESTS: &[&str] = &["test", "--no-fail-fast", "--package=dpdk", "--package=pdmline"];

/// What makes a program that needs nothing beside it; the build's own programs are not for that target.
const STATIC: &[&str] = &[
    "--features=static",
    "--target=x86_64-unknown-linux-gnu",
    "--config=target.x86_64-unknown-linux-gnu.rustflags=['-Ctarget-feature=+crt-static']",
];

/// The program that [`STATIC`] makes, in its target folder.
const STATIC_PROGRAM: &str = "x86_64-unknown-linux-gnu/debug/pdmline";

/// Names the DPDK to build with by its folder, as `dpdk-sys` has it. Without it, it is the machine's.
const SETTING: &str = "PDMLINE_DPDK";

/// The exit status of `dpdk-build/build` where the source cannot be had.
const NO_SOURCE: i32 = 3;

/// Which DPDK.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Release {
    #[value(name = "22.11")]
    V22_11,
    #[value(name = "24.11")]
    V24_11,
    #[value(name = "25.11")]
    V25_11,
    /// One after the other.
    All,
}

impl Release {
    fn each(self) -> &'static [&'static str] {
        match self {
            Self::V22_11 => &["22.11"],
            Self::V24_11 => &["24.11"],
            Self::V25_11 => &["25.11"],
            Self::All => &["22.11", "24.11", "25.11"],
        }
    }
}

/// The folder of the DPDK that the user chose to build with, if it is not the machine's.
pub(crate) fn chosen() -> Option<PathBuf> {
    std::env::var_os(SETTING).map(|folder| workspace().join(folder))
}

/// Runs the tests that concern DPDK against `releases`, and ends with a line for each way they passed.
pub(crate) fn test(releases: Release) -> Result<()> {
    packages::install(packages::BUILD, packages::DPDK)?;
    let mut passed = Vec::new();
    for release in releases.each() {
        if build(release)? {
            passed.push(format!("{release} from source: {} tests passed", from_source(release, &[])?));
            passed.push(format!("{release} static: {} tests passed", from_source(release, STATIC)?));
            alone(release)?;
            passed.push(format!("{release} static, in an empty container: the demonstration agrees"));
        } else {
            passed.push(format!("{release} of Debian, in an image: {} tests passed", in_image(release)?));
        }
    }
    println!("\n{}", passed.join("\n"));
    Ok(())
}

/// Builds it, and says whether its source could be had.
fn build(release: &str) -> Result<bool> {
    let status = Command::new(workspace().join("dpdk-build/build")).arg(release).status()?;
    match status.code() {
        Some(0) => Ok(true),
        Some(NO_SOURCE) => Ok(false),
        _ => bail!("dpdk-build/build {release} ended with {status}"),
    }
}

/// Runs the tests with the release that was built.
fn from_source(release: &str, how: &[&str]) -> Result<u32> {
    let mut command = cargo();
    command.args(TESTS).args(how).env("CARGO_TARGET_DIR", target(release));
    command.env(SETTING, workspace().join("target/dpdk").join(release));
    summarize(command)
}

/// Runs the static program where there is nothing but itself.
fn alone(release: &str) -> Result<()> {
    for command in ["--version", "demo"] {
        run(Command::new(workspace().join("dpdk-build/alone"))
            .arg(target(release).join(STATIC_PROGRAM))
            .arg(command))?;
    }
    Ok(())
}

/// Runs the tests in the release's image, by this machine's Rust and without a network: cargo has fetched all before.
fn in_image(release: &str) -> Result<u32> {
    let image = workspace().join("dpdk-build/image");
    let wanted = packages::BUILD.iter().map(|package| package.name).chain(["iproute2"]);
    run(as_root()?.arg(image).arg(release).args(wanted))?;
    run(cargo().args(["fetch", "--locked"]))?;
    let (rust, cargo_home) = (rust()?, cargo_home()?);
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network=none"]);
    // Tests make network namespaces of their own, and interfaces in them.
    command.args(["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN"]);
    command.args(["--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined"]);
    let vectors =
        workspace().join("../shared/vectors").canonicalize().context("the vectors are not there")?;
    for folder in [workspace(), &vectors, &rust, &cargo_home] {
        command.arg(format!("--volume={0}:{0}", folder.display()));
    }
    command.args(["--env=CI", &format!("--env={SKIPPED}")]);
    command.arg(format!("--env=CARGO_HOME={}", cargo_home.display()));
    command.arg(format!("--env=CARGO_TARGET_DIR={}", target(release).display()));
    command.arg(format!("--env=PATH={}/bin:/usr/sbin:/usr/bin:/sbin:/bin", rust.display()));
    command.arg(format!("--workdir={}", workspace().display())).arg(format!("pdmline-dpdk:{release}"));
    // Docker would pass on two streams, each at its own pace, and the table needs them in order.
    command.args(["sh", "-c", r#"exec "$@" 2>&1"#, "sh", "cargo"]).args(TESTS).arg("--offline");
    summarize(command)
}

/// Where cargo builds for it: apart, or each release would undo what another has built.
fn target(release: &str) -> PathBuf {
    workspace().join(format!("target/dpdk/{release}-cargo"))
}

/// The folder of the compiler that this machine uses here.
fn rust() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace()).output()?;
    ensure!(output.status.success(), "rustc does not say where it is");
    Ok(fs::canonicalize(String::from_utf8(output.stdout)?.trim_end())?)
}

/// Where cargo keeps what it fetches.
fn cargo_home() -> Result<PathBuf> {
    let usual = || std::env::home_dir().map(|home| home.join(".cargo"));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(usual);
    home.filter(|home| Path::new(home).is_absolute()).context("set CARGO_HOME: there is no home directory")
}
