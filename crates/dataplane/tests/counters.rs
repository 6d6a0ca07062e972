//! No counter without a code path that moves it: everything that can happen happens here, and then each must have moved.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use dataplane::memory::{HEADROOM, HeapPacket, HeapQueue};
use dataplane::{
    Action, Arrival, Clock, Engine, Mailbox, Outlet, Owners, Packet, Telling, Way, Worker, WorkerId,
    mailboxes,
};
use flow::{Instant, Settings, Side, Span, TickRate, WhenFull};
use pdm::Skip;
use stats::{Counts, Drop, Leg};
use support::{
    MILLISECOND, PAIR, TestClock, frame, odd_frame, option, process, rule, settings, with_engine,
    with_engine_of,
};

#[test]
fn every_counter_moves() {
    let mut counts = Counts::default();
    for scenario in [
        left_alone,
        full_table,
        eviction,
        answers,
        numbers,
        idle_flows,
        unreported_flows,
        narrow_port,
        two_workers,
        profiled,
    ] {
        scenario(&mut counts);
    }
    for (name, _, count) in counts.plain_ones() {
        assert!(count > 0, "nothing moves {name}");
    }
    for (leg, ticks) in Leg::ALL.into_iter().zip(counts.leg_ticks) {
        assert!(ticks > 0, "nothing times {}", leg.name());
    }
    for (reason, count) in Skip::ALL.into_iter().zip(counts.skipped) {
        assert!(count > 0, "nothing moves {}", reason.name());
    }
    for (reason, count) in Drop::ALL.into_iter().zip(counts.dropped) {
        assert!(count > 0, "nothing moves {}", reason.name());
    }
}

/// One packet for each reason that a packet itself gives.
fn left_alone(counts: &mut Counts) {
    let icmpv6 = |kind| odd_frame(58, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let options = |octets: &[u8]| odd_frame(60, &[&[17, 1], octets, &[0, 1, 0, 2, 0, 8, 0, 0]].concat());
    let mut multicast = frame(Side::Host, 1, None);
    multicast[38] = 0xff;
    let mut not_selected = frame(Side::Host, 1, None);
    not_selected[27] = 0x0c;
    let frames = [
        vec![0; 13],
        [vec![2; 12], vec![8, 0, 0, 0]].concat(),
        odd_frame(0, &[]),
        odd_frame(44, &[17, 0, 0, 0, 0, 0, 0, 0]),
        odd_frame(51, &[0; 16]),
        odd_frame(59, &[]),
        odd_frame(43, &[17, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0]),
        icmpv6(135),
        icmpv6(1),
        multicast,
        odd_frame(50, &[0; 8]),
        options(&[0x0f, 0, 0x0f, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
        options(&[0x0f, 2, 0, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
        not_selected,
        // As many options as there may be, and one more would be too long.
        odd_frame(60, &[&[17_u8, 4, 0x1e, 36][..], &[0; 36], &[0, 1, 0, 2, 0, 8, 0, 0]].concat()),
        odd_frame(17, &[1; 1460]),
    ];
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        for frame in &frames {
            assert_eq!(process(&mut engine, Side::Host, clock, frame), *frame);
        }
        without_headroom(&mut engine, clock);
        native_host(&mut engine, clock);
        *counts += counters.now();
    });
}

fn without_headroom(engine: &mut Engine<'_>, clock: &TestClock) {
    let plain = frame(Side::Host, 1, None);
    let mut packet = HeapPacket::new(&plain);
    packet.grow_front(HEADROOM).unwrap();
    packet.bytes_mut()[..plain.len()].copy_from_slice(&plain);
    engine.process(&mut [packet], Arrival::Port(Side::Host), &PAIR, clock.now(), &clock);
}

fn native_host(engine: &mut Engine<'_>, clock: &TestClock) {
    process(engine, Side::Host, clock, &frame(Side::Host, 2, Some(option(1, 0))));
    process(engine, Side::Host, clock, &frame(Side::Host, 2, None));
}

fn full_table(counts: &mut Counts) {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        for port in 0..5 {
            process(&mut engine, Side::Host, clock, &frame(Side::Host, port, None));
        }
        engine.sweep(clock.now(), 0, None);
        *counts += counters.now();
    });
}

fn eviction(counts: &mut Counts) {
    let settings = Settings { when_full: WhenFull::Evict, ..settings() };
    with_engine_of(settings, 4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        for port in 0..20 {
            process(&mut engine, Side::Host, clock, &frame(Side::Host, port, None));
        }
        engine.sweep(clock.now(), 0, None);
        *counts += counters.now();
    });
}

/// One answer of each kind.
fn answers(counts: &mut Counts) {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        let mut send =
            |clock: &TestClock| process(&mut engine, Side::Host, clock, &frame(Side::Host, 1, None));
        clock.0.set(MILLISECOND);
        send(clock);
        send(clock);
        send(clock);
        let server_took = |psntp, psnlr, scale| {
            let mut option = option(psntp, psnlr);
            (option[2], option[8]) = (scale, 0xff);
            frame(Side::Wire, 1, Some(option))
        };
        let mut receive = |frame: &[u8]| process(&mut engine, Side::Wire, clock, frame);
        receive(&server_took(1, 7, 100));
        receive(&frame(Side::Wire, 1, Some(option(2, 8))));
        receive(&frame(Side::Wire, 1, Some(option(3, 200))));
        receive(&frame(Side::Wire, 2, None));
        // Before the last packet was received.
        clock.0.set(0);
        process(&mut engine, Side::Host, clock, &frame(Side::Host, 1, None));
        // Every packet of another flow, so that the log forgets the third of this one.
        for _ in 0..5000 {
            process(&mut engine, Side::Host, clock, &frame(Side::Host, 3, None));
        }
        process(&mut engine, Side::Wire, clock, &frame(Side::Wire, 1, Some(option(4, 9))));
        engine.sweep(clock.now(), 0, None);
        *counts += counters.now();
    });
}

