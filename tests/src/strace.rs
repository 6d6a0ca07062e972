//! Which system calls threads make, by strace.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::NamedTempFile;

use crate::program::signal;

/// A strace at work. Dropping it ends it.
#[derive(Debug)]
pub struct Trace {
    child: Child,
    /// What it complains of; without a reader it could not tell that it ends.
    errors: BufReader<ChildStderr>,
    calls: NamedTempFile,
}

impl Trace {
    /// Begins to note what `threads` call, and no other of their process. Returns when it does.
    ///
    /// # Errors
    ///
    /// If strace is not there, or may not.
    pub fn of(threads: &[u32]) -> Result<Self> {
        let calls = NamedTempFile::new()?;
        let mut command = Command::new("strace");
        // Each thread by its own id: with -f an id would stand for its whole process.
        command.args(threads.iter().map(|thread| format!("--attach={thread}")));
        command.arg("--output").arg(calls.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start strace")?;
        let errors = BufReader::new(child.stderr.take().context("no standard error")?);
        let mut trace = Self { child, errors, calls };
        threads.iter().try_for_each(|_| trace.wait_until_attached())?;
        Ok(trace)
    }

    fn wait_until_attached(&mut self) -> Result<()> {
        let mut line = String::new();
        self.errors.read_line(&mut line)?;
        ensure!(line.trim_end().ends_with(" attached"), "strace says: {line}");
        Ok(())
    }

    /// Ends it. Returns the calls that there were since it began, a line each.
    ///
    /// # Errors
    ///
    /// If it has ended before.
    pub fn end(mut self) -> Result<Vec<String>> {
        ensure!(self.child.try_wait()?.is_none(), "strace has ended too early");
        signal(&self.child, Signal::SIGINT)?;
        self.child.wait()?;
        Ok(fs::read_to_string(&self.calls)?.lines().map(str::to_owned).collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Gone already, unless something failed. What it traces goes on without it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fails if this machine lets nobody be traced.
pub(crate) fn probe() -> Result<()> {
    let mut traced = Command::new("sleep").arg("60").spawn()?;
    let trace = Trace::of(&[traced.id()]);
    traced.kill()?;
    traced.wait()?;
    trace.map(drop)
}
