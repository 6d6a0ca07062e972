//! Counters that one worker writes and anybody reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use pdm::Skip;

/// Why a packet did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// The port it was to leave by took no more, however often it was asked.
    TransmitFull,
    /// The ring to the worker that was to go on with it was full.
    HandOverFull,
}

impl Drop {
    /// All reasons.
    pub const ALL: [Self; 2] = [Self::TransmitFull, Self::HandOverFull];

    /// The reason's place in [`Drop::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason as reports name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TransmitFull => "transmit_full",
            Self::HandOverFull => "hand_over_full",
        }
    }
}

/// A leg of a burst's way through a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// Out of a port's queue, or another worker's ring.
    Receive,
    /// Each packet is looked at, and those that others own are handed over.
    Look,
    /// Flows are found.
    Find,
    /// Options are inserted, read and stripped, and what they tell is recorded.
    Rewrite,
    /// Into a port's queue.
    Send,
}

impl Leg {
    /// All legs, in order.
    pub const ALL: [Self; 5] = [Self::Receive, Self::Look, Self::Find, Self::Rewrite, Self::Send];

    /// The leg's place in [`Leg::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The leg as reports name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Look => "look",
            Self::Find => "find",
            Self::Rewrite => "rewrite",
            Self::Send => "send",
        }
    }
}

/// A number with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `more`. Only the owner may: two writers would lose counts.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// Sets a number that is counted elsewhere.
    #[inline]
    pub fn set(&self, count: u64) {
        self.0.store(count, Relaxed);
    }

    /// The number so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Makes the counters and, from the same list, what they were at one moment.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What one worker counts. Every packet is in exactly one of `inserted`, `observed`, `plain` and `skipped`.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: Counter,)+
            /// Packets that were left alone, by [`Skip::index`].
            pub skipped: [Counter; Skip::ALL.len()],
            /// Packets that did not leave, by [`Drop::index`].
            pub dropped: [Counter; Drop::ALL.len()],
            /// Ticks of the worker's clock, by [`Leg::index`], if it is profiled.
            pub leg_ticks: [Counter; Leg::ALL.len()],
            /// Others' counters start in another cache line.
            _apart: CachePadded<()>,
        }

        /// What [`Counters`] were at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// Packets that were left alone, by [`Skip::index`].
            pub skipped: [u64; Skip::ALL.len()],
            /// Packets that did not leave, by [`Drop::index`].
            pub dropped: [u64; Drop::ALL.len()],
            /// Ticks of the worker's clock, by [`Leg::index`], if it is profiled.
            pub leg_ticks: [u64; Leg::ALL.len()],
        }

        impl Counters {
            /// What they are now. The worker goes on meanwhile, so sums may be off by a burst.
            #[must_use]
            pub fn now(&self) -> Counts {
                Counts {
                    $($name: self.$name.get(),)+
                    skipped: self.skipped.each_ref().map(Counter::get),
                    dropped: self.dropped.each_ref().map(Counter::get),
                    leg_ticks: self.leg_ticks.each_ref().map(Counter::get),
                }
            }
        }

        impl Counts {
            /// Every number that is not by reason: its name, what it says in a sentence, and the number.
            pub fn plain_ones(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+), self.$name),)+].into_iter()
            }

            /// What was counted after `earlier`. Flows in the table are not counted but there: their number stays.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                let counted = Self {
                    $($name: self.$name.saturating_sub(earlier.$name),)+
                    skipped: std::array::from_fn(|i| self.skipped[i].saturating_sub(earlier.skipped[i])),
                    dropped: std::array::from_fn(|i| self.dropped[i].saturating_sub(earlier.dropped[i])),
                    leg_ticks: std::array::from_fn(|i| self.leg_ticks[i].saturating_sub(earlier.leg_ticks[i])),
                };
                Self { flows_live: self.flows_live, ..counted }
            }
        }

        impl std::ops::AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
                for (ours, theirs) in self.skipped.iter_mut().zip(other.skipped) {
                    *ours += theirs;
                }
                for (ours, theirs) in self.dropped.iter_mut().zip(other.dropped) {
                    *ours += theirs;
                }
                for (ours, theirs) in self.leg_ticks.iter_mut().zip(other.leg_ticks) {
                    *ours += theirs;
                }
            }
        }
    };
}

counters! {
    /// Rounds of the worker's loop.
    rounds,
    /// Packets received.
    packets,
    /// Packets that left with an option of ours.
    inserted,
    /// Packets whose option was read.
    observed,
    /// Packets that lost their option.
    stripped,
    /// Packets from the wire that were selected and had no option.
    plain,
    /// Packets handed to the worker that owns their flow.
    handed_over,
    /// Packets taken from workers that do not own their flow.
    taken_over,
    /// Flows that were created.
    flows_created,
    /// Flows that ended for idleness.
    flows_expired,
    /// Flows that had to make room for others.
    flows_evicted,
    /// Flows that found no room.
    flows_refused,
    /// Flows in the table.
    flows_live,
    /// Flows that ended while there was no room to tell of them.
    flows_unreported,
    /// Deltas that would have been negative.
    clock_backwards,
    /// Answers with more server delay than round trip.
    nonsense,
    /// Answers whose network share drowns in the error.
    uncertain,
    /// Answers to packets that were never sent.
    never_sent,
    /// Answers to packets whose send time was no longer known.
    forgotten,
    /// Packets missing in the peers' numbers.
    lost,
    /// Packets counted as lost that came late after all.
    taken_back,
    /// Packets that came twice.
    duplicated,
    /// Packets that came late.
    reordered,
    /// Times a peer's numbers jumped.
    restarts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_holds_every_number() {
        let counters = Counters::default();
        counters.packets.add(3);
        counters.flows_live.set(7);
        counters.skipped[Skip::Esp.index()].add(2);
        let mut counts = counters.now();
        counts += counts;
        assert_eq!((counts.packets, counts.flows_live, counts.skipped[Skip::Esp.index()]), (6, 14, 4));
        let packets = counts.plain_ones().find(|(name, ..)| *name == "packets");
        assert_eq!(packets, Some(("packets", " Packets received.", 6)));
    }

    #[test]
    fn what_was_counted_since_is_the_difference_but_for_what_is_there() {
        let earlier =
            Counts { packets: 3, flows_live: 7, skipped: [2; Skip::ALL.len()], ..Counts::default() };
        let now = Counts { packets: 10, flows_live: 5, skipped: [3; Skip::ALL.len()], ..earlier };
        let expected =
            Counts { packets: 7, flows_live: 5, skipped: [1; Skip::ALL.len()], ..Counts::default() };
        assert_eq!(now.since(&earlier), expected);
    }
}