/// Numbers that tell of loss, duplicates, reordering and a restart.
fn numbers(counts: &mut Counts) {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        for psntp in [10, 13, 12, 13] {
            process(&mut engine, Side::Wire, clock, &frame(Side::Wire, 1, Some(option(psntp, 0))));
        }
        let mut far = option(0, 0);
        far[4] = 0x80;
        process(&mut engine, Side::Wire, clock, &frame(Side::Wire, 1, Some(far)));
        *counts += counters.now();
    });
}

fn idle_flows(counts: &mut Counts) {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        process(&mut engine, Side::Host, clock, &frame(Side::Host, 1, None));
        clock.0.set(61_000 * MILLISECOND);
        engine.sweep(clock.now(), 1, None);
        *counts += counters.now();
    });
}

/// More flows that end at once than are kept for anybody to take.
fn unreported_flows(counts: &mut Counts) {
    let settings = Settings { keep_ended: true, ..settings() };
    with_engine_of(settings, 200, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        for port in 0..200 {
            process(&mut engine, Side::Host, clock, &frame(Side::Host, port, None));
        }
        clock.0.set(61_000 * MILLISECOND);
        engine.sweep(clock.now(), 200, None);
        assert_eq!(counters.flows_unreported.get(), 200 - 128);
        *counts += counters.now();
    });
}

fn narrow_port(counts: &mut Counts) {
    with_engine(4, vec![rule(Action::MEASURE)], |engine, counters, clock| {
        let outgoing = frame(Side::Host, 1, None);
        let receive = HeapQueue::of([&outgoing[..]; 3]);
        let ways = vec![Way::alone(PAIR, Side::Host, receive, HeapQueue::bounded(1))];
        let (telling, _listening) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
        Worker::new(engine, ways, Mailbox::alone(), clock, telling).step();
        *counts += counters.now();
    });
}

/// A clock that moves each time that it is read.
struct Moving<'a>(&'a TestClock);

impl Clock for Moving<'_> {
    fn now(&self) -> Instant {
        self.0.0.set(self.0.0.get() + 1);
        self.0.now()
    }

    fn rate(&self) -> TickRate {
        self.0.rate()
    }
}

/// Each leg of a burst's way ends a reading of the clock later, or two where it reads the clock itself.
fn profiled(counts: &mut Counts) {
    with_engine(4, vec![rule(Action::MEASURE)], |engine, counters, clock| {
        let outgoing = frame(Side::Host, 1, None);
        let receive = HeapQueue::of([&outgoing[..]]);
        let ways = vec![Way::alone(PAIR, Side::Host, receive, HeapQueue::default())];
        let (telling, _listening) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
        let mut worker = Worker::new(engine, ways, Mailbox::alone(), Moving(clock), telling).profiled();
        worker.step();
        assert_eq!(counters.now().leg_ticks, [2, 1, 1, 2, 2]);
        *counts += counters.now();
    });
}

/// One worker receives everything, and the other owns about half of the flows, of which the ring between them holds two.
fn two_workers(counts: &mut Counts) {
    let [first, second] = <[_; 2]>::try_from(mailboxes(2, 2)).ok().unwrap();
    let frames: Vec<_> = (0..20).map(|port| frame(Side::Host, port, None)).collect();
    let all = HeapQueue::of(frames.iter().map(Vec::as_slice));
    with_engine(40, vec![rule(Action::MEASURE)], |engine, first_counters, clock| {
        let mut receiver = one_of_two(engine, first, clock, all);
        with_engine(40, vec![rule(Action::MEASURE)], |engine, second_counters, clock| {
            let mut owner = one_of_two(engine, second, clock, HeapQueue::default());
            assert_eq!((receiver.step(), owner.step()), (20, 2));
            let mut both = first_counters.now();
            both += second_counters.now();
            assert_eq!((both.handed_over, both.taken_over), (2, 2));
            assert_eq!(both.packets, both.inserted + both.dropped[Drop::HandOverFull.index()]);
            *counts += both;
        });
    });
}

type OneOfTwo<'m> = Worker<'m, HeapQueue, HeapQueue, &'m TestClock>;

fn one_of_two<'m>(
    engine: Engine<'m>,
    mailbox: Mailbox<HeapPacket>,
    clock: &'m TestClock,
    receive: HeapQueue,
) -> OneOfTwo<'m> {
    let way = Way {
        pair: PAIR,
        from: Side::Host,
        inlets: vec![receive],
        outlet: Outlet::Queue(HeapQueue::default()),
        owners: Owners::by_key(&[0, 1].map(WorkerId::new)).into(),
    };
    let (telling, _) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
    Worker::new(engine, vec![way], mailbox, clock, telling)
}
