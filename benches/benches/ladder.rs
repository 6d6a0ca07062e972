//! What each step of a packet's way takes: from a bare loop over the ports upwards, one rung more each time, all in one process
//! and in turn. A rung that is needed for a purpose at all, and all below it, are the floor of who serves that purpose.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

use std::cell::RefCell;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant as Wall};

use arrayvec::ArrayVec;
use dataplane::{
    Arrival, BURST, Burst, Clock, Engine, Mailbox, Packet, Receive, Rules, Telling, Transmit, Worker,
};
use dpdk::{Calibrator, Mbuf, Pool, QueuePair, RxQueue, TscClock, TxQueue};
use flow::{Hash, Instant, Key, Shard, Side, Span};
use memmap2::MmapMut;
use pdm::{Layout, PdmOption, alone};
use pdmline_benches::bump::{PAIR, rule};
use pdmline_benches::lent::Shared;
use pdmline_benches::pages::SetAside;
use pdmline_benches::results::Page;
use pdmline_benches::rounds::{Costs, measure, median, times};
use pdmline_benches::steps::insert;
use pdmline_benches::{Machine, memory, shard, way, write_capture};

/// Flows of each ladder.
const FLOWS: [u32; 2] = [1 << 10, 1 << 16];

/// Packets that are timed together.
const PACKETS: usize = 1 << 13;

/// Rounds, and in each of them for each rung the times that it warms up, once round all flows, and is timed.
const PLAN: [usize; 3] = [41, 8, 16];

/// Rungs that have a table.
const TABLES: usize = 7;

