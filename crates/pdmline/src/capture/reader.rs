//! Reading captures.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapBlock, PcapBlockOwned, PcapError, PcapHeader, create_reader};

use crate::capture::pcapng::Section;
use crate::capture::{Error, Link, MAX_PACKET, Record};

/// Octets of the one buffer that is read into: what no block of a sound capture exceeds.
const BUFFER: usize = 16 << 20;
/// The link type's bits in a pcap header; those above tell of check sequences.
const LINKTYPE_BITS: u32 = 0xffff;

/// A capture, packet by packet. After an error it has ended.
pub(crate) struct Reader {
    path: PathBuf,
    len: u64,
    device_and_inode: (u64, u64),
    blocks: Box<dyn PcapReaderIterator + Send>,
    format: Format,
    packets: u64,
    ended: bool,
}

/// What has been learnt of how packets are stored.
enum Format {
    Pcap { link: Link, nanos_per_unit: u64 },
    Pcapng(Section),
}

/// What can be wrong with a block.
pub(super) enum Fault {
    Read,
    CutOff,
    Damaged,
    UnsupportedBlock,
    UnknownLink(u32),
}

impl Reader {
    /// Opens the capture at `path`, in whichever format.
    ///
    /// # Errors
    /// When it cannot be read, is none, or its packets are of a link type that is not known.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let mut input = BufReader::new(file);
        if input.fill_buf().map_err(unreadable)?.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        let blocks =
            create_reader(BUFFER, input).map_err(|_| Error::NotACapture { path: path.to_owned() })?;
        let mut reader = Self {
            path: path.to_owned(),
            len: metadata.len(),
            device_and_inode: (metadata.dev(), metadata.ino()),
            blocks,
            format: Format::Pcapng(Section::default()),
            packets: 0,
            ended: false,
        };
        reader.read_pcap_header()?;
        Ok(reader)
    }

    /// The link that every packet was captured on, where the format promises that.
    pub(crate) fn link(&self) -> Option<Link> {
        match self.format {
            Format::Pcap { link, .. } => Some(link),
            Format::Pcapng(_) => None,
        }
    }

    /// Octets of the file; 0 for what is not one.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Octets of the file that the packets so far took.
    pub(crate) fn position(&self) -> u64 {
        u64::try_from(self.blocks.consumed()).unwrap_or(u64::MAX)
    }

    /// Whether `path` is the file that is being read, under whatever name.
    pub(super) fn reads_from(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|other| (other.dev(), other.ino()) == self.device_and_inode)
    }

    /// A pcap file says at its start, before any packet, what all packets share.
    fn read_pcap_header(&mut self) -> Result<(), Error> {
        let (octets, format) = match self.blocks.next() {
            Ok((octets, PcapBlockOwned::LegacyHeader(header))) => (octets, Format::from_header(&header)),
            _ => return Ok(()),
        };
        self.format = format.map_err(|fault| self.error(fault, 0))?;
        self.blocks.consume(octets);
        Ok(())
    }

    fn read_record(&mut self) -> Result<Option<Record<Vec<u8>>>, Error> {
        loop {
            let offset = self.blocks.consumed();
            let fault = match self.blocks.next() {
                Ok((octets, block)) => {
                    let packet = self.format.take(&block);
                    self.blocks.consume(octets);
                    match packet {
                        Ok(None) => continue,
                        Ok(packet) => return Ok(packet),
                        Err(fault) => fault,
                    }
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => match self.blocks.refill() {
                    Ok(()) => continue,
                    Err(_) => Fault::Read,
                },
                Err(PcapError::UnexpectedEof) => Fault::CutOff,
                Err(_) => Fault::Damaged,
            };
            return Err(self.error(fault, offset));
        }
    }

    /// What `fault` in the block at `offset` means for the whole.
    fn error(&self, fault: Fault, offset: usize) -> Error {
        let (path, packet) = (self.path.clone(), self.packets + 1);
        match fault {
            Fault::Read => Error::Read { path, packet, offset },
            Fault::CutOff => Error::CutOff { path, packet, offset },
            Fault::Damaged => Error::Damaged { path, packet, offset },
            Fault::UnsupportedBlock => Error::UnsupportedBlock { path, packet, offset },
            Fault::UnknownLink(linktype) => Error::UnknownLink { path, linktype },
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Record<Vec<u8>>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.read_record().transpose();
        match record {
            Some(Ok(_)) => self.packets += 1,
            _ => self.ended = true,
        }
        record
    }
}

impl Format {
    fn from_header(header: &PcapHeader) -> Result<Self, Fault> {
        let linktype = u32::from_ne_bytes(header.network.0.to_ne_bytes()) & LINKTYPE_BITS;
        let link = Link::from_linktype(linktype).ok_or(Fault::UnknownLink(linktype))?;
        Ok(Self::Pcap { link, nanos_per_unit: if header.is_nanosecond_precision() { 1 } else { 1_000 } })
    }

    /// Takes in what `block` says, and gives back the packet that it holds.
    fn take(&mut self, block: &PcapBlockOwned<'_>) -> Result<Option<Record<Vec<u8>>>, Fault> {
        match (self, block) {
            (Self::Pcap { link, nanos_per_unit }, PcapBlockOwned::Legacy(packet)) => {
                record(nanos(packet, *nanos_per_unit), *link, packet.origlen, packet.data).map(Some)
            }
            (Self::Pcapng(section), PcapBlockOwned::NG(block)) => section.take(block),
            _ => Ok(None),
        }
    }
}

/// The time of a packet in a pcap file.
fn nanos(packet: &LegacyPcapBlock<'_>, nanos_per_unit: u64) -> u64 {
    u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_usec) * nanos_per_unit
}

