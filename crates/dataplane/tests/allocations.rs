//! After start the loop allocates nothing, whatever comes, and whether or not the stats core keeps up.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::Ipv6Addr;
use std::sync::Arc;

use dataplane::memory::{HeapPacket, HeapQueue};
use dataplane::{
    Action, Burst, Engine, Listening, Mailbox, Outlet, Owners, Telling, Transmit, Way, Worker, WorkerId,
    mailboxes,
};
use flow::{Settings, Side, Span};
use stats::{Collector, Counters, MAX_PREFIXES, Metric, PrefixBook, PrefixCollector, Recorders};
use support::{MILLISECOND, PAIR, TestClock, frame, odd_frame, option, rule, settings, with_engine_of};

/// A port that takes everything.
struct Sink;

impl Transmit for Sink {
    type Packet = HeapPacket;

    fn transmit(&mut self, burst: &mut Burst<HeapPacket>) {
        burst.clear();
    }
}

/// Ten seconds of traffic: new flows, known ones, answers, options to strip, packets to leave alone, flows that end.
fn traffic() -> [HeapQueue; 2] {
    let number = |n: u16| u8::try_from(n % 200).unwrap();
    let outgoing: Vec<_> = (0..20_000_u16)
        .map(|n| if n % 7 == 0 { odd_frame(59, &[]) } else { frame(Side::Host, n % 300, None) })
        .collect();
    let incoming: Vec<_> = (0..20_000_u16)
        .map(|n| frame(Side::Wire, n % 300, Some(option(number(n), number(n / 300)))))
        .collect();
    [outgoing, incoming].map(|frames| HeapQueue::of(frames.iter().map(Vec::as_slice)))
}

fn book() -> PrefixBook {
    PrefixBook::new(48, [1, 2, 3, 4]).unwrap()
}

#[test]
fn ten_seconds_without_the_stats_core_cost_no_allocation_no_packet_and_no_sample() {
    let settings =
        Settings { keep_ended: true, lifetime: Some(Span::from_ticks(2000 * MILLISECOND)), ..settings() };
    with_engine_of(settings, 200, vec![rule(Action::MEASURE)], |engine, counters, clock| {
        let engine = engine.with_prefixes(book());
        let [outgoing, incoming] = traffic();
        let way = |from, receive| Way::alone(PAIR, from, receive, Sink);
        let ways = vec![way(Side::Host, outgoing), way(Side::Wire, incoming)];
        let (telling, listening) = Telling::of(&engine, Span::from_ticks(100 * MILLISECOND));
        listening.flows.ask(Box::default()).unwrap();
        let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);

        let allocated = allocation_counter::measure(|| {
            for round in 0..1000 {
                clock.0.set(round * 10 * MILLISECOND);
                worker.step();
            }
        });
        assert_eq!(allocated.count_total, 0);

        let (mut collector, mut prefixes) = (Collector::new(1), PrefixCollector::default());
        let mut fold = |recorders: &Recorders| {
            collector.fold(recorders);
            prefixes.fold(recorders);
        };
        listening.recorders.collect(&mut fold);
        fold(worker.into_engine().recorders());
        let counts = counters.now();
        assert_eq!(counts.packets, 40_000);
        assert_eq!(counts.dropped, [0, 0]);
        let count = |metric| collector.summary(metric).unwrap().count;
        assert_eq!(count(Metric::Residence), 40_000);
        assert!(counts.inserted > 0 && counts.stripped > 0 && counts.flows_refused > 0, "{counts:?}");
        assert!(count(Metric::TotalRtt) > 0);
        assert_eq!(listening.flows.ended().count() as u64, counts.flows_expired);
        assert!(counts.flows_expired > 0 && counts.flows_unreported == 0, "{counts:?}");
        assert!(listening.flows.answer().unwrap().is_complete());
        let by_prefix: u64 = prefixes.by_remote().map(|(_, delays)| delays.server_delay.len()).sum();
        assert_eq!(by_prefix, count(Metric::ServerDelay));
    });
}

