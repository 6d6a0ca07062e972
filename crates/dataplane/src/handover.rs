//! How packets come to the worker that owns their flow, and from there, where that has no queue of its own, to one that can
//! send them.
//!
//! Between each two workers lie two rings of fixed size, each with one producer and one consumer. A full ring costs the
//! packet, and nobody ever waits. Rings keep order, and all packets of a flow and direction go the same way.

use flow::Instant;
use rtrb::{Consumer, Producer, RingBuffer};
use stats::RuleId;

use crate::engine::Selected;

/// A worker's place among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WorkerId(u16);

impl WorkerId {
    /// The worker at `index` of all.
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// The worker's place among all.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A packet on its way to the worker that owns its flow.
pub(crate) struct Handed<P> {
    pub(crate) packet: P,
    pub(crate) selected: Selected,
    pub(crate) received: Instant,
    /// The way that it came by, whose place is the same with all workers.
    pub(crate) way: u16,
}

/// A packet that is done with, on its way to a worker that can send it.
pub(crate) struct Finished<P> {
    pub(crate) packet: P,
    pub(crate) rule: RuleId,
    pub(crate) received: Instant,
    /// As in [`Handed`].
    pub(crate) way: u16,
}

/// One worker's ends of the rings between it and the others.
pub struct Mailbox<P> {
    me: WorkerId,
    pub(crate) owners: Outbox<Handed<P>>,
    pub(crate) receivers: Inbox<Handed<P>>,
    pub(crate) senders: Outbox<Finished<P>>,
    pub(crate) finishers: Inbox<Finished<P>>,
}

impl<P> Mailbox<P> {
    /// The mailbox of a worker that is alone.
    #[must_use]
    pub fn alone() -> Self {
        Self {
            me: WorkerId::default(),
            owners: Outbox(Vec::new()),
            receivers: Inbox(Vec::new()),
            senders: Outbox(Vec::new()),
            finishers: Inbox(Vec::new()),
        }
    }

    /// Whether there is no other worker.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.receivers.rings() == 0
    }

    /// The worker that this is the mailbox of.
    pub(crate) const fn me(&self) -> WorkerId {
        self.me
    }
}

/// A mailbox for each of `workers` workers. `packets` is what each ring holds.
#[must_use]
pub fn mailboxes<P>(workers: u16, packets: usize) -> Vec<Mailbox<P>> {
    let (owners, receivers) = rings(workers, packets);
    let (senders, finishers) = rings(workers, packets);
    let ends = owners.into_iter().zip(receivers).zip(senders.into_iter().zip(finishers));
    (0..)
        .map(WorkerId)
        .zip(ends)
        .map(|(me, ((owners, receivers), (senders, finishers)))| Mailbox {
            me,
            owners,
            receivers,
            senders,
            finishers,
        })
        .collect()
}

/// Rings from each worker to each other: who puts in, and who takes out.
fn rings<T>(workers: u16, packets: usize) -> (Vec<Outbox<T>>, Vec<Inbox<T>>) {
    let mut inboxes: Vec<_> = (0..workers).map(|_| Inbox(Vec::new())).collect();
    let outboxes = (0..workers).map(|from| {
        let ring = |(to, inbox): (u16, &mut Inbox<T>)| {
            (to != from).then(|| {
                let (producer, consumer) = RingBuffer::new(packets);
                inbox.0.push(consumer);
                producer
            })
        };
        Outbox((0..).zip(&mut inboxes).map(ring).collect())
    });
    (outboxes.collect(), inboxes)
}

/// Rings to others, by their place; none to oneself.
pub(crate) struct Outbox<T>(Vec<Option<Producer<T>>>);

impl<T> Outbox<T> {
    /// Puts `item` into the ring to `worker`, and says whether there was room.
    #[inline]
    pub(crate) fn put(&mut self, worker: WorkerId, item: T) -> bool {
        let ring = self.0.get_mut(worker.index()).and_then(Option::as_mut);
        ring.is_some_and(|ring| ring.push(item).is_ok())
    }

    /// Tells the others that nothing more will come.
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }
}

/// Rings from others.
pub(crate) struct Inbox<T>(Vec<Consumer<T>>);

impl<T> Inbox<T> {
    /// How many rings there are.
    pub(crate) fn rings(&self) -> usize {
        self.0.len()
    }

    /// The oldest item in the ring at `index`, if `wanted` says that it is.
    #[inline]
    pub(crate) fn take_if(&mut self, index: usize, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let ring = &mut self.0[index];
        if wanted(ring.peek().ok()?) { ring.pop().ok() } else { None }
    }

    /// Whether nothing is left and nothing more will come.
    pub(crate) fn is_done(&self) -> bool {
        // In this order: who goes may have put something in just before, and whoever sees it gone sees that, too.
        self.0.iter().all(|ring| ring.is_abandoned() && ring.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_ring_is_between_two_and_full_ones_refuse() {
        let (mut outboxes, mut inboxes) = rings::<u8>(3, 2);
        assert!(outboxes[0].put(WorkerId::new(2), 1));
        assert!(outboxes[0].put(WorkerId::new(2), 2));
        assert!(!outboxes[0].put(WorkerId::new(2), 3), "full");
        assert!(outboxes[1].put(WorkerId::new(2), 4), "another ring");
        assert!(!outboxes[2].put(WorkerId::new(2), 5), "none to oneself");
        assert_eq!(inboxes.iter().map(Inbox::rings).collect::<Vec<_>>(), [2, 2, 2]);
        assert_eq!(inboxes[2].take_if(0, |&item| item == 9), None);
        assert_eq!(inboxes[2].take_if(0, |&item| item == 1), Some(1));
        assert_eq!(inboxes[2].take_if(1, |_| true), Some(4));
        outboxes.iter_mut().for_each(Outbox::close);
        assert!(!inboxes[2].is_done() && inboxes[0].is_done());
        assert_eq!(inboxes[2].take_if(0, |_| true), Some(2));
        assert!(inboxes[2].is_done());
    }

    #[test]
    fn what_is_put_in_last_is_not_overlooked() {
        for _ in 0..300 {
            let (outboxes, mut inboxes) = rings(2, 1);
            let [mut outbox, _] = <[_; 2]>::try_from(outboxes).ok().unwrap();
            let last = thread::spawn(move || {
                assert!(outbox.put(WorkerId::new(1), 1));
                outbox.close();
            });
            let mut taken = Vec::new();
            while !inboxes[1].is_done() {
                taken.extend(inboxes[1].take_if(0, |_| true));
            }
            assert_eq!(taken, [1]);
            last.join().unwrap();
        }
    }
}
