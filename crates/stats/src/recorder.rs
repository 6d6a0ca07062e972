//! The histograms that a worker records into.
//!
//! They have the layout of an HdrHistogram of two significant digits from 1 ns to 1 h, so that folding one into
//! the real thing is adding up; recording is one increment, a quarter of what the crate's own takes.

use crate::{Metric, RuleId};

/// The longest delay that is told apart: an hour, in nanoseconds. Longer ones count as this.
pub(crate) const LONGEST_NANOS: u64 = 3_600_000_000_000;

/// Digits that are told apart.
pub(crate) const SIGNIFICANT_DIGITS: u8 = 2;

/// Bits of a value that two decimal digits need, for a value's largest bucket to be under 1 % wide.
const KEPT_BITS: u32 = 8;

/// Counts of one histogram.
const BUCKETS: usize = index(LONGEST_NANOS) + 1;

/// Where `nanos`, at most [`LONGEST_NANOS`], is counted: values of the same leading [`KEPT_BITS`] bits share a place.
#[expect(clippy::cast_possible_truncation, reason = "the shift leaves KEPT_BITS bits")]
const fn index(nanos: u64) -> usize {
    let dropped = bits(nanos).saturating_sub(KEPT_BITS);
    ((dropped as usize) << (KEPT_BITS - 1)) + (nanos >> dropped) as usize
}

const fn bits(nanos: u64) -> u32 {
    u64::BITS - nanos.leading_zeros()
}

/// The smallest value that is counted at `index`.
const fn value(index: usize) -> u64 {
    let half = 1 << (KEPT_BITS - 1);
    if index < 2 * half {
        return index as u64;
    }
    let dropped = index / half - 1;
    ((index - dropped * half) as u64) << dropped
}

/// One histogram.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    counts: Box<[u32]>,
}

impl Recorder {
    fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice() }
    }

    #[inline]
    fn record(&mut self, nanos: u64, times: u32) {
        let count = &mut self.counts[index(nanos.min(LONGEST_NANOS))];
        *count = count.saturating_add(times);
    }

    fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Smallest values and counts of the places that hold any.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = (u64, u32)> {
        let counted = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        counted.map(|(index, &count)| (value(index), count))
    }
}

/// One set of histograms, one for each rule and [`Metric`], and for the packets that no rule selects: their residence is
/// known too.
#[derive(Debug, Clone)]
pub struct Recorders(Box<[[Recorder; Metric::ALL.len()]]>);

impl Recorders {
    /// An empty set for `rules` rules. This allocates, and nothing else here does.
    #[must_use]
    pub fn new(rules: usize) -> Self {
        Self((0..=rules).map(|_| std::array::from_fn(|_| Recorder::new())).collect())
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
        self.0[rule.index()][metric.index()].record(nanos, times);
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        self.0.as_flattened_mut().iter_mut().for_each(Recorder::clear);
    }

    /// The histograms of each rule, in order, and then those of no rule.
    pub(crate) fn by_rule(&self) -> &[[Recorder; Metric::ALL.len()]] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_again_and_none_is_wider_than_a_hundredth() {
        for place in 0..BUCKETS {
            assert_eq!(index(value(place)), place);
            let width = value(place + 1) - value(place);
            assert!(width == 1 || width * 100 <= value(place), "{place}");
        }
    }

    #[test]
    fn it_is_the_crates_own_layout() {
        let mut theirs =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, LONGEST_NANOS, SIGNIFICANT_DIGITS).unwrap();
        for nanos in
            [1, 2, 127, 128, 255, 256, 257, 1000, 65_535, 65_536, 1_000_000, 123_456_789, LONGEST_NANOS]
        {
            assert_eq!(theirs.lowest_equivalent(nanos), value(index(nanos)), "{nanos}");
            theirs.record(nanos).unwrap();
        }
    }

    #[test]
    fn what_is_longer_than_the_longest_counts_as_that() {
        let (mut recorders, rule) = (Recorders::new(2), RuleId::new(1));
        recorders.record(rule, Metric::TotalRtt, u64::MAX);
        recorders.record_times(rule, Metric::TotalRtt, 0, 3);
        let recorded = |recorders: &Recorders, rule: usize| {
            recorders.by_rule()[rule][Metric::TotalRtt.index()].recorded().collect::<Vec<_>>()
        };
        assert_eq!(recorded(&recorders, 1), [(0, 3), (value(index(LONGEST_NANOS)), 1)]);
        assert_eq!(recorded(&recorders, 0), []);
        recorders.clear();
        assert_eq!(recorded(&recorders, 1), []);
    }
}
