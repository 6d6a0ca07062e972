//! A set of histograms: what a worker records into, and hands to the stats core.

use crate::recorder::{PrefixRecorder, RuleRecorder};
use crate::{Metric, Remote, RuleId, Slot};

/// The histograms of a rule.
type ByMetric = [RuleRecorder; Metric::ALL.len()];

/// One set of histograms, one for each rule and [`Metric`], and for the packets that no rule selects: their residence is
/// known too. It may have histograms for remote prefixes beside them.
#[derive(Debug, Clone)]
pub struct Recorders {
    by_rule: Box<[ByMetric]>,
    /// In the order of the slots; empty unless the set has them.
    by_slot: Box<[SlotRecorder]>,
}

/// The histograms of a slot.
#[derive(Debug, Clone)]
pub(crate) struct SlotRecorder {
    /// Whose slot it is; `None` while nothing is recorded.
    remote: Option<Remote>,
    pub(crate) network_rtt: PrefixRecorder,
    pub(crate) server_delay: PrefixRecorder,
}

impl Recorders {
    /// An empty set for `rules` rules, and none for prefixes. This and [`Recorders::with_prefixes`] allocate, and nothing
    /// else here does.
    #[must_use]
    pub fn new(rules: usize) -> Self {
        let by_metric: ByMetric = std::array::from_fn(|_| RuleRecorder::new());
        Self { by_rule: vec![by_metric; rules + 1].into_boxed_slice(), by_slot: Box::default() }
    }

    /// The same set with histograms for every [`Slot`]: 11 MiB.
    #[must_use]
    pub fn with_prefixes(self) -> Self {
        Self { by_slot: vec![SlotRecorder::new(); Slot::COUNT].into_boxed_slice(), ..self }
    }

    /// Counts `nanos` nanoseconds of `metric` once for `rule`.
    ///
    /// # Panics
    /// If the set was not made for so many rules.
    #[inline(always)]
    pub fn record(&mut self, rule: RuleId, metric: Metric, nanos: f64) {
        self.record_times(rule, metric, nanos, 1);
    }

    /// Counts `nanos` nanoseconds of `metric` `times` times for `rule`.
    ///
    /// # Panics
    /// As [`Recorders::record`].
    #[inline(always)]
    pub fn record_times(&mut self, rule: RuleId, metric: Metric, nanos: f64, times: u64) {
        self.by_rule[rule.index()][metric.index()].record(nanos, times);
    }

    /// Counts, once for `rule`, an answer's delays in nanoseconds; the network's share only if it is known.
    ///
    /// # Panics
    /// As [`Recorders::record`].
    #[inline(always)]
    pub fn record_answer(
        &mut self,
        rule: RuleId,
        total_rtt: f64,
        server_delay: f64,
        network_rtt: Option<f64>,
    ) {
        let by_metric = &mut self.by_rule[rule.index()];
        by_metric[Metric::TotalRtt.index()].record(total_rtt, 1);
        by_metric[Metric::ServerDelay.index()].record(server_delay, 1);
        if let Some(nanos) = network_rtt {
            by_metric[Metric::NetworkRtt.index()].record(nanos, 1);
        }
    }

    /// Counts, for the remote ends of `slot`, a server delay and, if it is known, a network delay, in nanoseconds.
    ///
    /// # Panics
    /// If the set was made without prefixes.
    #[inline]
    pub fn record_remote(&mut self, slot: Slot, server_delay: f64, network_rtt: Option<f64>) {
        let recorder = &mut self.by_slot[slot.index];
        recorder.remote = Some(slot.remote);
        recorder.server_delay.record(server_delay, 1);
        if let Some(nanos) = network_rtt {
            recorder.network_rtt.record(nanos, 1);
        }
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        self.by_rule.as_flattened_mut().iter_mut().for_each(RuleRecorder::clear);
        self.by_slot.iter_mut().for_each(SlotRecorder::clear);
    }

    /// The histograms of each rule, in order, and then those of no rule.
    pub(crate) fn by_rule(&self) -> &[ByMetric] {
        &self.by_rule
    }

    /// The histograms of every slot that has samples, and whose it is.
    pub(crate) fn by_remote(&self) -> impl Iterator<Item = (Remote, &SlotRecorder)> {
        self.by_slot.iter().filter_map(|recorder| Some((recorder.remote?, recorder)))
    }
}

impl SlotRecorder {
    fn new() -> Self {
        Self { remote: None, network_rtt: PrefixRecorder::new(), server_delay: PrefixRecorder::new() }
    }

    /// Most slots are empty already, and their histograms are not touched.
    fn clear(&mut self) {
        if self.remote.take().is_some() {
            self.network_rtt.clear();
            self.server_delay.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_own_histograms() {
        let mut recorders = Recorders::new(2);
        recorders.record(RuleId::new(1), Metric::TotalRtt, 7.0);
        let recorded = |recorders: &Recorders, rule: usize| {
            recorders.by_rule()[rule][Metric::TotalRtt.index()].recorded().collect::<Vec<_>>()
        };
        assert_eq!([0, 1, 2].map(|rule| recorded(&recorders, rule)), [vec![], vec![(7, 1)], vec![]]);
        recorders.clear();
        assert_eq!(recorded(&recorders, 1), []);
    }

    #[test]
    fn a_slot_tells_whose_it_is_until_it_is_empty() {
        let mut recorders = Recorders::new(0).with_prefixes();
        assert_eq!(recorders.by_remote().count(), 0);
        recorders.record_remote(Slot::OTHER, 5.0, None);
        recorders.record_remote(Slot::OTHER, 5.0, Some(3.0));
        let recorded = |recorders: &Recorders| {
            let of = |recorder: &PrefixRecorder| recorder.recorded().collect::<Vec<_>>();
            let by_remote = recorders.by_remote();
            by_remote
                .map(|(remote, slot)| (remote, of(&slot.network_rtt), of(&slot.server_delay)))
                .collect::<Vec<_>>()
        };
        assert_eq!(recorded(&recorders), [(Remote::Other, vec![(3, 1)], vec![(5, 2)])]);
        recorders.clear();
        assert_eq!(recorded(&recorders), []);
        recorders.record_remote(Slot::OTHER, 6.0, None);
        assert_eq!(recorded(&recorders), [(Remote::Other, vec![], vec![(6, 1)])], "nothing old is left");
    }
}
