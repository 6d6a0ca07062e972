//! Pools of packet buffers.

use std::marker::PhantomData;
use std::ptr::NonNull;

use dataplane::{BURST, Burst};
use dpdk_sys::rte_mempool;

use crate::eal::c_string;
use crate::error::last_error;
use crate::{Eal, Error, Mbuf, log};

/// Octets every buffer keeps free before a packet: DPDK's build decides, and net_af_packet and its like keep to it.
#[expect(clippy::cast_possible_truncation, reason = "a constant of DPDK's build, 128")]
pub const HEADROOM: u16 = dpdk_sys::RTE_PKTMBUF_HEADROOM as u16;
const _: () =
    assert!(HEADROOM >= 48, "a PDM header, merged with the longest one allowed, is grown into the headroom");

/// Free buffers each core keeps to itself, so that it rarely meets the others at the pool.
const CACHE: u32 = 256;

/// How large a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// Buffers. A power of two less one wastes no memory.
    pub buffers: u32,
    /// The longest packet a buffer holds, in octets, without the headroom. Drivers want 2048 at least.
    pub data_room: u16,
    /// The NUMA node to take memory from; any, if none is named.
    pub socket: Option<u32>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { buffers: 16_383, data_room: 2048, socket: None }
    }
}

/// A pool of packet buffers. It stays until EAL ends, also when this handle is dropped: drivers and packets may hold
/// its buffers until then.
pub struct Pool<'eal> {
    pool: NonNull<rte_mempool>,
    _eal: PhantomData<&'eal ()>,
}

// SAFETY: mempools are made for any number of producers and consumers at once.
unsafe impl Send for Pool<'_> {}
// SAFETY: as above.
unsafe impl Sync for Pool<'_> {}

impl<'eal> Pool<'eal> {
    /// Makes a pool called `name`, which no other has.
    ///
    /// # Errors
    /// [`Error::Pool`] when there is no memory, the name is taken, or a size is out of range; [`Error::ZeroOctet`].
    pub fn new(_eal: &'eal Eal, name: &str, config: PoolConfig) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        let refused = |said| Error::Pool { name: name.to_owned(), buffers: config.buffers, said };
        let room = HEADROOM.checked_add(config.data_room);
        let room =
            room.ok_or_else(|| refused(format!("a data room of {} octets is too large", config.data_room)))?;
        let socket = config.socket.and_then(|socket| i32::try_from(socket).ok()).unwrap_or(-1);
        let cache = CACHE.min(config.buffers / 2); // EAL's rule is 2/3
        // SAFETY: EAL runs, and the name is a C string, which is copied.
        let (pool, heard) = log::hear(|| unsafe {
            dpdk_sys::rte_pktmbuf_pool_create(c_name.as_ptr(), config.buffers, cache, 0, room, socket)
        });
        let pool = NonNull::new(pool).ok_or_else(|| refused(log::or(heard, last_error)))?;
        Ok(Self { pool, _eal: PhantomData })
    }

    /// Buffers not in the pool: with drivers, in rings, or in packets. Walks every core's cache: not for the packet
    /// path.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        // SAFETY: pools live as long as EAL. The count is a snapshot.
        unsafe { dpdk_sys::rte_mempool_in_use_count(self.pool.as_ptr()) }
    }

    /// A packet that holds `bytes`.
    ///
    /// # Errors
    /// [`Error::PoolEmpty`]; [`Error::PacketTooLong`].
    pub fn packet(&self, bytes: &[u8]) -> Result<Mbuf<'eal>, Error> {
        // SAFETY: pools live as long as EAL.
        let buffer = NonNull::new(unsafe { dpdk_sys::rte_pktmbuf_alloc(self.pool.as_ptr()) });
        // SAFETY: a buffer just taken from the pool has one owner, and its pool lives for 'eal.
        let mut packet = unsafe { Mbuf::from_raw(buffer.ok_or(Error::PoolEmpty)?) };
        append(&mut packet, bytes)?;
        Ok(packet)
    }

    /// Fills up `burst` with packets that hold `bytes`, to as many as are received at a time: cheaper than making them one
    /// by one.
    ///
    /// # Errors
    /// [`Error::PoolEmpty`] when there are not so many buffers; [`Error::PacketTooLong`]. `burst` is then as it was.
    pub fn fill(&self, burst: &mut Burst<Mbuf<'eal>>, bytes: &[u8]) -> Result<(), Error> {
        let (held, missing) = (burst.len(), BURST.saturating_sub(burst.len()));
        #[expect(clippy::cast_possible_truncation, reason = "a burst holds 64")]
        let count = missing as u32;
        // SAFETY: pools live as long as EAL. The call writes `count` pointers or none, each to a buffer that is ours from
        // then on, where an Mbuf, laid out as one, is expected.
        unsafe {
            let free = burst.as_mut_ptr().add(held).cast();
            if dpdk_sys::rte_pktmbuf_alloc_bulk(self.pool.as_ptr(), free, count) != 0 {
                return Err(Error::PoolEmpty);
            }
            burst.set_len(held + missing);
        }
        let filled = burst[held..].iter_mut().try_for_each(|packet| append(packet, bytes));
        if filled.is_err() {
            burst.truncate(held);
        }
        filled
    }

    pub(crate) const fn as_ptr(&self) -> *mut rte_mempool {
        self.pool.as_ptr()
    }
}

/// Adds `bytes` at the end of `packet`.
fn append(packet: &mut Mbuf<'_>, bytes: &[u8]) -> Result<(), Error> {
    let too_long = || {
        // SAFETY: reads a few fields of a buffer that is ours.
        let room = unsafe { dpdk_sys::rte_pktmbuf_tailroom(packet.as_ptr()) };
        Error::PacketTooLong { octets: bytes.len(), room }
    };
    let length = u16::try_from(bytes.len()).map_err(|_| too_long())?;
    // SAFETY: the buffer is ours, and the call checks for room.
    let start = unsafe { dpdk_sys::rte_pktmbuf_append(packet.as_ptr(), length) };
    let start = NonNull::new(start).ok_or_else(too_long)?;
    // SAFETY: `start` has room for `bytes`, and overlaps no Rust slice.
    unsafe { start.as_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    Ok(())
}
