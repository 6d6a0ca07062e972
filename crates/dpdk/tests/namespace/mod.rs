//! A network namespace of a test's own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Runs this test again in a network namespace, with `role` in its environment; as an ordinary user in a user
/// namespace, too. Returns its exit status.
pub(crate) fn run_again(role: &str) -> i32 {
    let mut command = Command::new("unshare");
    command.arg("--net");
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    // Root of a user namespace may not write where EAL's root keeps its files.
    let files = tempfile::tempdir().unwrap();
    command.arg(std::env::current_exe().unwrap()).env(role, "test").env("RUNTIME_DIRECTORY", files.path());
    command.status().expect("unshare, of util-linux, is installed").code().unwrap_or(1)
}

/// What `ip` says.
pub(crate) fn ip(arguments: &str) -> String {
    said_by("ip", arguments)
}

/// What `tc` says.
#[allow(dead_code, reason = "not every test shapes traffic")]
pub(crate) fn tc(arguments: &str) -> String {
    said_by("tc", arguments)
}

fn said_by(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split(' ')).output();
    let output = output.expect("ip and tc, of iproute2, are installed");
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
