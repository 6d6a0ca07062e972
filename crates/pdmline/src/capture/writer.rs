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
