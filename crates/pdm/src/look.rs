//! One look at a packet: the walk through its headers to the upper layer (RFC 8200, section 4), and all that has to be
//! known of it before anything is decided.

use std::fmt;

use crate::ethernet::{ETHERTYPE_IPV6, UNTAGGED};
use crate::option::{self, PDM_ALONE};
use crate::tlv::{FIRST_OPTION, Tlv};
use crate::{PDM_OPTION_LEN, PDM_OPTION_TYPE, Skip};

/// Numbers of the protocols and headers that are treated by their name.
pub mod protocol {
    /// Hop-by-hop options header.
    pub const HOP_BY_HOP: u8 = 0;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// Routing header.
    pub const ROUTING: u8 = 43;
    /// Fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Encapsulating Security Payload.
    pub const ESP: u8 = 50;
    /// Authentication header.
    pub const AUTHENTICATION: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// No next header.
    pub const NONE: u8 = 59;
    /// Destination options header.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
    /// Wrapped ESP.
    pub const WRAPPED_ESP: u8 = 141;
}

/// Octets of the fixed header.
pub(crate) const FIXED_HEADER: usize = 40;
/// Offset of the payload length in the fixed header.
pub(crate) const PAYLOAD_LENGTH: usize = 4;
/// Offset of the next header octet in the fixed header.
pub(crate) const NEXT_HEADER: usize = 6;
/// Offset of the source address in the fixed header.
const SOURCE: usize = 8;
/// Offset of the destination address.
const DESTINATION: usize = 24;
/// Octets of the smallest extension header.
const SMALLEST_HEADER: usize = 8;
/// The routing header type of mobile nodes (RFC 6275): its last segment is the node's own home address.
const MOBILITY_ROUTING: u8 = 2;
/// The version in the first half octet of the fixed header.
const VERSION: u8 = 6;
/// Octets from the fixed header on without which a glance sees nothing.
const AT_A_GLANCE: usize = FIXED_HEADER + Ports::OCTETS;
/// The fixed header starts before this, or what is there is malformed: a layout keeps 16 bits of where that is.
const FARTHEST: usize = u16::MAX as usize;
/// The first octet of a multicast address.
const MULTICAST: u8 = 0xff;
/// The UDP port of ESP in UDP (RFC 3948), twice.
const NAT_TRAVERSAL_PORTS: u32 = Ports::both(4500).octets;

/// The two ports of a packet; for ICMPv6 echo both are its identifier, and both 0 where there are none.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// As they stand in the packet, the sender's in the lower half.
    octets: u32,
}

impl Ports {
    /// Octets at the start of an upper layer that has ports.
    const OCTETS: usize = 4;

    /// The sender's.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    pub const fn source(self) -> u16 {
        u16::from_be(self.octets as u16)
    }

    /// The receiver's.
    #[must_use]
    #[inline]
    pub const fn destination(self) -> u16 {
        self.swapped().source()
    }

    /// Those of an answer.
    #[must_use]
    #[inline]
    pub const fn swapped(self) -> Self {
        Self { octets: self.octets.rotate_left(u16::BITS) }
    }

    /// Both as one number, which says nothing but that they are the same.
    #[must_use]
    #[inline]
    pub const fn to_bits(self) -> u32 {
        self.octets
    }

    /// From [`Ports::to_bits`].
    #[must_use]
    #[inline]
    pub const fn from_bits(octets: u32) -> Self {
        Self { octets }
    }

    /// Twice the same.
    const fn both(port: u16) -> Self {
        let port = port.to_be() as u32;
        Self { octets: port | port << u16::BITS }
    }

    #[inline]
    const fn read(octets: &[u8; Self::OCTETS]) -> Self {
        Self { octets: u32::from_le_bytes(*octets) }
    }

    /// One of them is the port of ESP in UDP.
    #[inline]
    const fn traverse_nat(self) -> bool {
        // Both at once: only a half that is 0 borrows from a highest bit that was not set.
        let differences = self.octets ^ NAT_TRAVERSAL_PORTS;
        differences.wrapping_sub(0x0001_0001) & !differences & 0x8000_8000 != 0
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.source(), self.destination())
    }
}

