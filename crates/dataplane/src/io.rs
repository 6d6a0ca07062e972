//! What the loop needs of a packet buffer, a queue and a clock. `dpdk` implements these on mbufs, queues and the
//! TSC; [`crate::memory`] on the heap, for tests and captures.

use arrayvec::ArrayVec;
use flow::{Instant, TickRate};
use pdm::{Look, Skip, ethernet};

/// The most packets that are received at a time.
pub const BURST: usize = 32;

/// The most packets that travel through the loop together: twice what is received at a time, for a table that is far away.
pub const LONGEST: usize = 2 * BURST;

/// Packets that travel together. The capacity is fixed: nothing is allocated.
pub type Burst<P> = ArrayVec<P, LONGEST>;

/// How many packets may be received into `burst` now.
#[inline]
#[must_use]
pub fn room<P>(burst: &Burst<P>) -> usize {
    burst.remaining_capacity().min(BURST)
}

/// The buffer has no room to grow at its front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHeadroom;

/// One frame in a buffer that can grow and shrink at its front.
pub trait Packet {
    /// The frame's first contiguous octets: all of it, or the first segment of several.
    fn bytes(&self) -> &[u8];

    /// As [`Packet::bytes`], to write.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Where the IPv6 header starts.
    ///
    /// # Errors
    /// Why the packet is to be left alone when there is none.
    #[inline]
    fn network_offset(&self) -> Result<usize, Skip> {
        ethernet::network_offset(self.bytes())
    }

    /// What a glance tells of the packet, if it has no tags; `None` says nothing.
    #[inline(always)]
    fn glance(&self) -> Option<Look> {
        Look::glance_untagged(self.bytes())
    }

    /// Octets of the whole frame, with those that are not in [`Packet::bytes`].
    fn wire_len(&self) -> usize;

    /// Adds `octets` octets of any content before the first one. Returns [`Packet::bytes_mut`] with them.
    ///
    /// # Errors
    /// [`NoHeadroom`] when the buffer has less room than that; the packet is as it was.
    fn grow_front(&mut self, octets: usize) -> Result<&mut [u8], NoHeadroom>;

    /// Drops the first `octets` octets.
    ///
    /// # Panics
    /// If [`Packet::bytes`] holds fewer.
    fn shrink_front(&mut self, octets: usize);
}

/// A queue that packets come from.
pub trait Receive {
    /// What comes out of it.
    type Packet: Packet;

    /// Appends what is waiting to `burst`: as many packets as [`room`] allows at the most. Never blocks.
    fn receive(&mut self, burst: &mut Burst<Self::Packet>);
}

/// A queue that packets leave by.
pub trait Transmit {
    /// What goes into it.
    type Packet: Packet;

    /// Sends from the front of `burst` what the queue takes, and removes that from it. What is left was not taken.
    /// Never blocks.
    fn transmit(&mut self, burst: &mut Burst<Self::Packet>);

    /// Sees to it that what the queue took leaves, if that needs somebody. To be called now and then, above all when there
    /// is nothing more to send. Never blocks.
    fn flush(&mut self) {}
}

/// The time of day of the packet path: ticks of one clock, and what a tick is worth.
pub trait Clock {
    /// Now.
    fn now(&self) -> Instant;

    /// What a tick is worth now; it may be refined while running.
    fn rate(&self) -> TickRate;
}
