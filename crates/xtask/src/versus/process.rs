//! A program that is being measured.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// EAL calls its threads `rte-worker-1`, and later releases `dpdk-worker1`.
const WORKER: &str = "-worker";

/// A running program. It ends, at the latest, when this is dropped.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    errors: PathBuf,
}

/// A command that runs `program` before all that is less important, where we may say so, and a line of output at a time:
/// testpmd would keep its answers to itself until there are many.
pub(super) fn important(program: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["--adjustment=-10", "stdbuf", "--output=L"]).arg(program);
    command
}

impl Process {
    /// Starts `command`, which runs the program called `name`. Its standard error goes to a file in `folder`.
    pub(super) fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Self> {
        let errors = folder.join(format!("{name}.err"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&errors)?);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, errors })
    }

    /// Its standard input and output; the first time only.
    pub(super) fn streams(&mut self) -> Result<(ChildStdin, BufReader<ChildStdout>)> {
        let input = self.child.stdin.take().context("its standard input is taken")?;
        let output = self.child.stdout.take().context("its standard output is taken")?;
        Ok((input, BufReader::new(output)))
    }

    /// How long its workers have waited for their cores until now, all together.
    pub(super) fn waited(&self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut nanos = 0;
        for task in fs::read_dir(&tasks)? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm"))?.contains(WORKER) {
                let told = fs::read_to_string(task.join("schedstat"))?;
                nanos += waited(&told).with_context(|| format!("{} says {told:?}", task.display()))?;
            }
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Waits for its end, which must be a success.
    pub(super) fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} ended with {status}: {}", self.name, self.complaints());
        }
        Ok(())
    }

    /// What it has written to standard error.
    pub(super) fn complaints(&self) -> String {
        let errors = fs::read(&self.errors).unwrap_or_default();
        String::from_utf8_lossy(&errors).trim_end().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already, unless something failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a thread's nanoseconds on a core, nanoseconds ready but not on one, and turns: the second.
fn waited(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_the_second_number() {
        assert_eq!(waited("5000123 77 42\n"), Some(77));
        assert_eq!(waited(""), None);
    }

    #[test]
    fn a_failure_is_told_with_what_the_program_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = important(Path::new("sh"));
        command.args(["-c", "echo no such port >&2; exit 3"]);
        let process = Process::start("testpmd", &mut command, folder.path()).unwrap();
        let error = process.finish().unwrap_err().to_string();
        assert!(error.starts_with("testpmd ended with exit status: 3: "), "{error}");
        assert!(error.ends_with("no such port"), "{error}");
    }
}
