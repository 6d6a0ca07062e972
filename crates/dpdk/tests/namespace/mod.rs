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
    let output =
        Command::new("ip").args(arguments.split(' ')).output().expect("ip, of iproute2, is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
