//! The thread of a file of lines. A disk or a reader that takes them slowly keeps this thread waiting, and nobody else.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use stats::Snapshot;

use super::file::LineFile;
use super::json::EndedFlow;
use crate::run::say;

/// Intervals that wait to be written at the most: each holds the histograms of all rules.
const QUEUED: usize = 4;

/// Flows that wait to be written: when there are so many, no more are taken.
const FLOWS_QUEUED: usize = 65_536;

/// How long the end of the program waits for one file.
const PATIENCE: Duration = Duration::from_secs(1);

/// Makes lines of what is to be told.
pub(super) trait Lines: Send + 'static {
    /// Appends to `out` the lines of the interval that `snapshot` ends at `now`. It began with the last call, whatever
    /// came of that.
    ///
    /// # Errors
    /// When they cannot be made; `out` may then hold a part of them.
    fn interval(&mut self, snapshot: &Snapshot, now: SystemTime, out: &mut Vec<u8>) -> io::Result<()>;

    /// Appends to `out` the lines of `flows`: none, where a file does not tell of single flows.
    ///
    /// # Errors
    /// As [`Lines::interval`].
    fn flows(&mut self, flows: &[EndedFlow], out: &mut Vec<u8>) -> io::Result<()> {
        let _ = (flows, out);
        Ok(())
    }
}

/// What the thread is told, in order.
enum Message {
    /// An interval has ended.
    Interval(Interval),
    /// Flows have ended.
    Flows(Vec<EndedFlow>),
    /// The file was renamed, or may have room again.
    Reopen,
}

impl Message {
    /// How much it adds to what waits, and to which of the two: flows, or all else.
    fn weight<'a>(&self, others: &'a AtomicUsize, flows: &'a AtomicUsize) -> (usize, &'a AtomicUsize) {
        match self {
            Self::Flows(ended) => (ended.len(), flows),
            Self::Interval(_) | Self::Reopen => (1, others),
        }
    }
}

/// What is known at the end of an interval, and when that was.
struct Interval {
    snapshot: Arc<Snapshot>,
    now: SystemTime,
}

/// A file of lines with a thread of its own.
pub(super) struct Writer {
    /// What the operator knows the file as.
    name: String,
    queue: Sender<Message>,
    /// Messages that are not done with, but for those of flows.
    queued: Arc<AtomicUsize>,
    /// Flows that are not done with.
    flows_queued: Arc<AtomicUsize>,
    /// All intervals since the last one that was queued.
    left_out: Option<Interval>,
    /// Whether any were left out since nothing was queued.
    slow: bool,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Writer {
    /// Starts a thread, on the cores of the calling one, that writes to `file` what `lines` makes, and says what goes
    /// wrong with it.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(mut file: LineFile, mut lines: impl Lines) -> anyhow::Result<Self> {
        let name = file.name();
        let (queue, messages) = channel::<Message>();
        let (ends, ended) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let flows_queued = Arc::new(AtomicUsize::new(0));
        let (not_done, flows_not_done) = (Arc::clone(&queued), Arc::clone(&flows_queued));
        let write_all = move || {
            let _ends = ends;
            for message in messages {
                let (done, of) = message.weight(&not_done, &flows_not_done);
                write(message, &mut file, &mut lines).iter().for_each(|line| say(line));
                of.fetch_sub(done, Relaxed);
            }
        };
        let started = thread::Builder::new().name("writer".into()).spawn(write_all);
        started.with_context(|| format!("cannot start a thread for {name}"))?;
        Ok(Self { name, queue, queued, flows_queued, left_out: None, slow: false, ended })
    }

