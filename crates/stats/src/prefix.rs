//! Remote prefixes, and which of them have a place of their own.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use ahash::RandomState;
use ipnet::Ipv6Net;

use crate::Error;

/// How many prefixes are told apart.
pub const MAX_PREFIXES: usize = 1024;

/// Remote ends that are told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    /// Those of this prefix.
    Prefix(Ipv6Net),
    /// All that came when there were [`MAX_PREFIXES`] already.
    Other,
}

impl Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Other => f.write_str("other"),
        }
    }
}

/// Where a worker records the delays of some remote ends, in every set of its recorders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub(crate) index: usize,
    pub(crate) remote: Remote,
}

impl Slot {
    /// How many there are.
    pub(crate) const COUNT: usize = MAX_PREFIXES + 1;

    /// The last one.
    pub(crate) const OTHER: Self = Self { index: MAX_PREFIXES, remote: Remote::Other };
}

/// A worker's book of remote prefixes: the first [`MAX_PREFIXES`] have a slot each, for good, all others share one.
#[derive(Debug)]
pub struct PrefixBook {
    bits: u8,
    slots: HashMap<Ipv6Net, usize, RandomState>,
}

impl PrefixBook {
    /// How long a prefix can be. Longer ones would tell the hosts of one network apart.
    pub const BITS: RangeInclusive<u8> = 1..=64;

    /// An empty book of prefixes of `bits` bits. Nobody who does not know `secret` can aim prefixes at one place in it.
    /// This allocates, and nothing else here does.
    ///
    /// # Errors
    /// If `bits` is not in [`PrefixBook::BITS`].
    pub fn new(bits: u8, secret: [u64; 4]) -> Result<Self, Error> {
        if !Self::BITS.contains(&bits) {
            return Err(Error::PrefixBits { bits });
        }
        let [a, b, c, d] = secret;
        let hasher = RandomState::with_seeds(a, b, c, d);
        Ok(Self { bits, slots: HashMap::with_capacity_and_hasher(MAX_PREFIXES, hasher) })
    }

    /// The slot of `remote`'s prefix, which gets one if it has none and one is left.
    #[inline]
    pub fn slot(&mut self, remote: Ipv6Addr) -> Slot {
        let prefix = Ipv6Net::new_assert(remote, self.bits).trunc();
        let next = self.slots.len();
        let index = match self.slots.get(&prefix) {
            Some(&index) => index,
            None if next == MAX_PREFIXES => return Slot::OTHER,
            None => *self.slots.entry(prefix).or_insert(next),
        };
        Slot { index, remote: Remote::Prefix(prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(bits: u8) -> PrefixBook {
        PrefixBook::new(bits, [1, 2, 3, 4]).unwrap()
    }

    /// An address in the `n`th /48.
    fn address(n: usize) -> Ipv6Addr {
        Ipv6Addr::from_bits(((0x2001_0db8_0000 + n as u128) << 80) + 7)
    }

    #[test]
    fn the_first_prefixes_keep_their_slots_and_the_others_share_one() {
        let mut book = book(48);
        let first: Vec<Slot> = (0..MAX_PREFIXES).map(|n| book.slot(address(n))).collect();
        assert!(first.iter().enumerate().all(|(n, slot)| slot.index == n));
        assert_eq!(first[10].remote.to_string(), "2001:db8:a::/48");
        let others = [MAX_PREFIXES, MAX_PREFIXES + 1, 1 << 20].map(|n| book.slot(address(n)));
        assert_eq!(others, [Slot::OTHER; 3]);
        assert_eq!(Slot::OTHER.remote.to_string(), "other");
        let again: Vec<Slot> = (0..MAX_PREFIXES).map(|n| book.slot(address(n))).collect();
        assert_eq!(again, first);
    }

    #[test]
    fn a_prefix_is_as_long_as_asked_for() {
        let one = "2001:db8:a:1ff::1".parse().unwrap();
        for (bits, prefix) in [(1, "::/1"), (32, "2001:db8::/32"), (57, "2001:db8:a:180::/57")] {
            assert_eq!(book(bits).slot(one).remote.to_string(), prefix);
        }
        let mut book = book(64);
        let [a, b, c] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
            .map(|remote| book.slot(remote.parse().unwrap()).index);
        assert_eq!([a, b, c], [0, 0, 1]);
    }

    #[test]
    fn other_lengths_are_refused() {
        assert_eq!(PrefixBook::new(0, [0; 4]).unwrap_err(), Error::PrefixBits { bits: 0 });
        let error = PrefixBook::new(65, [0; 4]).unwrap_err();
        assert_eq!(error.to_string(), "a prefix of 65 bits: choose 1 to 64");
    }
}
