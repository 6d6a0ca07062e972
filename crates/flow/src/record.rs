//! What a flow has been through, for those who look at single flows: packets, loss, delays.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::measure::Answer;
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

/// A flow's delay, in steps of 64 ns up to 274 s; longer ones count as that.
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
    /// A packet without an option arrived.
    #[inline]
    pub(crate) fn arrived(&mut self) {
        self.received = self.received.saturating_add(1);
    }

    /// A packet arrived whose option told this.
    #[inline(always)]
    pub(crate) fn told(&mut self, progress: Progress, answer: &Answer) {
        self.arrived();
        if progress != Progress::IN_ORDER {
            self.told_of_disorder(progress);
        }
        match answer {
            Answer::Measured { server_ns, network_ns, .. } => {
                self.network_rtt.note(*network_ns);
                self.server_delay.note(*server_ns);
            }
            Answer::Uncertain { server_ns, .. } => self.server_delay.note(*server_ns),
            Answer::None | Answer::NeverSent | Answer::Forgotten | Answer::Nonsense => {}
        }
    }

    #[cold]
    fn told_of_disorder(&mut self, progress: Progress) {
        match progress {
            Progress::Forward { lost } => self.lost = self.lost.saturating_add(lost.into()),
            Progress::Reordered { taken_back: true } => self.lost = self.lost.saturating_sub(1),
            Progress::Reordered { taken_back: false } | Progress::Duplicate | Progress::Restart => {}
        }
    }
}

/// How a delay went, in steps of 2^[`STEP_BITS`] ns. All zero is no sample yet.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Course {
    recent: u32,
    longest: u32,
}

/// Steps of 64 ns: fine enough for a delay inside a machine, and 32 bits of them are minutes.
const STEP_BITS: u32 = 6;

/// How far a sample moves what is recent: an eighth of the way, rounded down.
const SMOOTHING_BITS: u32 = 3;

/// A step between two numbers of 32 bits, to be added modulo 2^32.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^32 nothing is lost")]
const fn cut(step: i64) -> u32 {
    step as u32
}

impl Course {
    #[inline(always)]
    fn note(&mut self, delay_ns: u64) {
        // At least one step: none is what tells that there was no sample.
        let sample = u32::try_from((delay_ns >> STEP_BITS).clamp(1, u32::MAX.into())).unwrap_or(u32::MAX);
        let step = (i64::from(sample) - i64::from(self.recent)) >> SMOOTHING_BITS;
        self.recent = if self.longest == 0 { sample } else { self.recent.wrapping_add(cut(step)) };
        self.longest = self.longest.max(sample);
    }

    fn delay(self) -> Option<Delay> {
        let nanos = |steps: u32| u64::from(steps) << STEP_BITS;
        (self.longest > 0).then(|| Delay { recent_ns: nanos(self.recent), longest_ns: nanos(self.longest) })
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

    fn after(samples: &[u64]) -> Option<Delay> {
        let mut course = Course::default();
        samples.iter().for_each(|&sample| course.note(sample));
        course.delay()
    }

    #[test]
    fn the_first_sample_is_taken_whole_and_each_other_moves_an_eighth() {
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[6_400]), Some(Delay { recent_ns: 6_400, longest_ns: 6_400 }));
        assert_eq!(after(&[6_400, 12_800]), Some(Delay { recent_ns: 7_168, longest_ns: 12_800 }));
        assert_eq!(after(&[12_800, 6_400]), Some(Delay { recent_ns: 11_968, longest_ns: 12_800 }));
    }

    #[test]
    fn the_shortest_and_the_longest_have_bounds() {
        assert_eq!(after(&[0]), Some(Delay { recent_ns: 64, longest_ns: 64 }));
        let longest = u64::from(u32::MAX) << STEP_BITS;
        assert_eq!(after(&[u64::MAX >> 1, 0]).unwrap().longest_ns, longest);
    }

    #[test]
    fn a_beginning_wraps_and_ages_stay_right() {
        let (began, now) =
            (Instant::from_ticks((1 << 56) - (1 << 25)), Instant::from_ticks((1 << 56) + (1 << 24)));
        assert_eq!(Beginning::at(began).age(now), Span::from_ticks(3 << 24));
    }
}
