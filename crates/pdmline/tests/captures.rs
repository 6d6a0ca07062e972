//! Every kind of capture, sound and damaged, through the program. The inputs are made by another library than the one
//! that reads them.

#![allow(clippy::unwrap_used, reason = "a helper of tests may fail them too")]

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, TsResolution};
use support::{Ran, pdmline, vector};

mod support;

const TIME: Duration = Duration::new(1_700_000_000, 123_456_789);
const NANOS: &str = "2023-11-14T22:13:20.123456789Z";
const MICROS: &str = "2023-11-14T22:13:20.123456000Z";
/// What is said of [`marked`] after its number and time.
const MARKED: &str = " [2001:db8:b::1]:80 > [2001:db8:a::1]:5000 udp  \
                      PSNTP 12  PSNLR 25  DELTATLR 4.000 s  DELTATLS 0 s\n";
const ETHERNET_HEADER: usize = 14;
const PCAP_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// A frame with the option.
fn marked() -> Vec<u8> {
    let mut reader = PcapReader::new(File::open(vector("rfc8250-c1.in.pcap")).unwrap()).unwrap();
    reader.next_packet().unwrap().unwrap();
    reader.next_packet().unwrap().unwrap().data.into_owned()
}

fn decode(octets: &[u8]) -> Ran {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), octets).unwrap();
    let mut ran = pdmline([Path::new("decode"), file.path()]);
    ran.stderr = ran.stderr.replace(file.path().to_str().unwrap(), "FILE");
    ran
}

/// The lines of a capture that is read without an error.
fn lines(octets: &[u8]) -> String {
    let ran = decode(octets);
    assert_eq!((ran.stderr.as_str(), ran.status), ("", Some(0)));
    ran.stdout
}

/// A capture that is refused after `lines` for the reason `why`.
fn refused(octets: &[u8], lines: &str, why: &str) {
    let ran = decode(octets);
    assert_eq!(ran.stderr, format!("pdmline: {why}\n"));
    assert_eq!((ran.stdout.as_str(), ran.status), (lines, Some(1)));
}

fn pcap(header: PcapHeader, frames: &[&[u8]]) -> Vec<u8> {
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for frame in frames {
        let octets = u32::try_from(frame.len()).unwrap();
        writer.write_packet(&PcapPacket::new(TIME, octets, frame)).unwrap();
    }
    writer.into_writer()
}

/// A pcapng capture of one section.
struct Pcapng(PcapNgWriter<Vec<u8>>);

impl Pcapng {
    fn new(endianness: Endianness) -> Self {
        Self(PcapNgWriter::with_endianness(Vec::new(), endianness).unwrap())
    }

    fn block<'b>(mut self, block: impl PcapNgBlock<'b>) -> Self {
        self.0.write_pcapng_block(block).unwrap();
        self
    }

    fn interface(self, link: DataLink, options: Vec<InterfaceDescriptionOption<'static>>) -> Self {
        self.block(InterfaceDescriptionBlock { linktype: link, snaplen: 0, options })
    }

    fn packet(self, interface_id: u32, units: u64, data: &[u8]) -> Self {
        let original_len = u32::try_from(data.len()).unwrap();
        // The library puts the timestamp's nanoseconds where the format has the interface's units.
        let timestamp = Duration::from_nanos(units);
        self.block(EnhancedPacketBlock {
            interface_id,
            timestamp,
            original_len,
            data: data.into(),
            options: vec![],
        })
    }

    fn octets(self) -> Vec<u8> {
        self.0.into_inner()
    }
}

#[test]
fn pcap_in_both_byte_orders_and_resolutions() {
    for endianness in [Endianness::Big, Endianness::Little] {
        for (ts_resolution, time) in [(TsResolution::MicroSecond, MICROS), (TsResolution::NanoSecond, NANOS)]
        {
            let header = PcapHeader { endianness, ts_resolution, ..PcapHeader::default() };
            assert_eq!(lines(&pcap(header, &[&marked()])), format!("1 {time}{MARKED}"));
        }
    }
}

#[test]
fn every_link_type() {
    let packet = &marked()[ETHERNET_HEADER..];
    let cooked = [&[0; 14], &[0x86, 0xdd][..], packet].concat();
    let cooked2 = [&[0x86, 0xdd], &[0; 18][..], packet].concat();
    let frames = [
        (DataLink::RAW, packet),
        (DataLink::IPV6, packet),
        (DataLink::LINUX_SLL, &cooked),
        (DataLink::LINUX_SLL2, &cooked2),
    ];
    for (datalink, frame) in frames {
        let header = PcapHeader { datalink, ..PcapHeader::default() };
        assert_eq!(lines(&pcap(header, &[frame])), format!("1 {MICROS}{MARKED}"), "{datalink:?}");
    }
}

#[test]
fn pcapng_interfaces_have_their_own_links_and_clocks() {
    let frame = marked();
    let packet = &frame[ETHERNET_HEADER..];
    let seconds = TIME.as_secs();
    for endianness in [Endianness::Big, Endianness::Little] {
        let capture = Pcapng::new(endianness)
            .interface(DataLink::ETHERNET, vec![])
            .interface(
                DataLink::RAW,
                vec![
                    InterfaceDescriptionOption::IfTsResol(9),
                    InterfaceDescriptionOption::IfTsOffset(seconds),
                ],
            )
            .interface(DataLink::ETHERNET, vec![InterfaceDescriptionOption::IfTsResol(0x80 | 3)])
            .packet(0, seconds * 1_000_000 + 123_456, &frame)
            .packet(1, 123_456_789, packet)
            .packet(2, seconds * 8 + 1, &frame)
            .octets();
        let eighth = "2023-11-14T22:13:20.125000000Z";
        assert_eq!(lines(&capture), format!("1 {MICROS}{MARKED}2 {NANOS}{MARKED}3 {eighth}{MARKED}"));
    }
}