/// Where a PDM option stands in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PdmAt(usize);

impl PdmAt {
    /// Offset of the option in the frame.
    #[inline]
    pub(crate) const fn option(self) -> usize {
        self.0
    }
}

/// What one look at a packet tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Ports, where the protocol has them.
    pub ports: Ports,
    is_esp: bool,
    /// Where its parts are.
    pub layout: Layout,
}

/// Where the parts of a packet are: as much of a look as has to be known to edit it.
///
/// It is made for each packet and kept between stages, and so it is small: where there are headers that few packets have, they
/// are walked again when it comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Offset of the fixed header in the frame.
    ip: u16,
    /// Octets after the fixed header.
    payload_len: u16,
    /// Upper-layer protocol.
    protocol: u8,
    shape: Shape,
}

/// What stands between the fixed header and the upper layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing.
    Plain,
    /// An options header that holds PDM and nothing else.
    Alone,
    /// Whatever else there may be.
    Other,
}

/// Extension headers before the upper layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Headers {
    /// Offset of the upper layer's header.
    pub(crate) upper: usize,
    /// Offset of the octet that names it: the first one of the header before it.
    pub(crate) names_upper: usize,
    /// The header before it is a destination options header.
    pub(crate) end_with_options: bool,
    /// The PDM option; or why the packet must be left alone for its options' sake.
    pub(crate) pdm: Result<Option<PdmHeader>, Skip>,
}

/// A destination options header with a PDM option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PdmHeader {
    /// Offset of the option.
    pub(crate) option: usize,
    /// Offset of the header.
    pub(crate) start: usize,
    /// Octets of the header.
    pub(crate) len: usize,
    /// Offset of the octet that names it.
    pub(crate) named_at: usize,
}

impl Look {
    /// Source and destination address.
    #[must_use]
    #[inline(always)]
    pub fn addresses<'f>(&self, frame: &'f [u8]) -> &'f [[u8; 16]; 2] {
        addresses(frame, self.layout.ip())
    }

    /// Upper-layer protocol.
    #[must_use]
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.layout.protocol
    }

    /// Whether this is ESP in one of its three shapes: plain, wrapped, or in UDP (RFC 8250, section 3.4).
    #[must_use]
    #[inline]
    pub const fn is_esp(&self) -> bool {
        self.is_esp
    }
}

impl Layout {
    /// That of a packet whose fixed header is at `ip`, before [`FARTHEST`].
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "both looks see to it that it fits")]
    const fn new(ip: usize, payload_len: u16, protocol: u8, shape: Shape) -> Self {
        Self { ip: ip as u16, payload_len, protocol, shape }
    }

    /// Whether there is no extension header.
    #[must_use]
    #[inline]
    pub const fn is_plain(&self) -> bool {
        matches!(self.shape, Shape::Plain)
    }

    /// Whether there is an options header that holds PDM and nothing else, and no other.
    #[must_use]
    #[inline]
    pub const fn is_alone(&self) -> bool {
        matches!(self.shape, Shape::Alone)
    }

    /// The PDM option of the packet in `frame`.
    ///
    /// # Errors
    /// Why the packet must be left alone for its options' sake: [`Skip::Malformed`], [`Skip::DuplicatePdm`] or
    /// [`Skip::UnknownPdmLength`], which come after [`Skip::Esp`].
    #[inline(always)]
    pub fn pdm(&self, frame: &[u8]) -> Result<Option<PdmAt>, Skip> {
        match self.shape {
            Shape::Plain => Ok(None),
            Shape::Alone => Ok(Some(PdmAt(self.ip() + FIXED_HEADER + FIRST_OPTION))),
            Shape::Other => Ok(self.headers(frame)?.pdm?.map(|header| PdmAt(header.option))),
        }
    }

    /// Offset of the fixed header.
    #[inline]
    pub(crate) const fn ip(&self) -> usize {
        self.ip as usize
    }

    /// Octets after the fixed header.
    #[inline]
    pub(crate) const fn payload_len(&self) -> u16 {
        self.payload_len
    }

    /// Upper-layer protocol.
    #[inline]
    pub(crate) const fn protocol(&self) -> u8 {
        self.protocol
    }

    #[inline]
    pub(crate) const fn shape(&self) -> Shape {
        self.shape
    }

    /// The headers of the packet in `frame`.
    #[inline(always)]
    pub(crate) fn headers(&self, frame: &[u8]) -> Result<Headers, Skip> {
        // By value, or what is known of a packet would have to be in memory.
        headers(frame, self.ip())
    }
}

