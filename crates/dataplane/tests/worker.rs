//! A worker between queues on the heap: bytes, and every counter that must move.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::cell::Cell;
use std::iter;
use std::sync::atomic::AtomicBool;

use dataplane::memory::{HeapPacket, HeapQueue};
use dataplane::{
    Action, Arrival, BURST, Burst, Clock, Idle, LONGEST, Mailbox, Packet, Prefix, Protocol, Receive, Rule,
    Telling, Transmit, Way, Worker,
};
use flow::{Instant, Side, Span};
use ipnet::Ipv6Net;
use pdm::Skip;
use stats::{Collector, Drop, Metric};
use support::{MILLISECOND, PAIR, frame, option, process, rule, with_engine};

#[test]
fn out_with_the_option_and_back_without_it() {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        let plain = frame(Side::Host, 1000, None);
        let marked = frame(Side::Host, 1000, Some([0x0f, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]));
        assert_eq!(process(&mut engine, Side::Host, clock, &plain), marked);

        clock.0.set(10 * MILLISECOND);
        let answer = frame(Side::Wire, 1000, Some(option(3, 7)));
        assert_eq!(process(&mut engine, Side::Wire, clock, &answer), frame(Side::Wire, 1000, None));

        assert_eq!(counters.packets.get(), 2);
        assert_eq!(counters.inserted.get(), 1);
        assert_eq!((counters.observed.get(), counters.stripped.get()), (1, 1));
        let mut collector = Collector::new(1);
        collector.fold(engine.recorders());
        let total = collector.summary(Metric::TotalRtt).unwrap();
        assert_eq!((total.count, total.min_ns / 100_000), (1, 99));
        assert_eq!(collector.summary(Metric::ServerDelay).unwrap().max_ns, 0);
    });
}

#[test]
fn a_packet_that_came_in_by_the_wrong_port_is_not_selected() {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        let from_host = frame(Side::Host, 1000, None);
        assert_eq!(process(&mut engine, Side::Wire, clock, &from_host), from_host);
        assert_eq!(counters.skipped[Skip::NotSelected.index()].get(), 1);
    });
}

#[test]
fn when_the_table_is_full_options_are_stripped_all_the_same() {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        for port in 0..4 {
            process(&mut engine, Side::Host, clock, &frame(Side::Host, port, None));
        }
        let refused = frame(Side::Host, 4, None);
        assert_eq!(process(&mut engine, Side::Host, clock, &refused), refused);
        let from_wire = frame(Side::Wire, 5, Some(option(1, 1)));
        assert_eq!(process(&mut engine, Side::Wire, clock, &from_wire), frame(Side::Wire, 5, None));
        let unmarked = frame(Side::Wire, 6, None);
        assert_eq!(process(&mut engine, Side::Wire, clock, &unmarked), unmarked);

        assert_eq!(counters.skipped[Skip::TableFull.index()].get(), 3);
        assert_eq!((counters.observed.get(), counters.stripped.get()), (0, 1));
        assert_eq!((counters.inserted.get(), counters.plain.get()), (4, 0));
        let established = process(&mut engine, Side::Host, clock, &frame(Side::Host, 2, None));
        assert_eq!(established[60..62], [0, 8], "its next number");
    });
}

#[test]
fn a_rule_that_has_ended_strips_for_its_flows_and_does_nothing_else() {
    let until = Some(Instant::from_ticks(MILLISECOND));
    with_engine(4, vec![Rule { until, ..rule(Action::MEASURE) }], |mut engine, counters, clock| {
        process(&mut engine, Side::Host, clock, &frame(Side::Host, 1, None));
        clock.0.set(MILLISECOND);
        let outgoing = frame(Side::Host, 1, None);
        assert_eq!(process(&mut engine, Side::Host, clock, &outgoing), outgoing);
        let known = frame(Side::Wire, 1, Some(option(1, 7)));
        assert_eq!(process(&mut engine, Side::Wire, clock, &known), frame(Side::Wire, 1, None));
        let unknown = frame(Side::Wire, 2, Some(option(1, 7)));
        assert_eq!(process(&mut engine, Side::Wire, clock, &unknown), unknown);

        assert_eq!(counters.skipped[Skip::NotSelected.index()].get(), 3);
        assert_eq!((counters.observed.get(), counters.stripped.get()), (0, 1));
        let mut collector = Collector::new(1);
        collector.fold(engine.recorders());
        assert_eq!(collector.summary(Metric::TotalRtt), None);
    });
}

