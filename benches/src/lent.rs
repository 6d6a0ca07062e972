//! Queues that a worker has for some time only.

use dataplane::{Burst, Receive, Transmit};
use dpdk::{Mbuf, RxQueue, TxQueue};

/// A queue on loan.
pub struct Lent<'q, Q>(pub &'q mut Q);

impl<'eal> Receive for Lent<'_, RxQueue<'eal>> {
    type Packet = Mbuf<'eal>;

    #[inline]
    fn receive(&mut self, burst: &mut Burst<Mbuf<'eal>>) {
        self.0.receive(burst);
    }
}

impl<'eal> Transmit for Lent<'_, TxQueue<'eal>> {
    type Packet = Mbuf<'eal>;

    #[inline]
    fn transmit(&mut self, burst: &mut Burst<Mbuf<'eal>>) {
        self.0.transmit(burst);
    }
}
