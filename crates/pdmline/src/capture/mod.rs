//! Captures: pcap and pcapng in, nanosecond pcap out.
//!
//! `pcap-parser` takes the input apart: it copes with every byte order, several sections and interfaces, and damaged
//! files. Timestamps are computed here, since it reads neither resolutions that are powers of two nor big-endian
//! offsets. Output is 24 octets and 16 per packet, written here so that no reader ever sees half a record.

mod error;
mod link;
mod pcapng;
mod reader;
mod writer;

pub(crate) use error::Error;
pub(crate) use link::Link;
pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

/// The longest packet, in octets, as libpcap has it: what claims to be longer is damaged.
const MAX_PACKET: usize = 262_144;

/// One packet of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<D> {
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    /// What kind of link it was captured on.
    pub(crate) link: Link,
    /// Octets of the packet on the wire: at least those of `data`.
    pub(crate) original_len: u32,
    /// The octets that were captured.
    pub(crate) data: D,
}
