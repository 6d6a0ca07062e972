//! A file of lines that grows while the appliance runs. What goes wrong with it is the file's end, never the appliance's.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::Context;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::config::Target;

/// Opens `target` behind what is there already.
fn open_target(target: &Target) -> io::Result<File> {
    match target {
        Target::File(path) => {
            // A named pipe without a reader is refused and not waited for; a full one is.
            let flags = OFlag::O_NONBLOCK.bits();
            let file = OpenOptions::new().append(true).create(true).custom_flags(flags).open(path)?;
            fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
            Ok(file)
        }
        Target::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

/// An open file of lines, until something goes wrong with it.
#[derive(Debug)]
pub(super) struct LineFile {
    /// What it holds.
    what: &'static str,
    target: Target,
    /// What a new file begins with.
    header: Vec<u8>,
    file: Option<File>,
}

impl LineFile {
    /// Opens `target`, which holds `what`, and writes `header`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn open(what: &'static str, target: Target, header: Vec<u8>) -> anyhow::Result<Self> {
        let begin = || {
            let mut file = open_target(&target)?;
            append_whole(&mut file, &header).map(|()| file)
        };
        let file = begin().with_context(|| format!("cannot write the {what} to {target}"))?;
        Ok(Self { what, target, header, file: Some(file) })
    }

    /// What the operator knows it as: what it holds, and where.
    pub(super) fn name(&self) -> String {
        format!("the {} to {}", self.what, self.target)
    }

    /// Appends the lines that `write` makes: all or, where it is a file that can be cut, none. After the first failure
    /// they go nowhere, and what there is to say about that is returned.
    #[must_use]
    pub(super) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Option<String> {
        let mut lines = Vec::new();
        // Even if they go nowhere: whoever makes them remembers where the next ones begin.
        let made = write(&mut lines);
        let file = self.file.as_mut()?;
        let error = made.and_then(|()| append_whole(file, &lines)).err()?;
        self.file = None;
        if self.target == Target::Stdout && error.kind() == ErrorKind::BrokenPipe {
            return None;
        }
        Some(format!("stopped writing {}: {error}; SIGHUP starts again", self.name()))
    }

    /// Opens the target anew: somebody may have renamed the old file, or made room. Where that fails all stays as it
    /// is, and what there is to say about that is returned.
    #[must_use]
    pub(super) fn reopen(&mut self) -> Option<String> {
        let error = self.try_reopen().err()?;
        Some(format!("cannot reopen the {} {}: {error}", self.what, self.target))
    }

    fn try_reopen(&mut self) -> io::Result<()> {
        let mut file = open_target(&self.target)?;
        if file.metadata()?.len() == 0 {
            append_whole(&mut file, &self.header)?;
        }
        self.file = Some(file);
        Ok(())
    }
}

/// Writes `lines` or, where `file` can be cut, nothing. Others may have cut it since, so its length is never remembered.
fn append_whole(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let before = file.metadata()?;
    let written = file.write_all(lines);
    if written.is_err() && before.is_file() {
        file.set_len(before.len())?;
        // Standard output is not ours alone, and who writes next must not leave a hole.
        file.seek(SeekFrom::End(0))?;
    }
    written
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::thread;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use pdmline_tests::requirement::Requirement;
    use pdmline_tests::{require, tmpfs};

    use super::*;

    const HEADER: &str = "head\n";

    fn try_open(path: &Path) -> anyhow::Result<LineFile> {
        LineFile::open("log", Target::File(path.into()), HEADER.into())
    }

    fn open(path: &Path) -> LineFile {
        try_open(path).unwrap()
    }

    fn append(file: &mut LineFile, line: &str) -> Option<String> {
        file.append(|out| out.write_all(line.as_bytes()))
    }

    #[test]
    fn lines_come_behind_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for line in ["one\n", "two\n"] {
            assert_eq!(append(&mut open(&path), line), None);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\nhead\ntwo\n");
    }

    #[test]
    fn what_cannot_be_written_is_said_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("pipe");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        for (path, why) in [
            (dir.path().join("none/log"), "No such file or directory (os error 2)"),
            (dir.path().into(), "Is a directory (os error 21)"),
            ("/dev/full".into(), "No space left on device (os error 28)"),
            (fifo, "No such device or address (os error 6)"),
        ] {
            let said = format!("{:#}", try_open(&path).unwrap_err());
            assert_eq!(said, format!("cannot write the log to {}: {why}", path.display()));
        }
    }

    #[test]
    fn a_full_device_stops_the_file_and_says_so_once() {
        let mut file = LineFile::open("log", Target::File("/dev/full".into()), Vec::new()).unwrap();
        let said = "stopped writing the log to /dev/full: No space left on device (os error 28); SIGHUP starts again";
        for _ in 0..2 {
            assert_eq!(append(&mut file, "one\n").as_deref(), Some(said));
            assert_eq!(append(&mut file, "two\n"), None);
            assert_eq!(file.reopen(), None);
        }
    }

    #[test]
    fn a_full_disk_leaves_whole_lines_and_a_new_start_goes_on_behind_them() -> anyhow::Result<()> {
        require!(Requirement::Tmpfs);
        tmpfs::with(16 << 10, |dir| {
            let (path, other) = (dir.join("log"), dir.join("other"));
            fs::write(&other, [0; 4096]).unwrap();
            // No multiple of a page, so that some of the line that does not fit is written.
            let line = format!("{}\n", "x".repeat(999));
            let mut file = open(&path);
            let said: Vec<String> = (0..20).filter_map(|_| append(&mut file, &line)).collect();
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains("No space left on device"), "{said:?}");
            let whole = fs::read_to_string(&path).unwrap();
            let (lines, rest) = ((whole.len() - HEADER.len()) / line.len(), whole.len() % line.len());
            assert_eq!(rest, HEADER.len());
            assert_eq!(whole, format!("{HEADER}{}", line.repeat(lines)));
            fs::remove_file(&other).unwrap();
            assert_eq!(file.reopen(), None);
            assert_eq!(append(&mut file, &line), None);
            assert_eq!(fs::read_to_string(&path).unwrap(), whole + &line);
        })
    }

    #[test]
    fn lines_that_cannot_be_made_stop_it_too_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = open(&path);
        let said = file.append(|out| {
            out.write_all(b"a part of")?;
            Err(io::Error::other("out of ink"))
        });
        assert!(said.unwrap().contains(": out of ink;"));
        assert_eq!(append(&mut file, "two\n"), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), HEADER);
    }

    #[test]
    fn a_renamed_file_gets_a_successor_and_one_that_is_still_there_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut file = open(&path);
        assert_eq!(append(&mut file, "one\n"), None);
        fs::rename(&path, &old).unwrap();
        assert_eq!(append(&mut file, "two\n"), None);
        for line in ["three\n", "four\n"] {
            assert_eq!(file.reopen(), None);
            assert_eq!(append(&mut file, line), None);
        }
        assert_eq!(fs::read_to_string(&old).unwrap(), "head\none\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\nthree\nfour\n");
    }

    #[test]
    fn what_cannot_be_reopened_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (logs, moved) = (dir.path().join("logs"), dir.path().join("moved"));
        fs::create_dir(&logs).unwrap();
        let path = logs.join("log");
        let mut file = open(&path);
        fs::rename(&logs, &moved).unwrap();
        let said =
            format!("cannot reopen the log {}: No such file or directory (os error 2)", path.display());
        assert_eq!(file.reopen(), Some(said));
        assert_eq!(append(&mut file, "one\n"), None);
        assert_eq!(fs::read_to_string(moved.join("log")).unwrap(), "head\none\n");
    }

    #[test]
    fn a_file_that_others_cut_goes_on_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = open(&path);
        assert_eq!(append(&mut file, "one\n"), None);
        File::create(&path).unwrap();
        assert_eq!(append(&mut file, "two\n"), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    /// Lines into a pipe that nobody reads any more.
    fn unread(target: Target) -> LineFile {
        let (_, writer) = io::pipe().unwrap();
        let file = Some(File::from(OwnedFd::from(writer)));
        LineFile { what: "log", target, header: Vec::new(), file }
    }

    #[test]
    fn nobody_is_told_that_nobody_reads_standard_output() {
        assert_eq!(append(&mut unread(Target::Stdout), "one\n"), None);
        let mut named = unread(Target::File("/run/pipe".into()));
        let said = "stopped writing the log to /run/pipe: Broken pipe (os error 32); SIGHUP starts again";
        assert_eq!(append(&mut named, "one\n").as_deref(), Some(said));
    }

    #[test]
    fn a_full_named_pipe_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        // More than a pipe holds.
        let line = format!("{}\n", "x".repeat(1 << 20));
        let reader = {
            let path = path.clone();
            thread::spawn(move || fs::read_to_string(path).unwrap())
        };
        let mut file = loop {
            // Until there is a reader.
            if let Ok(file) = try_open(&path) {
                break file;
            }
            thread::yield_now();
        };
        assert_eq!(append(&mut file, &line), None);
        drop(file);
        assert_eq!(reader.join().unwrap(), format!("{HEADER}{line}"));
    }

    #[test]
    fn standard_output_is_file_descriptor_1() {
        let (ours, its) = (
            open_target(&Target::Stdout).unwrap().metadata().unwrap(),
            fs::metadata("/proc/self/fd/1").unwrap(),
        );
        assert_eq!((ours.dev(), ours.ino()), (its.dev(), its.ino()));
    }
}
