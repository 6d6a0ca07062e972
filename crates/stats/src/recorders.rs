//! A set of histograms: what a worker records into, and hands to the stats core.

use crate::recorder::RuleRecorder;
use crate::{Metric, RuleId};

/// The histograms of a rule.
type ByMetric = [RuleRecorder; Metric::ALL.len()];

/// One set of histograms, one for each rule and [`Metric`], and for the packets that no rule selects: their residence is
/// known too.
#[derive(Debug, Clone)]
pub struct Recorders {
    by_rule: Box<[ByMetric]>,
}

impl Recorders {
    /// An empty set for `rules` rules. This allocates, and nothing else here does.
    #[must_use]
    pub fn new(rules: usize) -> Self {
        let by_metric = |_| std::array::from_fn(|_| RuleRecorder::new());
        Self { by_rule: (0..=rules).map(by_metric).collect() }
    }

    /// Counts `nanos` nanoseconds of `metric` once for `rule`.
    ///
    /// # Panics
    /// If the set was not made for so many rules.
    #[inline]
    pub fn record(&mut self, rule: RuleId, metric: Metric, nanos: u64) {
        self.record_times(rule, metric, nanos, 1);
    }

    /// Counts `nanos` nanoseconds of `metric` `times` times for `rule`.
    ///
    /// # Panics
    /// As [`Recorders::record`].
    #[inline]
    pub fn record_times(&mut self, rule: RuleId, metric: Metric, nanos: u64, times: u32) {
        self.by_rule[rule.index()][metric.index()].record(nanos, times);
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        self.by_rule.as_flattened_mut().iter_mut().for_each(RuleRecorder::clear);
    }

    /// The histograms of each rule, in order, and then those of no rule.
    pub(crate) fn by_rule(&self) -> &[ByMetric] {
        &self.by_rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_own_histograms() {
        let mut recorders = Recorders::new(2);
        recorders.record(RuleId::new(1), Metric::TotalRtt, 7);
        let recorded = |recorders: &Recorders, rule: usize| {
            recorders.by_rule()[rule][Metric::TotalRtt.index()].recorded().collect::<Vec<_>>()
        };
        assert_eq!([0, 1, 2].map(|rule| recorded(&recorders, rule)), [vec![], vec![(7, 1)], vec![]]);
        recorders.clear();
        assert_eq!(recorded(&recorders, 1), []);
    }
}