#[test]
fn the_first_rule_that_has_not_ended_counts() {
    let rules = vec![
        Rule { until: Some(Instant::default()), ..rule(Action::MEASURE) },
        Rule { local_ports: vec![5..=9], ..rule(Action::OBSERVE) },
        Rule { protocol: Protocol::Number(17), ..rule(Action::MEASURE) },
    ];
    with_engine(4, rules, |mut engine, counters, clock| {
        process(&mut engine, Side::Host, clock, &frame(Side::Host, 5, None));
        assert_eq!(counters.skipped[Skip::NotSelected.index()].get(), 1);
        process(&mut engine, Side::Host, clock, &frame(Side::Host, 4, None));
        assert_eq!(counters.inserted.get(), 1);
    });
}

/// Whichever of its prefixes of either end a packet's addresses are in.
#[test]
fn a_rule_selects_by_all_its_prefixes() {
    let [hosts, others, peers, strangers] =
        ["2001:db8:a::/48", "2001:db8:c::/48", "2001:db8:b::/48", "2001:db8:d::/48"]
            .map(|prefix| Prefix::from(prefix.parse::<Ipv6Net>().unwrap()));
    let selects = |local: &[Prefix], remote: &[Prefix]| {
        let (local, remote) = (local.to_vec(), remote.to_vec());
        let mut selected = [0; 2];
        with_engine(
            4,
            vec![Rule { local, remote, ..rule(Action::MEASURE) }],
            |mut engine, counters, clock| {
                process(&mut engine, Side::Host, clock, &frame(Side::Host, 5, None));
                process(&mut engine, Side::Wire, clock, &frame(Side::Wire, 5, Some(option(1, 7))));
                selected = [counters.inserted.get(), counters.stripped.get()];
            },
        );
        selected == [1, 1]
    };
    assert!(selects(&[hosts], &[peers]));
    assert!(selects(&[others, hosts], &[peers]) && selects(&[hosts, others], &[peers]));
    assert!(selects(&[hosts], &[strangers, peers]) && selects(&[others, hosts], &[strangers, peers]));
    assert!(!selects(&[others], &[peers]) && !selects(&[hosts], &[strangers]));
    assert!(!selects(&[others, strangers], &[peers, hosts]) && !selects(&[hosts, others], &[strangers]));
    assert!(!selects(&[hosts], &[]) && !selects(&[], &[peers]));
}

#[test]
fn a_buffer_without_headroom_is_left_alone_and_uses_no_number() {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        let plain = frame(Side::Host, 1, None);
        let mut packet = HeapPacket::new(&plain);
        packet.grow_front(dataplane::memory::HEADROOM).unwrap();
        packet.bytes_mut()[..plain.len()].copy_from_slice(&plain);
        let before = packet.clone();
        let mut burst = [packet];
        engine.process(&mut burst, Arrival::Port(Side::Host), &PAIR, (&clock).now(), &clock);
        assert_eq!(burst[0], before);
        assert_eq!(counters.skipped[Skip::NoHeadroom.index()].get(), 1);
        assert_eq!(counters.inserted.get(), 0);
        engine.sweep(Instant::default(), 0, None);
        assert_eq!(counters.flows_created.get(), 0);
    });
}

#[test]
fn a_worker_serves_both_ways_and_ends_clean() {
    with_engine(64, vec![rule(Action::MEASURE)], |engine, counters, clock| {
        let outgoing: Vec<_> = (0..40).map(|port| frame(Side::Host, port, None)).collect();
        let incoming = [frame(Side::Wire, 1, Some(option(1, 7)))];
        let ways = vec![
            Way::alone(
                PAIR,
                Side::Host,
                HeapQueue::of(outgoing.iter().map(Vec::as_slice)),
                HeapQueue::default(),
            ),
            Way::alone(
                PAIR,
                Side::Wire,
                HeapQueue::of(incoming.iter().map(Vec::as_slice)),
                HeapQueue::default(),
            ),
        ];
        let (telling, core) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
        let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);
        assert_eq!(worker.step(), 33);
        assert_eq!(worker.step(), 8);
        clock.0.set(MILLISECOND);
        assert_eq!(worker.step(), 0);
        worker.run(Idle::Spin, &AtomicBool::new(true));

        assert_eq!((counters.packets.get(), counters.inserted.get()), (41, 40));
        assert_eq!(counters.flows_live.get(), 40);
        let mut collector = Collector::new(1);
        core.recorders.collect(|recorders| collector.fold(recorders));
        assert_eq!(collector.summary(Metric::Residence).unwrap().count, 41);
    });
}

