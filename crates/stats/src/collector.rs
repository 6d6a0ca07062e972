//! All that was recorded, over all workers: since the start, or in an interval.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::recorder::RuleRecorder;
use crate::{Metric, Recorders, RuleId};

/// A histogram for each rule and metric, and for the packets that no rule selects.
#[derive(Debug, Clone)]
pub struct Collector(Vec<[Histogram<u64>; Metric::ALL.len()]>);

/// One metric in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Samples.
    pub count: u64,
    /// The smallest, in nanoseconds; like the others true within 1 %.
    pub min_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// Nine in ten are not above this.
    pub p90_ns: u64,
    /// 99 in 100 are not above this.
    pub p99_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

impl Summary {
    /// `histogram` in a few numbers; `None` without samples.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        // The middle of what the histogram cannot tell apart: half as far from the truth as either end.
        let quantile = |quantile| histogram.median_equivalent(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            min_ns: histogram.min(),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            max_ns: histogram.max(),
        })
    }
}

impl Collector {
    /// Nothing recorded yet for `rules` rules.
    #[must_use]
    pub fn new(rules: usize) -> Self {
        Self((0..=rules).map(|_| std::array::from_fn(|_| RuleRecorder::empty_histogram())).collect())
    }

    /// Adds what `recorders` hold, which were made for as many rules.
    pub fn fold(&mut self, recorders: &Recorders) {
        for (histograms, recorders) in self.0.iter_mut().zip(recorders.by_rule()) {
            for (histogram, recorder) in histograms.iter_mut().zip(recorders) {
                recorder.fold_into(histogram);
            }
        }
    }

    /// Adds what `other` holds, which was made for as many rules.
    pub fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()) {
            // Bounds and digits are the same, so nothing can be out of range.
            let _ = ours.add(theirs);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.as_flattened_mut().iter_mut().for_each(Histogram::reset);
    }

    /// What there is of `metric` for `rule`; `None` if there is no such rule.
    #[must_use]
    pub fn histogram(&self, rule: RuleId, metric: Metric) -> Option<&Histogram<u64>> {
        self.0.get(rule.index()).map(|histograms| &histograms[metric.index()])
    }

    /// What there is of `metric` over all rules; `None` without samples.
    #[must_use]
    pub fn summary(&self, metric: Metric) -> Option<Summary> {
        let mut all = RuleRecorder::empty_histogram();
        for histograms in &self.0 {
            // As in `add`.
            let _ = all.add(&histograms[metric.index()]);
        }
        Summary::of(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_what_was_recorded() {
        let mut recorders = Recorders::new(2);
        for nanos in 1..=100 {
            recorders.record(RuleId::new(0), Metric::NetworkRtt, f64::from(nanos));
        }
        recorders.record_times(RuleId::new(1), Metric::NetworkRtt, 100.0, 100);
        let (mut interval, mut total) = (Collector::new(2), Collector::new(2));
        interval.fold(&recorders);
        total.add(&interval);
        total.add(&interval);
        interval.clear();
        assert_eq!(interval.summary(Metric::NetworkRtt), None);
        let of = |rule| total.histogram(RuleId::new(rule), Metric::NetworkRtt).and_then(Summary::of).unwrap();
        let hundred = Summary { count: 200, min_ns: 1, p50_ns: 50, p90_ns: 90, p99_ns: 99, max_ns: 100 };
        assert_eq!(of(0), hundred);
        assert_eq!((of(1).count, of(1).min_ns), (200, 100));
        assert_eq!(total.summary(Metric::NetworkRtt).unwrap().count, 400);
        assert_eq!(total.summary(Metric::TotalRtt), None);
        assert!(total.histogram(RuleId::new(2), Metric::TotalRtt).unwrap().is_empty());
        assert!(total.histogram(RuleId::new(3), Metric::TotalRtt).is_none());
    }
}
