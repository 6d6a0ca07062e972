//! What a flow has been through, for those who look at single flows: packets, loss, delays.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::measure::RoundTrip;
use crate::{Instant, Key, Progress, Span};

/// What is known of one flow at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRecord {
    /// Who talks.
    pub key: Key,
    /// Since its first packet, to within 2^24 ticks.
    pub age: Span,
    /// Since its last packet.
    pub idle: Span,
    /// Packets that left with an option; of a native host, numbers that it used.
    pub sent: u32,
    /// Packets that arrived, with and without an option.
    pub received: u32,
    /// Packets towards us that never arrived.
    pub lost: u32,
    /// The network's share of round trips, once there was one.
    pub network_rtt: Option<Delay>,
    /// The far end's share of round trips, once there was one.
    pub server_delay: Option<Delay>,
}

/// A flow's delay, right to 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// Smoothed: each sample moves it an eighth of the way. In nanoseconds.
    pub recent_ns: u64,
    /// The longest, in nanoseconds.
    pub longest_ns: u64,
}

/// Why a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing came for too long.
    Idle,
    /// It made room for another.
    Evicted,
}

/// A flow that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What it had been through.
    pub flow: FlowRecord,
    /// Why.
    pub ending: Ending,
}

/// What an entry keeps for its [`FlowRecord`].
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Account {
    pub(crate) received: u32,
    pub(crate) lost: u32,
    pub(crate) network_rtt: Course,
    pub(crate) server_delay: Course,
}

impl Account {
    /// A packet arrived.
    #[inline(always)]
    pub(crate) fn arrived(&mut self) {
        self.received = self.received.saturating_add(1);
    }

    /// A packet and its answer took so long.
    #[inline(always)]
    pub(crate) fn took(&mut self, round_trip: &RoundTrip) {
        self.server_delay.note(round_trip.server_ns);
        if let Some(network_ns) = round_trip.network_ns {
            self.network_rtt.note(network_ns);
        }
    }

    /// The number of a packet that arrived told this.
    pub(crate) fn told(&mut self, progress: Progress) {
        match progress {
            Progress::Forward { lost } => self.lost = self.lost.saturating_add(lost.into()),
            Progress::Reordered { taken_back: true } => self.lost = self.lost.saturating_sub(1),
            Progress::Reordered { taken_back: false } | Progress::Duplicate | Progress::Restart => {}
        }
    }
}

/// How a delay went, in nanoseconds. All zero is no sample yet.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Course {
    recent: f32,
    longest: f32,
}

/// How far a sample moves what is recent.
const SMOOTHING: f32 = 1.0 / 8.0;

impl Course {
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded to 24 bits; what f32 cannot hold becomes infinite"
    )]
    fn note(&mut self, delay_ns: f64) {
        // Nothing at all is what tells that there was no sample; what is added is lost in all but that.
        let sample = delay_ns as f32 + f32::MIN_POSITIVE;
        let moved = (sample - self.recent).mul_add(SMOOTHING, self.recent);
        self.recent = if self.longest == 0.0 { sample } else { moved };
        // One instruction, where `f32::max` asks about NaN.
        self.longest = if sample > self.longest { sample } else { self.longest };
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative; saturates")]
    fn delay(self) -> Option<Delay> {
        let [recent_ns, longest_ns] = [self.recent, self.longest].map(|delay| delay.round() as u64);
        (self.longest > 0.0).then_some(Delay { recent_ns, longest_ns })
    }
}

/// When a flow began, in 32 bits: steps of 2^24 ticks, which is some milliseconds, and a year until they are used up.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(crate) struct Beginning(u32);

const BEGINNING_BITS: u32 = 24;

impl Beginning {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a difference of such numbers is taken modulo their range"
    )]
    pub(crate) fn at(now: Instant) -> Self {
        Self((now.ticks() >> BEGINNING_BITS) as u32)
    }

    fn age(self, now: Instant) -> Span {
        let steps = Self::at(now).0.wrapping_sub(self.0);
        Span::from_ticks(u64::from(steps) << BEGINNING_BITS)
    }
}

/// The record that an entry's parts make at `now`.
pub(crate) fn record(
    key: Key,
    began: Beginning,
    idle: Span,
    sent: u32,
    account: Account,
    now: Instant,
) -> FlowRecord {
    FlowRecord {
        key,
        // The steps are coarse: a young flow is at least as old as its last packet.
        age: began.age(now).max(idle),
        idle,
        sent,
        received: account.received,
        lost: account.lost,
        network_rtt: account.network_rtt.delay(),
        server_delay: account.server_delay.delay(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[f64]) -> Option<Delay> {
        let mut course = Course::default();
        samples.iter().for_each(|&sample| course.note(sample));
        course.delay()
    }

    #[test]
    fn the_first_sample_is_taken_whole_and_each_other_moves_an_eighth() {
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[6_400.0]), Some(Delay { recent_ns: 6_400, longest_ns: 6_400 }));
        assert_eq!(after(&[6_400.0, 12_800.0]), Some(Delay { recent_ns: 7_200, longest_ns: 12_800 }));
        assert_eq!(after(&[12_800.0, 6_400.0]), Some(Delay { recent_ns: 12_000, longest_ns: 12_800 }));
    }

    #[test]
    fn no_delay_is_a_sample_too() {
        assert_eq!(after(&[0.0]), Some(Delay { recent_ns: 0, longest_ns: 0 }));
        assert_eq!(after(&[0.0, 80.0, 0.0]).unwrap().longest_ns, 80);
    }

    #[test]
    fn a_beginning_wraps_and_ages_stay_right() {
        let (began, now) =
            (Instant::from_ticks((1 << 56) - (1 << 25)), Instant::from_ticks((1 << 56) + (1 << 24)));
        assert_eq!(Beginning::at(began).age(now), Span::from_ticks(3 << 24));
    }
}
