//! What can be wrong with a capture.

use std::io;
use std::path::PathBuf;

use crate::capture::Link;

/// Why a capture cannot be read or written. Packets are counted from 1, octets of a file from 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{} is empty: record the capture again", path.display())]
    Empty { path: PathBuf },
    #[error(
        "{} does not begin like a pcap or pcapng capture: decompress it, or convert it with editcap, first",
        path.display()
    )]
    NotACapture { path: PathBuf },
    #[error("reading {} failed at byte {offset}, after {} packets: check its disk", path.display(), packet - 1)]
    Read { path: PathBuf, packet: u64, offset: usize },
    #[error(
        "{} ends in the middle of packet {packet}, which begins at byte {offset}: what comes before it was read, copy \
         or record the capture again for the rest",
        path.display()
    )]
    CutOff { path: PathBuf, packet: u64, offset: usize },
    #[error(
        "{} is damaged at packet {packet}, which begins at byte {offset}: what comes before it was read, copy or \
         record the capture again for the rest",
        path.display()
    )]
    Damaged { path: PathBuf, packet: u64, offset: usize },
    #[error(
        "packet {packet} of {}, at byte {offset}, is in a block without a timestamp or in an obsolete one: convert the \
         capture with editcap -F nsecpcap first",
        path.display()
    )]
    UnsupportedBlock { path: PathBuf, packet: u64, offset: usize },
    #[error(
        "{} has packets of link type {linktype}, which pdmline does not know: capture on Ethernet, raw IP, or \
         tcpdump's interface \"any\"",
        path.display()
    )]
    UnknownLink { path: PathBuf, linktype: u32 },
    #[error("{} is the input as well: give the output another name", path.display())]
    SameFile { path: PathBuf },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{} cannot hold both {first} and {second} packets: take the input apart first, for example with tshark -Y \
         'frame.interface_id == 0'",
        path.display()
    )]
    MixedLinks { path: PathBuf, first: Link, second: Link },
    #[error(
        "{} cannot hold a packet of {} s after 1970: shift the input's times with editcap -t first",
        path.display(),
        time / 1_000_000_000
    )]
    TooLate { path: PathBuf, time: u64 },
}