#[test]
fn pcapng_sections_start_anew() {
    let section = |endianness, link, data: &[u8]| {
        Pcapng::new(endianness).interface(link, vec![]).packet(0, 1_000_000, data).octets()
    };
    let first = section(Endianness::Little, DataLink::ETHERNET, &marked());
    let second = section(Endianness::Big, DataLink::RAW, &marked()[ETHERNET_HEADER..]);
    let time = "1970-01-01T00:00:01.000000000Z";
    assert_eq!(lines(&[first, second].concat()), format!("1 {time}{MARKED}2 {time}{MARKED}"));
}

#[test]
fn a_packet_cut_short_is_judged_by_its_original_length() {
    let frame = marked();
    let original_len = u32::try_from(frame.len()).unwrap();
    // All but the last octet.
    let cut = &frame[..frame.len() - 1];
    for (original_len, expected) in [(original_len, format!("1 {MICROS}{MARKED}")), (0, String::new())] {
        let mut octets = pcap(PcapHeader { endianness: Endianness::Little, ..PcapHeader::default() }, &[cut]);
        octets[PCAP_HEADER + 12..PCAP_HEADER + 16].copy_from_slice(&original_len.to_le_bytes());
        assert_eq!(lines(&octets), expected);
    }
}

#[test]
fn what_is_no_capture() {
    let why =
        "FILE does not begin like a pcap or pcapng capture: decompress it, or convert it with editcap, first";
    refused(b"# a text file that is longer than any capture's header\n", "", why);
    refused(&pcap(PcapHeader::default(), &[])[..PCAP_HEADER - 1], "", why);
    refused(&Pcapng::new(Endianness::Little).octets()[..20], "", why);
    refused(&[], "", "FILE is empty: record the capture again");
}

#[test]
fn what_cannot_be_read() {
    let ran = pdmline(["decode", "/nonexistent/capture.pcap"]);
    let why = "pdmline: cannot read /nonexistent/capture.pcap: No such file or directory (os error 2)\n";
    assert_eq!((ran.stderr.as_str(), ran.status), (why, Some(1)));
    let ran = pdmline(["decode", "/proc"]);
    let why = "pdmline: cannot read /proc: Is a directory (os error 21)\n";
    assert_eq!((ran.stderr.as_str(), ran.status), (why, Some(1)));
}

#[test]
fn a_capture_that_ends_mid_packet_gives_what_came_before() {
    let frame = marked();
    let octets = pcap(PcapHeader::default(), &[&frame, &frame]);
    let second = PCAP_HEADER + RECORD_HEADER + frame.len();
    for missing in [1, frame.len(), frame.len() + 1] {
        let why = format!(
            "FILE ends in the middle of packet 2, which begins at byte {second}: what comes before it was read, copy \
             or record the capture again for the rest"
        );
        refused(&octets[..octets.len() - missing], &format!("1 {MICROS}{MARKED}"), &why);
    }
}

#[test]
fn a_length_that_cannot_be_is_damage_not_memory() {
    let frame = marked();
    let second = PCAP_HEADER + RECORD_HEADER + frame.len();
    for length in [u32::MAX, 1 << 30] {
        let mut octets = pcap(PcapHeader::default(), &[&frame, &frame]);
        octets[second + 8..second + 12].copy_from_slice(&length.to_be_bytes());
        let why = format!(
            "FILE is damaged at packet 2, which begins at byte {second}: what comes before it was read, copy or \
             record the capture again for the rest"
        );
        refused(&octets, &format!("1 {MICROS}{MARKED}"), &why);
    }
}

#[test]
fn link_types_that_are_not_known() {
    let why = "FILE has packets of link type 127, which pdmline does not know: capture on Ethernet, raw IP, or \
               tcpdump's interface \"any\"";
    let radio = DataLink::from(127);
    refused(&pcap(PcapHeader { datalink: radio, ..PcapHeader::default() }, &[]), "", why);
    let section = Pcapng::new(Endianness::Little).interface(radio, vec![]);
    refused(&section.packet(0, 0, &marked()).octets(), "", why);
    let unused = Pcapng::new(Endianness::Little).interface(radio, vec![]).octets();
    assert_eq!(lines(&unused), "");
}

#[test]
fn pcapng_packets_that_lack_their_time_or_interface() {
    let interface = || Pcapng::new(Endianness::Little).interface(DataLink::ETHERNET, vec![]);
    let before = interface().octets().len();
    let simple = SimplePacketBlock { original_len: 4, data: vec![0; 4].into() };
    let why = format!(
        "packet 1 of FILE, at byte {before}, is in a block without a timestamp or in an obsolete one: convert the \
         capture with editcap -F nsecpcap first"
    );
    refused(&interface().block(simple).octets(), "", &why);
    let mut octets = interface().packet(0, 0, &marked()).octets();
    // Interface 0 becomes interface 1.
    octets[before + 8] = 1;
    let why = format!(
        "FILE is damaged at packet 1, which begins at byte {before}: what comes before it was read, copy or record \
         the capture again for the rest"
    );
    refused(&octets, "", &why);
}