    /// Has the interval written that `snapshot` ends at `now`. If too many wait already it is left out, and the next one
    /// that is written tells of both. What there is to say about that is returned, once until all is written.
    #[must_use]
    pub(super) fn export(&mut self, snapshot: &Arc<Snapshot>, now: SystemTime) -> Option<String> {
        let mut snapshot = Arc::clone(snapshot);
        if let Some(left_out) = self.left_out.take() {
            // Counts are since the start, and need no such addition.
            Arc::make_mut(&mut snapshot).interval.add(&left_out.snapshot.interval);
        }
        let interval = Interval { snapshot, now };
        if self.has_room() {
            self.send(Message::Interval(interval));
            return None;
        }
        self.left_out = Some(interval);
        self.say_slow()
    }

    /// Has the lines of `flows` written, unless too many wait already. What there is to say about that is returned, once until
    /// all is written.
    #[must_use]
    pub(super) fn flows(&mut self, flows: Vec<EndedFlow>) -> Option<String> {
        if flows.is_empty() {
            return None;
        }
        if self.has_room_for_flows() {
            self.send(Message::Flows(flows));
            return None;
        }
        self.say_slow()
    }

    /// Whether no more flows wait than may.
    pub(super) fn has_room_for_flows(&self) -> bool {
        self.flows_queued.load(Relaxed) < FLOWS_QUEUED
    }

    fn has_room(&mut self) -> bool {
        let queued = self.queued.load(Relaxed);
        self.slow &= queued > 0;
        queued < QUEUED
    }

    fn say_slow(&mut self) -> Option<String> {
        let known = mem::replace(&mut self.slow, true);
        (!known).then(|| format!("cannot write {} fast enough: lines are left out", self.name))
    }

    /// Has the file opened anew when all is written that is queued now.
    pub(super) fn reopen(&self) {
        self.send(Message::Reopen);
    }

    /// Waits until all is written, the intervals that were left out last as well. If that takes more than a second the
    /// thread is left alone with it, and what there is to say about that is returned.
    #[must_use]
    pub(super) fn finish(mut self) -> Option<String> {
        if let Some(interval) = self.left_out.take() {
            self.send(Message::Interval(interval));
        }
        drop(self.queue);
        let late = self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        late.then(|| format!("cannot write {} in time: the last lines are lost", self.name))
    }

    /// Queues `message`, however many wait. It never blocks.
    fn send(&self, message: Message) {
        let (added, to) = message.weight(&self.queued, &self.flows_queued);
        to.fetch_add(added, Relaxed);
        // A thread that has panicked has said so.
        let _ = self.queue.send(message);
    }
}

