//! Captures that sources repeat without end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use pcap_file::pcap::{PcapPacket, PcapWriter};

use super::case::Traffic;
use super::frame::frame;

/// Frames of a capture at the least, so that few flows do not make the source itself faster.
const FEW: u32 = 1 << 10;

/// A capture on disk.
pub(super) struct Capture {
    pub(super) path: PathBuf,
    pub(super) frames: u32,
}

impl Capture {
    /// Writes number `number` of the captures of `traffic` into `folder`. Each has flows of its own, which come in turn.
    pub(super) fn write(traffic: Traffic, number: u32, folder: &Path) -> Result<Self> {
        let path = folder.join(format!("source{number}.pcap"));
        let frames = traffic.flows.max(FEW);
        write(traffic, number * traffic.flows, frames, &path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, frames })
    }
}

fn write(traffic: Traffic, first: u32, frames: u32, path: &Path) -> Result<()> {
    let mut writer = PcapWriter::new(BufWriter::new(File::create(path)?))?;
    let flows = (first..first + traffic.flows).cycle();
    let lengths = traffic.lengths.iter().cycle();
    for ((flow, length), _) in flows.zip(lengths).zip(0..frames) {
        let frame = frame(flow, *length, traffic.marked);
        let len = u32::try_from(frame.len())?;
        writer.write_packet(&PcapPacket::new_owned(Duration::ZERO, len, frame))?;
    }
    Ok(writer.into_writer().flush()?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use pcap_file::pcap::PcapReader;

    use super::*;

    fn frames(capture: &Capture) -> Vec<Vec<u8>> {
        let mut reader = PcapReader::new(File::open(&capture.path).unwrap()).unwrap();
        let next = || reader.next_packet().map(|packet| packet.unwrap().data.into_owned());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_capture_has_as_many_flows_as_asked_for_and_shares_none() {
        let folder = tempfile::tempdir().unwrap();
        for (flows, distinct, expected) in [(1, 1, 1024), (2000, 2000, 2000)] {
            let traffic = Traffic { flows, lengths: &[78, 1400], marked: false };
            let captures = [0, 1].map(|number| Capture::write(traffic, number, folder.path()).unwrap());
            let [first, second] = captures.each_ref().map(frames);
            assert_eq!((first.len(), second.len()), (expected, expected));
            assert_eq!((first[0].len(), first[1].len(), first[2].len()), (78, 1400, 78));
            let flows_of = |frames: &[Vec<u8>]| {
                frames.iter().map(|frame| frame[22..58].to_vec()).collect::<HashSet<_>>()
            };
            assert_eq!(flows_of(&first).len(), distinct);
            assert!(flows_of(&first).is_disjoint(&flows_of(&second)));
        }
    }
}
