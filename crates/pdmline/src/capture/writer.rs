//! Writing captures.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::capture::{Error, Link, MAX_PACKET, Reader, Record};

/// The magic number of a pcap file with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
/// The format's version, 2.4.
const VERSION: [u16; 2] = [2, 4];
/// Octets that are gathered before they go to the file, always up to a record's end.
const GATHER: usize = 1 << 16;
const NANOS: u64 = 1_000_000_000;

/// A pcap file with nanoseconds, little-endian. Whatever goes wrong, what it holds is whole: records reach the file only
/// together, and one that did not fit is taken back.
pub(crate) struct Writer {
    path: PathBuf,
    file: File,
    link: Option<Link>,
    begun: bool,
    gathered: Vec<u8>,
    whole_octets: u64,
}

impl Writer {
    /// Creates the capture at `path`, or empties it, for packets of `input`.
    ///
    /// # Errors
    /// When it cannot be written, or is the input itself.
    pub(crate) fn create(path: &Path, input: &Reader) -> Result<Self, Error> {
        if input.reads_from(path) {
            return Err(Error::SameFile { path: path.to_owned() });
        }
        let file = File::create(path).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            link: input.link(),
            begun: false,
            gathered: Vec::with_capacity(2 * GATHER),
            whole_octets: 0,
        })
    }

    /// Appends a packet.
    ///
    /// # Errors
    /// When it is of another link than those before it, later than the format's last second in 2106, or the file cannot
    /// be written.
    pub(crate) fn write<D: AsRef<[u8]>>(&mut self, record: &Record<D>) -> Result<(), Error> {
        let first = *self.link.get_or_insert(record.link);
        if first != record.link {
            return Err(Error::MixedLinks { path: self.path.clone(), first, second: record.link });
        }
        let too_late = |_| Error::TooLate { path: self.path.clone(), time: record.time };
        let seconds = u32::try_from(record.time / NANOS).map_err(too_late)?;
        let nanos = u32::try_from(record.time % NANOS).map_err(too_late)?;
        self.begin();
        let data = record.data.as_ref();
        let captured_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        for field in [seconds, nanos, captured_len, record.original_len] {
            self.gathered.extend(field.to_le_bytes());
        }
        self.gathered.extend(data);
        if self.gathered.len() < GATHER { Ok(()) } else { self.flush() }
    }

    /// Ends the capture; one without packets is a capture too.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Puts the file's header before the first record.
    fn begin(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let linktype = self.link.unwrap_or(Link::Ethernet).linktype();
        let snap_len = u32::try_from(MAX_PACKET).unwrap_or(u32::MAX);
        self.gathered.extend(MAGIC.to_le_bytes());
        self.gathered.extend(VERSION.map(u16::to_le_bytes).as_flattened());
        for field in [0, 0, snap_len, u32::from(linktype)] {
            self.gathered.extend(field.to_le_bytes());
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        self.begin();
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Error> {
        let written = self.file.write_all(&self.gathered);
        if written.is_ok() {
            self.whole_octets += u64::try_from(self.gathered.len()).unwrap_or(u64::MAX);
        } else {
            // A full disk takes part of it. What is not a file, a pipe, cannot be shortened.
            let _ = self.file.set_len(self.whole_octets);
        }
        self.gathered.clear();
        written.map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

impl Drop for Writer {
    /// Keeps what was written when something else failed, which is what is reported then.
    fn drop(&mut self) {
        let _ = self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors")
    }

    /// An input of two packets, and a place for an output.
    fn input(folder: &Path) -> (Reader, PathBuf) {
        let path = folder.join("in.pcap");
        fs::copy(vectors().join("observe-only.in.pcap"), &path).unwrap();
        (Reader::open(&path).unwrap(), folder.join("out.pcap"))
    }

    fn record(link: Link, time: u64) -> Record<[u8; 3]> {
        Record { time, link, original_len: 60, data: [1, 2, 3] }
    }

    #[test]
    fn every_vector_is_written_as_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut copied = 0;
        for entry in fs::read_dir(vectors()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "pcap") {
                continue;
            }
            let out = folder.path().join("out.pcap");
            let reader = Reader::open(&path).unwrap();
            let mut writer = Writer::create(&out, &reader).unwrap();
            for record in reader {
                writer.write(&record.unwrap()).unwrap();
            }
            writer.finish().unwrap();
            assert!(fs::read(&path).unwrap() == fs::read(&out).unwrap(), "{}", path.display());
            copied += 1;
        }
        assert!(copied > 40, "{copied} vectors");
    }

    #[test]
    fn the_input_is_not_written_over_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, alias) = input(folder.path());
        std::os::unix::fs::symlink(folder.path().join("in.pcap"), &alias).unwrap();
        for name in [folder.path().join("in.pcap"), alias] {
            let error = Writer::create(&name, &reader).err().unwrap().to_string();
            assert_eq!(
                error,
                format!("{} is the input as well: give the output another name", name.display())
            );
        }
        assert_eq!(reader.count(), 2);
    }

    #[test]
    fn what_was_written_before_an_error_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, out) = input(folder.path());
        let mut writer = Writer::create(&out, &reader).unwrap();
        writer.write(&record(Link::Ethernet, 7)).unwrap();
        let mixed = writer.write(&record(Link::Raw, 8)).unwrap_err().to_string();
        assert!(mixed.contains("cannot hold both Ethernet and raw IP packets"), "{mixed}");
        let late = writer.write(&record(Link::Ethernet, u64::MAX)).unwrap_err().to_string();
        assert!(late.contains("cannot hold a packet of 18446744073 s after 1970"), "{late}");
        drop(writer);
        let written: Vec<_> = Reader::open(&out).unwrap().map(Result::unwrap).collect();
        assert_eq!(
            written,
            [Record { time: 7, link: Link::Ethernet, original_len: 60, data: vec![1, 2, 3] }]
        );
    }

    #[test]
    fn a_capture_without_packets_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, out) = input(folder.path());
        Writer::create(&out, &reader).unwrap().finish().unwrap();
        assert_eq!(Reader::open(&out).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, _) = input(folder.path());
        let mut writer = Writer::create(Path::new("/dev/full"), &reader).unwrap();
        writer.write(&record(Link::Ethernet, 7)).unwrap();
        assert_eq!(writer.finish().unwrap_err().to_string(), "cannot write /dev/full");
    }
}
