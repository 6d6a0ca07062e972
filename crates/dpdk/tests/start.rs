//! What an EAL that does not start leaves behind: one message of ours, and nothing of its own.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test")]

use std::process::Command;

use dpdk::{Eal, Error, cores};

/// Set in the process that starts EAL, with its arguments.
const ARGUMENTS: &str = "PDMLINE_TEST_EAL_ARGUMENTS";

/// Not a test by itself: what the others run in a process of its own.
#[test]
fn start() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments: Vec<_> = arguments.split(' ').collect();
    let refused = Eal::init(&arguments).err();
    assert!(matches!(Eal::init(&arguments), Err(Error::SecondEal)));
    println!("refused: {}", refused.map_or_else(|| "no".into(), |error| error.to_string()));
}

/// Starts EAL with `arguments` in another process. Returns what that printed to standard output and error.
fn start_with(arguments: &str) -> (String, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let prefix = format!("--file-prefix=pdmline-start-{}", std::process::id());
    let files = tempfile::tempdir().unwrap();
    command.args(["--exact", "start", "--nocapture"]).env("RUNTIME_DIRECTORY", files.path());
    command.env(ARGUMENTS, format!("{arguments} {prefix}"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_core_that_is_not_there_is_one_message() {
    assert!(!cores::usable().unwrap().contains(&127), "a machine this test did not think of");
    let (stdout, stderr) = start_with("--no-huge --no-pci -l 127");
    assert!(stdout.contains("refused: DPDK did not start: EAL: "), "{stdout}");
    assert!(!stdout.contains("Usage:") && !stdout.contains("EAL Linux options"), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn an_unknown_argument_is_named() {
    let (stdout, stderr) = start_with("--no-huge --no-pci --nonsense");
    // As getopt says it, and, from 25.11 on, as EAL does.
    let said = ["unrecognized option '--nonsense'", "unknown argument --nonsense!"];
    let refused = said.map(|said| format!("refused: DPDK did not start: {said}; "));
    assert!(refused.iter().any(|refused| stdout.contains(refused)), "{stdout}");
    assert!(!stdout.contains("Usage:"), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn a_start_is_silent_unless_the_log_is_asked_for() {
    let (stdout, stderr) = start_with("--no-huge --no-pci");
    assert!(stdout.contains("refused: no"), "{stdout}");
    assert_eq!((stdout.contains("EAL:"), stderr.as_str()), (false, ""));
    let (_, stderr) = start_with("--no-huge --no-pci --log-level=lib.eal:info");
    assert!(stderr.contains("EAL: "), "{stderr}");
}