#[test]
fn two_bursts_go_together_once_the_table_is_far_away() {
    const FLOWS: u16 = 1 << 15;
    with_engine(FLOWS.into(), vec![rule(Action::MEASURE)], |engine, counters, clock| {
        // Beyond port 4500, which is ESP's.
        let ports = (0..FLOWS).chain(0..100).map(|flow| 5000 + flow);
        let outgoing: Vec<_> = ports.map(|port| frame(Side::Host, port, None)).collect();
        let receive = HeapQueue::of(outgoing.iter().map(Vec::as_slice));
        let ways = vec![Way::alone(PAIR, Side::Host, receive, HeapQueue::default())];
        let (telling, _core) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
        let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);
        assert!((0..usize::from(FLOWS) / BURST).all(|_| worker.step() == BURST));
        assert_eq!([worker.step(), worker.step(), worker.step()], [LONGEST, 100 - LONGEST, 0]);
        drop(worker);
        assert_eq!((counters.flows_live.get(), counters.inserted.get()), (1 << 15, (1 << 15) + 100));
    });
}

/// A port that takes `room` packets, and then none.
struct Narrow {
    room: usize,
    asked: Cell<usize>,
}

impl Transmit for &mut Narrow {
    type Packet = HeapPacket;

    fn transmit(&mut self, burst: &mut Burst<HeapPacket>) {
        self.asked.set(self.asked.get() + 1);
        let taken = self.room.min(burst.len());
        self.room -= taken;
        burst.drain(..taken);
    }
}

#[test]
fn what_a_port_does_not_take_is_dropped_and_counted_after_some_tries() {
    with_engine(64, Vec::new(), |engine, counters, clock| {
        let outgoing: Vec<_> = (0..10).map(|port| frame(Side::Host, port, None)).collect();
        let mut port = Narrow { room: 4, asked: Cell::new(0) };
        let receive = HeapQueue::of(outgoing.iter().map(Vec::as_slice));
        let ways = vec![Way::alone(PAIR, Side::Host, receive, &mut port)];
        let (telling, _core) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
        let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);
        worker.step();
        drop(worker);
        assert_eq!(counters.dropped[Drop::TransmitFull.index()].get(), 6);
        assert!(port.asked.get() > 1 && port.asked.get() < 100);
    });
}

/// A port that sends what it took when asked to, and not before.
#[derive(Default)]
struct Lazy {
    taken: usize,
    sent: usize,
}

impl Transmit for &mut Lazy {
    type Packet = HeapPacket;

    fn transmit(&mut self, burst: &mut Burst<HeapPacket>) {
        self.taken += burst.drain(..).len();
    }

    fn flush(&mut self) {
        self.sent = self.taken;
    }
}

/// With nothing more to do, and while another way is busy for long.
#[test]
fn what_a_port_took_is_not_left_behind() {
    for more in [0, 1000] {
        with_engine(64, Vec::new(), |engine, counters, clock| {
            let (out, back) = (frame(Side::Host, 1, None), frame(Side::Wire, 1, None));
            let mut ports = [Lazy::default(), Lazy::default()];
            let [host, wire] = &mut ports;
            let ways = vec![
                Way::alone(PAIR, Side::Host, HeapQueue::of([&out[..]]), wire),
                Way::alone(PAIR, Side::Wire, HeapQueue::of(iter::repeat_n(&back[..], more)), host),
            ];
            let (telling, _core) = Telling::of(&engine, Span::from_ticks(MILLISECOND));
            let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);
            for _ in 0..20 {
                worker.step();
            }
            drop(worker);
            assert_eq!(ports[1].sent, 1);
            assert_eq!(counters.packets.get(), 1 + more.min(20 * BURST) as u64);
        });
    }
}

#[test]
fn a_queue_gives_what_it_took_in_order() {
    let mut queue = HeapQueue::bounded(3);
    let mut burst: Burst<_> = (0..5).map(|octet| HeapPacket::new(&[octet])).collect();
    queue.transmit(&mut burst);
    assert_eq!(burst.len(), 2);
    assert_eq!(queue.packets().len(), 3);
    let mut out = Burst::new();
    queue.receive(&mut out);
    assert_eq!(out.iter().map(|packet| packet.bytes()[0]).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(burst[0].bytes(), [3]);
}
