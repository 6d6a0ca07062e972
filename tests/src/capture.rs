//! Captures of what passes an interface, while a test goes on.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::namespace::Namespace;
use crate::program::signal;

/// A running dumpcap. Dropping it ends it.
#[derive(Debug)]
pub struct Capture {
    child: Child,
    messages: BufReader<ChildStderr>,
    file: PathBuf,
}

impl Capture {
    /// Starts to capture on an interface of a namespace, and returns once it does: only packets of the given direction,
    /// `inbound` or `outbound`, or empty for both.
    ///
    /// One interface each, for with several dumpcap puts packets through a queue of its own, and loses some there.
    ///
    /// # Errors
    ///
    /// If dumpcap cannot capture there.
    pub fn start(namespace: &Namespace, interface: &str, direction: &str, file: &Path) -> Result<Self> {
        Self::by(namespace.command("dumpcap"), interface, direction, file)
    }

    /// As [`Capture::start`], by a command that starts dumpcap wherever the interface is.
    ///
    /// # Errors
    ///
    /// If dumpcap cannot capture there.
    pub fn by(mut command: Command, interface: &str, direction: &str, file: &Path) -> Result<Self> {
        // A kernel buffer of 64 MiB, so that nothing is lost while others keep the CPUs busy.
        command.args(["-q", "-B", "64", "-i", interface, "-f", direction, "-w"]).arg(file);
        let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start dumpcap")?;
        let messages = BufReader::new(child.stderr.take().context("dumpcap has no standard error")?);
        let mut capture = Self { child, messages, file: file.to_owned() };
        capture.wait_until_it_captures()?;
        Ok(capture)
    }

    /// It names its file when the interface is open.
    fn wait_until_it_captures(&mut self) -> Result<()> {
        let mut said = String::new();
        loop {
            let start = said.len();
            ensure!(self.messages.read_line(&mut said)? > 0, "dumpcap does not capture: {said}");
            if said[start..].starts_with("File: ") {
                return Ok(());
            }
        }
    }

    /// Ends the capture, and returns its file.
    ///
    /// # Errors
    ///
    /// If it lost packets: nothing could be said about all of them then.
    pub fn stop(mut self) -> Result<PathBuf> {
        signal(&self.child, Signal::SIGINT)?;
        let mut said = String::new();
        self.messages.read_to_string(&mut said)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "dumpcap ended with {status}: {said}");
        // Packets received/dropped on interface 'host': 12/0 (pcap:0/dumpcap:0/flushed:0/ps_ifdrop:0) (100.0%)
        let counts = said.lines().find(|line| line.starts_with("Packets received/dropped"));
        let lossless = counts.is_some_and(|line| line.split_whitespace().any(|word| word.ends_with("/0")));
        ensure!(lossless, "dumpcap lost packets: {said}");
        Ok(self.file.clone())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Gone already, unless the test failed in between.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
