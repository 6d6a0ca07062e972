//! One worker: it moves bursts from queue to queue through its engine, and to and from other workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use arrayvec::ArrayVec;
use flow::{Instant, Side};
use stats::{Drop, Leg};

use crate::engine::{Arrival, Coming, Engine, Pair, Stage};
use crate::handover::{Finished, Handed, Mailbox, WorkerId};
use crate::owners::Owners;
use crate::profile::{Profile, Profiled, Unprofiled};
use crate::telling::Telling;
use crate::{BURST, Burst, Clock, LONGEST, Receive, Transmit};

/// How often a port that takes nothing is asked again before the rest of a burst is dropped.
const TRANSMIT_RETRIES: usize = 16;

/// Flow entries that are looked at each time.
const SWEEP_BUDGET: usize = 32;

/// Busy rounds after which the worker sees to what is due beside packets. An idle one does so in each.
const BUSY_ROUNDS: u32 = 16;

/// Flows from which on their table is far away: more than fits beside the packets into the caches that are a core's own. Then
/// what is asked for comes too late for a burst as it is received, and two are gathered, from either side: a worker that takes twice as
/// much from one would let the other wait where there is too much of both.
const FAR: u64 = 1 << 15;

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

/// One direction through a port pair, as one worker sees it.
pub struct Way<R, T> {
    /// The port pair.
    pub pair: Pair,
    /// The side that its packets come from.
    pub from: Side,
    /// The queues that this worker takes packets from: none, when there are fewer queues than workers.
    pub inlets: Vec<R>,
    /// How they leave, at the other side.
    pub outlet: Outlet<T>,
    /// Who owns which of the pair's flows.
    pub owners: Arc<Owners>,
}

/// How packets leave.
pub enum Outlet<T> {
    /// By a queue of the worker's own.
    Queue(T),
    /// By another worker's, where there are fewer queues than workers.
    Worker(WorkerId),
}

impl<R, T> Way<R, T> {
    /// A way through `pair` for a worker that is alone.
    #[must_use]
    pub fn alone(pair: Pair, from: Side, receive: R, transmit: T) -> Self {
        let owners = Arc::new(Owners::by_key(&[WorkerId::default()]));
        Self { pair, from, inlets: vec![receive], outlet: Outlet::Queue(transmit), owners }
    }
}

/// One worker with its share of flows, and the ways that it serves.
pub struct Worker<'m, R: Receive, T, C, P = Unprofiled> {
    engine: Engine<'m>,
    /// In the same order with all workers that share a mailbox's rings.
    ways: Vec<Way<R, T>>,
    mailbox: Mailbox<R::Packet>,
    clock: C,
    telling: Telling,
    /// When recorders are exchanged next.
    next_exchange: Instant,
    /// Rounds since it last saw to what is due beside packets.
    busy_rounds: u32,
    profile: P,
}

impl<'m, R: Receive, T, C: Clock> Worker<'m, R, T, C> {
    /// A worker that serves `ways`, and tells of it by `telling`. All workers whose mailboxes were made together have the
    /// same ways in the same order, each with its own queues.
    #[must_use]
    pub fn new(
        engine: Engine<'m>,
        ways: Vec<Way<R, T>>,
        mailbox: Mailbox<R::Packet>,
        clock: C,
        telling: Telling,
    ) -> Self {
        let next_exchange = clock.now().saturating_add(telling.interval);
        Self { engine, ways, mailbox, clock, telling, next_exchange, busy_rounds: 0, profile: Unprofiled }
    }

    /// The same worker, which also counts in [`stats::Counters::leg_ticks`] how long each leg of a burst's way takes.
    #[must_use]
    pub fn profiled(self) -> Worker<'m, R, T, C, Profiled> {
        let Self { engine, ways, mailbox, clock, telling, next_exchange, busy_rounds, profile: _ } = self;
        Worker {
            engine,
            ways,
            mailbox,
            clock,
            telling,
            next_exchange,
            busy_rounds,
            profile: Profiled::default(),
        }
    }
}

