//! Counters that one worker writes and anybody reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use pdm::Skip;

/// Why a packet did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// The port it was to leave by took no more, however often it was asked.
    TransmitFull,
}

impl Drop {
    /// All reasons.
    pub const ALL: [Self; 1] = [Self::TransmitFull];

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
        }
    }
}

/// A number that only rises, with one writer.
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

/// What one worker counts. Every packet is in exactly one of `inserted`, `observed`, `plain` and `skipped`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets received.
    pub packets: CachePadded<Counter>,
    /// Packets that left with an option of ours.
    pub inserted: Counter,
    /// Packets whose option was read.
    pub observed: Counter,
    /// Packets that lost their option.
    pub stripped: Counter,
    /// Packets from the wire that were selected and had no option.
    pub plain: Counter,
    /// Packets that were left alone, by [`Skip::index`].
    pub skipped: [Counter; Skip::ALL.len()],
    /// Packets that did not leave, by [`Drop::index`].
    pub dropped: [Counter; Drop::ALL.len()],
    /// Packets handed to the worker that owns their flow.
    pub handed_over: Counter,
    /// Flows that were created.
    pub flows_created: Counter,
    /// Flows that ended for idleness.
    pub flows_expired: Counter,
    /// Flows in the table.
    pub flows_live: Counter,
    /// Deltas that would have been negative.
    pub clock_backwards: Counter,
    /// Answers with more server delay than round trip.
    pub nonsense: Counter,
    /// Answers whose network share drowns in the error.
    pub uncertain: Counter,
    /// Answers to packets that were never sent.
    pub never_sent: Counter,
    /// Answers to packets whose send time was no longer known.
    pub forgotten: Counter,
    /// Packets missing in the peers' numbers.
    pub lost: Counter,
    /// Of those, the ones that came late after all.
    pub taken_back: Counter,
    /// Packets that came twice.
    pub duplicated: Counter,
    /// Packets that came late.
    pub reordered: Counter,
    /// Times a peer's numbers jumped.
    pub restarts: Counter,
}
