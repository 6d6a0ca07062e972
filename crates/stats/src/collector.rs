//! All that was recorded so far, over all workers.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::recorder::{LONGEST_NANOS, Recorder, SIGNIFICANT_DIGITS};
use crate::{Metric, Recorders};

/// The histograms of all that was recorded.
#[derive(Debug, Clone)]
pub struct Collector([Histogram<u64>; Metric::ALL.len()]);

/// One metric in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

impl Collector {
    /// Nothing recorded yet.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram takes.
    #[must_use]
    #[expect(clippy::expect_used, reason = "constant bounds, in a test below")]
    pub fn new() -> Self {
        let empty =
            Histogram::new_with_bounds(1, LONGEST_NANOS, SIGNIFICANT_DIGITS).expect("constant bounds");
        Self(std::array::from_fn(|_| empty.clone()))
    }

    /// Adds what `recorders` hold.
    pub fn fold(&mut self, recorders: &Recorders) {
        for metric in Metric::ALL {
            fold(&mut self.0[metric.index()], recorders.of(metric));
        }
    }

    /// What there is of `metric`; `None` without samples.
    #[must_use]
    pub fn summary(&self, metric: Metric) -> Option<Summary> {
        let histogram = &self.0[metric.index()];
        // The middle of what the histogram cannot tell apart: half as far from the truth as either end.
        let quantile = |quantile| histogram.median_equivalent(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| Summary {
            count: histogram.len(),
            min_ns: histogram.min(),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            max_ns: histogram.max(),
        })
    }
}

impl Default for Collector {
    fn default() -> Self {
        Self::new()
    }
}

fn fold(histogram: &mut Histogram<u64>, recorder: &Recorder) {
    for (nanos, count) in recorder.recorded() {
        // Never above the longest, so that nothing is clamped here.
        histogram.saturating_record_n(nanos, count.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_what_was_recorded() {
        let mut recorders = Recorders::new();
        for nanos in 1..=100 {
            recorders.record(Metric::NetworkRtt, nanos);
        }
        let mut collector = Collector::new();
        collector.fold(&recorders);
        collector.fold(&recorders);
        let expected = Summary { count: 200, min_ns: 1, p50_ns: 50, p90_ns: 90, p99_ns: 99, max_ns: 100 };
        assert_eq!(collector.summary(Metric::NetworkRtt), Some(expected));
        assert_eq!(collector.summary(Metric::TotalRtt), None);
    }
}