impl<'m, R, T, C, P> Worker<'m, R, T, C, P>
where
    R: Receive,
    T: Transmit<Packet = R::Packet>,
    C: Clock,
    P: Profile,
{
    /// Goes round until `stop` is set, and then until nothing that has arrived stays behind, here or with the others.
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
        self.finish();
    }

    /// Takes in what others hand over until all have stopped receiving, and then sends what they have finished until
    /// they have stopped that too.
    fn finish(&mut self) {
        self.mailbox.owners.close();
        while !self.mailbox.receivers.is_done() {
            self.take_over();
            self.send_finished();
            rest(Idle::Yield);
        }
        self.mailbox.senders.close();
        while !self.mailbox.finishers.is_done() {
            self.send_finished();
            rest(Idle::Yield);
        }
        // Flows began and ended meanwhile.
        self.keep_house();
    }

    /// One round: a burst, or two, from each queue and from each other worker. Returns how many packets there were.
    pub fn step(&mut self) -> usize {
        let mut packets = 0;
        for way in 0..self.ways.len() {
            for inlet in 0..self.ways[way].inlets.len() {
                packets += self.serve(way, inlet);
            }
        }
        if !self.mailbox.is_alone() {
            packets += self.take_over();
            packets += self.send_finished();
        }
        self.engine.counters().rounds.add(1);
        self.busy_rounds += 1;
        if packets == 0 || self.busy_rounds >= BUSY_ROUNDS {
            self.busy_rounds = 0;
            self.keep_house();
        }
        packets
    }

    /// What is due beside packets: what was left behind, a look at some flows, and what there is to tell.
    #[inline]
    fn keep_house(&mut self) {
        let now = self.clock.now();
        self.flush();
        self.engine.sweep(now, SWEEP_BUDGET, self.telling.flows.survey());
        self.telling.flows.tell_ended(&mut self.engine);
        self.telling.flows.answer_if_complete();
        if now >= self.next_exchange && self.engine.is_measuring() {
            self.next_exchange = now.saturating_add(self.telling.interval);
            self.telling.recorders.swap(self.engine.recorders_mut());
            self.telling.flows.look_for_requests();
        }
    }

    /// Leaves nothing behind in a queue that sends only when asked to.
    #[inline]
    fn flush(&mut self) {
        for way in &mut self.ways {
            if let Outlet::Queue(queue) = &mut way.outlet {
                queue.flush();
            }
        }
    }

    /// Takes a burst from queue `inlet` of the way at `index`.
    #[inline]
    fn serve(&mut self, index: usize, inlet: usize) -> usize {
        self.profile.begin(&self.clock);
        let way = &mut self.ways[index];
        let mut burst = Burst::new();
        way.inlets[inlet].receive(&mut burst);
        if burst.is_empty() {
            return 0;
        }
        if burst.len() == BURST && self.engine.counters().flows_live.get() >= FAR {
            way.inlets[inlet].receive(&mut burst);
        }
        let received = self.clock.now();
        let count = burst.len();
        self.end(Leg::Receive);
        let way = &self.ways[index];
        let mut stage = Stage::new();
        let coming = Coming { arrival: Arrival::Port(way.from), pair: way.pair.id, received };
        self.engine.look(&burst, &coming, &mut stage);
        if way.owners.only() != Some(self.mailbox.me()) {
            self.hand_over(index, &mut burst, &mut stage, received);
        }
        self.end(Leg::Look);
        self.forward(index, &mut burst, &mut stage, received);
        count
    }

    #[inline]
    fn end(&mut self, leg: Leg) {
        self.profile.end(leg, &self.clock, self.engine.counters());
    }

    /// Hands the packets of `burst` that others own to them; the rest stays, in its order.
    fn hand_over(
        &mut self,
        index: usize,
        burst: &mut Burst<R::Packet>,
        stage: &mut Stage,
        received: Instant,
    ) {
        let owners = &self.ways[index].owners;
        let (mut ours, mut ours_stage) = (Burst::new(), Stage::new());
        let mut all = stage.drain(..).peekable();
        for (at, packet) in burst.drain(..).enumerate() {
            let selected = all.next_if(|selected| selected.place() == at);
            let owner = selected.as_ref().map(|selected| selected.owner(owners));
            match (owner, selected) {
                (Some(owner), Some(selected)) if owner != self.mailbox.me() => {
                    let handed = Handed { packet, selected, received, way: place(index) };
                    self.engine.count_handed_over(self.mailbox.owners.put(owner, handed));
                }
                (_, selected) => {
                    ours_stage.extend(selected.map(|selected| selected.at(ours.len())));
                    ours.push(packet);
                }
            }
        }
        drop(all);
        (*burst, *stage) = (ours, ours_stage);
    }

    /// Takes a burst of what each other worker has handed over. Returns how many packets there were.
    fn take_over(&mut self) -> usize {
        (0..self.mailbox.receivers.rings()).map(|ring| self.take_over_from(ring)).sum()
    }

    /// Takes what was received together and lies together in the ring at `ring`, at most a burst.
    fn take_over_from(&mut self, ring: usize) -> usize {
        self.profile.begin(&self.clock);
        let Some(first) = self.mailbox.receivers.take_if(ring, |_| true) else { return 0 };
        let (way, received) = (first.way, first.received);
        let (mut burst, mut stage) = (Burst::new(), Stage::new());
        let mut next = Some(first);
        while let Some(Handed { packet, selected, .. }) = next {
            stage.push(selected.at(burst.len()));
            burst.push(packet);
            let room = !burst.is_full();
            let belongs = |handed: &Handed<_>| room && handed.way == way && handed.received == received;
            next = self.mailbox.receivers.take_if(ring, belongs);
        }
        let count = burst.len();
        self.engine.counters().taken_over.add(count as u64);
        self.engine.prefetch_buckets(&stage);
        self.end(Leg::Receive);
        self.forward(way.into(), &mut burst, &mut stage, received);
        count
    }

    /// Does to `burst`, which came by the way at `index`, what `stage` says, and sees to it that it leaves.
    #[inline]
    fn forward(&mut self, index: usize, burst: &mut Burst<R::Packet>, stage: &mut Stage, received: Instant) {
        // Where no rule selects anything nothing has to be called.
        let is_selected = !stage.is_empty();
        if is_selected {
            self.engine.find(Arrival::Port(self.ways[index].from), stage);
        }
        self.end(Leg::Find);
        if is_selected {
            let way = &self.ways[index];
            self.engine.rewrite(burst, Arrival::Port(way.from), stage, &way.pair, received, &self.clock);
            self.telling.flows.tell_ended(&mut self.engine);
        }
        self.end(Leg::Rewrite);
        let count = burst.len();
        let way = &mut self.ways[index];
        match &mut way.outlet {
            Outlet::Queue(queue) => {
                send(queue, burst, &self.engine);
                if self.engine.is_measuring() {
                    let residence = self.clock.now().saturating_since(received);
                    let nanos = self.clock.rate().nanos(residence);
                    self.engine.record_residence(stage, count, nanos);
                }
            }
            Outlet::Worker(sender) => {
                for (packet, rule) in burst.drain(..).zip(self.engine.rules_of(stage, count)) {
                    let finished = Finished { packet, rule, received, way: place(index) };
                    if !self.mailbox.senders.put(*sender, finished) {
                        self.engine.counters().dropped[Drop::HandOverFull.index()].add(1);
                    }
                }
            }
        }
        self.end(Leg::Send);
    }

    /// Sends a burst of what each other worker has finished. Returns how many packets there were.
    fn send_finished(&mut self) -> usize {
        (0..self.mailbox.finishers.rings()).map(|ring| self.send_finished_from(ring)).sum()
    }

    /// Sends what leaves by the same way and lies together in the ring at `ring`, at most a burst.
    fn send_finished_from(&mut self, ring: usize) -> usize {
        let Some(first) = self.mailbox.finishers.take_if(ring, |_| true) else { return 0 };
        let way = first.way;
        let (mut burst, mut times) = (Burst::new(), ArrayVec::<_, LONGEST>::new());
        let mut next = Some(first);
        while let Some(Finished { packet, rule, received, .. }) = next {
            burst.push(packet);
            times.push((rule, received));
            let room = !burst.is_full();
            next = self.mailbox.finishers.take_if(ring, |finished| room && finished.way == way);
        }
        if let Outlet::Queue(queue) = &mut self.ways[usize::from(way)].outlet {
            send(queue, &mut burst, &self.engine);
        }
        let (now, rate) = (self.clock.now(), self.clock.rate());
        for &(rule, received) in &times {
            self.engine.record_residence_of(rule, rate.nanos(now.saturating_since(received)));
        }
        times.len()
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

/// Sends `burst`, asking again a bounded number of times; drops and counts what was not taken.
fn send<T: Transmit>(queue: &mut T, burst: &mut Burst<T::Packet>, engine: &Engine<'_>) {
    for _ in 0..=TRANSMIT_RETRIES {
        queue.transmit(burst);
        if burst.is_empty() {
            return;
        }
        std::hint::spin_loop();
    }
    engine.counters().dropped[Drop::TransmitFull.index()].add(burst.len() as u64);
    burst.clear();
}

/// A way's place as it travels.
#[expect(
    clippy::cast_possible_truncation,
    reason = "two ways for each of 256 pairs at the most, and far fewer cores"
)]
fn place(way: usize) -> u16 {
    way as u16
}

fn rest(idle: Idle) {
    match idle {
        Idle::Spin => std::hint::spin_loop(),
        Idle::Yield => thread::yield_now(),
        Idle::Sleep(time) => thread::sleep(time),
    }
}
