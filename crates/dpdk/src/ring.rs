//! Ports made of rings, joined as by a cable: what one sends the other receives, without a copy.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use dpdk_sys::rte_ring;

use crate::device::Device;
use crate::eal::c_string;
use crate::error::last_error;
use crate::{Eal, Error, Pool, Port, PortConfig, QueuePair, log};

/// A ring that carries packets from one port to the other, and gives those back that never arrived.
pub(crate) struct Ring<'eal> {
    ring: NonNull<rte_ring>,
    _eal: PhantomData<&'eal ()>,
}

// SAFETY: nothing of a ring is bound to a thread. Its one producer and its one consumer are a transmit and a receive
// queue, which one thread has at a time; dropping it, when both ports are gone, is the only other use.
unsafe impl Send for Ring<'_> {}
// SAFETY: as above.
unsafe impl Sync for Ring<'_> {}

impl Ring<'_> {
    fn new(name: &str, capacity: u32) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        let flags = dpdk_sys::RING_F_SP_ENQ | dpdk_sys::RING_F_SC_DEQ | dpdk_sys::RING_F_EXACT_SZ;
        // SAFETY: EAL runs, and the name is a C string, which is copied. -1 is any NUMA node.
        let (ring, heard) =
            log::hear(|| unsafe { dpdk_sys::rte_ring_create(c_name.as_ptr(), capacity, -1, flags) });
        let refused = || Error::Ring { name: name.to_owned(), capacity, said: log::or(heard, last_error) };
        Ok(Self { ring: NonNull::new(ring).ok_or_else(refused)?, _eal: PhantomData })
    }
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        let mut packet = ptr::null_mut();
        // SAFETY: both ports are closed, so this is the only user. What lies in the ring are packets nobody else owns,
        // and pools live as long as EAL.
        unsafe {
            while dpdk_sys::rte_ring_dequeue(self.ring.as_ptr(), &raw mut packet) == 0 {
                dpdk_sys::rte_pktmbuf_free(packet.cast());
            }
            dpdk_sys::rte_ring_free(self.ring.as_ptr());
        }
    }
}

/// How two ports are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joint {
    /// Queue pairs at each end; what is sent on one arrives on the same at the other end.
    pub queues: u16,
    /// Packets that each queue holds on the way.
    pub capacity: u32,
}

impl Default for Joint {
    fn default() -> Self {
        Self { queues: 1, capacity: 1024 }
    }
}

/// Two running ports, `name`-a and `name`-b, with a ring for each queue and direction between them. They need neither
/// privileges nor hugepages. What is on the way when both are dropped goes back to its pool.
///
/// # Errors
/// [`Error::Ring`] when there is no memory, a name is taken, or a name or capacity too long; [`Error::Port`] when the
/// net_ring driver refuses; [`Error::ZeroOctet`].
pub fn joined<'eal>(
    _eal: &'eal Eal,
    name: &str,
    joint: Joint,
    pools: [&Pool<'eal>; 2],
) -> Result<[(Port<'eal>, Vec<QueuePair<'eal>>); 2], Error> {
    let ab = rings(&format!("{name}-ab"), joint)?;
    let ba = rings(&format!("{name}-ba"), joint)?;
    let a = end(&format!("{name}-a"), &ba, &ab, joint.queues, pools[0])?;
    let b = end(&format!("{name}-b"), &ab, &ba, joint.queues, pools[1])?;
    Ok([a, b])
}

fn rings<'eal>(name: &str, joint: Joint) -> Result<Vec<Arc<Ring<'eal>>>, Error> {
    (0..joint.queues)
        .map(|queue| Ring::new(&format!("{name}{queue}"), joint.capacity).map(Arc::new))
        .collect()
}

/// One end: a port that receives from some rings and transmits to others.
fn end<'eal>(
    name: &str,
    receive: &[Arc<Ring<'eal>>],
    transmit: &[Arc<Ring<'eal>>],
    queues: u16,
    pool: &Pool<'eal>,
) -> Result<(Port<'eal>, Vec<QueuePair<'eal>>), Error> {
    let c_name = c_string(name)?;
    let [rx, tx] = [receive, transmit]
        .map(|rings| rings.iter().map(|ring| ring.ring.as_ptr()).collect::<Vec<*mut rte_ring>>());
    let count = u32::from(queues);
    // SAFETY: EAL runs; the name is a C string and both lists hold `count` rings, which live as long as the device,
    // see below. The driver copies name and lists.
    let (id, heard) = log::hear(|| unsafe {
        dpdk_sys::rte_eth_from_rings(c_name.as_ptr(), rx.as_ptr(), count, tx.as_ptr(), count, 0)
    });
    let refused = |said| Error::Port { device: name.to_owned(), step: "be made of rings", said };
    let id = u16::try_from(id).map_err(|_| refused(log::or(heard, last_error)))?;
    let mut device = Device::claim(id, format!("net_ring_{name}"), true)?;
    device.rings = receive.iter().chain(transmit).cloned().collect();
    let (port, queues) = Port::start(device, PortConfig { workers: queues, ..PortConfig::default() }, pool)?;
    Ok((port, queues.pairs()))
}
