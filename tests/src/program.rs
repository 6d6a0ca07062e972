//! Running programs: the `pdmline` binary of this workspace, and any other to its end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// The `pdmline` of this workspace, built first, so that a test never judges an old one.
///
/// # Errors
///
/// If it does not build.
pub fn pdmline() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The same selection of packages as `cargo test --workspace`, so that no dependency is built twice for its features.
    command.args(["build", "--workspace", "--bin=pdmline", "--message-format=json-render-diagnostics"]);
    let output = finish(command.current_dir(env!("CARGO_MANIFEST_DIR")))?;
    let messages = String::from_utf8(output.stdout)?;
    let mut executables = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    executables.next_back().context("cargo built no pdmline")
}

/// Runs a program to its end, which must be a success.
///
/// # Errors
///
/// If it cannot start or fails; with its command line and what it wrote to standard error.
pub fn finish(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(output)
}

/// Runs a program to its successful end, and returns its standard output.
///
/// # Errors
///
/// As [`finish`], or if the output is not UTF-8.
pub fn text_of(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8(finish(command)?.stdout)?)
}

/// Sends SIGTERM or the like to a child of ours.
///
/// # Errors
///
/// If the child is gone.
pub fn signal(child: &std::process::Child, signal: nix::sys::signal::Signal) -> Result<()> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
    nix::sys::signal::kill(pid, signal).context("the process has ended already")
}
