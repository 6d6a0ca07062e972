//! What a capture was taken on, and where packets start there.

use std::fmt;

use pdm::Skip;

/// The link types that pdmline reads, by their numbers in the registry of tcpdump.org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Link {
    /// Ethernet.
    Ethernet = 1,
    /// An IP packet of either version, and nothing before it.
    Raw = 101,
    /// Linux cooked mode, version 1.
    Cooked = 113,
    /// An IPv4 packet.
    Ipv4 = 228,
    /// An IPv6 packet.
    Ipv6 = 229,
    /// Linux cooked mode, version 2.
    Cooked2 = 276,
}

const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Octets of the header of cooked mode, version 2; the EtherType is its first field.
const COOKED2_HEADER: usize = 20;
/// By how much the header of cooked mode, version 1, is longer than Ethernet's; the EtherType ends both.
const COOKED_SURPLUS: usize = 2;

impl Link {
    const ALL: [Self; 6] = [Self::Ethernet, Self::Raw, Self::Cooked, Self::Ipv4, Self::Ipv6, Self::Cooked2];

    /// The link of type `linktype`.
    pub(crate) fn from_linktype(linktype: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|link| u32::from(link.linktype()) == linktype)
    }

    /// Its number in the registry.
    pub(crate) const fn linktype(self) -> u16 {
        self as u16
    }

    /// Offset of the IPv6 header in `frame`.
    ///
    /// # Errors
    /// As [`pdm::ethernet::network_offset`].
    pub(crate) fn network_offset(self, frame: &[u8]) -> Result<usize, Skip> {
        match self {
            Self::Ethernet => pdm::ethernet::network_offset(frame),
            Self::Cooked => {
                let ethernet = frame.get(COOKED_SURPLUS..).ok_or(Skip::Malformed)?;
                Ok(COOKED_SURPLUS + pdm::ethernet::network_offset(ethernet)?)
            }
            Self::Cooked2 if frame.len() < COOKED2_HEADER => Err(Skip::Malformed),
            Self::Cooked2 if frame.starts_with(&ETHERTYPE_IPV6) => Ok(COOKED2_HEADER),
            Self::Cooked2 => Err(Skip::NotIpv6),
            Self::Raw | Self::Ipv4 | Self::Ipv6 => match frame.first() {
                Some(octet) if octet >> 4 == 6 => Ok(0),
                Some(_) => Err(Skip::NotIpv6),
                None => Err(Skip::Malformed),
            },
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ethernet => "Ethernet",
            Self::Raw => "raw IP",
            Self::Cooked => "Linux cooked",
            Self::Ipv4 => "raw IPv4",
            Self::Ipv6 => "raw IPv6",
            Self::Cooked2 => "Linux cooked v2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        for link in Link::ALL {
            assert_eq!(Link::from_linktype(link.linktype().into()), Some(link));
        }
        assert_eq!(Link::from_linktype(127), None);
        assert_eq!(Link::from_linktype(0x1_0001), None);
    }

    #[test]
    fn cooked_mode() {
        let mut frame = [0; 24];
        frame[14..16].copy_from_slice(&ETHERTYPE_IPV6);
        assert_eq!(Link::Cooked.network_offset(&frame), Ok(16));
        assert_eq!(Link::Cooked.network_offset(&frame[..15]), Err(Skip::Malformed));
        assert_eq!(Link::Cooked.network_offset(&[0; 1]), Err(Skip::Malformed));
        assert_eq!(Link::Cooked.network_offset(&[0; 24]), Err(Skip::NotIpv6));
        // A tag stands where it does in Ethernet.
        frame[14..20].copy_from_slice(&[0x81, 0x00, 0, 7, 0x86, 0xdd]);
        assert_eq!(Link::Cooked.network_offset(&frame), Ok(20));
    }

    #[test]
    fn cooked_mode_version_2() {
        let mut frame = [0; 24];
        assert_eq!(Link::Cooked2.network_offset(&frame), Err(Skip::NotIpv6));
        frame[..2].copy_from_slice(&ETHERTYPE_IPV6);
        assert_eq!(Link::Cooked2.network_offset(&frame), Ok(20));
        assert_eq!(Link::Cooked2.network_offset(&frame[..19]), Err(Skip::Malformed));
    }

    #[test]
    fn raw_packets_tell_their_version() {
        assert_eq!(Link::Raw.network_offset(&[0x60]), Ok(0));
        assert_eq!(Link::Raw.network_offset(&[0x45]), Err(Skip::NotIpv6));
        assert_eq!(Link::Ipv6.network_offset(&[]), Err(Skip::Malformed));
    }
}
