//! Flow keys: the 5-tuple of RFC 8250, section 3.2, seen from the side that the appliance acts for.

use std::fmt;
use std::net::Ipv6Addr;

use pdm::{Look, Ports, Psn};
use wide::u64x4;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Which side of the appliance a packet came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The hosts that it acts for.
    Host,
    /// The network, with everybody else.
    Wire,
}

/// A port pair of the appliance: the same addresses on two of them are two flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct PairId(u8);

impl PairId {
    /// The pair at `index` of the configuration.
    #[must_use]
    pub const fn new(index: u8) -> Self {
        Self(index)
    }

    /// The pair's place in the configuration.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What both directions of a flow have in common. Where there are no ports (ESP for one: SPIs are ignored, as
/// the two directions carry unrelated ones) they are 0.
///
/// Five numbers of 64 bits, so that a key is put together, hashed and compared without touching memory.
#[derive(Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Key {
    /// In the order of the packet's octets.
    local: [u64; 2],
    remote: [u64; 2],
    /// From the lowest bit on: both ports (32 bits), the pair (8 bits), protocol (8 bits). The other 16 are 0.
    ends: u64,
}

const PAIR: u32 = 32;
const PROTOCOL: u32 = 40;
const FREE: u32 = 48;

/// What a packet says of the two ends of its flow.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'f> {
    /// Address on the host side.
    pub local: &'f [u8; 16],
    /// Address on the wire side.
    pub remote: &'f [u8; 16],
    /// The ports of what the host sends.
    pub ports: Ports,
}

impl<'f> Ends<'f> {
    /// Those of the packet in `frame`, of which `look` tells, that came from `side`.
    #[must_use]
    #[inline(always)]
    pub fn of(frame: &'f [u8], look: &Look, side: Side) -> Self {
        let [source, destination] = look.addresses(frame);
        match side {
            Side::Host => Self { local: source, remote: destination, ports: look.ports },
            Side::Wire => Self { local: destination, remote: source, ports: look.ports.swapped() },
        }
    }
}

impl Key {
    /// The key of a packet of `protocol` between `ends` that came by `pair`.
    #[must_use]
    #[inline(always)]
    pub fn new(ends: &Ends<'_>, protocol: u8, pair: PairId) -> Self {
        let Ends { local, remote, ports } = *ends;
        let ends = u64::from(ports.to_bits()) | u64::from(pair.0) << PAIR | u64::from(protocol) << PROTOCOL;
        // Taken out of the register one by one, from which they are stored at once: an array taken out whole would be put together
        // in memory, and whoever loads it from there would wait.
        let [a, b, c, d] = *in_register(local, remote).as_array();
        Self { local: [a, b], remote: [c, d], ends }
    }

    /// The key of the packet in `frame`, of which `look` tells, that came from `side` of `pair`.
    #[must_use]
    #[inline]
    pub fn of(frame: &[u8], look: &Look, side: Side, pair: PairId) -> Self {
        Self::new(&Ends::of(frame, look, side), look.protocol(), pair)
    }

    /// Address on the host side.
    #[must_use]
    #[inline]
    pub fn local(&self) -> Ipv6Addr {
        address(self.local)
    }

    /// Address on the wire side.
    #[must_use]
    #[inline]
    pub fn remote(&self) -> Ipv6Addr {
        address(self.remote)
    }

    /// Port on the host side.
    #[must_use]
    #[inline]
    pub const fn local_port(&self) -> u16 {
        self.ports().source()
    }

    /// Port on the wire side.
    #[must_use]
    #[inline]
    pub const fn remote_port(&self) -> u16 {
        self.ports().destination()
    }

    /// The port pair.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "these 8 bits are what is wanted")]
    pub const fn pair(&self) -> PairId {
        PairId((self.ends >> PAIR) as u8)
    }

    /// Upper-layer protocol.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "these 8 bits are what is wanted")]
    pub const fn protocol(&self) -> u8 {
        (self.ends >> PROTOCOL) as u8
    }

    /// The ports of what the host sends.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    pub const fn ports(&self) -> Ports {
        Ports::from_bits(self.ends as u32)
    }

    /// The addresses, local and remote, and all else.
    #[inline]
    pub(crate) fn parts(&self) -> (u128, u128, u64) {
        let joined = |[low, high]: [u64; 2]| u128::from(low) | u128::from(high) << 64;
        (joined(self.local), joined(self.remote), self.ends)
    }
}

/// A key as it lies in the table. The bits that are free in it hold the number that was last received on its flow (PSNLR).
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(crate) struct KeptKey(Key);

impl KeptKey {
    pub(crate) const fn new(key: Key) -> Self {
        Self(key)
    }

    pub(crate) const fn key(&self) -> Key {
        Key { ends: self.0.ends & ((1 << FREE) - 1), ..self.0 }
    }

    /// Whether it is `key`. Without a branch for each address, as nearly all keys that are compared are the same.
    #[inline(always)]
    pub(crate) const fn is(&self, key: &Key) -> bool {
        let differences = (self.0.local[0] ^ key.local[0])
            | (self.0.local[1] ^ key.local[1])
            | (self.0.remote[0] ^ key.remote[0])
            | (self.0.remote[1] ^ key.remote[1]);
        differences == 0 && (self.0.ends ^ key.ends) << (u64::BITS - FREE) == 0
    }

    #[inline]
    pub(crate) const fn psnlr(&self) -> Psn {
        Psn::new((self.0.ends >> FREE) as u16)
    }

    /// Written as one number, as it is read.
    #[inline]
    pub(crate) fn set_psnlr(&mut self, psn: Psn) {
        self.0.ends = self.key().ends | u64::from(psn.get()) << FREE;
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("local", &(self.local(), self.local_port()))
            .field("remote", &(self.remote(), self.remote_port()))
            .field("pair", &self.pair())
            .field("protocol", &self.protocol())
            .finish()
    }
}

/// Both addresses in one register, in the order of their octets.
#[must_use]
#[inline(always)]
pub fn in_register(local: &[u8; 16], remote: &[u8; 16]) -> u64x4 {
    u64x4::new(zerocopy::transmute!([*local, *remote]))
}

#[inline]
fn address(words: [u64; 2]) -> Ipv6Addr {
    let octets: [u8; 16] = zerocopy::transmute!(words);
    Ipv6Addr::from(octets)
}
