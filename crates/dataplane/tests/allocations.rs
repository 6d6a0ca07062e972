//! After start the loop allocates nothing, whatever comes, and whether or not the stats core keeps up.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::net::Ipv6Addr;

use dataplane::memory::{HeapPacket, HeapQueue};
use dataplane::{Action, Burst, Mailbox, Telling, Transmit, Way, Worker};
use flow::{Settings, Side, Span};
use stats::{Collector, MAX_PREFIXES, Metric, PrefixBook, PrefixCollector, Recorders};
use support::{MILLISECOND, PAIR, frame, odd_frame, option, rule, settings, with_engine_of};

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

#[test]
fn more_prefixes_than_there_is_room_for_cost_no_allocation() {
    let (mut book, mut recorders) = (book(), Recorders::new(0).with_prefixes());
    let allocated = allocation_counter::measure(|| {
        for n in 0..2 * MAX_PREFIXES as u128 {
            let remote = Ipv6Addr::from_bits(n << 80);
            recorders.record_remote(book.slot(remote), MILLISECOND, Some(MILLISECOND));
        }
        recorders.clear();
    });
    assert_eq!(allocated.count_total, 0);
}
