//! Packet buffers that stay in the cache: the same few are filled for each burst, as a NIC fills its ring.

use dataplane::{BURST, NoHeadroom, Packet};
use pdm::{Insertion, Limits, PdmOption, look};

use crate::IP;

/// Octets of a buffer: enough for the benches' frames.
const OCTETS: usize = 256;

/// Octets before a frame that it can grow into.
const HEADROOM: usize = 128;

/// A frame in a buffer of fixed size.
#[derive(Clone)]
#[repr(align(64))]
pub struct Buffer {
    octets: [u8; OCTETS],
    start: usize,
    end: usize,
}

impl Buffer {
    /// Puts `frame` in, instead of what was there.
    ///
    /// # Panics
    /// If it is longer than 128 octets.
    pub fn fill(&mut self, frame: &[u8]) {
        (self.start, self.end) = (HEADROOM, HEADROOM + frame.len());
        self.bytes_mut().copy_from_slice(frame);
    }

    /// Puts `option` into the frame, as its sender would have.
    ///
    /// # Panics
    /// If there is no place for it.
    pub fn mark(&mut self, option: &PdmOption) {
        let look = look(self.bytes(), self.wire_len(), IP).expect("the frame is sound");
        let place =
            Insertion::plan(self.bytes(), &look.layout, &Limits::default()).expect("there is a place");
        self.grow_front(place.growth()).expect("there is headroom");
        place.apply(self.bytes_mut(), option);
    }

    /// The option in the frame, if there is one.
    ///
    /// # Panics
    /// If it is no frame.
    #[must_use]
    pub fn option(&self) -> Option<PdmOption> {
        let look = look(self.bytes(), self.wire_len(), IP).expect("the frame is sound");
        look.layout.pdm(self.bytes()).ok().flatten().map(|at| PdmOption::read(self.bytes(), &at))
    }
}

impl Packet for Buffer {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.octets[self.start..self.end]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.octets[self.start..self.end]
    }

    #[inline]
    fn wire_len(&self) -> usize {
        self.end - self.start
    }

    #[inline]
    fn grow_front(&mut self, octets: usize) -> Result<&mut [u8], NoHeadroom> {
        self.start = self.start.checked_sub(octets).ok_or(NoHeadroom)?;
        Ok(Buffer::bytes_mut(self))
    }

    #[inline]
    fn shrink_front(&mut self, octets: usize) {
        self.start += octets;
    }
}

/// A buffer that is not copied when it moves from queue to queue.
impl Packet for &mut Buffer {
    #[inline]
    fn bytes(&self) -> &[u8] {
        Buffer::bytes(self)
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        Buffer::bytes_mut(self)
    }

    #[inline]
    fn wire_len(&self) -> usize {
        Buffer::wire_len(self)
    }

    #[inline]
    fn grow_front(&mut self, octets: usize) -> Result<&mut [u8], NoHeadroom> {
        Buffer::grow_front(self, octets)
    }

    #[inline]
    fn shrink_front(&mut self, octets: usize) {
        Buffer::shrink_front(self, octets);
    }
}

/// `bursts` bursts of empty buffers.
#[must_use]
pub fn ring(bursts: usize) -> Vec<Buffer> {
    vec![Buffer { octets: [0; OCTETS], start: HEADROOM, end: HEADROOM }; bursts * BURST]
}
