//! What was measured, and where.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;

use serde::Serialize;

use crate::{dpdk, workspace};

/// The machine and the versions. What it does not tell is `?`.
#[derive(Serialize)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    system: String,
    /// How many threads wanted a core in the last 1, 5 and 15 minutes, before anything was measured.
    load: String,
    rustc: String,
    dpdk: String,
    commit: String,
}

impl Machine {
    pub(super) fn describe() -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name", ':'),
            cores: thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_gib: memory_gib(&field("/proc/meminfo", "MemTotal", ':')),
            kernel: file("/proc/sys/kernel/osrelease"),
            system: field("/etc/os-release", "PRETTY_NAME", '=').trim_matches('"').to_owned(),
            load: file("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" "),
            rustc: said("rustc", &["--version"]),
            dpdk: library(),
            commit: said("git", &["describe", "--always", "--dirty", "--exclude=*"]),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, memory_gib, kernel, system, load, rustc, dpdk, commit } = self;
        writeln!(f, "{cores} cores of {cpu}, {memory_gib} GiB, {system}, Linux {kernel}; load {load}")?;
        write!(f, "pdmline {commit}, {rustc}, DPDK {dpdk}")
    }
}

/// The version of the DPDK that is measured, and where it is if it is not the machine's.
fn library() -> String {
    let Some(folder) = dpdk::chosen() else { return said("pkg-config", &["--modversion", "libdpdk"]) };
    let file = folder.join("lib/pkgconfig/libdpdk.pc").display().to_string();
    format!("{} in {}", said("pkg-config", &["--modversion", &file]), folder.display())
}

fn unknown() -> String {
    "?".to_owned()
}

fn file(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| unknown(), |text| text.trim().to_owned())
}

/// The first value of `name` in a file of names and values.
fn field(path: &str, name: &str, separator: char) -> String {
    let text = file(path);
    let mut fields = text.lines().filter_map(|line| line.split_once(separator));
    fields.find(|field| field.0.trim() == name).map_or_else(unknown, |field| field.1.trim().to_owned())
}

/// `24606100 kB` is 23.
fn memory_gib(told: &str) -> u64 {
    told.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() >> 20
}

/// What a program says in one line.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(workspace()).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_a_question_mark() {
        assert_eq!(field("/proc/meminfo", "no such field", ':'), "?");
        assert_eq!(file("/no/such/file"), "?");
        assert_eq!(said("false", &[]), "?");
        assert_eq!((memory_gib("24606100 kB"), memory_gib("?")), (23, 0));
    }
}
