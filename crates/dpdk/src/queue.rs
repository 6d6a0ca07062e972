//! A port's queues, each used by one worker.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use dataplane::{Burst, Receive, Transmit, room};

use crate::Mbuf;
use crate::device::Device;
use crate::packet_sockets::PacketSockets;

/// All queues of a port, to be given out to workers.
pub struct Queues<'eal> {
    /// Where packets come from. Each has to be read by someone, or what arrives there is lost.
    pub rx: Vec<RxQueue<'eal>>,
    /// Where packets go: at most one for each worker.
    pub tx: Vec<TxQueue<'eal>>,
}

/// The two queues of one number.
pub struct QueuePair<'eal> {
    /// Where packets come from.
    pub rx: RxQueue<'eal>,
    /// Where packets go.
    pub tx: TxQueue<'eal>,
}

/// A queue packets come from. It may move to another thread, never be shared, and keeps its port running.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<dpdk::RxQueue<'static>>();
/// ```
pub struct RxQueue<'eal>(Queue<'eal>);

/// A queue packets leave by. It may move to another thread, never be shared, and keeps its port running.
pub struct TxQueue<'eal> {
    queue: Queue<'eal>,
    /// The kernel's below the port, where there are any. Which one is this queue's only the driver knows.
    sockets: Arc<PacketSockets>,
    /// Whether what the driver took may lie there still.
    may_lie: bool,
}

struct Queue<'eal> {
    port: u16,
    number: u16,
    _running: Arc<Device<'eal>>,
    /// Drivers do not lock: one thread at a time.
    _not_shared: PhantomData<Cell<()>>,
}

impl<'eal> Queues<'eal> {
    /// The first queues of a started port. To be called once per port: DPDK gives a queue to one thread.
    pub(crate) fn of(device: &Arc<Device<'eal>>, sockets: &Arc<PacketSockets>, rx: u16, tx: u16) -> Self {
        let queue = |number| Queue {
            port: device.id(),
            number,
            _running: Arc::clone(device),
            _not_shared: PhantomData,
        };
        let tx_queue = |queue| TxQueue { queue, sockets: Arc::clone(sockets), may_lie: false };
        Self { rx: (0..rx).map(queue).map(RxQueue).collect(), tx: (0..tx).map(queue).map(tx_queue).collect() }
    }

    /// The queues by number, as far as there are both.
    #[must_use]
    pub fn pairs(self) -> Vec<QueuePair<'eal>> {
        self.rx.into_iter().zip(self.tx).map(|(rx, tx)| QueuePair { rx, tx }).collect()
    }
}

const _: () = {
    const fn sent<T: Send>() {}
    sent::<QueuePair<'static>>();
};

/// A burst's capacity and DPDK's counts are both small.
#[expect(clippy::cast_possible_truncation, reason = "a burst holds 64")]
const fn count(packets: usize) -> u16 {
    packets as u16
}

impl<'eal> Receive for RxQueue<'eal> {
    type Packet = Mbuf<'eal>;

    #[inline]
    fn receive(&mut self, burst: &mut Burst<Mbuf<'eal>>) {
        let held = burst.len();
        let room = count(room(burst));
        // SAFETY: the port runs as long as this queue, which one thread has at a time. The driver writes at most
        // `room` pointers, each to a packet that is ours from then on, where an Mbuf, laid out as one, is expected.
        unsafe {
            let free = burst.as_mut_ptr().add(held).cast();
            let received = dpdk_sys::rte_eth_rx_burst(self.0.port, self.0.number, free, room);
            burst.set_len(held + usize::from(received));
        }
    }
}

impl<'eal> Transmit for TxQueue<'eal> {
    type Packet = Mbuf<'eal>;

    #[inline]
    fn transmit(&mut self, burst: &mut Burst<Mbuf<'eal>>) {
        let held = burst.len();
        // SAFETY: as in `receive`. The driver owns the packets it took, the first ones: they are overwritten, not
        // dropped, by those that are left.
        unsafe {
            let first = burst.as_mut_ptr();
            let Queue { port, number, .. } = self.queue;
            let sent = dpdk_sys::rte_eth_tx_burst(port, number, first.cast(), count(held));
            let left = held - usize::from(sent);
            ptr::copy(first.add(usize::from(sent)), first, left);
            burst.set_len(left);
        }
        self.may_lie = true;
    }

    #[inline]
    fn flush(&mut self) {
        if self.may_lie {
            self.may_lie = !self.sockets.send();
        }
    }
}
