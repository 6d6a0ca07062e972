//! Instants and spans in ticks of whatever clock the caller reads, and what a tick is worth.

use std::time::Duration;

use pdm::Attos;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A point in time: ticks of one clock since an origin of that clock's own.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Instant(u64);

/// A length of time in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(u64);

impl Instant {
    /// The instant `ticks` ticks after the clock's origin.
    #[must_use]
    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks)
    }

    /// Ticks since the clock's origin.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this instant, or `None` when `earlier` is the later one.
    #[must_use]
    pub const fn checked_since(self, earlier: Self) -> Option<Span> {
        match self.0.checked_sub(earlier.0) {
            Some(ticks) => Some(Span(ticks)),
            None => None,
        }
    }

    /// The time from `earlier` to this instant, nothing when `earlier` is the later one.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved `span` earlier; the clock's origin when that comes later.
    #[must_use]
    pub const fn saturating_sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// This instant moved `span` later; the clock's last instant when that overflows.
    #[must_use]
    pub const fn saturating_add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Span {
    /// A span of `ticks` ticks.
    #[must_use]
    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks)
    }

    /// The span in ticks.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0
    }
}

/// What one tick of a clock is worth: attoseconds with 32 binary places. Slow enough for 1 ns, fast enough for 10 GHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickRate(u64);

/// Attoseconds in a nanosecond.
const ATTOS_IN_A_NANO: u64 = 1_000_000_000;

/// Binary places of a [`TickRate`].
const PLACES: u32 = 32;

impl TickRate {
    /// A clock that ticks once a nanosecond.
    pub const NANOSECONDS: Self = Self(ATTOS_IN_A_NANO << PLACES);

    /// A clock whose tick is worth `attos` / 2^32 attoseconds.
    #[must_use]
    pub const fn from_q32(attos: u64) -> Self {
        Self(attos)
    }

    /// A tick's worth in attoseconds times 2^32.
    #[must_use]
    pub const fn q32(self) -> u64 {
        self.0
    }

    /// `span` in attoseconds, cut to whole ones. Exact: the product has 128 bits.
    #[must_use]
    pub const fn attos(self, span: Span) -> Attos {
        Attos::new((span.0 as u128 * self.0 as u128) >> PLACES)
    }

    /// `span` in nanoseconds, right to 52 bits: a microsecond in a month. Below 0 if it has 2^63 ticks or more, as no clock
    /// ever has.
    #[must_use]
    #[inline]
    pub fn nanos(self, span: Span) -> f64 {
        const NANOS_IN_A_UNIT: f64 = 1.0 / (ATTOS_IN_A_NANO as f64 * (1_u64 << PLACES) as f64);
        // The processor turns numbers with a sign into such ones at once.
        span.0.cast_signed() as f64 * (self.0 as f64 * NANOS_IN_A_UNIT)
    }

    /// The ticks that make `time`, rounded down; the longest span when there are more.
    #[must_use]
    pub fn span_of(self, time: Duration) -> Span {
        let attos =
            u128::from(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)) * u128::from(ATTOS_IN_A_NANO);
        let ticks = (attos << PLACES) / u128::from(self.0.max(1));
        Span(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nanosecond_tick_is_a_billion_attoseconds() {
        assert_eq!(TickRate::NANOSECONDS.attos(Span(4)), Attos::new(4_000_000_000));
        assert_eq!(TickRate::NANOSECONDS.span_of(Duration::from_secs(60)), Span(60_000_000_000));
    }

    #[test]
    fn spans_are_never_negative() {
        let (early, late) = (Instant(3), Instant(10));
        assert_eq!(late.checked_since(early), Some(Span(7)));
        assert_eq!(early.checked_since(late), None);
        assert_eq!(early.saturating_since(late), Span(0));
    }

    #[test]
    fn a_tsc_rate_is_exact_to_the_last_place() {
        // 2.445430000 GHz
        let q32 = (1_000_000_000_000_000_000_u128 << 32) / 2_445_430_000;
        let rate = TickRate::from_q32(u64::try_from(q32).unwrap());
        let second = rate.attos(Span(2_445_430_000)).get();
        assert!(1_000_000_000_000_000_000 - second < 2);
    }
}
