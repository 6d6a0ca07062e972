//! Several workers side by side, on queues that a test fills and empties while they run.

use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};

use dataplane::memory::HeapPacket;
use dataplane::{
    Burst, Clock, Engine, Outlet, Owners, Packet, Pair, Receive, Rule, Rules, Telling, Transmit, Way, Worker,
    WorkerId, mailboxes, room,
};
use flow::{FlowRecord, Instant, Key, KeyHasher, Settings, Shard, Side, Span};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use stats::{Collector, Counts};

/// A queue that two hold: one fills it, and the other empties it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedQueue(Arc<Mutex<VecDeque<HeapPacket>>>);

impl SharedQueue {
    fn put(&self, packet: HeapPacket) {
        self.0.lock().unwrap().push_back(packet);
    }

    /// Takes everything out, oldest first.
    pub(crate) fn take_all(&self) -> VecDeque<HeapPacket> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Receive for SharedQueue {
    type Packet = HeapPacket;

    fn receive(&mut self, burst: &mut Burst<HeapPacket>) {
        let mut packets = self.0.lock().unwrap();
        let count = room(burst).min(packets.len());
        burst.extend(packets.drain(..count));
    }
}

impl Transmit for SharedQueue {
    type Packet = HeapPacket;

    fn transmit(&mut self, burst: &mut Burst<HeapPacket>) {
        self.0.lock().unwrap().extend(burst.drain(..));
    }
}

/// How packets are spread over the workers' queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Each to the worker that owns its flow, as a port does that hashes both directions alike.
    ToOwner,
    /// By another hash for each direction, as a port does that was not told otherwise.
    ByDirection,
    /// All to the first worker, which alone can send, too: a port with one queue each way.
    ToFirst,
    /// Each to a worker that does not own its flow.
    ToAnother,
}

impl Spread {
    pub(crate) const ALL: [Self; 4] = [Self::ToOwner, Self::ByDirection, Self::ToFirst, Self::ToAnother];
}

/// What a crew is made of, beside its settings and clocks.
pub(crate) struct Plan {
    pub(crate) workers: u16,
    pub(crate) spread: Spread,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) rules: Vec<Rule>,
    /// Flows that each worker has room for.
    pub(crate) flows: usize,
    /// Packets that each ring holds.
    pub(crate) ring: usize,
}

/// The two ways through each of `pairs`, in the order of their places.
fn ways(pairs: &[Pair]) -> impl Iterator<Item = (Pair, Side)> {
    pairs.iter().flat_map(|&pair| [(pair, Side::Host), (pair, Side::Wire)])
}

/// Who owns what: where each packet comes to its owner, by what a device can hash.
fn owners(plan: &Plan) -> Owners {
    match plan.spread {
        Spread::ToOwner => {
            let entries: Vec<_> = (0..128).map(|entry| WorkerId::new(entry % plan.workers)).collect();
            Owners::by_rss(&entries, true)
        }
        _ => Owners::by_key(&(0..plan.workers).map(WorkerId::new).collect::<Vec<_>>()),
    }
}

/// The outside of a crew's queues.
pub(crate) struct Ports {
    spread: Spread,
    workers: u16,
    owners: Arc<Owners>,
    hasher: KeyHasher,
    /// What [`Spread::ByDirection`] hashes by, the hosts' side first.
    by_direction: [KeyHasher; 2],
    ways: Vec<(Pair, Side)>,
    /// By way, and then by worker.
    inlets: Vec<Vec<SharedQueue>>,
    /// By way: all workers' packets come out together.
    outlets: Vec<SharedQueue>,
}

impl Ports {
    fn new(plan: &Plan, hasher: KeyHasher) -> Self {
        let ways: Vec<_> = ways(&plan.pairs).collect();
        let inlets = || (0..plan.workers).map(|_| SharedQueue::default()).collect();
        Self {
            spread: plan.spread,
            workers: plan.workers,
            owners: Arc::new(owners(plan)),
            hasher,
            by_direction: [[5; 4], [6; 4]].map(KeyHasher::new),
            inlets: ways.iter().map(|_| inlets()).collect(),
            outlets: ways.iter().map(|_| SharedQueue::default()).collect(),
            ways,
        }
    }

    /// The ways as `worker` sees them.
    fn ways_of(&self, worker: usize) -> Vec<Way<SharedQueue, SharedQueue>> {
        let ways = self.ways.iter().zip(&self.inlets).zip(&self.outlets);
        ways.map(|((&(pair, from), inlets), outlet)| Way {
            pair,
            from,
            inlets: vec![inlets[worker].clone()],
            outlet: match self.spread {
                Spread::ToFirst if worker > 0 => Outlet::Worker(WorkerId::new(0)),
                _ => Outlet::Queue(outlet.clone()),
            },
            owners: Arc::clone(&self.owners),
        })
        .collect()
    }

    /// Gives `frame`, which comes by the way at `way`, to the worker that receives it.
    pub(crate) fn deliver(&self, way: usize, frame: &[u8]) {
        let packet = HeapPacket::new(frame);
        let receiver = self.receiver(way, &packet);
        self.inlets[way][receiver].put(packet);
    }