/// The headers behind the fixed one at `ip`.
#[cold]
fn headers(frame: &[u8], ip: usize) -> Result<Headers, Skip> {
    let mut walk = Walk::start(frame, usize::MAX, ip)?;
    walk.go_to_upper_layer()?;
    Ok(Headers {
        upper: walk.at,
        names_upper: walk.named_at,
        end_with_options: walk.after_options,
        pdm: walk.options.verdict(),
    })
}

/// Source and destination address in the fixed header at `ip`; unspecified ones where there is none.
#[inline(always)]
fn addresses(frame: &[u8], ip: usize) -> &[[u8; 16]; 2] {
    let octets = frame.get(ip + SOURCE..ip + FIXED_HEADER).unwrap_or(&[0; 32]);
    octets.as_chunks().0.first_chunk().unwrap_or(&[[0; 16]; 2])
}

/// Looks at the packet in `frame` whose fixed header starts at `ip`. The whole frame has `wire_len` octets, of which
/// `frame` may hold only the first ones: a header that is not in it is malformed.
///
/// # Errors
/// The first reason of the specification's list to leave the packet alone, as far as neither rules nor flows are needed to
/// tell. [`Skip::Esp`] and what comes after it is for the caller.
pub fn look(frame: &[u8], wire_len: usize, ip: usize) -> Result<Look, Skip> {
    let mut walk = Walk::start(frame, wire_len, ip)?;
    walk.go_to_upper_layer()?;
    let ports = walk.upper_layer()?;
    let [_, [first, ..]] = addresses(frame, ip);
    if *first == MULTICAST {
        return Err(Skip::Multicast);
    }
    let is_esp = match walk.next {
        protocol::ESP | protocol::WRAPPED_ESP => true,
        protocol::UDP => ports.traverse_nat(),
        _ => false,
    };
    let layout = Layout::new(ip, walk.payload_len, walk.next, walk.shape(ip));
    Ok(Look { ports, is_esp, layout })
}

impl Look {
    /// What [`look`] tells, where no walk is needed for it, as with nearly every packet: all of it is in `frame`, and it is TCP or UDP
    /// directly behind the fixed header at `ip`, or behind an options header that holds PDM and nothing else. `None` says
    /// nothing.
    #[inline(always)]
    #[must_use]
    pub fn glance(frame: &[u8], ip: usize) -> Option<Self> {
        let packet = frame.get(ip..).filter(|_| ip < FARTHEST)?;
        let plain = packet.first_chunk()?;
        if plain[0] >> 4 == VERSION { Self::glance_behind(packet, plain, ip) } else { None }
    }

    /// The same of an Ethernet frame without tags. `None` also says nothing of what the frame holds.
    #[inline(always)]
    #[must_use]
    pub fn glance_untagged(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(UNTAGGED..)?;
        let plain = packet.first_chunk()?;
        // The EtherType and the version in one: each is a branch for every packet.
        const KIND: u32 = u32::from_be_bytes([ETHERTYPE_IPV6[0], ETHERTYPE_IPV6[1], VERSION << 4, 0]);
        let kind = u32::from_be_bytes(*frame[UNTAGGED - ETHERTYPE_IPV6.len()..].first_chunk()?);
        if kind & 0xffff_f000 == KIND { Self::glance_behind(packet, plain, UNTAGGED) } else { None }
    }

