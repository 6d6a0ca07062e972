//! One histogram that a worker records into.
//!
//! Its places are those of an HdrHistogram from 1 ns to 1 h, and finer ones where that one's are whole nanoseconds, so that folding
//! it into the real thing is adding up. Recording is one increment, at the place that the number's own leading bits say.

use hdrhistogram::Histogram;

/// The longest delay that is told apart from longer ones: an hour, in nanoseconds. Those count as this.
const LONGEST_NANOS: u64 = 3_600_000_000_000;

/// What there are few of: 42 KiB.
pub(crate) type RuleRecorder = Recorder<2, { places(2) }>;

/// What there are many of: 5 KiB.
pub(crate) type PrefixRecorder = Recorder<1, { places(1) }>;

/// A histogram of so many significant digits, and the places that those make. They lie in the recorder itself: a sample
/// touches nothing on its way there.
#[derive(Debug, Clone)]
pub(crate) struct Recorder<const DIGITS: u8, const PLACES: usize> {
    counts: [u64; PLACES],
}

/// Bits after its first that a number is told by, for its place to be under 1 in 10^`digits` wide.
const fn kept_bits(digits: u8) -> u32 {
    (2 * 10_u64.pow(digits as u32) - 1).ilog2()
}

/// The bits of `nanos` from its sign and exponent down to the last of `kept` bits after the first.
#[inline]
const fn leading_bits(nanos: f64, kept: u32) -> u64 {
    nanos.to_bits() >> (f64::MANTISSA_DIGITS - 1 - kept)
}

/// What all under a nanosecond is counted as.
const SHORTEST_NANOS: f64 = 0.5;

/// Where `nanos` is counted; past all places if it is less than [`SHORTEST_NANOS`].
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits")]
const fn place(nanos: f64, kept: u32) -> usize {
    leading_bits(nanos, kept).wrapping_sub(leading_bits(SHORTEST_NANOS, kept)) as usize
}

/// How many places there are for values of so many digits.
const fn places(digits: u8) -> usize {
    place(LONGEST_NANOS as f64, kept_bits(digits)) + 1
}

impl<const DIGITS: u8, const PLACES: usize> Recorder<DIGITS, PLACES> {
    const KEPT_BITS: u32 = kept_bits(DIGITS);

    pub(crate) fn new() -> Self {
        Self { counts: [0; PLACES] }
    }

    /// The smallest value that is counted at `index`.
    fn value(index: usize) -> f64 {
        let leading_bits = leading_bits(SHORTEST_NANOS, Self::KEPT_BITS) + index as u64;
        f64::from_bits(leading_bits << (f64::MANTISSA_DIGITS - 1 - Self::KEPT_BITS))
    }

    /// Counts `nanos` `times` times: in the last place if it is longer than the longest.
    #[inline(always)]
    pub(crate) fn record(&mut self, nanos: f64, times: u64) {
        // 2^64 samples take centuries.
        match self.counts.get_mut(place(nanos, Self::KEPT_BITS)) {
            Some(count) => *count += times,
            None => self.record_extreme(nanos, times),
        }
    }

    /// Counts what is shorter than the shortest, or longer than the longest.
    #[cold]
    fn record_extreme(&mut self, nanos: f64, times: u64) {
        let place = if nanos < SHORTEST_NANOS { 0 } else { PLACES - 1 };
        self.counts[place] += times;
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Smallest values, in whole nanoseconds, and counts of the places that hold any.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "cut to whole ones, at most an hour of them"
    )]
    pub(crate) fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        let counted = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        counted.map(|(index, &count)| (Self::value(index) as u64, count))
    }

    /// The real thing, of the same bounds and digits, without samples.
    #[expect(clippy::expect_used, reason = "constant bounds, which every test here tries")]
    pub(crate) fn empty_histogram() -> Histogram<u64> {
        Histogram::new_with_bounds(1, LONGEST_NANOS, DIGITS).expect("constant bounds")
    }

    /// Adds what it holds to `histogram`.
    pub(crate) fn fold_into(&self, histogram: &mut Histogram<u64>) {
        for (nanos, count) in self.recorded() {
            // Never above the longest, so that nothing is clamped here.
            histogram.saturating_record_n(nanos, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_place_is_found_again<const DIGITS: u8, const PLACES: usize>() {
        let widest = 10_f64.powi(DIGITS.into());
        for place in 0..PLACES {
            let [smallest, next] = [place, place + 1].map(Recorder::<DIGITS, PLACES>::value);
            let mut recorder = Recorder::<DIGITS, PLACES>::new();
            recorder.record(smallest, 1);
            assert_eq!(recorder.counts[place], 1);
            assert!(next - smallest <= (smallest / widest).max(1.0), "{place}");
        }
    }

    #[test]
    fn every_place_is_found_again_and_none_is_wider_than_its_digits_allow() {
        every_place_is_found_again::<1, { places(1) }>();
        every_place_is_found_again::<2, { places(2) }>();
    }

    fn it_is_the_crates_own_layout<const DIGITS: u8, const PLACES: usize>() {
        let mut theirs = Recorder::<DIGITS, PLACES>::empty_histogram();
        for nanos in (0..3_000).chain([65_535, 65_536, 1_000_000, 123_456_789, LONGEST_NANOS]) {
            let mut ours = Recorder::<DIGITS, PLACES>::new();
            ours.record(nanos as f64, 1);
            let (smallest, _) = ours.recorded().next().unwrap();
            assert_eq!(smallest, theirs.lowest_equivalent(nanos), "{nanos}");
            theirs.record(nanos).unwrap();
        }
    }

    #[test]
    fn the_layout_is_the_crates_own() {
        it_is_the_crates_own_layout::<1, { places(1) }>();
        it_is_the_crates_own_layout::<2, { places(2) }>();
    }

    #[test]
    fn what_is_longer_than_the_longest_counts_as_that() {
        let mut recorder = RuleRecorder::new();
        recorder.record(1e30, 1);
        recorder.record(f64::INFINITY, 1);
        recorder.record(0.0, 2);
        recorder.record(-1.0, 1);
        let longest = RuleRecorder::empty_histogram().lowest_equivalent(LONGEST_NANOS);
        assert_eq!(recorder.recorded().collect::<Vec<_>>(), [(0, 3), (longest, 2)]);
    }
}
