//! The bounds of the histograms that are exported.

use std::ops::RangeInclusive;

use hdrhistogram::Histogram;

use crate::Error;

/// The smallest bound and the largest: 1 us and 60 s, in nanoseconds.
const RANGE_NANOS: RangeInclusive<u64> = 1_000..=60_000_000_000;

/// Bounds of buckets, evenly spaced on a logarithmic scale from 1 us to 60 s; what is above is in none but the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets(Vec<u64>);

impl Buckets {
    /// How many buckets there can be in a decade.
    pub const PER_DECADE: RangeInclusive<u8> = 3..=30;

    /// `per_decade` buckets from any bound to ten times that.
    ///
    /// # Errors
    /// If `per_decade` is not in [`Buckets::PER_DECADE`].
    pub fn log_spaced(per_decade: u8) -> Result<Self, Error> {
        if !Self::PER_DECADE.contains(&per_decade) {
            return Err(Error::BucketsPerDecade { per_decade });
        }
        let steps: Vec<u64> = (0..per_decade).map(|step| three_digits(step, per_decade)).collect();
        let decades = std::iter::successors(Some(RANGE_NANOS.start() / 100), |unit| Some(unit * 10));
        let bounds = decades.flat_map(|unit| steps.iter().map(move |step| step * unit));
        let last = *RANGE_NANOS.end();
        Ok(Self(bounds.take_while(|&bound| bound < last).chain([last]).collect()))
    }

    /// Each bound, in nanoseconds, and how many of `histogram`'s samples are not above it. A sample that the histogram
    /// cannot tell from a bound is not above it.
    pub(super) fn cumulate(&self, histogram: &Histogram<u64>) -> impl Iterator<Item = (u64, u64)> {
        let mut recorded = histogram.iter_recorded().peekable();
        let mut count = 0;
        self.0.iter().map(move |&bound| {
            let top = histogram.highest_equivalent(bound);
            while let Some(cell) = recorded.next_if(|cell| cell.value_iterated_to() <= top) {
                count += cell.count_at_value();
            }
            (bound, count)
        })
    }
}

/// The step's place in a decade from 100 to 1000, in the three digits that a histogram can tell.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 100 to 1000")]
fn three_digits(step: u8, per_decade: u8) -> u64 {
    (100.0 * 10_f64.powf(f64::from(step) / f64::from(per_decade))).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collector, Metric, Recorders, RuleId};

    #[test]
    fn bounds_rise_evenly_from_a_microsecond_to_a_minute() {
        let Buckets(bounds) = Buckets::log_spaced(3).unwrap();
        assert_eq!(bounds[..5], [1_000, 2_150, 4_640, 10_000, 21_500]);
        assert_eq!(
            bounds[bounds.len() - 4..],
            [10_000_000_000, 21_500_000_000, 46_400_000_000, 60_000_000_000]
        );
        for per_decade in Buckets::PER_DECADE {
            let Buckets(bounds) = Buckets::log_spaced(per_decade).unwrap();
            assert!(bounds.is_sorted_by(|a, b| a < b), "{per_decade}");
            let in_a_decade =
                bounds.iter().filter(|&&bound| (1_000_000..10_000_000).contains(&bound)).count();
            assert_eq!(in_a_decade, usize::from(per_decade));
        }
    }

    #[test]
    fn too_few_and_too_many_are_refused() {
        assert_eq!(Buckets::log_spaced(2), Err(Error::BucketsPerDecade { per_decade: 2 }));
        let error = Buckets::log_spaced(31).unwrap_err();
        assert_eq!(error.to_string(), "31 buckets in a decade: choose 3 to 30");
    }

    #[test]
    fn a_sample_on_a_bound_is_not_above_it() {
        let mut recorders = Recorders::new(0);
        for nanos in [1.0, 1e3, 1.1e3, 1e6, 1.01e6, 60e9, 61e9] {
            recorders.record(RuleId::default(), Metric::Residence, nanos);
        }
        let mut collector = Collector::new(0);
        collector.fold(&recorders);
        let histogram = collector.histogram(RuleId::default(), Metric::Residence).unwrap();
        let cumulated: Vec<_> = Buckets::log_spaced(3).unwrap().cumulate(histogram).collect();
        let at = |nanos| cumulated.iter().find(|(bound, _)| *bound == nanos).unwrap().1;
        assert_eq!(at(1_000), 2);
        assert_eq!(at(2_150), 3);
        assert_eq!(at(464_000), 3);
        assert_eq!(at(1_000_000), 4);
        assert_eq!(at(2_150_000), 5);
        assert_eq!(at(60_000_000_000), 6);
        assert_eq!(histogram.len(), 7);
    }
}
