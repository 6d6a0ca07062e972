//! The frames that sources repeat: UDP over IPv6 over Ethernet, between hosts of one prefix and a peer beyond the wire.

use std::net::Ipv6Addr;

/// The hosts' prefix, as a rule has it.
pub(super) const HOSTS: &str = "2001:db8:a::/48";
/// A prefix that no frame has.
pub(super) const NOBODY: &str = "2001:db8:c::/48";

const FIRST_HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0);
const PEER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, 1);
const PEER_PORT: u16 = 443;
const FIRST_PORT: u16 = 10_000;
/// Flows of one host.
const PORTS: u32 = 16;

const ETHERNET: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
const IPV6: usize = 40;
const UDP: usize = 8;
const UDP_PROTOCOL: u8 = 17;
const OPTIONS_PROTOCOL: u8 = 60;
const HOP_LIMIT: u8 = 64;
/// A destination options header with PDM alone: packet 1 of its sender, who has not heard of us.
const OPTION: [u8; 16] = [UDP_PROTOCOL, 1, 0x0f, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0];

/// A frame of flow number `flow`, of `octets` octets but at least 62: from a host, or, if it is `marked`, to one, with an
/// option of 16 octets more.
pub(super) fn frame(flow: u32, octets: u16, marked: bool) -> Vec<u8> {
    let octets = usize::from(octets).max(ETHERNET.len() + IPV6 + UDP);
    let host = Ipv6Addr::from_bits(FIRST_HOST.to_bits() | u128::from(flow / PORTS + 1));
    let host_port = u16::try_from(flow % PORTS).map_or(FIRST_PORT, |port| FIRST_PORT + port);
    let (addresses, ports) =
        if marked { ([PEER, host], [PEER_PORT, host_port]) } else { ([host, PEER], [host_port, PEER_PORT]) };
    let datagram = datagram(addresses, ports, octets - ETHERNET.len() - IPV6);
    let (protocol, option) =
        if marked { (OPTIONS_PROTOCOL, OPTION.as_slice()) } else { (UDP_PROTOCOL, [].as_slice()) };

    let mut frame = ETHERNET.to_vec();
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length(option.len() + datagram.len()));
    frame.extend([protocol, HOP_LIMIT]);
    frame.extend(addresses.map(|address| address.octets()).as_flattened());
    frame.extend(option);
    frame.extend(datagram);
    frame
}

/// A UDP datagram of `octets` octets with a valid checksum, as testpmd's `csum` computes it only where there is one.
fn datagram(addresses: [Ipv6Addr; 2], ports: [u16; 2], octets: usize) -> Vec<u8> {
    let mut datagram = vec![b'x'; octets];
    datagram[..4].copy_from_slice(ports.map(u16::to_be_bytes).as_flattened());
    datagram[4..6].copy_from_slice(&length(octets));
    datagram[6..UDP].fill(0);
    let pseudo_header = addresses.map(|address| address.octets());
    let sum = sum(pseudo_header.as_flattened())
        + u64::from(u16::from_be_bytes(length(octets)))
        + u64::from(UDP_PROTOCOL)
        + sum(&datagram);
    datagram[6..UDP].copy_from_slice(&checksum(sum).to_be_bytes());
    datagram
}

fn length(octets: usize) -> [u8; 2] {
    u16::try_from(octets).unwrap_or(u16::MAX).to_be_bytes()
}

/// The sum of `octets`, two at a time.
fn sum(octets: &[u8]) -> u64 {
    let words = octets.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0)]);
    words.map(|word| u64::from(u16::from_be_bytes(word))).sum()
}

/// The Internet checksum of what adds up to `sum`. It is never 0, which would say that there is none.
fn checksum(sum: u64) -> u16 {
    u16::MAX - u16::try_from(sum % 0xffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether what a receiver adds up is all ones.
    fn is_valid(frame: &[u8], datagram: usize) -> bool {
        let (addresses, udp) = (&frame[22..54], &frame[datagram..]);
        let length = u64::try_from(udp.len()).unwrap();
        (sum(addresses) + length + u64::from(UDP_PROTOCOL) + sum(udp)).is_multiple_of(0xffff)
    }

    #[test]
    fn frames_are_as_long_as_they_say_and_their_checksums_are_right() {
        for (octets, marked, datagram, length) in
            [(78, false, 54, 78), (1400, false, 54, 1400), (78, true, 70, 94)]
        {
            for flow in [0, 15, 16, 1 << 20] {
                let frame = frame(flow, octets, marked);
                assert_eq!(frame.len(), length);
                assert_eq!(usize::from(u16::from_be_bytes([frame[18], frame[19]])), length - 54);
                assert!(is_valid(&frame, datagram), "flow {flow}");
            }
        }
    }

    #[test]
    fn each_flow_has_its_own_host_or_port() {
        assert_eq!(frame(3, 78, false)[22..38], "2001:db8:a::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(frame(3, 78, false)[54..58], [0x27, 0x13, 1, 0xbb]);
        assert_eq!(frame(16, 78, false)[37], 2);
        assert_eq!(frame(16, 78, true)[53], 2);
        assert_eq!(frame(17, 78, true)[70..74], [1, 0xbb, 0x27, 0x11]);
    }

    #[test]
    fn a_marked_frame_has_a_header_of_16_octets_for_the_option() {
        let frame = frame(0, 78, true);
        assert_eq!(frame[20], OPTIONS_PROTOCOL);
        assert_eq!(frame[54..70], OPTION);
    }
}
