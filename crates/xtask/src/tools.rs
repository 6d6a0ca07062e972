//! Programs for tests that no package brings in a way we want. They stay in `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::apt;
use crate::{run, workspace};

/// Fetches those that are missing, and tells which and why.
pub(crate) fn fetch() -> Result<()> {
    let tools = workspace().join("target/tools");
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    promtool(&tools)
}

/// promtool alone out of Debian's package: installing that would start a Prometheus on this machine, at every boot too.
fn promtool(tools: &Path) -> Result<()> {
    let promtool = tools.join("promtool");
    if promtool.exists() {
        return Ok(());
    }
    println!("Fetching promtool, which checks the Prometheus text format, into {}", tools.display());
    let unpacked = tools.join("prometheus");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir(&unpacked)?;
    if download(&unpacked).is_err() {
        // The lists of packages are old, or not there at all.
        apt(&["update"])?;
        download(&unpacked)?;
    }
    run(Command::new("dpkg-deb").arg("--extract").arg(only_file(&unpacked)?).arg(&unpacked))?;
    fs::rename(unpacked.join("usr/bin/promtool"), promtool)
        .context("the package prometheus has no promtool")?;
    Ok(fs::remove_dir_all(unpacked)?)
}

/// Downloads Debian's Prometheus into an empty directory. As root, apt would like another user to do it, who may not.
fn download(directory: &Path) -> Result<()> {
    let arguments = ["--quiet", "--option=APT::Sandbox::User=root", "download", "prometheus"];
    run(Command::new("apt-get").args(arguments).current_dir(directory))
}

fn only_file(directory: &Path) -> Result<PathBuf> {
    let Some(file) = fs::read_dir(directory)?.next() else { bail!("apt-get downloaded nothing") };
    Ok(file?.path())
}
