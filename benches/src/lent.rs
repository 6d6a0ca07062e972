//! Queues that a worker has for some time only.

use std::cell::RefCell;

use dataplane::{Burst, Receive, Transmit};

/// A queue on loan.
pub struct Lent<'q, Q>(pub &'q mut Q);

/// A queue that takes turns with others of one thread.
pub struct Shared<'q, Q>(pub &'q RefCell<Q>);

impl<Q: Receive> Receive for Lent<'_, Q> {
    type Packet = Q::Packet;

    #[inline]
    fn receive(&mut self, burst: &mut Burst<Q::Packet>) {
        self.0.receive(burst);
    }
}

impl<Q: Transmit> Transmit for Lent<'_, Q> {
    type Packet = Q::Packet;

    #[inline]
    fn transmit(&mut self, burst: &mut Burst<Q::Packet>) {
        self.0.transmit(burst);
    }
}

impl<Q: Receive> Receive for Shared<'_, Q> {
    type Packet = Q::Packet;

    #[inline]
    fn receive(&mut self, burst: &mut Burst<Q::Packet>) {
        self.0.borrow_mut().receive(burst);
    }
}

impl<Q: Transmit> Transmit for Shared<'_, Q> {
    type Packet = Q::Packet;

    #[inline]
    fn transmit(&mut self, burst: &mut Burst<Q::Packet>) {
        self.0.borrow_mut().transmit(burst);
    }
}
