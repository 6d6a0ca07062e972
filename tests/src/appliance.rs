//! One `pdmline run`, started in a namespace with a configuration of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::namespace::Namespace;
use crate::network::{PREFIX_A, PREFIX_B, Pair, WIRE_MTU};
use crate::program::{pdmline, signal};

/// Long enough for EAL on a busy machine; a program that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one appliance is to do.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Its instance name.
    pub instance: &'a str,
    /// The pairs that it serves.
    pub pairs: &'a [Pair],
    /// The cores of its workers, which serve all pairs.
    pub cores: &'a [usize],
    /// What the worker does when there is nothing to do.
    pub idle: &'a str,
    /// What its rules select: `any`, or one protocol.
    pub protocol: &'a str,
    /// More configuration, in TOML.
    pub more: &'a str,
}

impl Settings<'_> {
    fn to_toml(self) -> String {
        let Self { instance, cores, idle, protocol, more, .. } = self;
        let mut toml = format!(
            "instance = \"{instance}\"\n\
             [consent]\nstatement = \"a test between namespaces of its own\"\n\
             [memory]\nhugepages = false\n\
             [poll]\nidle = \"{idle}\"\n"
        );
        for (number, Pair { host, wire }) in self.pairs.iter().enumerate() {
            let (host_port, wire_port) = (2 * number, 2 * number + 1);
            toml += &format!(
                "[[pair]]\n\
                 host = \"net_af_packet{host_port},iface={host}\"\n\
                 wire = \"net_af_packet{wire_port},iface={wire}\"\n\
                 mtu = {WIRE_MTU}\ncores = {cores:?}\n"
            );
        }
        // The same two rules everywhere: of each, one of the pairs sees the local side.
        for (name, local, remote) in [("a", PREFIX_A, PREFIX_B), ("b", PREFIX_B, PREFIX_A)] {
            toml += &format!(
                "[[rule]]\nname = \"{name}\"\nlocal = [\"{local}\"]\nremote = [\"{remote}\"]\n\
                 protocol = \"{protocol}\"\naction = \"measure\"\nactive_for = \"1h\"\n"
            );
        }
        toml + more
    }
}

/// A running appliance. Dropping it kills it.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    /// Where its files are: `NAME.toml`, `NAME.log`, `NAME.json`.
    files: PathBuf,
}

impl Appliance {
    /// Starts it. It is not ready yet.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(namespace: &Namespace, directory: &Path, settings: Settings<'_>) -> Result<Self> {
        let files = directory.join(settings.instance);
        let (config, log) = (files.with_extension("toml"), File::create(files.with_extension("log"))?);
        fs::write(&config, settings.to_toml())?;
        let mut command = namespace.command(pdmline()?);
        command.arg("run").arg("--config").arg(config).arg("--report").arg(files.with_extension("json"));
        // What it remembers goes with the test: when its rules were first active, and what EAL leaves behind.
        command.env("STATE_DIRECTORY", directory).env("RUNTIME_DIRECTORY", directory);
        let child = command.stdout(log.try_clone()?).stderr(log).spawn().context("cannot start pdmline")?;
        Ok(Self { child, files })
    }

    /// Fails, with what it said, if it has ended.
    ///
    /// # Errors
    ///
    /// See above.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("pdmline ended with {status}, having said:\n{}", self.said());
        }
        Ok(())
    }

    /// Returns when packets pass.
    ///
    /// # Errors
    ///
    /// If it ends before, or hangs.
    pub fn wait_until_it_runs(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.said().lines().any(|line| line == "running") {
            self.check_alive()?;
            ensure!(start.elapsed() < PATIENCE, "pdmline does not start; it said:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Takes the machine away from it: none of its threads goes on when this returns.
    ///
    /// # Errors
    ///
    /// If it ends instead.
    pub fn pause(&self) -> Result<()> {
        signal(&self.child, Signal::SIGSTOP)?;
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        let state = waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
        ensure!(matches!(state, WaitStatus::Stopped(..)), "pdmline did not stop: {state:?}");
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    ///
    /// If it is gone.
    pub fn resume(&self) -> Result<()> {
        signal(&self.child, Signal::SIGCONT)
    }

    /// Everything it has written to its terminal.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(self.files.with_extension("log")).unwrap_or_default()
    }

    /// Ends it as an operator would, with SIGTERM, and returns its report.
    ///
    /// # Errors
    ///
    /// If it fails, hangs, or leaves no report.
    pub fn stop(mut self) -> Result<Value> {
        self.check_alive()?;
        signal(&self.child, Signal::SIGTERM)?;
        let status = self.wait()?;
        ensure!(status.success(), "pdmline ended with {status}, having said:\n{}", self.said());
        let report =
            fs::read_to_string(self.files.with_extension("json")).context("pdmline left no report")?;
        serde_json::from_str(&report).context("the report is not JSON")
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("pdmline does not end on SIGTERM; it said:\n{}", self.said())
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // Gone already, unless the test failed in between.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
