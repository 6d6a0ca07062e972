//! `pdmline top`: what an instance measures while it runs, read from its control socket.

mod live;
mod screen;
mod sockets;

use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Lines, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, ensure};
use flow::WorstBy;
use ratatui::crossterm::terminal;

use crate::files;
use crate::frame::Frame;
use screen::Body;

/// Columns of a text that is printed elsewhere than on a terminal.
const COLUMNS: u16 = 80;

/// Watch what an instance measures
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Instance to watch; needless where there is only one
    instance: Option<String>,
    /// Print one frame as text, and end
    #[arg(long)]
    once: bool,
    /// Print frames as JSON lines, as they come
    #[arg(long)]
    json: bool,
}

/// Shows an instance until it ends, or whoever watches does. A reader that goes away ends it without an error.
///
/// # Errors
/// When there is no such instance, it may not be watched, or the terminal cannot be used.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let socket = sockets::find(args.instance.as_deref(), &files::lock_dirs())?;
    if !args.once && !args.json {
        ensure!(io::stdout().is_terminal(), "standard output is no terminal; take --once or --json");
    }
    let feed = Feed { lines: BufReader::new(socket.connect()?).lines(), instance: socket.instance };
    match (args.json, args.once) {
        (true, once) => print(feed.take(if once { 1 } else { usize::MAX })),
        (false, true) => print_text(feed),
        (false, false) => live::watch(feed),
    }
}

/// What an instance tells, line by line, until it ends.
#[derive(Debug)]
struct Feed {
    instance: String,
    lines: Lines<BufReader<UnixStream>>,
}

impl Iterator for Feed {
    type Item = anyhow::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.with_context(|| format!("cannot read what {} tells", self.instance)))
    }
}

impl Feed {
    /// The next frame; `None` when the instance has ended.
    fn frame(&mut self) -> Option<anyhow::Result<Frame>> {
        let line = self.next()?;
        let read = |line: String| {
            serde_json::from_str(&line).with_context(|| {
                format!("{} may be another version of pdmline: watch it with that", self.instance)
            })
        };
        Some(line.and_then(read))
    }
}

fn print_text(mut feed: Feed) -> anyhow::Result<()> {
    let frame =
        feed.frame().with_context(|| format!("{} ended before its first interval did", feed.instance))??;
    let width = if io::stdout().is_terminal() {
        terminal::size().map_or(COLUMNS, |(width, _)| width)
    } else {
        COLUMNS
    };
    print([Ok(Body { frame: &frame, by: WorstBy::NetworkRtt }.text(width))])
}

/// Prints `lines` as they come.
fn print(lines: impl IntoIterator<Item = anyhow::Result<String>>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        match writeln!(out, "{}", line?) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of the first line that an instance tells, if it tells any.
    fn first(line: &str) -> Option<String> {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        theirs.write_all(line.as_bytes()).unwrap();
        drop(theirs);
        let mut feed = Feed { instance: "edge-a".into(), lines: BufReader::new(ours).lines() };
        feed.frame().map(|frame| format!("{:#}", frame.unwrap_err()))
    }

    #[test]
    fn what_is_not_understood_is_told_and_the_end_is_none() {
        assert_eq!(
            first("{\"instance\":\"edge-a\"}\n").unwrap(),
            "edge-a may be another version of pdmline: watch it with that: missing field `version` at line 1 column 21"
        );
        let said = first("\u{ff}").unwrap();
        assert!(said.starts_with("edge-a may be another version of pdmline"), "{said}");
        assert_eq!(first(""), None);
    }
}
