//! Packets of every shape that the option can be put into.

use pdm::Limits;
use proptest::prelude::*;

pub(crate) const MTU_1500: Limits = Limits { mtu: 1500, max_destopts_len: 40 };

/// One option: its type, and its octets after type and length.
type Tlv = (u8, Vec<u8>);

/// A packet as its parts.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    vlan_tags: usize,
    /// Extension headers in order: what names them, and their octets but the first one.
    headers: Vec<(u8, Vec<u8>)>,
    pub(crate) protocol: u8,
    upper: Vec<u8>,
    trailer: Vec<u8>,
    tail: Vec<u8>,
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const OPTIONS: u8 = 60;

impl Chain {
    pub(crate) fn ip_offset(&self) -> usize {
        14 + 4 * self.vlan_tags
    }

    pub(crate) fn trailer_len(&self) -> usize {
        self.trailer.len()
    }

    pub(crate) fn upper_and_trailer(&self) -> &[u8] {
        &self.tail
    }

    pub(crate) fn has_long_padding(&self) -> bool {
        self.headers.iter().any(|(kind, octets)| *kind == OPTIONS && longest_padding(octets) > 7)
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for _ in 0..self.vlan_tags {
            frame.extend([0x81, 0x00, 0x00, 0x07]);
        }
        frame.extend([0x86, 0xdd]);
        let names = self.headers.iter().map(|(kind, _)| *kind).chain([self.protocol]);
        let mut names = names.collect::<Vec<_>>().into_iter();
        let payload_len =
            self.headers.iter().map(|(_, rest)| 1 + rest.len()).sum::<usize>() + self.upper.len();
        frame.extend([0x6a, 0xbc, 0xde, 0xf0]);
        frame.extend(u16::try_from(payload_len).unwrap().to_be_bytes());
        frame.push(names.next().unwrap());
        frame.push(64);
        frame.extend([0x20; 32]);
        for (_, rest) in &self.headers {
            frame.push(names.next().unwrap());
            frame.extend(rest);
        }
        frame.extend(&self.upper);
        frame.extend(&self.trailer);
        frame
    }
}

/// The longest run of padding octets in an options header, its next header octet left out.
fn longest_padding(header: &[u8]) -> usize {
    let (mut at, mut run, mut longest) = (1, 0, 0);
    while at < header.len() {
        let len = if header[at] == 0 { 1 } else { 2 + usize::from(header[at + 1]) };
        run = if header[at] <= 1 { run + len } else { 0 };
        longest = longest.max(run);
        at += len;
    }
    longest
}

/// The same of the options header before the upper layer in `frame`, which is `chain` after an insertion.
pub(crate) fn longest_padding_of_last_options(frame: &[u8], chain: &Chain) -> Option<usize> {
    let mut at = chain.ip_offset() + 40;
    let mut next = frame[chain.ip_offset() + 6];
    let mut longest = None;
    while matches!(next, HOP_BY_HOP | ROUTING | OPTIONS) {
        let end = at + 8 * (1 + usize::from(frame[at + 1]));
        if next == OPTIONS {
            longest = Some(longest_padding(&frame[at + 1..end]));
        }
        next = frame[at];
        at = end;
    }
    longest
}

/// An options header's octets but the first: options each at its alignment, with minimal padding, as hosts write it.
fn canonical(options: &[(Tlv, usize)]) -> Vec<u8> {
    let mut header = vec![0, 0];
    for ((kind, data), alignment) in options {
        let gap = (alignment + 8 - header.len() % 8) % 8;
        pad(&mut header, gap);
        header.push(*kind);
        header.push(u8::try_from(data.len()).unwrap());
        header.extend(data);
    }
    finish(header)
}

fn pad(header: &mut Vec<u8>, gap: usize) {
    match gap {
        0 => {}
        1 => header.push(0),
        _ => {
            header.extend([1, u8::try_from(gap - 2).unwrap()]);
            header.resize(header.len() + gap - 2, 0);
        }
    }
}