/// A rung, with what it stands on.
enum Rung<'p, 'a, 'm> {
    /// Receive and send.
    Ports,
    /// New Ethernet addresses besides, as `dpdk-testpmd` writes them in mode `mac`.
    Addresses,
    /// Or a look at each packet.
    Look,
    /// And an option of zeros in each, by no table.
    Option,
    /// And each packet's flow, which nothing is told.
    Flow(Shard<'m>),
    /// And what a flow says in the option, and remembers of the packet.
    Departure(Shard<'m>),
    /// And all packets remembered that may still be answered.
    Log(Shard<'m>),
    /// All that an engine does: rules, counters.
    Engine(Engine<'m>),
    /// All that it does without a rule.
    NoRule(Engine<'m>),
    /// And all that a worker does, who asks the other port too.
    Worker(Lone<'p, 'a, 'm>),
    /// All that he does without a rule.
    RulelessWorker(Lone<'p, 'a, 'm>),
}

/// A worker who takes turns with the other rungs.
type Lone<'p, 'a, 'm> = Box<Worker<'m, Shared<'p, RxQueue<'a>>, Shared<'p, TxQueue<'a>>, TscClock>>;

impl<'p, 'a, 'm> Rung<'p, 'a, 'm> {
    /// All, over `ports`, with tables of `flows` flows in `memories`.
    fn all(ports: &'p Ports<'a>, flows: u32, memories: &'m mut [MmapMut; TABLES]) -> Vec<Self> {
        let [flow, mut departure, log, engine, no_rule, worker, ruleless] =
            memories.each_mut().map(|memory| shard(memory, flows));
        let of = |shard, rules| Engine::new(shard, Rules::new(rules), Arc::default());
        departure.set_measuring(false);
        vec![
            Self::Ports,
            Self::Addresses,
            Self::Look,
            Self::NoRule(of(no_rule, vec![])),
            Self::RulelessWorker(ports.worker(of(ruleless, vec![]))),
            Self::Option,
            Self::Flow(flow),
            Self::Departure(departure),
            Self::Log(log),
            Self::Engine(of(engine, vec![rule()])),
            Self::Worker(ports.worker(of(worker, vec![rule()]))),
        ]
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Ports => "receive and send",
            Self::Addresses => "and write Ethernet addresses",
            Self::Look => "receive, look, send",
            Self::NoRule(_) => "all that is done to packets without a rule",
            Self::RulelessWorker(_) => "all that a worker does without a rule",
            Self::Option => "receive, look, put in an option of zeros, send",
            Self::Flow(_) => "and find the flow",
            Self::Departure(_) => "and have it say and remember what is due",
            Self::Log(_) => "and log what may be answered",
            Self::Engine(_) => "all that is done to packets with a rule",
            Self::Worker(_) => "all that a worker does with a rule",
        }
    }
}

/// Where packets come from and go.
struct Ports<'a> {
    host: Port<'a>,
    wire: Port<'a>,
    clock: TscClock,
}

/// One of them.
struct Port<'a> {
    rx: RefCell<RxQueue<'a>>,
    tx: RefCell<TxQueue<'a>>,
}

impl<'a> Port<'a> {
    fn of(QueuePair { rx, tx }: QueuePair<'a>) -> Self {
        Self { rx: RefCell::new(rx), tx: RefCell::new(tx) }
    }
}

impl<'a> Ports<'a> {
    /// A worker of `engine` between them.
    fn worker<'m>(&self, engine: Engine<'m>) -> Lone<'_, 'a, 'm> {
        let Self { host, wire, clock } = self;
        let (telling, _listening) = Telling::of(&engine, Span::from_ticks(u64::MAX));
        let ways = vec![
            way(Side::Host, Shared(&host.rx), Shared(&wire.tx)),
            way(Side::Wire, Shared(&wire.rx), Shared(&host.tx)),
        ];
        Box::new(Worker::new(engine, ways, Mailbox::alone(), clock.clone(), telling))
    }

    /// Moves some packets as `rung` does.
    fn time(&self, rung: &mut Rung<'_, '_, '_>) -> Duration {
        let rate = self.clock.rate();
        match rung {
            Rung::Ports => self.moved(|_, _| ()),
            Rung::Addresses => self.moved(|burst, _| burst.iter_mut().for_each(write_addresses)),
            Rung::Look => self.moved(|burst, _| {
                black_box(burst.iter().filter_map(Packet::glance).count());
            }),
            Rung::Option => self.moved(|burst, _| burst.iter_mut().for_each(insert)),
            Rung::Flow(shard) => self.moved(|burst, now| {
                insert_by(shard, burst, now, |flow| {
                    black_box(flow.is_native());
                    PdmOption::default()
                });
            }),
            Rung::Departure(shard) | Rung::Log(shard) => self.moved(|burst, now| {
                insert_by(shard, burst, now, |flow| flow.depart(now, rate));
            }),
            Rung::Engine(engine) | Rung::NoRule(engine) => {
                let (arrival, clock) = (Arrival::Port(Side::Host), self.clock.clone());
                self.moved(|burst, now| engine.process(burst, arrival, &PAIR, now, &clock))
            }
            Rung::Worker(worker) | Rung::RulelessWorker(worker) => timed(|| worker.step()),
        }
    }

    /// Does `work` to bursts on their way, with the time of their receipt.
    #[inline(always)]
    fn moved(&self, mut work: impl FnMut(&mut Burst<Mbuf<'_>>, Instant)) -> Duration {
        let (mut rx, mut tx) = (self.host.rx.borrow_mut(), self.wire.tx.borrow_mut());
        timed(|| {
            let mut burst = Burst::new();
            rx.receive(&mut burst);
            let packets = burst.len();
            work(&mut burst, self.clock.now());
            tx.transmit(&mut burst);
            packets
        })
    }
}

/// How long `round`, which returns how many packets it has moved, takes for some.
#[inline(always)]
fn timed(mut round: impl FnMut() -> usize) -> Duration {
    let (start, mut packets) = (Wall::now(), 0);
    while packets < PACKETS {
        packets += round();
    }
    start.elapsed()
}

fn write_addresses(packet: &mut Mbuf<'_>) {
    if let Some(addresses) = packet.bytes_mut().first_chunk_mut() {
        *addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    }
}

/// What is known of a packet between the loops.
struct Known {
    key: Key,
    hash: Hash,
    layout: Layout,
}

/// Looks at the packets of `burst`, finds their flows in loops of their own as the engine does, and puts in what `option` makes.
#[inline(always)]
fn insert_by(
    shard: &mut Shard<'_>,
    burst: &mut [Mbuf<'_>],
    now: Instant,
    mut option: impl FnMut(&mut flow::Flow<'_, '_>) -> PdmOption,
) {
    let mut known = ArrayVec::<Known, BURST>::new();
    for packet in burst.iter() {
        let look = packet.glance().expect("all are alike");
        let key = Key::of(packet.bytes(), &look, Side::Host, PAIR.id);
        known.push(Known { key, hash: Hash::default(), layout: look.layout });
    }
    for known in &mut known {
        known.hash = shard.hash(&known.key);
        shard.prefetch_bucket(known.hash);
    }
    shard.prefetch_log(known.len());
    let horizon = shard.horizon(now);
    let likely = known
        .iter()
        .map(|known| shard.prefetch_flow(known.hash).or_else(|| shard.prefetch_flow_elsewhere(known.hash)));
    let likely: ArrayVec<_, BURST> = likely.collect();
    for ((packet, known), likely) in burst.iter_mut().zip(&known).zip(likely) {
        if let Some(likely) = likely
            && alone::suits(&known.layout, &PAIR.limits)
            && let Some(mut flow) = shard.confirm(likely, &known.key, Side::Host, horizon)
            && let Ok(bytes) = packet.grow_front(alone::LEN)
        {
            alone::insert(bytes, &known.layout, &option(&mut flow));
        }
    }
}

/// Nanoseconds of each rung for packets of `flows` flows, with the rungs' names.
fn climb(machine: &Machine, pool: &Pool<'_>, flows: u32) -> Vec<(&'static str, Costs)> {
    let folder = tempfile::tempdir().expect("there is a place for a capture");
    let capture = folder.path().join("hosts.pcap");
    write_capture(&capture, flows);
    let host = machine.open(&format!("net_pcap0,rx_pcap={},infinite_rx=1", capture.display()), pool);
    let wire = machine.open("net_null0,no-rx=1", pool);
    let clock = Calibrator::start().expect("the clock is fit").clock();
    let mut memories = std::array::from_fn(|_| memory(flows as usize));
    let climbed = machine.eal.scope(|scope| {
        let climb = || {
            let ports = Ports { host: Port::of(host), wire: Port::of(wire), clock };
            let mut rungs = Rung::all(&ports, flows, &mut memories);
            let costs = measure(&mut rungs, PLAN, PACKETS, |rung| ports.time(rung));
            rungs.iter().map(Rung::name).zip(costs).collect()
        };
        scope.launch(Machine::WORKER, climb).expect("the core is free").join()
    });
    climbed.expect("the worker does not panic")
}

/// A ladder as a page shows it: what each rung costs, and how many packets per second that leaves of a bare loop's.
fn rows(ladder: &[(&'static str, Costs)]) -> Vec<[String; 3]> {
    let (_, ports) = &ladder[0];
    let row = |(name, costs): &(&'static str, Costs)| {
        [(*name).to_owned(), format!("{:.1}", median(costs)), format!("{:.3}", times(ports, costs))]
    };
    ladder.iter().map(row).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut page = Page::new("ladder", "what each step of a packet's way takes");
    let _set_aside = SetAside::for_regions([Machine::HUGE]);
    let machine = Machine::start();
    let pool = machine.pool();
    for flows in FLOWS {
        page.say(format!(
            "Packets of 78 octets in {flows} flows from `net_pcap` to `net_null`: medians over {} rounds, in each of which every \
             rung had its turn.",
            PLAN[0]
        ));
        page.table(["rung", "ns a packet", "of the rate of the first"], rows(&climb(&machine, &pool, flows)));
    }
    page.publish()?;
    Ok(())
}
