//! One line each interval, for whoever watches.

use std::io::{self, IsTerminal};
use std::time::Duration;

use stats::{Metric, Report, StatsCore};

use super::say;
use crate::human;

const ON_A_TERMINAL: Duration = Duration::from_secs(1);
/// In a log.
const ELSEWHERE: Duration = Duration::from_secs(60);

/// What was printed last, and what comes next.
pub(super) struct Summary {
    interval: Duration,
    /// How long the run is to be.
    of: Option<Duration>,
    last: Report,
    next: Duration,
}

impl Summary {
    /// A summary each `interval`, or at the interval that suits standard error, of a run of `of`.
    pub(super) fn new(interval: Option<Duration>, of: Option<Duration>) -> Self {
        let suits = || if io::stderr().is_terminal() { ON_A_TERMINAL } else { ELSEWHERE };
        let interval = interval.unwrap_or_else(suits);
        Self { interval, of, last: Report::default(), next: interval }
    }

    /// Prints the line of the interval that has ended by `ran`, if one has, from what `core` knows.
    pub(super) fn print_if_due(&mut self, ran: Duration, core: &StatsCore) {
        if ran < self.next {
            return;
        }
        let report = core.report(ran);
        say(&line(&self.last, &report, core.counts().flows_live, self.of));
        self.last = report;
        while self.next <= ran {
            self.next += self.interval;
        }
    }
}

/// What came between two reports.
fn line(last: &Report, report: &Report, live: u64, of: Option<Duration>) -> String {
    let seconds = (report.duration_s - last.duration_s).max(f64::EPSILON);
    let rate = |count: fn(&Report) -> u64| {
        #[expect(clippy::cast_precision_loss, reason = "counts of an interval, for people")]
        let count = count(report).saturating_sub(count(last)) as f64;
        format!("{:.0}/s", count / seconds)
    };
    let of = of.map_or_else(String::new, |of| format!(" of {}", humantime::format_duration(of)));
    let mut line = format!(
        "{:.0}s{of}: packets {}, inserted {}, observed {}, flows {live}",
        report.duration_s,
        rate(|report| report.packets),
        rate(|report| report.inserted),
        rate(|report| report.observed),
    );
    let dropped = rate(|report| report.dropped.values().sum());
    if dropped != "0/s" {
        line += &format!(", dropped {dropped}");
    }
    for (metric, name) in [(Metric::NetworkRtt, "network"), (Metric::ServerDelay, "server")] {
        if let Some(summary) = report.metrics.get(metric.name()) {
            let median = human::nanos(summary.p50_ns);
            line += &format!(", {name} p50 {median}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_line_tells_of_the_interval_not_of_the_whole() {
        let at = |duration_s, packets, inserted, dropped| Report {
            packets,
            inserted,
            dropped: BTreeMap::from([("transmit_full", dropped)]),
            duration_s,
            ..Report::default()
        };
        let (first, second) = (at(1.0, 1000, 400, 0), at(3.0, 5000, 1000, 0));
        assert_eq!(
            line(&first, &second, 7, Some(Duration::from_secs(10))),
            "3s of 10s: packets 2000/s, inserted 300/s, observed 0/s, flows 7"
        );
        let third = at(4.0, 5000, 1000, 12);
        assert_eq!(
            line(&second, &third, 7, None),
            "4s: packets 0/s, inserted 0/s, observed 0/s, flows 7, dropped 12/s"
        );
    }
}
