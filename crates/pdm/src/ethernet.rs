//! Ethernet, as far as it has to be understood: where the network header starts.

use crate::Skip;

/// Octets of the two addresses.
const ADDRESSES: usize = 12;
/// Octets of an EtherType.
const TYPE: usize = 2;
/// Octets of an 802.1Q or 802.1ad tag.
const TAG: usize = 4;
/// The most tags that are looked through.
const MOST_TAGS: usize = 2;

pub(crate) const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ETHERTYPE_VLAN: [u8; 2] = [0x81, 0x00];
const ETHERTYPE_SERVICE_VLAN: [u8; 2] = [0x88, 0xa8];

/// Octets of an Ethernet header without tags.
pub const UNTAGGED: usize = ADDRESSES + TYPE;

/// Octets of a frame's Ethernet header with its tags, which is where its IPv6 header starts.
///
/// # Errors
/// [`Skip::Malformed`] when the frame ends before its EtherType, [`Skip::NotIpv6`] when that is another one.
#[inline(always)]
pub fn network_offset(frame: &[u8]) -> Result<usize, Skip> {
    if frame.get(ADDRESSES..UNTAGGED).is_some_and(|kind| kind == ETHERTYPE_IPV6) {
        Ok(UNTAGGED)
    } else {
        behind_tags(frame)
    }
}

#[inline(never)]
fn behind_tags(frame: &[u8]) -> Result<usize, Skip> {
    let mut at = ADDRESSES;
    for _ in 0..=MOST_TAGS {
        match frame.get(at..at + TYPE) {
            None => return Err(Skip::Malformed),
            Some(kind) if kind == ETHERTYPE_IPV6 => return Ok(at + TYPE),
            Some(kind) if kind == ETHERTYPE_VLAN || kind == ETHERTYPE_SERVICE_VLAN => at += TAG,
            Some(_) => return Err(Skip::NotIpv6),
        }
    }
    Err(Skip::NotIpv6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(types: &[[u8; 2]]) -> Vec<u8> {
        let mut frame = vec![0; ADDRESSES];
        for kind in types {
            frame.extend(kind);
            frame.extend([0, 7]);
        }
        frame
    }

    #[test]
    fn looks_through_two_tags_and_no_more() {
        assert_eq!(network_offset(&frame(&[ETHERTYPE_IPV6])), Ok(14));
        assert_eq!(network_offset(&frame(&[ETHERTYPE_VLAN, ETHERTYPE_IPV6])), Ok(18));
        assert_eq!(network_offset(&frame(&[ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN, ETHERTYPE_IPV6])), Ok(22));
        assert_eq!(network_offset(&frame(&[ETHERTYPE_VLAN; 3])), Err(Skip::NotIpv6));
        assert_eq!(network_offset(&frame(&[[8, 0]])), Err(Skip::NotIpv6));
    }

    #[test]
    fn a_frame_that_ends_early_is_malformed() {
        assert_eq!(network_offset(&[]), Err(Skip::Malformed));
        assert_eq!(network_offset(&[0; 13]), Err(Skip::Malformed));
        assert_eq!(network_offset(&frame(&[ETHERTYPE_VLAN])), Err(Skip::Malformed));
    }
}
