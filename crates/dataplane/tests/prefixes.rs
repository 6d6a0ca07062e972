//! Delays by remote prefix: each lands where its answer came from.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use dataplane::{Action, Engine};
use flow::Side;
use stats::{PrefixBook, PrefixCollector};
use support::{MILLISECOND, TestClock, frame, option, process, rule, with_engine};

/// Where an IPv6 packet's source and destination say which 2001:db8:X::/48 they are of.
const SOURCE_PREFIX: usize = 27;
const DESTINATION_PREFIX: usize = 43;

/// What the hosts send from `port` to 2001:db8:`remote`::.
fn question(remote: u8, port: u16) -> Vec<u8> {
    let mut frame = frame(Side::Host, port, None);
    frame[DESTINATION_PREFIX] = remote;
    frame
}

/// An answer from there to the packet of number `psnlr`.
fn answer(remote: u8, port: u16, psnlr: u8) -> Vec<u8> {
    let mut frame = frame(Side::Wire, port, Some(option(1, psnlr)));
    frame[SOURCE_PREFIX] = remote;
    frame
}

/// One question on a new flow, and its answer `millis` later.
fn ask(engine: &mut Engine<'_>, clock: &TestClock, remote: u8, port: u16, millis: u64) {
    process(engine, Side::Host, clock, &question(remote, port));
    clock.0.set(clock.0.get() + millis * MILLISECOND);
    process(engine, Side::Wire, clock, &answer(remote, port, 7));
}

#[test]
fn delays_land_at_the_prefix_that_answered() {
    with_engine(8, vec![rule(Action::MEASURE)], |engine, counters, clock| {
        let mut engine = engine.with_prefixes(PrefixBook::new(48, [1, 2, 3, 4]).unwrap());
        ask(&mut engine, clock, 0x0b, 1, 10);
        ask(&mut engine, clock, 0x0c, 2, 40);
        ask(&mut engine, clock, 0x0b, 3, 20);
        // In no time: the network's share cannot be told.
        ask(&mut engine, clock, 0x0d, 4, 0);
        // Nothing was sent there, and nothing of this number.
        process(&mut engine, Side::Wire, clock, &answer(0x0e, 5, 7));
        process(&mut engine, Side::Wire, clock, &answer(0x0b, 1, 99));
        assert_eq!((counters.uncertain.get(), counters.never_sent.get()), (1, 2));

        let mut prefixes = PrefixCollector::default();
        prefixes.fold(engine.recorders());
        let expected: [(&str, &[u64], u64); 4] = [
            ("2001:db8:b::/48", &[10, 20], 2),
            ("2001:db8:c::/48", &[40], 1),
            ("2001:db8:d::/48", &[], 1),
            ("other", &[], 0),
        ];
        let delays: Vec<_> = prefixes.by_remote().collect();
        assert_eq!(delays.len(), expected.len());
        for ((remote, delays), (prefix, network_millis, answers)) in delays.into_iter().zip(expected) {
            assert_eq!((remote.to_string().as_str(), delays.server_delay.len()), (prefix, answers));
            let network =
                network_millis.iter().map(|millis| delays.network_rtt.count_at(millis * MILLISECOND));
            assert_eq!(network.collect::<Vec<_>>(), vec![1; network_millis.len()], "{prefix}");
            assert_eq!(delays.network_rtt.len(), network_millis.len() as u64);
        }
    });
}

#[test]
fn without_a_book_nothing_is_recorded_by_prefix() {
    with_engine(4, vec![rule(Action::MEASURE)], |mut engine, _, clock| {
        ask(&mut engine, clock, 0x0b, 1, 10);
        let mut prefixes = PrefixCollector::default();
        prefixes.fold(engine.recorders());
        assert_eq!(prefixes.by_remote().count(), 1, "the others' alone");
    });
}
