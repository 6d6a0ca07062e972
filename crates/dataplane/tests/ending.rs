//! How workers end, each in a thread of its own, while packets keep coming: nothing that was received stays behind, and none
//! waits for one that is gone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod support;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use dataplane::{Clock, Engine, Idle, Packet, Worker};
use flow::{Instant, Settings, TickRate};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use support::crew::{Crew, Plan, Ports, Spread, with_crew};
use support::settings;
use support::stream::{FLOWS, Sample, Stream, label, pairs, place, rules};

const WORKERS: u16 = 4;
const PACKETS: usize = 400;

/// A clock that stands still, and breaks after a number of readings.
struct Brittle(Cell<u64>);

impl Clock for Brittle {
    fn now(&self) -> Instant {
        self.0.set(self.0.get().checked_sub(1).expect("the clock is broken"));
        Instant::default()
    }

    fn rate(&self) -> TickRate {
        TickRate::NANOSECONDS
    }
}

fn lasting(_worker: usize) -> Brittle {
    Brittle(Cell::new(u64::MAX))
}

fn plan(spread: Spread) -> Plan {
    Plan {
        workers: WORKERS,
        spread,
        pairs: pairs(),
        rules: rules(),
        flows: usize::from(FLOWS),
        ring: PACKETS,
    }
}

fn unending() -> Settings {
    Settings { lifetime: None, ..settings() }
}

fn samples(seed: u64) -> Vec<Sample> {
    let (_, mut samples) = Stream::new(seed).next_epoch();
    samples.truncate(PACKETS);
    samples
}

/// Runs the workers, each in a thread, and delivers `samples`, `burst` at a time; the workers are told to stop after
/// `before_stop` of them. Returns what they leave behind, unless they failed.
fn run<'m>(
    crew: Crew<'m, Brittle>,
    samples: &[Sample],
    burst: usize,
    before_stop: usize,
) -> (Ports, Vec<thread::Result<Engine<'m>>>) {
    let Crew { workers, ports, .. } = crew;
    let stop = AtomicBool::new(false);
    let engines = thread::scope(|scope| {
        let work = |mut worker: Worker<'m, _, _, _>| {
            worker.run(Idle::Yield, &stop);
            worker.into_engine()
        };
        let threads: Vec<_> = workers.into_iter().map(|worker| scope.spawn(move || work(worker))).collect();
        for (delivered, sample) in samples.iter().enumerate() {
            if delivered == before_stop {
                stop.store(true, Relaxed);
            }
            if delivered % burst == 0 {
                thread::yield_now();
            }
            ports.deliver(sample.way, &sample.frame);
        }
        stop.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    (ports, engines)
}

#[test]
fn what_was_received_leaves_once_and_in_order_whenever_the_end_comes() {
    for seed in 0..200 {
        let mut dice = ChaCha12Rng::seed_from_u64(seed);
        let spread = Spread::ALL[dice.random_range(0..Spread::ALL.len())];
        let (burst, before_stop) = (dice.random_range(1..40), dice.random_range(0..PACKETS));
        let (ports, counts, flows) = with_crew(&plan(spread), unending, lasting, |crew| {
            let (ports, engines) = run(crew, &samples(seed), burst, before_stop);
            let engines = engines.into_iter().map(Result::unwrap);
            let outcome = ports.outcome(engines, rules().len(), Instant::default());
            (ports, outcome.counts, outcome.flows.len() as u64)
        });
        let (mut places, mut last) = (Vec::new(), HashMap::new());
        for (way, packet) in ports.take_sent() {
            let place = place(packet.bytes());
            let before = last.insert((way, label(packet.bytes())), place);
            assert!(before < Some(place), "packet {place} of seed {seed} was overtaken");
            places.push(place);
        }
        assert_eq!(counts.packets, places.len() as u64, "seed {seed}");
        places.extend(ports.take_unreceived().map(|packet| place(packet.bytes())));
        places.sort_unstable();
        assert_eq!(places, (1..=PACKETS as u64).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!((counts.handed_over, counts.flows_live), (counts.taken_over, flows), "seed {seed}");
    }
}

#[test]
fn who_fails_keeps_nobody_from_ending() {
    let mut failed = 0;
    for seed in 0..100 {
        let mut dice = ChaCha12Rng::seed_from_u64(seed);
        let (broken, readings) = (dice.random_range(0..WORKERS.into()), dice.random_range(1..300));
        let clock = |worker| Brittle(Cell::new(if worker == broken { readings } else { u64::MAX }));
        with_crew(&plan(Spread::ToAnother), unending, clock, |crew| {
            let (_, engines) = run(crew, &samples(seed), 32, PACKETS);
            for (worker, engine) in engines.iter().enumerate() {
                assert!(engine.is_ok() || worker == broken, "worker {worker} of seed {seed}");
            }
            failed += engines.iter().filter(|engine| engine.is_err()).count();
        });
    }
    assert!(failed > 0, "no clock broke");
}

#[test]
fn flows_that_begin_at_the_end_are_counted() {
    let two = Plan { workers: 2, ..plan(Spread::ToAnother) };
    with_crew(&two, unending, lasting, |crew| {
        samples(1).iter().for_each(|sample| crew.ports.deliver(sample.way, &sample.frame));
        let [mut owner, mut receiver] = <[_; 2]>::try_from(crew.workers).ok().unwrap();
        while receiver.step() > 0 {}
        drop(receiver);
        owner.run(Idle::Spin, &AtomicBool::new(true));
        let engine = owner.into_engine();
        assert_eq!(engine.counters().flows_live.get(), engine.flows(Instant::default()).count() as u64);
    });
}