type TestWorker<'m, 'c> = Worker<'m, HeapQueue, Sink, &'c TestClock>;

/// Both ways through the pair for one of two workers: the first alone has queues, and the other's packets leave by them.
fn shared_ways(me: usize, owners: &Arc<Owners>) -> Vec<Way<HeapQueue, Sink>> {
    let way = |(from, queue)| {
        let (inlets, outlet) = match me {
            0 => (vec![queue], Outlet::Queue(Sink)),
            _ => (vec![], Outlet::Worker(WorkerId::new(0))),
        };
        Way { pair: PAIR, from, inlets, outlet, owners: Arc::clone(owners) }
    };
    [Side::Host, Side::Wire].into_iter().zip(traffic()).map(way).collect()
}

/// Two workers that share out the flows, and what hears each of them.
fn two_workers<'m, 'c>(
    engines: [Engine<'m>; 2],
    clock: &'c TestClock,
) -> (Vec<TestWorker<'m, 'c>>, Vec<Listening>) {
    let owners = Arc::new(Owners::by_key(&[0, 1].map(WorkerId::new)));
    let parts = engines.into_iter().zip(mailboxes(2, 40_000)).enumerate();
    let worker = |(me, (engine, mailbox))| {
        let (telling, listening) = Telling::of(&engine, Span::from_ticks(100 * MILLISECOND));
        (Worker::new(engine, shared_ways(me, &owners), mailbox, clock, telling), listening)
    };
    parts.map(worker).unzip()
}

/// Allocations in a second of rounds.
fn allocations_in(second: u64, workers: &mut [TestWorker<'_, '_>], clock: &TestClock) -> u64 {
    let rounds = || {
        for round in 0..200 {
            clock.0.set((second * 200 + round) * 5 * MILLISECOND);
            for worker in &mut *workers {
                worker.step();
            }
        }
    };
    allocation_counter::measure(rounds).count_total
}

#[test]
fn handing_over_and_a_stats_core_that_asks_and_keeps_up_cost_no_allocation() {
    let rules = || vec![rule(Action::MEASURE)];
    with_engine_of(settings(), 300, rules(), |first, first_counters, clock| {
        with_engine_of(settings(), 300, rules(), |second, second_counters, _| {
            let (mut workers, listeners) = two_workers([first, second], clock);
            let (mut collector, mut answers) = (Collector::new(1), 0);
            for second in 0..20 {
                for listening in &listeners {
                    listening.flows.ask(Box::default()).unwrap();
                }
                assert_eq!(allocations_in(second, &mut workers, clock), 0);
                for listening in &listeners {
                    listening.recorders.collect(|recorders| collector.fold(recorders));
                    answers += u32::from(listening.flows.answer().is_some());
                }
            }
            workers.into_iter().for_each(|worker| collector.fold(worker.into_engine().recorders()));
            let counts = [first_counters, second_counters].map(Counters::now);
            assert_eq!((counts[0].packets, counts[0].handed_over), (40_000, counts[1].taken_over));
            assert!(counts[0].handed_over > 10_000, "{counts:?}");
            assert_eq!(counts.map(|counts| counts.dropped), [[0, 0]; 2]);
            assert_eq!(collector.summary(Metric::Residence).unwrap().count, 40_000);
            assert!(collector.summary(Metric::TotalRtt).unwrap().count > 0);
            assert_eq!(answers, 40, "each worker answers each time");
        });
    });
}

#[test]
fn more_prefixes_than_there_is_room_for_cost_no_allocation() {
    let (mut book, mut recorders) = (book(), Recorders::new(0).with_prefixes());
    let allocated = allocation_counter::measure(|| {
        for n in 0..2 * MAX_PREFIXES as u128 {
            let remote = Ipv6Addr::from_bits(n << 80);
            recorders.record_remote(book.slot(remote), 1e6, Some(1e6));
        }
        recorders.clear();
    });
    assert_eq!(allocated.count_total, 0);
}