/// Does to `file` what `message` tells. What there is to say about that is returned.
fn write(message: Message, file: &mut LineFile, lines: &mut impl Lines) -> Option<String> {
    match message {
        Message::Interval(Interval { snapshot, now }) => {
            file.append(|out| lines.interval(&snapshot, now, out))
        }
        Message::Flows(flows) => file.append(|out| lines.flows(&flows, out)),
        Message::Reopen => file.reopen(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::UNIX_EPOCH;

    use serde_json::Value;
    use stats::Intervals;
    use tempfile::TempDir;

    use super::*;
    use crate::config::Target;
    use crate::run::export::testing::snapshot;

    /// JSON lines, each of which waits for a permission.
    struct Held {
        permissions: Receiver<()>,
        intervals: Intervals,
    }

    impl Lines for Held {
        fn interval(&mut self, snapshot: &Snapshot, now: SystemTime, out: &mut Vec<u8>) -> io::Result<()> {
            // Without anybody to give any, all are permitted.
            let _ = self.permissions.recv();
            self.intervals.interval(snapshot, now, out)
        }
    }

    /// A writer to `lines` in a directory, and the end from which its lines are permitted.
    fn held() -> (TempDir, Writer, Sender<()>) {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::File(dir.path().join("lines"));
        let (permit, permissions) = channel();
        let lines = Held { permissions, intervals: Intervals::default() };
        let file = LineFile::open("log", target, Vec::new()).unwrap();
        (dir, Writer::start(file, lines).unwrap(), permit)
    }

    fn export(writer: &mut Writer, second: u64) -> Option<String> {
        let uptime = Duration::from_secs(second);
        writer.export(&Arc::new(snapshot(uptime)), UNIX_EPOCH + uptime)
    }

    fn wait_until_queued(writer: &Writer, messages: usize) {
        while writer.queued.load(Relaxed) != messages {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// When each interval in the file ended, how long it was, its packets and its samples.
    fn told(dir: &TempDir, file: &str) -> Vec<(String, f64, u64, u64)> {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let tell = |line: Value| {
            let samples = &line["rules"]["lab"]["network_rtt"]["count"];
            let (length, packets) = (line["interval_s"].as_f64(), line["packets"].as_u64());
            let time = line["time"].as_str().unwrap()[17..19].to_owned();
            (time, length.unwrap(), packets.unwrap(), samples.as_u64().unwrap())
        };
        lines.map(tell).collect()
    }

    fn line(second: &str, seconds: u32) -> (String, f64, u64, u64) {
        (second.to_owned(), seconds.into(), u64::from(seconds) * 1000, seconds.into())
    }

    #[test]
    fn the_line_after_those_left_out_tells_of_all_of_them() {
        let (dir, mut writer, permit) = held();
        let said: Vec<_> = (1..=6).map(|second| export(&mut writer, second)).collect();
        let slow =
            format!("cannot write the log to {}/lines fast enough: lines are left out", dir.path().display());
        assert_eq!(said, [None, None, None, None, Some(slow), None]);
        drop(permit);
        wait_until_queued(&writer, 0);
        assert_eq!(export(&mut writer, 7), None);
        assert_eq!(export(&mut writer, 8), None);
        assert_eq!(writer.finish(), None);
        let expected =
            [line("01", 1), line("02", 1), line("03", 1), line("04", 1), line("07", 3), line("08", 1)];
        assert_eq!(told(&dir, "lines"), expected);
    }

    #[test]
    fn the_last_line_tells_of_what_was_left_out_at_the_end() {
        let (dir, mut writer, permit) = held();
        let said = (1..=9).filter_map(|second| export(&mut writer, second)).count();
        assert_eq!(said, 1);
        drop(permit);
        assert_eq!(writer.finish(), None);
        assert_eq!(told(&dir, "lines").last(), Some(&line("09", 5)));
    }

    #[test]
    fn that_it_is_too_slow_is_said_again_only_after_all_was_written() {
        let (_dir, mut writer, permit) = held();
        let said = |writer: &mut Writer| (1..=6).filter_map(|second| export(writer, second)).count();
        let permit = |writer: &Writer, lines: usize| {
            (0..lines).for_each(|_| permit.send(()).unwrap());
            wait_until_queued(writer, QUEUED - lines);
        };
        assert_eq!(said(&mut writer), 1);
        permit(&writer, 1);
        assert_eq!(said(&mut writer), 0);
        permit(&writer, QUEUED);
        assert_eq!(said(&mut writer), 1);
    }

    #[test]
    fn nobody_waits_for_lines_that_are_never_taken() {
        let (dir, mut writer, permit) = held();
        assert_eq!(export(&mut writer, 1), None);
        let lost = format!(
            "cannot write the log to {}/lines in time: the last lines are lost",
            dir.path().display()
        );
        assert_eq!(writer.finish(), Some(lost));
        drop(permit);
    }

    #[test]
    fn a_file_is_opened_anew_behind_what_was_exported_before() {
        let (dir, mut writer, permit) = held();
        for second in 1..=3 {
            assert_eq!(export(&mut writer, second), None);
            if second == 2 {
                fs::rename(dir.path().join("lines"), dir.path().join("old")).unwrap();
                writer.reopen();
            }
        }
        drop(permit);
        assert_eq!(writer.finish(), None);
        assert_eq!(told(&dir, "old"), [line("01", 1), line("02", 1)]);
        assert_eq!(told(&dir, "lines"), [line("03", 1)]);
    }
}
