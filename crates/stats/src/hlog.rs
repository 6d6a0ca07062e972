//! The delays of each interval as HdrHistogram's own tools read them: its interval log, version 2.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};

use crate::{Metric, Snapshot};

/// What the first lines say to people.
const ABOUT: &str = "[Histogram log format version 1.3]\n\
    Delays in nanoseconds as pdmline measured them, tagged rule.metric, or metric alone where no rule selects.";

/// Writes an interval log, a line for each rule and metric that has samples.
#[derive(Debug)]
pub struct HistogramLog {
    start: SystemTime,
    /// At the end of the last interval.
    uptime: Duration,
}

impl HistogramLog {
    /// The log of what is measured from `start` on.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self { start, uptime: Duration::ZERO }
    }

    /// Writes what each file begins with.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        let mut header = IntervalLogWriterBuilder::new();
        header.add_comment(ABOUT).with_start_time(self.start);
        header.begin_log_with(out, &mut V2DeflateSerializer::new()).map(drop)
    }

    /// Writes the interval that `snapshot` ends at `now`. The interval began with the last call, whatever came of that.
    ///
    /// # Errors
    /// What `out` says; the last line may then be a part of one. A count of 2^63 cannot be written either.
    pub fn write_interval(
        &mut self,
        snapshot: &Snapshot,
        now: SystemTime,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let length = snapshot.uptime.saturating_sub(self.uptime);
        self.uptime = snapshot.uptime;
        let began = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(length);
        let mut serializer = V2DeflateSerializer::new();
        // Without a header to write this writes nothing.
        let mut log = IntervalLogWriterBuilder::new().begin_log_with(out, &mut serializer)?;
        for (rule, name) in snapshot.rule_ids() {
            for metric in Metric::ALL {
                let histogram = snapshot.interval.histogram(rule, metric);
                let Some(histogram) = histogram.filter(|histogram| !histogram.is_empty()) else { continue };
                log.write_histogram(histogram, began, length, Tag::new(&tag(name, metric)))
                    .map_err(into_io)?;
            }
        }
        Ok(())
    }
}

/// What a rule and metric are called. Characters that end a tag for one reader or another become `_`.
fn tag(rule: Option<&str>, metric: Metric) -> String {
    let ends_a_tag = |c: char| c == ',' || c.is_whitespace() || c.is_control();
    match rule {
        Some(rule) => format!("{}.{}", rule.replace(ends_a_tag, "_"), metric.name()),
        None => metric.name().into(),
    }
}

fn into_io<E: std::error::Error + Send + Sync + 'static>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collector, Recorders, RuleId};

    const START: SystemTime = UNIX_EPOCH;

    /// The first rule and what none selects have samples, the second has none.
    fn snapshot(uptime: Duration) -> Snapshot {
        let mut recorders = Recorders::new(2);
        recorders.record(RuleId::new(0), Metric::NetworkRtt, 100.0);
        recorders.record(RuleId::new(2), Metric::Residence, 200.0);
        let mut interval = Collector::new(2);
        interval.fold(&recorders);
        Snapshot {
            uptime,
            workers: Vec::new(),
            ports: Vec::new(),
            rules: vec!["a lab, ours".into(), "silent".into()],
            total: interval.clone(),
            interval,
            prefixes: None,
            clock_error_ppb: 0,
        }
    }

    fn lines(log: &mut HistogramLog, snapshot: &Snapshot, now: SystemTime) -> Vec<String> {
        let mut out = Vec::new();
        log.write_interval(snapshot, now, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_file_begins_with_what_it_is_and_when_it_started() {
        let mut out = Vec::new();
        let start = START + Duration::from_millis(1_700_000_000_250);
        HistogramLog::new(start).write_header(&mut out).unwrap();
        let expected = "#[Histogram log format version 1.3]\n\
            #Delays in nanoseconds as pdmline measured them, tagged rule.metric, or metric alone where no rule \
            selects.\n\
            #[StartTime: 1700000000.250 (seconds since epoch)]\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_line_tells_whose_delays_these_are_and_when_they_were() {
        let mut log = HistogramLog::new(START);
        let first = snapshot(Duration::from_millis(1500));
        let now = START + Duration::from_secs(1_700_000_000);
        let heads = |lines: Vec<String>| {
            let head = |line: &String| line.rsplit_once(',').unwrap().0.to_owned();
            lines.iter().map(head).collect::<Vec<_>>()
        };
        assert_eq!(
            heads(lines(&mut log, &first, now)),
            [
                "Tag=a_lab__ours.network_rtt,1699999998.500,1.500,100.000",
                "Tag=residence,1699999998.500,1.500,200.000"
            ]
        );
        let second = snapshot(Duration::from_secs(2));
        assert_eq!(
            heads(lines(&mut log, &second, now + Duration::from_millis(500))),
            [
                "Tag=a_lab__ours.network_rtt,1700000000.000,0.500,100.000",
                "Tag=residence,1700000000.000,0.500,200.000"
            ]
        );
    }

    #[test]
    fn an_interval_without_samples_leaves_no_line() {
        let mut silent = snapshot(Duration::from_secs(1));
        silent.interval.clear();
        assert!(lines(&mut HistogramLog::new(START), &silent, START).is_empty());
    }

    #[test]
    fn no_tag_holds_what_ends_one() {
        for name in ["a,b", "a b", "a\nb", "a\r\nb", "a\u{2003}b", "a\tb"] {
            let tag = tag(Some(name), Metric::TotalRtt);
            assert!(tag.starts_with("a_") && tag.ends_with("b.total_rtt"), "{tag:?}");
            assert!(Tag::new(&tag).is_some());
        }
        assert_eq!(tag(Some("höhe.1=x"), Metric::TotalRtt), "höhe.1=x.total_rtt");
    }
}