    /// The same of an IPv6 packet that starts with `plain`.
    #[inline(always)]
    fn glance_behind(packet: &[u8], plain: &[u8; AT_A_GLANCE], ip: usize) -> Option<Self> {
        let payload_len = u16::from_be_bytes([plain[PAYLOAD_LENGTH], plain[PAYLOAD_LENGTH + 1]]);
        // Both bounds at once: a payload too short for ports has a huge number of octets behind them.
        let behind_ports = usize::from(payload_len).wrapping_sub(Ports::OCTETS);
        if plain[DESTINATION] == MULTICAST || behind_ports > packet.len() - AT_A_GLANCE {
            return None;
        }
        let next = plain[NEXT_HEADER];
        if is_tcp_or_udp(next) {
            let layout = Layout::new(ip, payload_len, next, Shape::Plain);
            return Self::with_ports(Ports::read(plain.last_chunk()?), layout);
        }
        if next != protocol::DESTINATION_OPTIONS {
            return None;
        }
        let marked = packet.first_chunk::<{ FIXED_HEADER + PDM_ALONE + Ports::OCTETS }>()?;
        let next = option::next_after_alone(marked[FIXED_HEADER..].first_chunk()?)?;
        if !is_tcp_or_udp(next) || behind_ports < PDM_ALONE {
            return None;
        }
        let layout = Layout::new(ip, payload_len, next, Shape::Alone);
        Self::with_ports(Ports::read(marked.last_chunk()?), layout)
    }

    /// Of a packet of `layout` with `ports`; `None` if it may be ESP.
    #[inline(always)]
    fn with_ports(ports: Ports, layout: Layout) -> Option<Self> {
        if ports.traverse_nat() { None } else { Some(Self { ports, is_esp: false, layout }) }
    }
}

/// Whether `protocol` is one of the two that nearly all packets have.
#[inline(always)]
const fn is_tcp_or_udp(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP)
}

/// A packet's option, whatever else the packet may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked<'f> {
    /// Where the option is.
    pub pdm: PdmAt,
    /// Source address.
    pub source: &'f [u8; 16],
    /// Destination address.
    pub destination: &'f [u8; 16],
    /// The header that the walk ended at: the upper layer, or what keeps us from it.
    pub protocol: u8,
    /// Ports, where there are any to be seen.
    pub ports: Ports,
}

/// The option of the packet in `frame`, also where [`look`] leaves the packet alone: for those who only read. `None`
/// unless there is exactly one as RFC 8250 has it.
#[must_use]
pub fn find_pdm(frame: &[u8], wire_len: usize, ip: usize) -> Option<Marked<'_>> {
    let mut walk = Walk::start(frame, wire_len, ip).ok()?;
    let ports = match walk.go_to_upper_layer() {
        Ok(()) => walk.upper_layer().unwrap_or_default(),
        Err(_) => Ports::default(),
    };
    let [source, destination] = addresses(frame, ip);
    let (protocol, header) = (walk.next, walk.options.verdict().ok()??);
    Some(Marked { pdm: PdmAt(header.option), source, destination, protocol, ports })
}

/// The walk from header to header.
struct Walk<'f> {
    frame: &'f [u8],
    /// Octets after the fixed header.
    payload_len: u16,
    /// Offset of the end of the payload.
    end: usize,
    /// Offset of the header that is met next.
    at: usize,
    /// What it is.
    next: u8,
    /// Offset of the octet that says so.
    named_at: usize,
    /// The header before it was a destination options header.
    after_options: bool,
    /// Some other node is the packet's real destination.
    source_routed: bool,
    options: Options,
}

impl<'f> Walk<'f> {
    /// From the fixed header at `ip`.
    #[inline]
    fn start(frame: &'f [u8], wire_len: usize, ip: usize) -> Result<Self, Skip> {
        let fixed = frame.get(ip..).and_then(|octets| octets.first_chunk::<FIXED_HEADER>());
        let fixed = fixed.filter(|fixed| fixed[0] >> 4 == VERSION && ip < FARTHEST).ok_or(Skip::Malformed)?;
        let payload_len = u16::from_be_bytes([fixed[PAYLOAD_LENGTH], fixed[PAYLOAD_LENGTH + 1]]);
        if payload_len == 0 && fixed[NEXT_HEADER] == protocol::HOP_BY_HOP {
            return Err(Skip::Jumbogram);
        }
        let at = ip + FIXED_HEADER;
        let end = at + usize::from(payload_len);
        if end > wire_len {
            return Err(Skip::Malformed);
        }
        Ok(Self {
            frame,
            payload_len,
            end,
            at,
            next: fixed[NEXT_HEADER],
            named_at: ip + NEXT_HEADER,
            after_options: false,
            source_routed: false,
            options: Options::default(),
        })
    }

