//! Packets and queues on the heap: for tests, and for captures.

use std::collections::VecDeque;

use crate::{Burst, NoHeadroom, Packet, Receive, Transmit, room};

/// Octets before a frame that it can grow into.
pub const HEADROOM: usize = 128;

/// A frame on the heap, with [`HEADROOM`] in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeapPacket {
    buffer: Vec<u8>,
    start: usize,
}

impl HeapPacket {
    /// A packet that holds `frame`.
    #[must_use]
    pub fn new(frame: &[u8]) -> Self {
        let mut buffer = vec![0; HEADROOM];
        buffer.extend_from_slice(frame);
        Self { buffer, start: HEADROOM }
    }
}

impl Packet for HeapPacket {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }

    fn wire_len(&self) -> usize {
        self.bytes().len()
    }

    fn grow_front(&mut self, octets: usize) -> Result<&mut [u8], NoHeadroom> {
        self.start = self.start.checked_sub(octets).ok_or(NoHeadroom)?;
        Ok(self.bytes_mut())
    }

    fn shrink_front(&mut self, octets: usize) {
        assert!(octets <= self.bytes().len(), "the frame is shorter than {octets} octets");
        self.start += octets;
    }
}

/// A queue on the heap: what goes in by [`Transmit`] comes out by [`Receive`].
#[derive(Debug, Default)]
pub struct HeapQueue {
    packets: VecDeque<HeapPacket>,
    /// Packets that it holds at the most; `None` for any number.
    bound: Option<usize>,
}

impl HeapQueue {
    /// A queue of any length that holds `frames`.
    pub fn of<'f>(frames: impl IntoIterator<Item = &'f [u8]>) -> Self {
        Self { packets: frames.into_iter().map(HeapPacket::new).collect(), bound: None }
    }

    /// An empty queue that takes no more than `bound` packets.
    #[must_use]
    pub fn bounded(bound: usize) -> Self {
        Self { packets: VecDeque::new(), bound: Some(bound) }
    }

    /// The packets in it, oldest first.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = &HeapPacket> {
        self.packets.iter()
    }
}

impl Receive for HeapQueue {
    type Packet = HeapPacket;

    fn receive(&mut self, burst: &mut Burst<HeapPacket>) {
        let count = room(burst).min(self.packets.len());
        burst.extend(self.packets.drain(..count));
    }
}

impl Transmit for HeapQueue {
    type Packet = HeapPacket;

    fn transmit(&mut self, burst: &mut Burst<HeapPacket>) {
        let room = self.bound.map_or(usize::MAX, |bound| bound.saturating_sub(self.packets.len()));
        self.packets.extend(burst.drain(..room.min(burst.len())));
    }
}
