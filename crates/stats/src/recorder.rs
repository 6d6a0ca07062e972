//! One histogram that a worker records into.
//!
//! It has the layout of an HdrHistogram from 1 ns to 1 h, so that folding it into the real thing is adding up; recording
//! is one increment, a quarter of what the crate's own takes.

use hdrhistogram::Histogram;

/// The longest delay that is told apart from longer ones: an hour, in nanoseconds. Those count as this.
const LONGEST_NANOS: u64 = 3_600_000_000_000;

const fn bits(nanos: u64) -> u32 {
    u64::BITS - nanos.leading_zeros()
}

/// What there are few of: 18 KiB.
pub(crate) type RuleRecorder = Recorder<2, { places(2) }>;

/// What there are many of: 2.5 KiB.
pub(crate) type PrefixRecorder = Recorder<1, { places(1) }>;

/// A histogram of so many significant digits, and the places that those make. They lie in the recorder itself: a sample
/// touches nothing on its way there.
#[derive(Debug, Clone)]
pub(crate) struct Recorder<const DIGITS: u8, const PLACES: usize> {
    counts: [u32; PLACES],
}

/// Bits of a value that so many decimal digits need, for its place to be under 1 in 10^`digits` wide.
const fn kept_bits(digits: u8) -> u32 {
    bits(2 * 10_u64.pow(digits as u32) - 1)
}

/// Where `nanos` is counted: values of the same leading bits, `kept` of them, share a place.
#[expect(clippy::cast_possible_truncation, reason = "the shift leaves as many bits as are kept")]
const fn place(nanos: u64, kept: u32) -> usize {
    let dropped = bits(nanos | 1 << (kept - 1)) - kept;
    ((dropped as usize) << (kept - 1)) + (nanos >> dropped) as usize
}

/// How many places there are for values of so many digits.
const fn places(digits: u8) -> usize {
    place(LONGEST_NANOS, kept_bits(digits)) + 1
}

impl<const DIGITS: u8, const PLACES: usize> Recorder<DIGITS, PLACES> {
    const KEPT_BITS: u32 = kept_bits(DIGITS);

    pub(crate) fn new() -> Self {
        Self { counts: [0; PLACES] }
    }

    /// Where `nanos` is counted: in the last place if it is longer than the longest.
    #[inline]
    fn index(nanos: u64) -> usize {
        place(nanos, Self::KEPT_BITS).min(PLACES - 1)
    }

    /// The smallest value that is counted at `index`.
    const fn value(index: usize) -> u64 {
        let half = 1 << (Self::KEPT_BITS - 1);
        if index < 2 * half {
            return index as u64;
        }
        let dropped = index / half - 1;
        ((index - dropped * half) as u64) << dropped
    }

    #[inline(always)]
    pub(crate) fn record(&mut self, nanos: u64, times: u32) {
        let count = &mut self.counts[Self::index(nanos)];
        *count = count.saturating_add(times);
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Smallest values and counts of the places that hold any.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = (u64, u32)> {
        let counted = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        counted.map(|(index, &count)| (Self::value(index), count))
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
            histogram.saturating_record_n(nanos, count.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_place_is_found_again<const DIGITS: u8, const PLACES: usize>() {
        let widest = 10_u64.pow(DIGITS.into());
        for place in 0..PLACES {
            let [smallest, next] = [place, place + 1].map(Recorder::<DIGITS, PLACES>::value);
            assert_eq!(Recorder::<DIGITS, PLACES>::index(smallest), place);
            let width = next - smallest;
            assert!(width == 1 || width * widest <= smallest, "{place}");
        }
    }

    #[test]
    fn every_place_is_found_again_and_none_is_wider_than_its_digits_allow() {
        every_place_is_found_again::<1, { places(1) }>();
        every_place_is_found_again::<2, { places(2) }>();
    }

    fn it_is_the_crates_own_layout<const DIGITS: u8, const PLACES: usize>() {
        let mut theirs = Recorder::<DIGITS, PLACES>::empty_histogram();
        for nanos in (1..3_000).chain([65_535, 65_536, 1_000_000, 123_456_789, LONGEST_NANOS]) {
            let ours = Recorder::<DIGITS, PLACES>::value(Recorder::<DIGITS, PLACES>::index(nanos));
            assert_eq!(theirs.lowest_equivalent(nanos), ours, "{nanos}");
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
        recorder.record(u64::MAX, 1);
        recorder.record(0, 3);
        let longest = RuleRecorder::value(RuleRecorder::index(LONGEST_NANOS));
        assert_eq!(recorder.recorded().collect::<Vec<_>>(), [(0, 3), (longest, 1)]);
    }
}
