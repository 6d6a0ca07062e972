//! A network namespace that lives as long as its value.

use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::program::{finish, text_of};

/// All namespaces of the rig are named `pdm-<pid>-<what for>`.
const PREFIX: &str = "pdm-";

/// A named network namespace. Dropping it ends what still runs inside, and removes it with its interfaces.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes an empty namespace, with its loopback up.
    ///
    /// # Errors
    ///
    /// If the kernel or our rights do not allow it.
    pub fn create(what_for: &str) -> Result<Self> {
        let name = format!("{PREFIX}{}-{what_for}", std::process::id());
        finish(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.ip("link set dev lo up")?;
        Ok(namespace)
    }

    /// The name by which `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` on it, with arguments separated by white space.
    ///
    /// # Errors
    ///
    /// If `ip` refuses.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        finish(Command::new("ip").args(["-n", &self.name]).args(arguments.split_whitespace())).map(drop)
    }

    /// A command that will run inside, with the `/sys` of this namespace.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Does something inside, on a thread of its own. A socket stays in the namespace where it was made: make it here, and
    /// use it anywhere.
    ///
    /// # Errors
    ///
    /// Those of `work`, or if the namespace is gone.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.name);
        let enter_and_work = || {
            let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
            setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {path}"))?;
            work()
        };
        std::thread::scope(|scope| {
            scope
                .spawn(enter_and_work)
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the work inside {path} panicked")))
        })
    }

    /// Sets a sysctl below `net`, such as `ipv6/conf/all/accept_ra`.
    ///
    /// # Errors
    ///
    /// If there is no such setting.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/net/{key}");
        self.within(|| fs::write(&path, value).with_context(|| format!("cannot write {value} to {path}")))
    }

    /// A counter of the kernel's stack inside, from `/proc/net/snmp`: for example `Tcp` and `RetransSegs`.
    ///
    /// # Errors
    ///
    /// If there is no such counter.
    pub fn counter(&self, protocol: &str, name: &str) -> Result<u64> {
        let table = self.within(|| Ok(fs::read_to_string("/proc/thread-self/net/snmp")?))?;
        let mut rows = table.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
        let (names, values) =
            rows.next().zip(rows.next()).with_context(|| format!("no {protocol} counters"))?;
        let (_, value) = names
            .split(' ')
            .zip(values.split(' '))
            .find(|(found, _)| *found == name)
            .with_context(|| format!("no counter {protocol} {name}"))?;
        Ok(value.parse()?)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nobody can be told, and the next run removes what is left.
        let _ = remove(&self.name);
    }
}

/// Removes the namespaces that earlier runs left behind because they were killed. The caller holds the rig's lock, so
/// whatever bears our prefix belongs to nobody.
///
/// # Errors
///
/// If one of them does not go.
pub(crate) fn remove_leftovers() -> Result<()> {
    let list = text_of(Command::new("ip").args(["netns", "list"]))?;
    // `NAME` or `NAME (id: 3)`.
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| is_ours(name)).try_for_each(remove)
}

fn is_ours(name: &str) -> bool {
    let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).map(|(pid, _)| pid);
    pid.is_some_and(|pid| pid.parse::<u32>().is_ok())
}

fn remove(name: &str) -> Result<()> {
    // A namespace lives on, unseen, while a process is in it.
    for pid in text_of(Command::new("ip").args(["netns", "pids", name]))?.lines() {
        // Not `finish`: it may end by itself just now.
        Command::new("kill").args(["-KILL", pid]).output()?;
    }
    finish(Command::new("ip").args(["netns", "del", name])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_rig_are_ours() {
        assert!(is_ours("pdm-123-a"));
        assert!(!is_ours("pdm-production"));
        assert!(!is_ours("pdm-lab-a"));
        assert!(!is_ours("vpn"));
    }
}
