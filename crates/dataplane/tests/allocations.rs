//! After start the loop allocates nothing, whatever comes, and whether or not the stats core keeps up.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use dataplane::memory::{HeapPacket, HeapQueue};
use dataplane::{Action, Burst, Transmit, Way, Worker};
use flow::{Side, Span};
use stats::{Collector, Metric};
use support::{MILLISECOND, PAIR, frame, odd_frame, option, rule, with_engine};

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

#[test]
fn ten_seconds_without_the_stats_core_cost_no_allocation_no_packet_and_no_sample() {
    with_engine(200, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        let [outgoing, incoming] = traffic();
        let way = |from, receive| Way { pair: PAIR, from, receive, transmit: Sink };
        let ways = vec![way(Side::Host, outgoing), way(Side::Wire, incoming)];
        let (exchange, intake) = stats::exchange(engine.recorders_mut());
        let mut worker = Worker::new(engine, ways, clock, exchange, Span::from_ticks(100 * MILLISECOND));

        let allocated = allocation_counter::measure(|| {
            for round in 0..1000 {
                clock.0.set(round * 10 * MILLISECOND);
                worker.step();
            }
        });
        assert_eq!(allocated.count_total, 0);

        let mut collector = Collector::new(1);
        intake.collect(|full| collector.fold(full));
        collector.fold(worker.into_engine().recorders_mut());
        let counts = counters.now();
        assert_eq!(counts.packets, 40_000);
        assert_eq!(counts.dropped, [0]);
        let count = |metric| collector.summary(metric).unwrap().count;
        assert_eq!(count(Metric::Residence), 40_000);
        assert!(counts.inserted > 0 && counts.stripped > 0 && counts.flows_refused > 0, "{counts:?}");
        assert!(count(Metric::TotalRtt) > 0);
    });
}
