//! Flow keys: the 5-tuple of RFC 8250, section 3.2, seen from the side that the appliance acts for.

use std::net::Ipv6Addr;

use pdm::Look;
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
pub struct PairId(u16);

impl PairId {
    /// The pair at `index` of the configuration.
    #[must_use]
    pub const fn new(index: u16) -> Self {
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
#[derive(Debug, Clone, Copy, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Key {
    local: [u8; 16],
    remote: [u8; 16],
    /// Port on the host side.
    pub local_port: u16,
    /// Port on the wire side.
    pub remote_port: u16,
    /// The port pair.
    pub pair: PairId,
    /// Upper-layer protocol.
    pub protocol: u8,
    unused: u8,
}

impl PartialEq for Key {
    /// All octets at once: field by field would be seven comparisons.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Key {
    /// The key of the packet in `frame`, of which `look` tells, that came from `side` of `pair`.
    #[must_use]
    #[inline]
    pub fn of(frame: &[u8], look: &Look, side: Side, pair: PairId) -> Self {
        let (source, destination) = (*look.source(frame), *look.destination(frame));
        let ports = look.ports;
        let (local, remote, local_port, remote_port) = match side {
            Side::Host => (source, destination, ports.source, ports.destination),
            Side::Wire => (destination, source, ports.destination, ports.source),
        };
        Self { local, remote, local_port, remote_port, pair, protocol: look.protocol, unused: 0 }
    }

    /// Address on the host side.
    #[must_use]
    pub fn local(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.local)
    }

    /// Address on the wire side.
    #[must_use]
    pub fn remote(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.remote)
    }
}
