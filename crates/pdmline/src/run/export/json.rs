//! JSON lines: what happened, an object at a time.

use std::io;
use std::time::SystemTime;

use flow::{Ending, FlowRecord, TickRate};
use serde::Serialize;
use stats::{Intervals, Snapshot};

use super::file::LineFile;
use super::writer::{Lines, Writer};
use crate::config::Target;
use crate::flow_object::FlowObject;

/// Opens `target` for JSON lines. What is there already stays, and lines come behind.
///
/// # Errors
/// When it cannot be written.
pub(super) fn open(target: Target) -> anyhow::Result<Writer> {
    Writer::start(LineFile::open("JSON lines", target, Vec::new())?, Intervals::default())
}

/// The line of a flow that has ended.
#[derive(Debug, Serialize)]
pub(super) struct EndedFlow {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When that was noticed, in UTC.
    time: String,
    /// Why it ended.
    ending: &'static str,
    #[serde(flatten)]
    flow: FlowObject,
}

impl EndedFlow {
    /// `flow`, which ended by `now` for `ending`, or because the program did. A tick of its times is worth `rate`.
    pub(super) fn new(flow: &FlowRecord, ending: Option<Ending>, rate: TickRate, now: SystemTime) -> Self {
        Self {
            kind: "flow",
            time: humantime::format_rfc3339_millis(now).to_string(),
            ending: match ending {
                Some(Ending::Idle) => "idle",
                Some(Ending::Evicted) => "evicted",
                None => "shutdown",
            },
            flow: FlowObject::new(flow, rate),
        }
    }
}

impl Lines for Intervals {
    fn interval(&mut self, snapshot: &Snapshot, now: SystemTime, out: &mut Vec<u8>) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &self.ended(snapshot, now))?;
        out.push(b'\n');
        Ok(())
    }

    fn flows(&mut self, flows: &[EndedFlow], out: &mut Vec<u8>) -> io::Result<()> {
        flows.iter().try_for_each(|flow| {
            serde_json::to_writer(&mut *out, flow)?;
            out.push(b'\n');
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::Value;

    use super::*;
    use crate::flow_object::tests::record;
    use crate::run::export::testing::snapshot;

    fn interval(intervals: &mut Intervals, millis: u64, out: &mut Vec<u8>) -> io::Result<()> {
        let uptime = Duration::from_millis(millis);
        intervals.interval(&snapshot(uptime), UNIX_EPOCH + uptime, out)
    }

    #[test]
    fn each_interval_is_one_line() {
        let (mut intervals, mut out) = (Intervals::default(), Vec::new());
        for millis in [1000, 2000, 3500] {
            interval(&mut intervals, millis, &mut out).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("}\n"), "{text}");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let told: Vec<_> = lines
            .map(|line| (line["time"].clone(), line["interval_s"].clone(), line["packets"].clone()))
            .collect();
        let line = |time: &str, length: f64, packets: u64| (time.into(), length.into(), packets.into());
        assert_eq!(
            told,
            [
                line("1970-01-01T00:00:01.000Z", 1.0, 1000),
                line("1970-01-01T00:00:02.000Z", 1.0, 1000),
                line("1970-01-01T00:00:03.500Z", 1.5, 1500),
            ]
        );
    }

    #[test]
    fn a_flow_that_ended_is_one_line_with_the_reason() {
        let flow = |ending| EndedFlow::new(&record(), ending, TickRate::NANOSECONDS, UNIX_EPOCH);
        let flows = [flow(Some(Ending::Idle)), flow(Some(Ending::Evicted)), flow(None)];
        let mut out = Vec::new();
        Intervals::default().flows(&flows, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let endings: Vec<_> = lines.iter().map(|line| line["ending"].as_str().unwrap()).collect();
        assert_eq!(endings, ["idle", "evicted", "shutdown"]);
        assert_eq!((&lines[0]["type"], &lines[0]["lost"]), (&"flow".into(), &1.into()));
        assert_eq!(lines[0]["time"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn lines_after_a_full_device_tell_of_their_interval_only() {
        let mut file = LineFile::open("JSON lines", Target::File("/dev/full".into()), Vec::new()).unwrap();
        let mut intervals = Intervals::default();
        let mut append = |millis| file.append(|out| interval(&mut intervals, millis, out));
        assert!(
            append(1000).unwrap().starts_with("stopped writing the JSON lines to /dev/full: No space left")
        );
        assert_eq!(append(2000), None);
        let mut next = Vec::new();
        interval(&mut intervals, 3000, &mut next).unwrap();
        let next: Value = serde_json::from_slice(&next).unwrap();
        assert_eq!((&next["packets"], &next["interval_s"]), (&1000.into(), &1.0.into()));
    }
}
