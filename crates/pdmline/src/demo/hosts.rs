//! Clients that ask and a server that thinks before it answers, at the ends of two rings. They know nothing of PDM.

use std::collections::{BTreeSet, VecDeque};

use dataplane::{Burst, Packet, Receive, Transmit};
use dpdk::{Mbuf, Pool, QueuePair};

use super::frame::{Frame, Message};
use super::scenario::Scenario;

/// A host's end of its ring.
pub(super) struct Socket<'e> {
    pool: &'e Pool<'e>,
    queues: QueuePair<'e>,
    /// Frames that arrived and were not what a host without PDM expects.
    pub(super) surprises: u64,
}

impl<'e> Socket<'e> {
    pub(super) fn new(pool: &'e Pool<'e>, queues: QueuePair<'e>) -> Self {
        Self { pool, queues, surprises: 0 }
    }

    fn send(&mut self, frame: &Frame) -> Result<(), dpdk::Error> {
        let mut burst = Burst::<Mbuf<'e>>::new();
        burst.push(self.pool.packet(frame)?);
        self.queues.tx.transmit(&mut burst);
        Ok(())
    }

    /// Hands what has arrived to `deliver`; returns how many frames that were.
    fn receive(&mut self, mut deliver: impl FnMut(Message)) -> usize {
        let mut burst = Burst::new();
        self.queues.rx.receive(&mut burst);
        for packet in &burst {
            match Message::read(packet.bytes()) {
                Some(message) => deliver(message),
                None => self.surprises += 1,
            }
        }
        burst.len()
    }
}

/// Clients, each with one request at a time.
pub(super) struct Clients<'e> {
    pub(super) socket: Socket<'e>,
    clients: Vec<Client>,
    /// When each client acts next: it asks anew, whether it was answered or has waited too long.
    agenda: BTreeSet<(u64, u16)>,
    /// Requests answered.
    pub(super) answered: u64,
}

#[derive(Clone, Copy)]
struct Client {
    exchange: u64,
    acts_at: u64,
}

/// How long a client takes to ask again after an answer.
const PAUSE: u64 = 5_000_000;
/// How long it waits for one.
const TIMEOUT: u64 = 1_000_000_000;
/// Between the first requests of two clients.
const STAGGER: u64 = 100_000;

impl<'e> Clients<'e> {
    /// Clients that begin to ask at `start`.
    pub(super) fn new(socket: Socket<'e>, count: u16, start: u64) -> Self {
        let begins = |client: u16| start + u64::from(client) * STAGGER;
        Self {
            socket,
            clients: (0..count).map(|client| Client { exchange: 0, acts_at: begins(client) }).collect(),
            agenda: (0..count).map(|client| (begins(client), client)).collect(),
            answered: 0,
        }
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.agenda.first().map(|&(due, _)| due)
    }

    /// Sends the requests that are due at `now`.
    pub(super) fn act(&mut self, now: u64) -> Result<(), dpdk::Error> {
        while let Some(&(due, client)) = self.agenda.first()
            && due <= now
        {
            let state = &mut self.clients[usize::from(client)];
            state.exchange += 1;
            let request = Message { client, exchange: state.exchange }.request();
            self.reschedule(client, now + TIMEOUT);
            self.socket.send(&request)?;
        }
        Ok(())
    }

    /// Takes the answers that have arrived.
    pub(super) fn receive(&mut self, now: u64) -> usize {
        let mut answers = Vec::new();
        let count = self.socket.receive(|message| answers.push(message));
        for Message { client, exchange } in answers {
            let awaited =
                self.clients.get(usize::from(client)).is_some_and(|state| state.exchange == exchange);
            if awaited {
                self.answered += 1;
                self.reschedule(client, now + PAUSE);
            }
        }
        count
    }

    fn reschedule(&mut self, client: u16, acts_at: u64) {
        let state = &mut self.clients[usize::from(client)];
        self.agenda.remove(&(state.acts_at, client));
        state.acts_at = acts_at;
        self.agenda.insert((acts_at, client));
    }

    /// No more requests.
    pub(super) fn stop(&mut self) {
        self.agenda.clear();
    }
}

/// A server that answers every request after the same time.
pub(super) struct Server<'e> {
    pub(super) socket: Socket<'e>,
    thinking: u64,
    answers: VecDeque<(u64, Message)>,
}

impl<'e> Server<'e> {
    pub(super) fn new(socket: Socket<'e>, scenario: &Scenario) -> Self {
        Self { socket, thinking: scenario.thinking, answers: VecDeque::new() }
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.answers.front().map(|&(due, _)| due)
    }

    /// Sends the answers that are due at `now`.
    pub(super) fn act(&mut self, now: u64) -> Result<(), dpdk::Error> {
        while let Some((_, message)) = self.answers.pop_front_if(|(due, _)| *due <= now) {
            self.socket.send(&message.answer())?;
        }
        Ok(())
    }

    /// Takes the requests that have arrived.
    pub(super) fn receive(&mut self, now: u64) -> usize {
        let (answers, due) = (&mut self.answers, now + self.thinking);
        self.socket.receive(|message| answers.push_back((due, message)))
    }
}
