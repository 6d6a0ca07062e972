//! The report of a run or a replay, as JSON has it.

use std::collections::BTreeMap;
use std::time::Duration;

use pdm::Skip;
use serde::Serialize;

use crate::{Collector, Counts, Drop, Leg, Metric, Summary};

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
    /// Cycles of the time stamp counter for each packet, by the leg of its way, if workers were profiled.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cycles_per_packet: BTreeMap<&'static str, f64>,
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
    /// The report of what all workers together counted and `collector` holds after `duration`.
    #[must_use]
    pub fn new(counts: &Counts, collector: &Collector, duration: Duration) -> Self {
        let mut report = Self {
            packets: counts.packets,
            inserted: counts.inserted,
            observed: counts.observed,
            stripped: counts.stripped,
            plain: counts.plain,
            skipped: by_reason(Skip::ALL.map(Skip::name), counts.skipped),
            dropped: by_reason(Drop::ALL.map(Drop::name), counts.dropped),
            flows: counts.flows_created,
            handed_over: counts.handed_over,
            clock_backwards: counts.clock_backwards,
            nonsense: counts.nonsense,
            uncertain: counts.uncertain,
            never_sent: counts.never_sent,
            forgotten: counts.forgotten,
            loss: Loss {
                // Counts of a running worker may be torn by a packet.
                lost: counts.lost.saturating_sub(counts.taken_back),
                duplicated: counts.duplicated,
                reordered: counts.reordered,
                restarts: counts.restarts,
            },
            cycles_per_packet: cycles_per_packet(counts),
            duration_s: duration.as_secs_f64(),
            metrics: BTreeMap::new(),
        };
        for metric in Metric::ALL {
            report.metrics.extend(collector.summary(metric).map(|summary| (metric.name(), summary)));
        }
        report
    }
}

/// What each leg that was profiled took of a packet's time.
fn cycles_per_packet(counts: &Counts) -> BTreeMap<&'static str, f64> {
    let legs = by_reason(Leg::ALL.map(Leg::name), counts.leg_ticks);
    let packets = counts.packets.max(1) as f64;
    legs.into_iter().map(|(leg, ticks)| (leg, ticks as f64 / packets)).collect()
}

/// The counts that are not 0, under their reasons' names.
pub(crate) fn by_reason<const N: usize>(
    names: [&'static str; N],
    counts: [u64; N],
) -> BTreeMap<&'static str, u64> {
    names.into_iter().zip(counts).filter(|&(_, count)| count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_add_up_and_zeroes_stay_out() {
        let mut counts = Counts { packets: 3, lost: 5, taken_back: 1, ..Counts::default() };
        counts.skipped[Skip::Esp.index()] = 2;
        counts.leg_ticks[Leg::Find.index()] = 36;
        counts += counts;
        let report = Report::new(&counts, &Collector::new(1), Duration::from_millis(1500));
        assert_eq!(report.packets, 6);
        assert_eq!(report.skipped, BTreeMap::from([("esp", 4)]));
        assert_eq!(report.loss.lost, 8);
        assert_eq!(report.cycles_per_packet, BTreeMap::from([("find", 12.0)]));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["duration_s"], 1.5);
        assert_eq!(json["dropped"], serde_json::json!({}));
        assert_eq!(json["metrics"], serde_json::json!({}));
    }
}