    /// Goes on to the upper layer, whatever it is: only hop-by-hop, routing and destination options are looked into.
    #[inline]
    fn go_to_upper_layer(&mut self) -> Result<(), Skip> {
        let first = self.at;
        loop {
            match self.next {
                protocol::HOP_BY_HOP if self.at != first => return Err(Skip::Malformed),
                protocol::HOP_BY_HOP => self.pass(false)?,
                protocol::ROUTING => {
                    let [_, _, kind, segments_left] = *self.first_octets()?;
                    self.source_routed |= segments_left != 0 && kind != MOBILITY_ROUTING;
                    self.pass(false)?;
                }
                protocol::DESTINATION_OPTIONS => {
                    let header = self.header()?;
                    self.options.scan(header, self.at, self.named_at);
                    self.pass(true)?;
                }
                protocol::FRAGMENT if self.left() < SMALLEST_HEADER => return Err(Skip::Malformed),
                protocol::FRAGMENT => return Err(Skip::Fragment),
                protocol::AUTHENTICATION if self.left() < SMALLEST_HEADER => return Err(Skip::Malformed),
                protocol::AUTHENTICATION => return Err(Skip::AuthenticationHeader),
                protocol::NONE => return Err(Skip::NoNextHeader),
                _ if self.source_routed => return Err(Skip::SourceRouted),
                _ => return Ok(()),
            }
        }
    }

    /// Octets of the payload from here on.
    fn left(&self) -> usize {
        self.end - self.at
    }

    /// The first octets of the extension header here.
    fn first_octets(&self) -> Result<&'f [u8; 4], Skip> {
        let octets = self.frame.get(self.at..).and_then(|octets| octets.first_chunk());
        octets.filter(|_| self.left() >= SMALLEST_HEADER).ok_or(Skip::Malformed)
    }

    /// The extension header here: all of it has to be in the frame, for what is inserted comes after it.
    fn header(&self) -> Result<&'f [u8], Skip> {
        let [_, length, ..] = *self.first_octets()?;
        let len = 8 * (1 + usize::from(length));
        let header = self.frame.get(self.at..self.at + len);
        header.filter(|_| len <= self.left()).ok_or(Skip::Malformed)
    }

    /// Goes on to what the extension header here names.
    fn pass(&mut self, is_options: bool) -> Result<(), Skip> {
        let header = self.header()?;
        self.next = header[0];
        self.named_at = self.at;
        self.at += header.len();
        self.after_options = is_options;
        Ok(())
    }

    /// The upper layer's ports, or why the packet is left alone for its sake.
    #[inline]
    fn upper_layer(&self) -> Result<Ports, Skip> {
        match self.next {
            protocol::TCP | protocol::UDP | protocol::DCCP | protocol::SCTP | protocol::UDP_LITE => {
                self.upper_octets().map(Ports::read)
            }
            protocol::ICMPV6 => {
                let [kind, _, _, _, i0, i1, _, _] = *self.upper_octets::<8>()?;
                icmpv6_ports(kind, u16::from_be_bytes([i0, i1]))
            }
            _ => Ok(Ports::default()),
        }
    }

    /// What the walk that began at the fixed header at `ip` went past.
    fn shape(&self, ip: usize) -> Shape {
        let first = ip + FIXED_HEADER;
        if self.at == first {
            return Shape::Plain;
        }
        let alone = self.frame.get(first..self.at).and_then(|headers| headers.try_into().ok());
        if self.after_options && alone.and_then(option::next_after_alone).is_some() {
            return Shape::Alone;
        }
        Shape::Other
    }

    fn upper_octets<const N: usize>(&self) -> Result<&'f [u8; N], Skip> {
        let octets = self.frame.get(self.at..self.end.min(self.frame.len()));
        octets.and_then(|octets| octets.first_chunk()).ok_or(Skip::Malformed)
    }
}

