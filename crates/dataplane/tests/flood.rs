//! A million packets, each of another flow, against flows that are established and go on talking.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use dataplane::memory::HeapPacket;
use dataplane::{Action, Arrival, Clock, Engine, Packet};
use flow::{Settings, Side};
use stats::{Collector, Metric};
use support::{MILLISECOND, PAIR, TestClock, frame, rule, settings, with_engine_of};

/// Flows that the table holds.
const ROOM: usize = 4_000;
const ESTABLISHED: u16 = 32;
const ROUNDS: u16 = 1_000;
/// Bursts of strangers in a round.
const BURSTS: u32 = 32;
const BURST: u32 = 32;

/// Where a frame's source and destination end with four octets that tell flows apart.
const SOURCE_END: usize = 34;
const DESTINATION_END: usize = 50;
/// Where PSNTP stands in a packet with the option.
const PSNTP: usize = 60;

/// Does to `frames`, a burst from `side`, what the engine does, without an allocation, and then its share of the sweep.
fn through(
    engine: &mut Engine<'_>,
    side: Side,
    clock: &TestClock,
    frames: impl Iterator<Item = Vec<u8>>,
) -> Vec<HeapPacket> {
    let mut burst: Vec<_> = frames.map(|frame| HeapPacket::new(&frame)).collect();
    let allocated = allocation_counter::measure(|| {
        engine.process(&mut burst, Arrival::Port(side), &PAIR, clock.now(), &clock);
        engine.sweep(clock.now(), 8, None);
    });
    assert_eq!(allocated.count_total, 0);
    burst
}

/// PDM with these numbers and a DELTATLR of one attosecond.
fn option(psntp: u16, psnlr: u16) -> [u8; 12] {
    let ([a, b], [c, d]) = (psntp.to_be_bytes(), psnlr.to_be_bytes());
    [0x0f, 10, 0, 0, a, b, c, d, 0, 1, 0, 0]
}

/// PDM of who has received nothing.
const FIRST: [u8; 12] = [0x0f, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// A burst of strangers, from the hosts, from the wire, or from there with options.
fn strangers(nth: u32) -> (Side, impl Iterator<Item = Vec<u8>>) {
    let side = if nth.is_multiple_of(3) { Side::Host } else { Side::Wire };
    let local_end = if side == Side::Host { SOURCE_END } else { DESTINATION_END };
    let marked = (nth % 3 == 2).then_some(FIRST);
    let frames = (1 + nth * BURST..=(nth + 1) * BURST).map(move |number| {
        let mut frame = frame(side, 1, marked);
        frame[local_end..local_end + 4].copy_from_slice(&number.to_be_bytes());
        frame
    });
    (side, frames)
}

#[test]
fn a_flood_of_strangers_costs_established_flows_no_number_and_no_sample() {
    let settings = Settings { log_packets: 1 << 12, ..settings() };
    with_engine_of(settings, ROOM, vec![rule(Action::MEASURE)], |mut engine, counters, clock| {
        let later = |millis: u64| clock.0.set(clock.0.get() + millis * MILLISECOND);
        for round in 0..ROUNDS {
            let psn = 7 + round;
            let questions = (0..ESTABLISHED).map(|port| frame(Side::Host, port, None));
            for question in through(&mut engine, Side::Host, clock, questions) {
                assert_eq!(question.bytes()[PSNTP..PSNTP + 2], psn.to_be_bytes());
            }
            for burst in 0..BURSTS {
                let (side, frames) = strangers(u32::from(round) * BURSTS + burst);
                through(&mut engine, side, clock, frames);
                later(3);
            }
            let answers = (0..ESTABLISHED).map(|port| frame(Side::Wire, port, Some(option(round, psn))));
            through(&mut engine, Side::Wire, clock, answers);
            later(3);
        }

        let (exchanges, strangers) = (u64::from(ESTABLISHED) * u64::from(ROUNDS), 1_024_000);
        let counts = counters.now();
        assert_eq!(counts.packets, 2 * exchanges + strangers);
        assert_eq!(counts.flows_created + counts.flows_refused, u64::from(ESTABLISHED) + strangers);
        assert_eq!(counts.flows_created - counts.flows_expired, counts.flows_live);
        assert!(counts.flows_refused > 900_000 && counts.flows_expired > 0, "{counts:?}");
        assert_eq!((counts.flows_evicted, counts.never_sent, counts.forgotten, counts.lost), (0, 0, 0, 0));
        let mut collector = Collector::new(1);
        collector.fold(engine.recorders());
        assert_eq!(collector.summary(Metric::TotalRtt).unwrap().count, exchanges);
    });
}
