//! Why a packet is left alone.

/// A reason to forward a packet as it came. In the order of precedence: where several hold, the first one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Skip {
    /// A header that does not fit its frame, its packet or its own length.
    Malformed,
    /// Not IPv6 under at most two VLAN tags.
    NotIpv6,
    /// Payload length 0 with a hop-by-hop header (RFC 2675).
    Jumbogram,
    /// A fragment header, atomic fragments too.
    Fragment,
    /// An authentication header covers what we would change (RFC 4302).
    AuthenticationHeader,
    /// Nothing follows: next header 59.
    NoNextHeader,
    /// A routing header with segments left: the packet is still on its way to somebody else.
    SourceRouted,
    /// Neighbour discovery and its relatives.
    NeighborDiscovery,
    /// An ICMPv6 error message.
    Icmpv6Error,
    /// Sent to a multicast address.
    Multicast,
    /// ESP that no rule declares a tunnel (RFC 8250, section 3.4.1).
    Esp,
    /// More than one PDM option (RFC 8250, section 3.3).
    DuplicatePdm,
    /// An option of PDM's type with a length that is not RFC 8250's.
    UnknownPdmLength,
    /// No rule selects it, or insertion is off.
    NotSelected,
    /// The flow table is full, and its policy is to refuse.
    TableFull,
    /// The flow belongs to a host that speaks PDM itself.
    NativeHost,
    /// The merged options header would be longer than allowed.
    OptionHeaderTooLong,
    /// The packet would be larger than the wire's MTU.
    Oversize,
    /// The buffer cannot grow in place.
    NoHeadroom,
}

impl Skip {
    /// All reasons, in order.
    pub const ALL: [Self; 19] = [
        Self::Malformed,
        Self::NotIpv6,
        Self::Jumbogram,
        Self::Fragment,
        Self::AuthenticationHeader,
        Self::NoNextHeader,
        Self::SourceRouted,
        Self::NeighborDiscovery,
        Self::Icmpv6Error,
        Self::Multicast,
        Self::Esp,
        Self::DuplicatePdm,
        Self::UnknownPdmLength,
        Self::NotSelected,
        Self::TableFull,
        Self::NativeHost,
        Self::OptionHeaderTooLong,
        Self::Oversize,
        Self::NoHeadroom,
    ];

    /// The reason's place in [`Skip::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason as reports and metrics name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotIpv6 => "not_ipv6",
            Self::Jumbogram => "jumbogram",
            Self::Fragment => "fragment",
            Self::AuthenticationHeader => "authentication_header",
            Self::NoNextHeader => "no_next_header",
            Self::SourceRouted => "source_routed",
            Self::NeighborDiscovery => "neighbor_discovery",
            Self::Icmpv6Error => "icmpv6_error",
            Self::Multicast => "multicast",
            Self::Esp => "esp",
            Self::DuplicatePdm => "duplicate_pdm",
            Self::UnknownPdmLength => "unknown_pdm_length",
            Self::NotSelected => "not_selected",
            Self::TableFull => "table_full",
            Self::NativeHost => "native_host",
            Self::OptionHeaderTooLong => "option_header_too_long",
            Self::Oversize => "oversize",
            Self::NoHeadroom => "no_headroom",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Skip;

    #[test]
    fn every_reason_stands_at_its_index() {
        for (index, reason) in Skip::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index, "{}", reason.name());
        }
    }
}
