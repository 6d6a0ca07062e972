//! The report of a run or a replay, as JSON has it.

use std::collections::BTreeMap;
use std::time::Duration;

use pdm::Skip;
use serde::Serialize;

use crate::{Collector, Counter, Counters, Drop, Metric, Summary};

/// All that happened, over all workers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Packets received on all ports.
    pub packets: u64,
    /// Packets that left with an option of ours.
    pub inserted: u64,
    /// Packets whose option was read.
    pub observed: u64,
    /// Packets that lost their option.
    pub stripped: u64,
    /// Packets from the wire that were selected and had no option.
    pub plain: u64,
    /// Packets that were left alone, by reason; none with a count of 0.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Packets that did not leave, by reason; none with a count of 0.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Flows that were created.
    pub flows: u64,
    /// Packets handed to the worker that owns their flow.
    pub handed_over: u64,
    /// Deltas that would have been negative.
    pub clock_backwards: u64,
    /// Answers with more server delay than round trip.
    pub nonsense: u64,
    /// Answers whose network share drowns in the error.
    pub uncertain: u64,
    /// Answers to packets that were never sent.
    pub never_sent: u64,
    /// Answers to packets whose send time was no longer known.
    pub forgotten: u64,
    /// What the peers' numbers tell of the packets between.
    pub loss: Loss,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// The metrics that have samples.
    pub metrics: BTreeMap<&'static str, Summary>,
}

/// What the peers' numbers tell of the packets between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came twice.
    pub duplicated: u64,
    /// Packets that came late.
    pub reordered: u64,
    /// Times a peer's numbers jumped.
    pub restarts: u64,
}

impl Report {
    /// The report of what `workers` counted and `collector` holds after `duration`.
    pub fn new<'c>(
        workers: impl IntoIterator<Item = &'c Counters>,
        collector: &Collector,
        duration: Duration,
    ) -> Self {
        let mut report = Self { duration_s: duration.as_secs_f64(), ..Self::default() };
        workers.into_iter().for_each(|counters| report.add(counters));
        for metric in Metric::ALL {
            report.metrics.extend(collector.summary(metric).map(|summary| (metric.name(), summary)));
        }
        report
    }

    fn add(&mut self, counters: &Counters) {
        self.packets += counters.packets.get();
        self.inserted += counters.inserted.get();
        self.observed += counters.observed.get();
        self.stripped += counters.stripped.get();
        self.plain += counters.plain.get();
        add_reasons(&mut self.skipped, Skip::ALL.map(Skip::name), &counters.skipped);
        add_reasons(&mut self.dropped, Drop::ALL.map(Drop::name), &counters.dropped);
        self.flows += counters.flows_created.get();
        self.handed_over += counters.handed_over.get();
        self.clock_backwards += counters.clock_backwards.get();
        self.nonsense += counters.nonsense.get();
        self.uncertain += counters.uncertain.get();
        self.never_sent += counters.never_sent.get();
        self.forgotten += counters.forgotten.get();
        // Read in this order a packet taken back meanwhile cannot exceed the lost.
        let taken_back = counters.taken_back.get();
        self.loss.lost += counters.lost.get().saturating_sub(taken_back);
        self.loss.duplicated += counters.duplicated.get();
        self.loss.reordered += counters.reordered.get();
        self.loss.restarts += counters.restarts.get();
    }
}

/// Adds the counters that are not 0 under their reasons' names.
fn add_reasons<const N: usize>(
    reasons: &mut BTreeMap<&'static str, u64>,
    names: [&'static str; N],
    counters: &[Counter; N],
) {
    for (name, counter) in names.into_iter().zip(counters) {
        if counter.get() > 0 {
            *reasons.entry(name).or_default() += counter.get();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_add_up_and_zeroes_stay_out() {
        let workers = [Counters::default(), Counters::default()];
        for worker in &workers {
            worker.packets.add(3);
            worker.skipped[Skip::Esp.index()].add(2);
            worker.lost.add(5);
            worker.taken_back.add(1);
        }
        let report = Report::new(&workers, &Collector::new(), Duration::from_millis(1500));
        assert_eq!(report.packets, 6);
        assert_eq!(report.skipped, BTreeMap::from([("esp", 4)]));
        assert_eq!(report.loss.lost, 8);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["duration_s"], 1.5);
        assert_eq!(json["dropped"], serde_json::json!({}));
        assert_eq!(json["metrics"], serde_json::json!({}));
    }
}
