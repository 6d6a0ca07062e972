//! The send log: when each packet that may still be answered was sent.
//!
//! It is set-associative and forgets oldest first. A packet's set is found by its flow and number, neighbouring
//! numbers in neighbouring sets, so one flow alone fills all sets evenly; many flows fill them at random, and with 16
//! ways, and twice the nominal room, 99 in 100 packets are still found while as many as the nominal ones are in flight.

use pdm::Psn;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Instant;
use crate::prefetch::prefetch;

/// Packets in a set.
const WAYS: usize = 16;

/// Room for every packet that the log is said to hold.
const SLACK: usize = 2;

/// When one packet was sent. Zeroes are nothing: serials start at 1.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Sent {
    owner: u64,
    at: Instant,
}

/// One set: four cache lines.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(crate) struct Set([Sent; WAYS]);

/// The log of one shard.
pub(crate) struct SendLog<'m> {
    sets: &'m mut [Set],
    /// For each set the way that is written next, modulo [`WAYS`].
    cursors: &'m mut [u8],
    mask: usize,
}

/// Sets of a log for `packets` packets in flight: a power of two.
pub(crate) const fn sets_for(packets: usize) -> usize {
    let sets = (packets * SLACK).div_ceil(WAYS).next_power_of_two();
    if sets < CURSORS_ALIGN { CURSORS_ALIGN } else { sets }
}

/// So many sets at the least: their cursors then keep what follows them in memory aligned.
const CURSORS_ALIGN: usize = 64;

impl<'m> SendLog<'m> {
    /// A log on a power of two of sets, and as many cursors.
    pub(crate) fn new(sets: &'m mut [Set], cursors: &'m mut [u8]) -> Self {
        let mask = sets.len() - 1;
        Self { sets, cursors, mask }
    }

    #[inline]
    fn set(&self, serial: u32, psn: Psn) -> usize {
        let start = u64::from(serial).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (start as usize).wrapping_add(usize::from(psn.get())) & self.mask
    }

    /// Asks for the line that [`SendLog::remember`] will write.
    #[inline]
    pub(crate) fn prefetch(&self, serial: u32, psn: Psn) {
        let set = self.set(serial, psn);
        prefetch(&self.sets[set].0[usize::from(self.cursors[set]) % WAYS]);
    }

    /// Notes that flow `serial` sent packet `psn` at `at`.
    #[inline]
    pub(crate) fn remember(&mut self, serial: u32, psn: Psn, at: Instant) {
        let set = self.set(serial, psn);
        let cursor = &mut self.cursors[set];
        self.sets[set].0[usize::from(*cursor) % WAYS] = Sent { owner: owner(serial, psn), at };
        *cursor = cursor.wrapping_add(1);
    }

    /// When flow `serial` sent packet `psn`, the last time that it used the number, if that is still remembered.
    #[inline]
    pub(crate) fn recall(&self, serial: u32, psn: Psn) -> Option<Instant> {
        let set = self.set(serial, psn);
        let (owner, cursor) = (owner(serial, psn), usize::from(self.cursors[set]));
        let newest_first = (1..=WAYS).map(|age| &self.sets[set].0[cursor.wrapping_sub(age) % WAYS]);
        newest_first.into_iter().find(|sent| sent.owner == owner).map(|sent| sent.at)
    }
}

#[inline]
fn owner(serial: u32, psn: Psn) -> u64 {
    u64::from(serial) << 16 | u64::from(psn.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_log(packets: usize, test: impl FnOnce(SendLog<'_>)) {
        let none = || Set([Sent::default(); WAYS]);
        let mut sets: Vec<_> = std::iter::repeat_with(none).take(sets_for(packets)).collect();
        let mut cursors = vec![0; sets.len()];
        test(SendLog::new(&mut sets, &mut cursors));
    }

    #[test]
    fn the_last_use_of_a_number_counts() {
        with_log(1024, |mut log| {
            assert_eq!(log.recall(1, Psn::new(9)), None);
            log.remember(1, Psn::new(9), Instant::from_ticks(5));
            log.remember(1, Psn::new(9), Instant::from_ticks(6));
            assert_eq!(log.recall(1, Psn::new(9)), Some(Instant::from_ticks(6)));
            assert_eq!(log.recall(2, Psn::new(9)), None);
        });
    }

    /// Sends as `flows` flows in turn and asks for each packet when `in_flight` more were sent; returns how many were
    /// found, in a thousand.
    fn found_per_mille(packets: usize, flows: u32, in_flight: usize) -> usize {
        let mut found = 0;
        let total = packets * 4;
        with_log(packets, |mut log| {
            let nth = |n: usize| {
                let n = u32::try_from(n).unwrap();
                (1 + n % flows, Psn::new(u16::try_from(n / flows % 65_536).unwrap()))
            };
            for n in 0..total {
                let (serial, psn) = nth(n);
                log.remember(serial, psn, Instant::from_ticks(n as u64));
                if let Some(asked) = n.checked_sub(in_flight - 1) {
                    let (serial, psn) = nth(asked);
                    found += usize::from(log.recall(serial, psn) == Some(Instant::from_ticks(asked as u64)));
                }
            }
        });
        found * 1000 / (total - in_flight + 1)
    }

    #[test]
    fn one_flow_finds_all_its_packets_and_many_find_99_in_100() {
        const PACKETS: usize = 1 << 14;
        assert_eq!(found_per_mille(PACKETS, 1, PACKETS), 1000);
        for flows in [2, 100, 1_000, 10_000] {
            assert!(found_per_mille(PACKETS, flows, PACKETS) >= 990, "{flows} flows");
        }
    }
}
