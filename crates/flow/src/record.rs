//! What a flow has been through, for those who look at single flows: packets, loss, delays.

use wide::f32x4;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::measure::{Answer, RoundTrip};
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
    courses: Courses,
}

impl Account {
    /// A packet arrived.
    #[inline(always)]
    pub(crate) fn arrived(&mut self) {
        self.received = self.received.saturating_add(1);
    }

    /// A packet and its answer took as long as `answer` tells.
    #[inline(always)]
    pub(crate) fn took(&mut self, answer: &Answer) {
        match *answer {
            Answer::Measured(RoundTrip { network_ns, server_ns, .. }) => {
                self.courses.note(network_ns, server_ns)
            }
            Answer::Uncertain { server_ns, .. } => self.courses.note_server(server_ns),
            Answer::None | Answer::NeverSent | Answer::Forgotten | Answer::Nonsense => {}
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

/// How the network's delay and the server's went, in nanoseconds. 0 is no sample yet.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Courses {
    recent: [f32; 2],
    longest: [f32; 2],
}

/// How far a sample moves what is recent.
const SMOOTHING: f32 = 1.0 / 8.0;

impl Courses {
    /// Notes a sample of both.
    #[inline(always)]
    fn note(&mut self, network_ns: f64, server_ns: f64) {
        self.note_samples(sample(network_ns), sample(server_ns));
    }

    /// Notes a sample of the server's delay alone. What is as it was moves nothing.
    #[cold]
    fn note_server(&mut self, server_ns: f64) {
        self.note_samples(self.recent[0], sample(server_ns));
    }

    /// All four numbers at once, in one register.
    #[inline(always)]
    fn note_samples(&mut self, network: f32, server: f32) {
        let samples = f32x4::new([network, server, network, server]);
        let before = f32x4::new(zerocopy::transmute!(*self));
        let moved = (samples - before).mul_add(f32x4::splat(SMOOTHING), before);
        let recent = before.simd_eq(f32x4::ZERO).select(samples, moved);
        let [network, server, ..] = recent.to_array();
        let [.., longest_network, longest_server] = samples.fast_max(before).to_array();
        *self = zerocopy::transmute!([network, server, longest_network, longest_server]);
    }

    fn delays(self) -> [Option<Delay>; 2] {
        [0, 1].map(|course| delay(self.recent[course], self.longest[course]))
    }
}

/// A delay as it is kept: none at all is what tells that there was no sample, and what is added is lost in all but that.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded to 24 bits; what f32 cannot hold becomes infinite"
)]
fn sample(nanos: f64) -> f32 {
    nanos as f32 + f32::MIN_POSITIVE
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative; saturates")]
fn delay(recent: f32, longest: f32) -> Option<Delay> {
    let [recent_ns, longest_ns] = [recent, longest].map(|delay| delay.round() as u64);
    (longest > 0.0).then_some(Delay { recent_ns, longest_ns })
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
    let [network_rtt, server_delay] = account.courses.delays();
    FlowRecord {
        key,
        // The steps are coarse: a young flow is at least as old as its last packet.
        age: began.age(now).max(idle),
        idle,
        sent,
        received: account.received,
        lost: account.lost,
        network_rtt,
        server_delay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[f64]) -> Option<Delay> {
        let mut courses = Courses::default();
        samples.iter().for_each(|&sample| courses.note(2.0 * sample, sample));
        let [network, server] = courses.delays();
        assert_eq!(network.map(|delay| delay.longest_ns), server.map(|delay| 2 * delay.longest_ns));
        server
    }

    #[test]
    fn the_first_sample_is_taken_whole_and_each_other_moves_an_eighth() {
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[6_400.0]), Some(Delay { recent_ns: 6_400, longest_ns: 6_400 }));
        assert_eq!(after(&[6_400.0, 12_800.0]), Some(Delay { recent_ns: 7_200, longest_ns: 12_800 }));
        assert_eq!(after(&[12_800.0, 6_400.0]), Some(Delay { recent_ns: 12_000, longest_ns: 12_800 }));
    }

    #[test]
    fn what_the_network_took_may_be_unknown() {
        let mut courses = Courses::default();
        courses.note_server(80.0);
        assert_eq!(courses.delays(), [None, Some(Delay { recent_ns: 80, longest_ns: 80 })]);
        courses.note(16.0, 0.0);
        courses.note_server(70.0);
        let network = Delay { recent_ns: 16, longest_ns: 16 };
        assert_eq!(courses.delays(), [Some(network), Some(Delay { recent_ns: 70, longest_ns: 80 })]);
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
