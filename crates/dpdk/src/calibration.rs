//! What a tick is worth, from two readings of two clocks. Arithmetic only: nothing here reads a clock.

use flow::TickRate;

/// A counter and a clock, read at the same moment as nearly as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The counter.
    pub ticks: u64,
    /// The clock, in nanoseconds.
    pub nanos: u64,
    /// How far from that moment the counter may have been read, in ticks, either way.
    pub doubt: u64,
}

/// A tick's worth, and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// What a tick is worth.
    pub rate: TickRate,
    /// The most the rate can be off, in parts per billion.
    pub error_ppb: u64,
}

const ATTOS_PER_NANO: u128 = 1_000_000_000;
const BILLION: u128 = 1_000_000_000;

impl Calibration {
    /// The rate between two readings, or `None` when a clock went backwards or stood still, or a tick's worth is
    /// outside of [`TickRate`]'s range (0.1 to 4.29 ns).
    #[must_use]
    pub fn between(start: Reading, end: Reading) -> Option<Self> {
        let ticks = u128::from(end.ticks.checked_sub(start.ticks)?);
        let nanos = u128::from(end.nanos.checked_sub(start.nanos)?);
        if ticks == 0 || nanos == 0 || ticks > nanos * 10 {
            return None;
        }
        let q32 = ((nanos * ATTOS_PER_NANO) << 32) / ticks;
        // The clock's readings are whole nanoseconds, each up to one too low.
        let doubt = u128::from(start.doubt) + u128::from(end.doubt) + ticks.div_ceil(nanos);
        let error = (doubt * BILLION).div_ceil(ticks);
        Some(Self {
            rate: TickRate::from_q32(u64::try_from(q32).ok()?),
            error_ppb: u64::try_from(error).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::Span;

    const HZ: u64 = 2_445_430_000;

    fn reading(ticks: u64, nanos: u64, doubt: u64) -> Reading {
        Reading { ticks, nanos, doubt }
    }

    #[test]
    fn a_second_of_ticks_is_a_second() {
        let found = Calibration::between(reading(77, 5, 0), reading(77 + HZ, 1_000_000_005, 0)).unwrap();
        let second = found.rate.attos(Span::from_ticks(HZ)).get();
        assert!(10_u128.pow(18) - second < 2, "{second}");
        assert_eq!(found.error_ppb, 2); // a nanosecond of 2.4 ticks, rounded up to 3, in a second
    }

    #[test]
    fn the_error_is_the_doubt_of_both_ends_and_shrinks_with_time() {
        let start = reading(0, 0, 100);
        let after = |seconds| {
            Calibration::between(start, reading(HZ * seconds, 1_000_000_000 * seconds, 142)).unwrap()
        };
        assert_eq!(after(1).error_ppb, 101); // (100 + 142 + 3) / 2.44543
        assert_eq!(after(10).error_ppb, 11);
    }

    #[test]
    fn a_reading_off_by_its_doubt_stays_within_the_error() {
        let exact = Calibration::between(reading(1000, 0, 0), reading(1000 + HZ, 1_000_000_000, 0)).unwrap();
        let off = Calibration::between(reading(900, 0, 100), reading(1100 + HZ, 1_000_000_000, 100)).unwrap();
        let difference = exact.rate.q32().abs_diff(off.rate.q32());
        let ppb = u128::from(difference) * BILLION / u128::from(exact.rate.q32());
        assert!(ppb > 0 && ppb <= u128::from(off.error_ppb), "{ppb} of {}", off.error_ppb);
    }

    #[test]
    fn a_hundred_years_do_not_overflow() {
        let years = 100 * 365 * 86_400;
        let found =
            Calibration::between(reading(0, 0, 50), reading(HZ * years, 1_000_000_000 * years, 50)).unwrap();
        assert_eq!(found.error_ppb, 1);
    }

    #[test]
    fn what_is_no_clock_has_no_rate() {
        let start = reading(100, 100, 1);
        for end in [reading(99, 200, 1), reading(200, 99, 1), reading(100, 200, 1), reading(200, 100, 1)] {
            assert_eq!(Calibration::between(start, end), None, "{end:?}");
        }
        assert_eq!(Calibration::between(start, reading(101, 1100, 1)), None, "1 MHz");
        assert_eq!(Calibration::between(start, reading(100_100, 1100, 1)), None, "100 GHz");
    }
}