/// What an ICMPv6 message of type `kind` has in the place of ports.
fn icmpv6_ports(kind: u8, identifier: u16) -> Result<Ports, Skip> {
    match kind {
        0..128 => Err(Skip::Icmpv6Error),
        128 | 129 => Ok(Ports::both(identifier)),
        130..=137 | 141..=143 | 148 | 149 | 151..=153 => Err(Skip::NeighborDiscovery),
        _ => Ok(Ports::default()),
    }
}

/// What the destination options headers of a packet hold.
#[derive(Default)]
struct Options {
    found: Option<PdmHeader>,
    malformed: bool,
    duplicate: bool,
    unknown_length: bool,
}

impl Options {
    /// Looks through the options header at offset `at`.
    #[inline]
    fn scan(&mut self, header: &[u8], at: usize, named_at: usize) {
        let mut next = FIRST_OPTION;
        while next < header.len() {
            let Some(option) = Tlv::at(header, next) else {
                self.malformed = true;
                return;
            };
            next = option.end();
            if option.kind == PDM_OPTION_TYPE {
                self.duplicate |= self.found.is_some();
                self.unknown_length |= option.len != 2 + usize::from(PDM_OPTION_LEN);
                self.found =
                    Some(PdmHeader { option: at + option.start, start: at, len: header.len(), named_at });
            }
        }
    }