    fn receiver(&self, way: usize, packet: &HeapPacket) -> usize {
        let workers = usize::from(self.workers);
        let Some(key) = self.key(way, packet) else {
            return if self.spread == Spread::ToFirst { 0 } else { way % workers };
        };
        match self.spread {
            Spread::ToOwner => self.owner(&key),
            Spread::ByDirection => self.by_direction[way % 2].hash(&key).pick(workers),
            Spread::ToFirst => 0,
            Spread::ToAnother => (self.owner(&key) + 1) % workers,
        }
    }

    fn key(&self, way: usize, packet: &HeapPacket) -> Option<Key> {
        let frame = packet.bytes();
        let look = pdm::look(frame, packet.wire_len(), packet.network_offset().ok()?).ok()?;
        let (pair, side) = self.ways[way];
        Some(Key::of(frame, &look, side, pair.id))
    }

    fn owner(&self, key: &Key) -> usize {
        self.owners.of(key, self.hasher.hash(key)).index()
    }

    /// Takes what has left, with the way it left by: in its order for each way.
    pub(crate) fn take_sent(&self) -> impl Iterator<Item = (usize, HeapPacket)> {
        self.outlets
            .iter()
            .enumerate()
            .flat_map(|(way, outlet)| outlet.take_all().into_iter().map(move |packet| (way, packet)))
    }

    /// Takes what no worker has received.
    pub(crate) fn take_unreceived(&self) -> impl Iterator<Item = HeapPacket> {
        self.inlets.iter().flatten().flat_map(SharedQueue::take_all)
    }

    /// All that `engines`, one of each worker, have come to until `now`. Each of their flows has to be its owner's.
    pub(crate) fn outcome<'m>(
        &self,
        engines: impl IntoIterator<Item = Engine<'m>>,
        rules: usize,
        now: Instant,
    ) -> Outcome {
        let mut outcome =
            Outcome { counts: Counts::default(), flows: Vec::new(), delays: Collector::new(rules) };
        for (worker, engine) in engines.into_iter().enumerate() {
            for flow in engine.flows(now) {
                assert_eq!(self.owner(&flow.key), worker, "not the owner of {:?}", flow.key);
                outcome.flows.push(flow);
            }
            outcome.counts += engine.counters().now();
            outcome.delays.fold(engine.recorders());
        }
        outcome.flows.sort_by_key(|flow| names(&flow.key));
        outcome
    }
}

/// What tells keys apart, in an order.
fn names(key: &Key) -> (Ipv6Addr, Ipv6Addr, u16, u16, usize, u8) {
    (key.local(), key.remote(), key.local_port(), key.remote_port(), key.pair().index(), key.protocol())
}

/// What all workers together have come to.
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    /// In the order of their keys.
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) delays: Collector,
}

/// Workers whose mailboxes were made together.
pub(crate) struct Crew<'m, C: Clock> {
    pub(crate) workers: Vec<Worker<'m, SharedQueue, SharedQueue, C>>,
    pub(crate) ports: Ports,
    rules: usize,
    flows: usize,
}

/// The crew of `plan`, whose shards behave as `settings` say and whose workers have a `clock` each, for the time of a
/// test.
pub(crate) fn with_crew<C: Clock, O>(
    plan: &Plan,
    settings: impl Fn() -> Settings,
    clock: impl Fn(usize) -> C,
    test: impl FnOnce(Crew<'_, C>) -> O,
) -> O {
    let Settings { hasher, log_packets, .. } = settings();
    let memory = || vec![0; Shard::memory_for(plan.flows, log_packets)];
    let mut memories: Vec<_> = (0..plan.workers).map(|_| memory()).collect();
    let ports = Ports::new(plan, hasher);
    let workers = memories.iter_mut().zip(mailboxes(plan.workers, plan.ring)).enumerate();
    let workers = workers.map(|(me, (memory, mailbox))| {
        let shard = Shard::new(memory, settings()).unwrap();
        let engine = Engine::new(shard, Rules::new(plan.rules.clone()), Arc::default());
        let (telling, _) = Telling::of(&engine, Span::from_ticks(u64::MAX));
        Worker::new(engine, ports.ways_of(me), mailbox, clock(me), telling)
    });
    let workers = workers.collect();
    test(Crew { workers, ports, rules: plan.rules.len(), flows: plan.flows })
}

impl<'m, C: Clock> Crew<'m, C> {
    /// Steps a worker that `dice` choose, and another, until none of them has anything left to do.
    pub(crate) fn settle(&mut self, dice: &mut ChaCha12Rng) {
        let mut idle = vec![false; self.workers.len()];
        while idle.contains(&false) {
            let chosen = dice.random_range(0..idle.len());
            if self.workers[chosen].step() > 0 {
                idle.fill(false);
            } else {
                idle[chosen] = true;
            }
        }
    }

    /// Ends all workers, and all flows that are idle for too long at `now`.
    pub(crate) fn end(self, now: Instant) -> Outcome {
        let engines = self.workers.into_iter().map(|worker| {
            let mut engine = worker.into_engine();
            // Every entry once, and some twice.
            engine.sweep(now, 2 * self.flows, None);
            engine
        });
        self.ports.outcome(engines, self.rules, now)
    }
}
