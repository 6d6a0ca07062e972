//! What `cargo xtask instructions` has callgrind count. With the name of a case as its argument it runs that one, and
//! without one it prints the names. Everything that a case does is the same each time.

#![expect(clippy::print_stdout, reason = "xtask reads the names there")]
#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

use std::marker::PhantomData;
use std::ops::DerefMut;
use std::slice::IterMut;
use std::sync::Arc;

use dataplane::{BURST, Burst, Engine, Mailbox, Receive, Rules, Telling, Transmit, Worker, room};
use flow::{Key, Side, Span};
use pdmline_benches::bump::{Ticking, engine, process};
use pdmline_benches::ring::{Buffer, ring};
use pdmline_benches::talk::Talk;
use pdmline_benches::{frame, key, memory, shard, steps, way};
use stats::{Collector, Metric};

/// What each case counts: so many bursts of packets, each of another flow.
const BURSTS: usize = 32;
const PACKETS: u32 = 1024;

const CASES: [(&str, fn()); 7] = [
    ("insert", insert),
    ("strip", strip),
    ("lookup_hit", lookup_hit),
    ("lookup_miss", lookup_miss),
    ("burst_pass", burst_pass),
    ("burst_insert", burst_insert),
    ("burst_measure", burst_measure),
];

fn main() {
    let Some(name) = std::env::args().nth(1) else {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let (_, run) = CASES.iter().find(|case| case.0 == name).expect("the case is one of those");
    run();
}

/// Callgrind counts what happens in here, and knows it by its name.
#[inline(never)]
fn counted(work: impl FnOnce()) {
    work();
}

/// The hosts' packets, one of each flow.
fn packets() -> Vec<Buffer> {
    let mut packets = ring(BURSTS);
    (0..PACKETS).zip(&mut packets).for_each(|(flow, packet)| packet.fill(&frame(flow)));
    packets
}

fn insert() {
    let mut packets = packets();
    counted(|| packets.iter_mut().for_each(steps::insert));
    assert!(packets.iter().all(|packet| packet.option().is_some()));
}

fn strip() {
    let mut packets = packets();
    packets.iter_mut().for_each(steps::insert);
    counted(|| packets.iter_mut().for_each(steps::strip));
    assert!(packets.iter().all(|packet| packet.option().is_none()));
}

fn lookup_hit() {
    assert_eq!(look_up(0), PACKETS as usize);
}

fn lookup_miss() {
    assert_eq!(look_up(PACKETS), 0);
}

/// Looks for the flows from number `first` on. Returns how many there were.
fn look_up(first: u32) -> usize {
    let mut memory = table();
    let mut shard = shard(&mut memory, PACKETS);
    let bursts: [[Key; BURST]; BURSTS] = std::array::from_fn(|burst| {
        std::array::from_fn(|place| key(first + u32::try_from(burst * BURST + place).expect("there are few")))
    });
    let mut found = 0;
    counted(|| found = bursts.iter().map(|keys| steps::look_up(&mut shard, keys)).sum());
    found
}

/// A worker's round with a burst from the hosts, whose flows have sent before.
fn burst_insert() {
    let mut memory = table();
    let clock = Ticking::by(STEP);
    let mut engine = engine(shard(&mut memory, PACKETS));
    process(&mut engine, &mut packets(), Side::Host, &clock);
    let engine = go_round(engine, Side::Host, &mut packets(), clock);
    assert_eq!(engine.counters().now().inserted, 2 * u64::from(PACKETS));
}

/// A worker's round with a burst from the hosts that no rule selects.
fn burst_pass() {
    let mut memory = table();
    let engine = Engine::new(shard(&mut memory, PACKETS), Rules::default(), Arc::default());
    let engine = go_round(engine, Side::Host, &mut packets(), Ticking::by(STEP));
    assert_eq!(engine.counters().now().packets, u64::from(PACKETS));
}

/// A worker's round with a burst from the wire: each packet the first answer to one that left before, measured and
/// stripped.
fn burst_measure() {
    let (mut memory, mut packets) = (table(), packets());
    let clock = Ticking::by(STEP);
    let mut engine = engine(shard(&mut memory, PACKETS));
    let mut talk = Talk::on(packets.len());
    process(&mut engine, &mut packets, Side::Host, &clock);
    talk.asked(&packets);
    talk.answer(&mut packets);
    let engine = go_round(engine, Side::Wire, &mut packets, clock);
    assert_eq!(engine.counters().now().stripped, u64::from(PACKETS));
    let mut collector = Collector::new(1);
    collector.fold(engine.recorders());
    assert_eq!(collector.summary(Metric::NetworkRtt).map(|summary| summary.count), Some(PACKETS.into()));
}

/// What a reading of the clock moves it by.
const STEP: Span = Span::from_ticks(1_000);

fn table() -> impl DerefMut<Target = [u8]> {
    memory(PACKETS as usize)
}

/// Lets a worker of `engine` go round until it has served `packets`, which come from `side`.
fn go_round<'m>(engine: Engine<'m>, side: Side, packets: &mut [Buffer], clock: Ticking) -> Engine<'m> {
    let (telling, _listening) = Telling::of(&engine, Span::from_ticks(u64::MAX));
    let ways = vec![way(side, Arrived(packets.iter_mut()), Gone::default())];
    let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);
    counted(|| {
        for _ in 0..BURSTS {
            worker.step();
        }
    });
    worker.into_engine()
}

/// Packets that wait.
struct Arrived<'b>(IterMut<'b, Buffer>);

impl<'b> Receive for Arrived<'b> {
    type Packet = &'b mut Buffer;

    fn receive(&mut self, burst: &mut Burst<Self::Packet>) {
        burst.extend(self.0.by_ref().take(room(burst)));
    }
}

/// Where packets end.
#[derive(Default)]
struct Gone<'b>(PhantomData<&'b mut Buffer>);

impl<'b> Transmit for Gone<'b> {
    type Packet = &'b mut Buffer;

    fn transmit(&mut self, burst: &mut Burst<Self::Packet>) {
        burst.clear();
    }
}
