//! Which worker owns a flow: where the device spreads packets by a hash that can be computed here too, the one whose queue
//! its packets most likely come by; else one that nobody outside can foretell.

use flow::{Hash, Key};

use crate::WorkerId;

/// The workers that own a pair's flows between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    /// At least one. By [`Choice::Rss`] a power of two of them, some more than once.
    workers: Box<[WorkerId]>,
    choice: Choice,
    /// Who owns all, if one does.
    only: Option<WorkerId>,
}

/// By what an owner is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The keyed hash of its key.
    Key,
    /// What RSS hashes.
    Rss { ports: bool },
}

impl Owners {
    /// `workers`, at least one, who share the flows by the keyed hash.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a documented panic")]
    pub fn by_key(workers: &[WorkerId]) -> Self {
        let (first, others) = workers.split_first().expect("somebody owns every flow");
        let only = others.iter().all(|other| other == first).then_some(*first);
        Self { workers: workers.into(), choice: Choice::Key, only }
    }

    /// The workers at whose queues a device's indirection table points, entry by entry, that hashes addresses, and ports if
    /// `ports` says so, by Toeplitz with a key of 6D5A throughout. A power of two of them.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn by_rss(workers: &[WorkerId], ports: bool) -> Self {
        Self { choice: Choice::Rss { ports }, ..Self::by_key(workers) }
    }

    /// Who owns all flows, if one worker does.
    #[must_use]
    #[inline]
    pub const fn only(&self) -> Option<WorkerId> {
        self.only
    }

    /// The owner of the flow of `key`, whose keyed hash is `hash`.
    #[must_use]
    #[inline]
    pub fn of(&self, key: &Key, hash: Hash) -> WorkerId {
        match self.choice {
            Choice::Key => self.workers[hash.pick(self.workers.len())],
            Choice::Rss { ports } => self.workers[rss_hash(key, ports) as usize % self.workers.len()],
        }
    }
}

/// The key of RSS: the same 16 bits throughout, so that the hash is the same for both directions.
const RSS_KEY: u32 = 0x6d5a_6d5a;

/// Toeplitz's hash of a flow's addresses, and of its ports if `ports` says so. With such a key every 16 bits of the input
/// meet the same part of the key, so that their sum says it all.
#[inline]
fn rss_hash(key: &Key, ports: bool) -> u32 {
    let both = key.local().to_bits() ^ key.remote().to_bits();
    let folded = (both ^ (both >> 64)) & u128::from(u64::MAX);
    let folded = (folded ^ (folded >> 32)) & u128::from(u32::MAX);
    let ports = if ports { key.local_port() ^ key.remote_port() } else { 0 };
    let sum = ((folded ^ (folded >> 16)) & u128::from(u16::MAX)) ^ u128::from(ports);
    (0..16).filter(|bit| sum & (0x8000 >> bit) != 0).fold(0, |hash, bit| hash ^ RSS_KEY.rotate_left(bit))
}

#[cfg(test)]
mod tests {
    use flow::{KeyHasher, PairId, Side};

    use super::*;

    /// The key of a UDP packet between hosts that `seed` says.
    fn key(seed: u8) -> Key {
        let mut packet = [seed; 48];
        packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 8, 17, 64]);
        packet[8..40].iter_mut().zip(1..).for_each(|(octet, n)| *octet = seed.wrapping_mul(n) ^ n);
        packet[8] = 0x20;
        packet[24] = 0x20;
        packet[40..44].copy_from_slice(&[seed, 1, 2, seed.wrapping_mul(7)]);
        let look = pdm::look(&packet, packet.len(), 0).unwrap();
        Key::of(&packet, &look, Side::Host, PairId::default())
    }

    /// Toeplitz's hash as it is defined: for each bit of `input` that is set, 32 bits of the key from there on.
    fn toeplitz(input: &[u8]) -> u32 {
        let bits = input.iter().flat_map(|octet| (0..8).map(move |bit| octet & (0x80 >> bit) != 0));
        (0..).zip(bits).filter(|(_, set)| *set).fold(0, |hash, (at, _)| hash ^ RSS_KEY.rotate_left(at % 32))
    }

    #[test]
    fn it_is_toeplitz_in_both_directions() {
        for key in (1..=255).map(key) {
            let octets = |ends: [(std::net::Ipv6Addr, u16); 2], ports: bool| {
                let addresses = ends.iter().flat_map(|(address, _)| address.octets());
                let ends = ends.iter().filter(|_| ports).flat_map(|(_, port)| port.to_be_bytes());
                addresses.chain(ends).collect::<Vec<u8>>()
            };
            let (local, remote) = ((key.local(), key.local_port()), (key.remote(), key.remote_port()));
            for ports in [false, true] {
                assert_eq!(rss_hash(&key, ports), toeplitz(&octets([local, remote], ports)));
                assert_eq!(rss_hash(&key, ports), toeplitz(&octets([remote, local], ports)));
            }
        }
    }

    #[test]
    fn every_owner_owns_some() {
        let (hasher, workers) = (KeyHasher::new([1, 2, 3, 4]), [0, 1, 2, 0].map(WorkerId::new));
        for owners in [Owners::by_key(&workers), Owners::by_rss(&workers, true)] {
            let mut owned: Vec<_> =
                (1..=255).map(key).map(|key| owners.of(&key, hasher.hash(&key))).collect();
            owned.sort_unstable();
            owned.dedup();
            assert_eq!(owned, [0, 1, 2].map(WorkerId::new));
            assert_eq!(owners.only(), None);
        }
        assert_eq!(Owners::by_rss(&[WorkerId::new(3); 4], false).only(), Some(WorkerId::new(3)));
    }
}
