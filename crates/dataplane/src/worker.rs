//! One worker: it moves bursts from queue to queue through its engine.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use flow::{Instant, Side, Span};
use stats::{Drop, Exchange};

use crate::engine::{Arrival, Engine, Pair};
use crate::{Burst, Clock, FlowTeller, Receive, Transmit};

/// How often a port that takes nothing is asked again before the rest of a burst is dropped.
const TRANSMIT_RETRIES: usize = 16;

/// Flow entries that are looked at in each round.
const SWEEP_BUDGET: usize = 8;

/// Rounds without a packet after which an idle worker yields or sleeps.
const PATIENCE: u32 = 100;

/// What a worker does when there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// Look again at once: for cores of its own.
    Spin,
    /// Let others run first.
    Yield,
    /// Sleep so long after a while without packets.
    Sleep(Duration),
}

/// One direction through a port pair.
pub struct Way<R, T> {
    /// The port pair.
    pub pair: Pair,
    /// The side that its packets come from.
    pub from: Side,
    /// The queue that they come from.
    pub receive: R,
    /// The queue that they leave by, at the other side.
    pub transmit: T,
}

/// How a worker tells what it measures. Nobody waits for anybody.
pub struct Telling {
    /// Where full recorders go.
    pub recorders: Exchange,
    /// Where it tells of single flows.
    pub flows: FlowTeller,
    /// How often recorders are exchanged, and requests looked for.
    pub interval: Span,
}

/// One worker with its share of flows, and the ways that it serves.
pub struct Worker<'m, R, T, C> {
    engine: Engine<'m>,
    ways: Vec<Way<R, T>>,
    clock: C,
    telling: Telling,
    /// When recorders are exchanged next.
    next_exchange: Instant,
}

impl<'m, R, T, C> Worker<'m, R, T, C>
where
    R: Receive,
    T: Transmit<Packet = R::Packet>,
    C: Clock,
{
    /// A worker that serves `ways`, and tells of it as `telling` says.
    #[must_use]
    pub fn new(engine: Engine<'m>, ways: Vec<Way<R, T>>, clock: C, telling: Telling) -> Self {
        let next_exchange = clock.now().saturating_add(telling.interval);
        Self { engine, ways, clock, telling, next_exchange }
    }

    /// Goes round until `stop` is set, and then once more, so that nothing that has arrived stays behind.
    pub fn run(&mut self, idle: Idle, stop: &AtomicBool) {
        let mut empty_rounds = 0;
        while !stop.load(Relaxed) {
            if self.step() > 0 {
                empty_rounds = 0;
            } else {
                empty_rounds += 1;
                if empty_rounds >= PATIENCE {
                    empty_rounds = 0;
                    rest(idle);
                }
            }
        }
        self.step();
    }

    /// One round: a burst for each way. Returns how many packets there were.
    pub fn step(&mut self) -> usize {
        let packets = (0..self.ways.len()).map(|way| self.serve(way)).sum();
        let now = self.clock.now();
        self.engine.counters().rounds.add(1);
        self.engine.sweep(now, SWEEP_BUDGET, self.telling.flows.survey());
        self.telling.flows.tell_ended(&mut self.engine);
        self.telling.flows.answer_if_complete();
        if now >= self.next_exchange {
            self.next_exchange = now.saturating_add(self.telling.interval);
            self.telling.recorders.swap(self.engine.recorders_mut());
            self.telling.flows.look_for_requests();
        }
        packets
    }

    /// Takes a burst through the way at `index`.
    #[inline]
    fn serve(&mut self, index: usize) -> usize {
        let way = &mut self.ways[index];
        let mut burst = Burst::new();
        way.receive.receive(&mut burst);
        if burst.is_empty() {
            return 0;
        }
        let received = self.clock.now();
        let count = burst.len();
        self.engine.process(&mut burst, Arrival::Port(way.from), &way.pair, received, &self.clock);
        transmit(&mut way.transmit, &mut burst);
        if !burst.is_empty() {
            self.engine.counters().dropped[Drop::TransmitFull.index()].add(burst.len() as u64);
        }
        self.telling.flows.tell_ended(&mut self.engine);
        let residence = self.clock.now().saturating_since(received);
        self.engine.record_residence(self.clock.rate().attos(residence).nanos());
        count
    }

    /// What it does to packets.
    pub fn engine_mut(&mut self) -> &mut Engine<'m> {
        &mut self.engine
    }

    /// Ends the worker: what it recorded and did not exchange yet.
    #[must_use]
    pub fn into_engine(self) -> Engine<'m> {
        self.engine
    }
}

/// Sends `burst`, asking again a bounded number of times; leaves in it what was not taken.
fn transmit<T: Transmit>(port: &mut T, burst: &mut Burst<T::Packet>) {
    for _ in 0..=TRANSMIT_RETRIES {
        port.transmit(burst);
        if burst.is_empty() {
            return;
        }
        std::hint::spin_loop();
    }
}

fn rest(idle: Idle) {
    match idle {
        Idle::Spin => std::hint::spin_loop(),
        Idle::Yield => thread::yield_now(),
        Idle::Sleep(time) => thread::sleep(time),
    }
}