/// Pads the header to its end and sets its length.
fn finish(mut header: Vec<u8>) -> Vec<u8> {
    let gap = header.len().next_multiple_of(8) - header.len();
    pad(&mut header, gap);
    header[1] = u8::try_from(header.len() / 8 - 1).unwrap();
    header.split_off(1)
}

/// An option that is neither padding nor PDM.
fn tlv() -> impl Strategy<Value = Tlv> {
    (any::<u8>().prop_filter("not padding, not PDM", |kind| *kind > 1 && *kind != 0x0f), data(0..9))
}

fn data(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), len)
}

fn canonical_options() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((tlv(), 0..8_usize), 1..4).prop_map(|options| canonical(&options))
}

/// Options and padding in any order, none of it tidy.
fn untidy_options() -> impl Strategy<Value = Vec<u8>> {
    let padding = prop_oneof![Just((0, Vec::new())), data(0..12).prop_map(|data| (1, data))];
    prop::collection::vec(prop_oneof![tlv(), padding], 0..6).prop_map(|options| {
        let mut header = vec![0, 0];
        for (kind, data) in options {
            header.push(kind);
            if kind != 0 {
                header.push(u8::try_from(data.len()).unwrap());
                header.extend(data);
            }
        }
        finish(header)
    })
}

fn hop_by_hop() -> impl Strategy<Value = Option<(u8, Vec<u8>)>> {
    prop::option::of(Just((HOP_BY_HOP, vec![0, 5, 2, 0, 0, 1, 0])))
}

fn routing() -> impl Strategy<Value = Option<(u8, Vec<u8>)>> {
    let used_up = (any::<u8>(), data(4..5)).prop_map(|(kind, rest)| (kind, 0, rest));
    let mobility = data(4..5).prop_map(|rest| (2, 1, rest));
    prop::option::of(
        prop_oneof![used_up, mobility]
            .prop_map(|(kind, left, rest)| (ROUTING, [vec![0, kind, left], rest].concat())),
    )
}

/// An upper layer that nothing keeps the option from: TCP, UDP, echo, or something unknown.
fn upper() -> impl Strategy<Value = (u8, Vec<u8>)> {
    prop_oneof![
        data(4..1600).prop_map(|data| (6, data)),
        data(4..200).prop_map(|data| (17, [&[0x10, 0x01, 0x10, 0x02], &data[..]].concat())),
        data(8..200).prop_map(|mut data| {
            data[0] = 128;
            (58, data)
        }),
        data(0..100).prop_map(|data| (253, data)),
    ]
}

fn chain(last: impl Strategy<Value = Option<Vec<u8>>>) -> impl Strategy<Value = Chain> {
    let before = (hop_by_hop(), prop::option::of(untidy_options()), routing());
    (0..3_usize, before, last, upper(), data(0..8)).prop_map(
        |(vlan_tags, (hop_by_hop, early, routing), last, (protocol, upper), trailer)| {
            // A destination options header goes first only where a routing header follows.
            let early = early.filter(|_| routing.is_some()).map(|octets| (OPTIONS, octets));
            let last = last.map(|octets| (OPTIONS, octets));
            let headers = [hop_by_hop, early, routing, last].into_iter().flatten().collect();
            let tail = [&upper[..], &trailer].concat();
            Chain { vlan_tags, headers, protocol, upper, trailer, tail }
        },
    )
}

/// Without a destination options header before the upper layer.
pub(crate) fn plain_chain() -> impl Strategy<Value = Chain> {
    chain(Just(None))
}

/// With one that is padded as hosts do it, and holds an option.
pub(crate) fn canonical_chain() -> impl Strategy<Value = Chain> {
    chain(canonical_options().prop_map(Some))
}

/// With whatever there may be.
pub(crate) fn any_chain() -> impl Strategy<Value = Chain> {
    chain(prop::option::of(untidy_options()))
}
