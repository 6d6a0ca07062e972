//! Which flows stand out: found by the clock hand on its round through the table, a few entries at a time.

use arrayvec::ArrayVec;

use crate::FlowRecord;

/// What a flow stands out by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorstBy {
    /// The network's share of its round trips, as it was lately.
    NetworkRtt,
    /// The far end's share, as it was lately.
    ServerDelay,
    /// Packets lost towards us.
    Loss,
}

impl WorstBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NetworkRtt, Self::ServerDelay, Self::Loss];

    /// It, as people and programs write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetworkRtt => "network_rtt",
            Self::ServerDelay => "server_delay",
            Self::Loss => "loss",
        }
    }

    /// How far `flow` stands out; `None` when it does not at all.
    #[must_use]
    pub fn measure(self, flow: &FlowRecord) -> Option<u64> {
        match self {
            Self::NetworkRtt => flow.network_rtt.map(|delay| delay.recent_ns),
            Self::ServerDelay => flow.server_delay.map(|delay| delay.recent_ns),
            Self::Loss => (flow.lost > 0).then(|| flow.lost.into()),
        }
    }
}

/// The most flows that a survey keeps for each [`WorstBy`].
const KEPT: usize = 16;

/// The flows of one table that stand out. Of fixed size: to look at a flow allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// In the order of [`WorstBy::ALL`], each with the worst first.
    worst: [ArrayVec<FlowRecord, KEPT>; WorstBy::ALL.len()],
    /// Where the clock hand was at its beginning; `None` before.
    began: Option<u32>,
    complete: bool,
}

impl Survey {
    /// The flows that stand out by `by`, the worst first, at most 16.
    #[must_use]
    pub fn worst(&self, by: WorstBy) -> &[FlowRecord] {
        &self.worst[by as usize]
    }

    /// Forgets everything, for a new round.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether every entry of the table was looked at.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes in what another table's survey found.
    pub fn merge(&mut self, other: &Self) {
        for (by, flows) in WorstBy::ALL.into_iter().zip(&other.worst) {
            flows.iter().for_each(|flow| self.rank(by, flow));
        }
    }

    /// Takes note of `flow`.
    pub fn see(&mut self, flow: &FlowRecord) {
        WorstBy::ALL.into_iter().for_each(|by| self.rank(by, flow));
    }

    /// The clock hand went on from `from` to `to`. The survey is complete when the hand is back where it began: a count of
    /// entries would not do, since the round gets longer while the table fills.
    pub(crate) fn advance(&mut self, from: u32, to: u32) {
        self.complete = *self.began.get_or_insert(from) == to;
    }

    /// There was no entry to look at.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    fn rank(&mut self, by: WorstBy, flow: &FlowRecord) {
        let Some(measure) = by.measure(flow) else { return };
        let flows = &mut self.worst[by as usize];
        let place = flows.partition_point(|other| by.measure(other) >= Some(measure));
        if flows.is_full() {
            if place == KEPT {
                return;
            }
            flows.pop();
        }
        flows.insert(place, *flow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delay, Key, Span};

    fn flow(lost: u32, network_ns: Option<u64>) -> FlowRecord {
        FlowRecord {
            key: Key::default(),
            age: Span::default(),
            idle: Span::default(),
            sent: 0,
            received: 0,
            lost,
            network_rtt: network_ns.map(|recent_ns| Delay { recent_ns, longest_ns: recent_ns }),
            server_delay: None,
        }
    }

    fn losses(survey: &Survey) -> Vec<u32> {
        survey.worst(WorstBy::Loss).iter().map(|flow| flow.lost).collect()
    }

    #[test]
    fn the_worst_stay_in_order_and_the_rest_does_not() {
        let mut survey = Survey::default();
        for lost in (0..20).chain([7, 40]) {
            survey.see(&flow(lost, None));
        }
        assert_eq!(losses(&survey), [40, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 7, 6]);
        assert!(survey.worst(WorstBy::NetworkRtt).is_empty(), "none has a delay");
    }

    #[test]
    fn surveys_of_two_tables_make_one() {
        let (mut one, mut other) = (Survey::default(), Survey::default());
        (0..10).for_each(|n| one.see(&flow(2 * n, Some(5))));
        (0..10).for_each(|n| other.see(&flow(2 * n + 1, None)));
        one.merge(&other);
        assert_eq!(losses(&one), (4..20).rev().collect::<Vec<_>>());
        assert_eq!(one.worst(WorstBy::NetworkRtt).len(), 10);
    }
}
