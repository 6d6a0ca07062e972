//! Python and the packages of PyPI: independent readers of what we export.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::program::finish;

/// The interpreter of a virtual environment that has `package`, pinned as in `hdrhistogram==0.10.8`. It is made once, beside
/// the test programs, so that later runs need no network.
///
/// # Errors
///
/// If there is no Python that can make one, or PyPI cannot be reached.
pub fn with(package: &str) -> Result<PathBuf> {
    let tests = std::env::current_exe()?;
    let folder = tests.ancestors().nth(2).context("the test program is nowhere")?.join("python");
    let environment = folder.join(package);
    let interpreter = environment.join("bin/python3");
    if !environment.exists() {
        std::fs::create_dir_all(&folder)?;
        make(&environment, package)?;
    }
    Ok(interpreter)
}

/// Makes it under another name first: what is there under its own is whole.
fn make(environment: &Path, package: &str) -> Result<()> {
    let unfinished = TempDir::new_in(environment.parent().unwrap_or(Path::new(".")))?;
    finish(Command::new("python3").args(["-m", "venv"]).arg(unfinished.path()))?;
    let mut pip = Command::new(unfinished.path().join("bin/python3"));
    finish(pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", package]))?;
    match std::fs::rename(unfinished.path(), environment) {
        Ok(()) => drop(unfinished.keep()),
        // Another test was faster, and has left the same.
        Err(_) if environment.exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
