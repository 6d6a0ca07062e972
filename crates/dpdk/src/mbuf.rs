//! One packet buffer.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use arrayvec::ArrayVec;
use dataplane::{Burst, NoHeadroom, Packet};
use dpdk_sys::rte_mbuf;

/// A packet that owns its buffer (or its chain of them) and gives it back to its pool when dropped.
///
/// Pools live as long as EAL, hence the lifetime. As large as a pointer, and laid out as one.
#[repr(transparent)]
pub struct Mbuf<'eal> {
    buffer: NonNull<rte_mbuf>,
    _eal: PhantomData<&'eal ()>,
}

// SAFETY: an mbuf has one owner, nothing of it is bound to a thread, and pools take buffers back from any thread.
unsafe impl Send for Mbuf<'_> {}

impl Mbuf<'_> {
    /// # Safety
    /// `buffer` is a whole packet that nobody else owns, from a pool that lives for `'eal`.
    pub(crate) unsafe fn from_raw(buffer: NonNull<rte_mbuf>) -> Self {
        Self { buffer, _eal: PhantomData }
    }

    /// The buffer as DPDK knows it, still owned by this packet.
    #[must_use]
    pub const fn as_ptr(&self) -> *mut rte_mbuf {
        self.buffer.as_ptr()
    }

    /// Octets free before the first one.
    #[inline]
    #[must_use]
    pub fn headroom(&self) -> u16 {
        self.read(dpdk_sys::MBUF_DATA_OFF)
    }

    /// Octets of the first segment.
    #[inline]
    fn data_len(&self) -> u16 {
        self.read(dpdk_sys::MBUF_DATA_LEN)
    }

    #[inline]
    fn pkt_len(&self) -> u32 {
        self.read(dpdk_sys::MBUF_PKT_LEN)
    }

    #[inline]
    fn data(&self) -> *mut u8 {
        // Known not to be null, lest those who are given octets ask.
        let start: NonNull<u8> = self.read(dpdk_sys::MBUF_BUF_ADDR);
        // SAFETY: data starts inside the buffer or at its end, which DPDK and the functions below keep so.
        unsafe { start.add(usize::from(self.headroom())).as_ptr() }
    }

    /// Whether others hold this buffer too, or its octets are another buffer's.
    #[inline]
    fn is_shared(&self) -> bool {
        self.read::<u16>(dpdk_sys::MBUF_REFCNT) != 1 || self.flags() & dpdk_sys::MBUF_INDIRECT != 0
    }

    #[inline]
    fn flags(&self) -> u64 {
        self.read(dpdk_sys::MBUF_OL_FLAGS)
    }

    #[inline]
    fn read<T: Copy>(&self, offset: dpdk_sys::mbuf_offset) -> T {
        // SAFETY: the callers above name one field each with its type; the offsets are the compiler's own, and the
        // owner alone reads and writes the fields.
        unsafe { self.buffer.as_ptr().byte_add(offset as usize).cast::<T>().read() }
    }

    /// Moves the packet's start to `headroom`, and its lengths by as much.
    #[inline]
    fn move_start(&mut self, headroom: u16, data_len: u16, pkt_len: u32) {
        let buffer = self.buffer.as_ptr();
        // SAFETY: as in `read`; the callers keep start and end inside the buffer.
        unsafe {
            buffer.byte_add(dpdk_sys::MBUF_DATA_OFF as usize).cast::<u16>().write(headroom);
            buffer.byte_add(dpdk_sys::MBUF_DATA_LEN as usize).cast::<u16>().write(data_len);
            buffer.byte_add(dpdk_sys::MBUF_PKT_LEN as usize).cast::<u32>().write(pkt_len);
        }
    }
}

impl Packet for Mbuf<'_> {
    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the first segment's octets are initialised by whoever filled it, and nobody writes them while this
        // packet, their owner, is borrowed.
        unsafe { std::slice::from_raw_parts(self.data(), usize::from(self.data_len())) }
    }

    /// As [`Packet::bytes`], to write.
    ///
    /// # Panics
    /// If the buffer is shared, which neither this crate nor a driver in its receive queue does.
    #[inline(always)]
    fn bytes_mut(&mut self) -> &mut [u8] {
        assert!(!self.is_shared(), "a received buffer has one owner");
        // SAFETY: as in `bytes`, and the packet is borrowed for writing and not shared.
        unsafe { std::slice::from_raw_parts_mut(self.data(), usize::from(self.data_len())) }
    }

    #[inline(always)]
    fn wire_len(&self) -> usize {
        self.pkt_len() as usize
    }

    /// Takes the octets from the headroom. A buffer that is shared or lies outside of its pool has none to give.
    #[inline(always)]
    fn grow_front(&mut self, octets: usize) -> Result<&mut [u8], NoHeadroom> {
        let grown = u16::try_from(octets).map_err(|_| NoHeadroom)?;
        let headroom = self.headroom().checked_sub(grown).ok_or(NoHeadroom)?;
        if self.is_shared() || self.flags() & dpdk_sys::MBUF_EXTERNAL != 0 {
            return Err(NoHeadroom);
        }
        // A buffer ends within 65,535 octets, so the sum fits.
        let length = self.data_len() + grown;
        self.move_start(headroom, length, self.pkt_len() + u32::from(grown));
        // SAFETY: as in `bytes_mut`.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.data(), usize::from(length)) })
    }

    #[inline(always)]
    fn shrink_front(&mut self, octets: usize) {
        let length = self.data_len();
        assert!(octets <= usize::from(length), "{octets} octets to drop of {length}");
        #[expect(clippy::cast_possible_truncation, reason = "compared with a u16 just before")]
        let dropped = octets as u16;
        self.move_start(self.headroom() + dropped, length - dropped, self.pkt_len() - u32::from(dropped));
    }
}

impl Drop for Mbuf<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this packet owns the buffer, whose pool is alive, and nobody uses either afterwards.
        unsafe { dpdk_sys::rte_pktmbuf_free(self.buffer.as_ptr()) }
    }
}

/// Gives all packets of `burst` back to their pools, in bulk: cheaper than dropping them one by one.
pub fn free(burst: &mut Burst<Mbuf<'_>>) {
    let mut burst = ManuallyDrop::new(std::mem::replace(burst, ArrayVec::new()));
    #[expect(clippy::cast_possible_truncation, reason = "a burst holds 64")]
    let count = burst.len() as u32;
    // SAFETY: an Mbuf is laid out as a pointer to its buffer; all are owned here and are not dropped again.
    unsafe { dpdk_sys::rte_pktmbuf_free_bulk(burst.as_mut_ptr().cast(), count) }
}
