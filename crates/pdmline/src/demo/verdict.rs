//! What was set beside what PDM measured, and whether the two agree.

use std::io::{self, Write};

use stats::{Metric, Report};

use super::lab::Outcome;
use super::scenario::Scenario;
use crate::human;

/// How far a measured delay may be from the one that was set, in parts of it: as wide as the histogram's buckets. Loss has
/// to be exact.
const TOLERANCE: u64 = 100;

/// A delay that was set and what was measured, in nanoseconds.
struct Delay {
    set: u64,
    /// Median, smallest and largest; `None` without a sample.
    measured: Option<[u64; 3]>,
}

impl Delay {
    fn of(metric: Metric, set: u64, report: &Report) -> Self {
        let summary = report.metrics.get(metric.name());
        Self { set, measured: summary.map(|summary| [summary.p50_ns, summary.min_ns, summary.max_ns]) }
    }

    /// Every single sample counts, not only the median.
    fn agrees(&self) -> bool {
        self.measured.is_some_and(|values| {
            values.iter().all(|measured| measured.abs_diff(self.set) * TOLERANCE <= self.set)
        })
    }

    fn measured(&self) -> String {
        self.measured.map_or_else(|| "nothing".into(), |[median, ..]| human::nanos(median))
    }
}

/// A scenario's row.
pub(super) struct Verdict {
    name: &'static str,
    network: Delay,
    server: Delay,
    lost: u64,
    measured_lost: u64,
    outcome: Outcome,
}

impl Verdict {
    pub(super) fn of(scenario: &Scenario, outcome: Outcome) -> Self {
        Self {
            name: scenario.name,
            network: Delay::of(Metric::NetworkRtt, 2 * scenario.delay, &outcome.near),
            server: Delay::of(Metric::ServerDelay, scenario.thinking, &outcome.near),
            lost: outcome.lost,
            measured_lost: outcome.near.loss.lost + outcome.far.loss.lost,
            outcome,
        }
    }

    /// Whether PDM measured what was set, and no host saw any of it.
    pub(super) fn agrees(&self) -> bool {
        self.network.agrees()
            && self.server.agrees()
            && self.lost == self.measured_lost
            && self.outcome.unmarked == 0
            && self.outcome.surprises == 0
            && self.outcome.answered > 0
    }
}

/// Prints the verdicts side by side.
pub(super) fn print(verdicts: &[Verdict], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<27}{:<23}{:<23}{:<19}", "", "network, both ways", "server", "packets lost")?;
    writeln!(
        out,
        "{:<27}{:<11}{:<12}{:<11}{:<12}{:<9}{:<10}",
        "", "set", "measured", "set", "measured", "set", "measured"
    )?;
    for verdict in verdicts {
        writeln!(
            out,
            "{:<27}{:<11}{:<12}{:<11}{:<12}{:<9}{:<10}{}",
            verdict.name,
            human::nanos(verdict.network.set),
            verdict.network.measured(),
            human::nanos(verdict.server.set),
            verdict.server.measured(),
            verdict.lost,
            verdict.measured_lost,
            if verdict.agrees() { "agrees" } else { "DIFFERS" },
        )?;
    }
    writeln!(out)?;
    print_totals(verdicts, out)
}

fn print_totals(verdicts: &[Verdict], out: &mut impl Write) -> io::Result<()> {
    let total = |of: fn(&Outcome) -> u64| verdicts.iter().map(|verdict| of(&verdict.outcome)).sum::<u64>();
    writeln!(
        out,
        "{} requests answered; {} packets on the wire, {} of them without the option;",
        total(|outcome| outcome.answered),
        total(|outcome| outcome.carried),
        total(|outcome| outcome.unmarked),
    )?;
    writeln!(
        out,
        "the hosts saw the option in {}. Delays agree within {} %, loss exactly.",
        total(|outcome| outcome.surprises),
        100 / TOLERANCE
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use stats::Summary;

    fn summary(nanos: u64) -> Summary {
        Summary { count: 1, min_ns: nanos, p50_ns: nanos, p90_ns: nanos, p99_ns: nanos, max_ns: nanos }
    }

    fn verdict(network: u64, server: u64, lost: u64) -> Verdict {
        let scenario = Scenario { name: "test", delay: 1_000, thinking: 3_000, loss_per_myriad: 1 };
        let mut near = Report::default();
        near.metrics.insert("network_rtt", summary(network));
        near.metrics.insert("server_delay", summary(server));
        near.loss.lost = lost;
        let far = Report::default();
        let outcome = Outcome { near, far, answered: 1, carried: 2, lost: 5, unmarked: 0, surprises: 0 };
        Verdict::of(&scenario, outcome)
    }

    #[test]
    fn what_differs_is_found() {
        assert!(verdict(2_000, 3_000, 5).agrees());
        assert!(verdict(2_020, 2_970, 5).agrees());
        assert!(!verdict(2_021, 3_000, 5).agrees());
        assert!(!verdict(2_000, 2_969, 5).agrees());
        assert!(!verdict(2_000, 3_000, 4).agrees());
        let mut seen = verdict(2_000, 3_000, 5);
        seen.outcome.surprises = 1;
        assert!(!seen.agrees());
    }

    #[test]
    fn the_table_says_which_differs() {
        let mut out = Vec::new();
        print(&[verdict(2_000, 3_000, 5), verdict(2_500, 3_000, 5)], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with("test")).collect();
        assert!(rows[0].ends_with("agrees") && rows[1].ends_with("DIFFERS"), "{text}");
        assert!(rows[1].contains("2.000 us   2.500 us"), "{text}");
    }
}