/// A packet, if it is one that can have been captured.
pub(super) fn record(
    time: u64,
    link: Link,
    original_len: u32,
    data: &[u8],
) -> Result<Record<Vec<u8>>, Fault> {
    if data.len() > MAX_PACKET {
        return Err(Fault::Damaged);
    }
    let captured_len = u32::try_from(data.len()).map_err(|_| Fault::Damaged)?;
    Ok(Record { time, link, original_len: original_len.max(captured_len), data: data.to_vec() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pcap_file::DataLink;
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
    use proptest::prelude::*;

    use super::*;

    fn pcapng() -> Vec<u8> {
        let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
        writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0)).unwrap();
        for length in 1..6_u8 {
            let packet = EnhancedPacketBlock {
                interface_id: 0,
                timestamp: std::time::Duration::from_nanos(length.into()),
                original_len: length.into(),
                data: vec![length; length.into()].into(),
                options: vec![],
            };
            writer.write_pcapng_block(packet).unwrap();
        }
        writer.into_inner()
    }

    fn pcap() -> Vec<u8> {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
        fs::read(vectors.join("rfc8250-c1.in.pcap")).unwrap()
    }

    /// Packets that are read before the end or an error.
    fn read(octets: &[u8]) -> Option<usize> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), octets).unwrap();
        Some(Reader::open(file.path()).ok()?.map_while(Result::ok).count())
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_packets_before_the_cut() {
        for (capture, packets) in [(pcap(), 3), (pcapng(), 5)] {
            let mut most = 0;
            for cut in 0..=capture.len() {
                let packets = read(&capture[..cut]).unwrap_or(0);
                assert!(packets == most || packets == most + 1, "{packets} after {most} at {cut}");
                most = packets;
            }
            assert_eq!(most, packets);
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(changes in prop::collection::vec((0..1000_usize, any::<u8>()), 1..5)) {
            for mut capture in [pcap(), pcapng()] {
                let len = capture.len();
                for (at, octet) in &changes {
                    capture[at % len] = *octet;
                }
                prop_assert!(read(&capture).unwrap_or(0) <= len / 16);
            }
        }
    }
}