    /// In the order of precedence.
    fn verdict(self) -> Result<Option<PdmHeader>, Skip> {
        match self {
            Self { malformed: true, .. } => Err(Skip::Malformed),
            Self { duplicate: true, .. } => Err(Skip::DuplicatePdm),
            Self { unknown_length: true, .. } => Err(Skip::UnknownPdmLength),
            Self { found, .. } => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed header that names `next`, from the unspecified to the unspecified address, and `payload` after it.
    fn packet(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; FIXED_HEADER];
        packet[0] = 0x60;
        packet[4..6].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
        packet[NEXT_HEADER] = next;
        packet.extend(payload);
        packet
    }

    fn verdict(next: u8, payload: &[u8]) -> Result<u8, Skip> {
        let packet = packet(next, payload);
        look(&packet, packet.len(), 0).map(|look| look.protocol())
    }

    /// Whatever any one octet of a packet is.
    #[test]
    fn a_glance_sees_what_the_walk_sees() {
        let alone = [6, 1, 15, 10, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1, 0];
        let marked = [&alone[..], &[1, 2, 3, 4]].concat();
        let mut seen = 0;
        for (next, payload) in [(17, &[1, 2, 3, 4][..]), (60, &marked[..])] {
            let sound = packet(next, payload);
            for (place, octet) in
                (0..sound.len()).flat_map(|place| (0..=255).map(move |octet| (place, octet)))
            {
                let mut packet = sound.clone();
                packet[place] = octet;
                let walked = look(&packet, packet.len(), 0);
                if let Some(glanced) = Look::glance(&packet, 0) {
                    assert_eq!(Ok(glanced), walked, "octet {place} is {octet}");
                    seen += 1;
                }
                let frame = [&[0; 12][..], &[0x86, 0xdd], &packet].concat();
                assert_eq!(
                    Look::glance_untagged(&frame),
                    Look::glance(&frame, UNTAGGED),
                    "octet {place} is {octet}"
                );
            }
            assert!(Look::glance(&sound[..sound.len() - 1], 0).is_none());
        }
        assert!(seen > 10_000, "hardly anything was seen");
    }

    #[test]
    fn nothing_is_seen_behind_another_ethertype() {
        for kind in [[0x86, 0xdc], [0x87, 0xdd], [0x81, 0]] {
            let frame = [&[0; 12][..], &kind, &packet(17, &[1, 2, 3, 4])].concat();
            assert_eq!(Look::glance_untagged(&frame), None);
        }
        assert_eq!(Look::glance_untagged(&[0; UNTAGGED - 1]), None);
    }

    #[test]
    fn the_walk_ends_at_the_upper_layer() {
        let routing_then_options = [60, 0, 4, 0, 0, 0, 0, 0, 253, 0, 1, 4, 0, 0, 0, 0];
        let packet = packet(protocol::ROUTING, &routing_then_options);
        let look = look(&packet, packet.len(), 0).unwrap();
        let headers = look.layout.headers(&packet).unwrap();
        assert_eq!((headers.upper, headers.names_upper, headers.end_with_options), (56, 48, true));
        assert_eq!(
            (look.protocol(), look.ports, look.layout.pdm(&packet)),
            (253, Ports::default(), Ok(None))
        );
    }

    #[test]
    fn an_earlier_reason_wins() {
        // Segments left, then a fragment header; segments left, then a header that runs past the payload.
        assert_eq!(verdict(43, &[44, 0, 4, 1, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]), Err(Skip::Fragment));
        assert_eq!(verdict(43, &[60, 0, 4, 1, 0, 0, 0, 0, 6, 1, 0, 0, 0, 0, 0, 0]), Err(Skip::Malformed));
        assert_eq!(verdict(43, &[6, 0, 4, 1, 0, 0, 0, 0, 1]), Err(Skip::SourceRouted));
        assert_eq!(verdict(44, &[0; 7]), Err(Skip::Malformed));
        assert_eq!(verdict(protocol::ICMPV6, &[1; 7]), Err(Skip::Malformed));
        assert_eq!(verdict(protocol::ICMPV6, &[1; 8]), Err(Skip::Icmpv6Error));
        assert_eq!(verdict(protocol::HOP_BY_HOP, &[]), Err(Skip::Jumbogram));
        assert_eq!(verdict(60, &[0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]), Err(Skip::Malformed));
    }

    /// Found by a property test: the option went after a header of which only the first octets were there.
    #[test]
    fn a_header_that_was_not_captured_whole_is_malformed() {
        let packet = packet(protocol::ROUTING, &[253, 0, 4, 0, 0, 0, 0, 0]);
        assert_eq!(look(&packet[..44], packet.len(), 0).unwrap_err(), Skip::Malformed);
        assert!(look(&packet, packet.len(), 0).is_ok());
        assert_eq!(look(&packet, packet.len() - 1, 0).unwrap_err(), Skip::Malformed);
    }

    #[test]
    fn an_option_is_found_in_a_packet_that_is_left_alone() {
        let options_then_fragment =
            [44, 1, 0x0f, 10, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1, 0, 6, 0, 0, 1, 0, 0, 0, 0];
        let packet = packet(protocol::DESTINATION_OPTIONS, &options_then_fragment);
        assert_eq!(look(&packet, packet.len(), 0), Err(Skip::Fragment));
        let found = find_pdm(&packet, packet.len(), 0).unwrap();
        assert_eq!((found.pdm.option(), found.protocol, found.ports), (42, 44, Ports::default()));
        assert_eq!(find_pdm(&packet[..48], packet.len(), 0), None);
    }

    #[test]
    fn echo_has_its_identifier_for_ports_and_esp_has_three_shapes() {
        let ports = |next: u8, payload: &[u8]| {
            let packet = packet(next, payload);
            let look = look(&packet, packet.len(), 0).unwrap();
            (look.ports.source(), look.ports.destination(), look.is_esp())
        };
        assert_eq!(ports(protocol::ICMPV6, &[128, 0, 0, 0, 1, 2, 0, 0]), (0x102, 0x102, false));
        assert_eq!(ports(protocol::ICMPV6, &[144, 0, 0, 0, 1, 2, 0, 0]), (0, 0, false));
        assert_eq!(ports(protocol::ESP, &[1, 2, 3, 4]), (0, 0, true));
        assert_eq!(ports(protocol::WRAPPED_ESP, &[]), (0, 0, true));
        assert_eq!(ports(protocol::UDP, &[0, 9, 0x11, 0x94]), (9, 4500, true));
        assert_eq!(ports(protocol::TCP, &[0, 9, 0x11, 0x94]), (9, 4500, false));
    }
}
