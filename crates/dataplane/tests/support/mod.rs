//! An engine with a clock that stands still, and frames for it.

#![allow(clippy::unwrap_used, dead_code, reason = "each test file uses its own part")]

pub(crate) mod crew;
pub(crate) mod stream;

use std::cell::Cell;
use std::sync::Arc;

use dataplane::memory::HeapPacket;
use dataplane::{Action, Arrival, Clock, Engine, Packet, Pair, Rule, Rules};
use flow::{Instant, KeyHasher, PairId, PsnStart, Settings, Shard, Side, Span, TickRate};
use pdm::{Limits, Psn};
use stats::Counters;

pub(crate) const LOG_PACKETS: usize = 64;
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// The first number of every flow.
pub(crate) const PSN_START: u16 = 7;

/// A clock that stands still until it is moved; one tick is a nanosecond.
#[derive(Default)]
pub(crate) struct TestClock(pub(crate) Cell<u64>);

impl Clock for &TestClock {
    fn now(&self) -> Instant {
        Instant::from_ticks(self.0.get())
    }

    fn rate(&self) -> TickRate {
        TickRate::NANOSECONDS
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        lifetime: Some(Span::from_ticks(60_000 * MILLISECOND)),
        log_packets: LOG_PACKETS,
        ..Settings::new(KeyHasher::new([1, 2, 3, 4]), PsnStart::At(Psn::new(PSN_START)))
    }
}

pub(crate) fn rule(action: Action) -> Rule {
    Rule::of_hosts("test", ["2001:db8:a::/48".parse().unwrap()], action)
}

/// An engine for `flows` flows, its counters, and a clock, for the time of a test.
pub(crate) fn with_engine(
    flows: usize,
    rules: Vec<Rule>,
    test: impl FnOnce(Engine<'_>, &Counters, &TestClock),
) {
    with_engine_of(settings(), flows, rules, test);
}

/// The same with a shard that behaves as `settings` say.
pub(crate) fn with_engine_of(
    settings: Settings,
    flows: usize,
    rules: Vec<Rule>,
    test: impl FnOnce(Engine<'_>, &Counters, &TestClock),
) {
    let mut memory = vec![0; Shard::memory_for(flows, settings.log_packets)];
    let counters = Arc::new(Counters::default());
    let shard = Shard::new(&mut memory, settings).unwrap();
    test(Engine::new(shard, Rules::new(rules), Arc::clone(&counters)), &counters, &TestClock::default());
}

pub(crate) const PAIR: Pair = Pair { id: PairId::new(0), limits: Limits { mtu: 1500, max_destopts_len: 40 } };

pub(crate) const HOST: [u8; 4] = [0x20, 0x01, 0x0d, 0xb8];

/// A UDP frame from a host on `side`, port `port`, with an option of `option` if there is one.
pub(crate) fn frame(side: Side, port: u16, option: Option<[u8; 12]>) -> Vec<u8> {
    let mut local = [0; 16];
    local[..4].copy_from_slice(&HOST);
    local[5] = 0x0a;
    let mut remote = local;
    remote[5] = 0x0b;
    let (source, destination, ports) = match side {
        Side::Host => (local, remote, [port, 80]),
        Side::Wire => (remote, local, [80, port]),
    };
    let mut frame = vec![2; 12];
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0]);
    frame.extend(if option.is_some() { [24, 60, 64] } else { [8, 17, 64] });
    frame.extend(source);
    frame.extend(destination);
    if let Some(option) = option {
        frame.extend([17, 1]);
        frame.extend(option);
        frame.extend([1, 0]);
    }
    frame.extend(ports.map(u16::to_be_bytes).concat());
    frame.extend([0, 8, 0, 0]);
    frame
}

pub(crate) fn process(engine: &mut Engine<'_>, side: Side, clock: &TestClock, frame: &[u8]) -> Vec<u8> {
    let mut burst = [HeapPacket::new(frame)];
    engine.process(&mut burst, Arrival::Port(side), &PAIR, (&clock).now(), &clock);
    burst[0].bytes().to_vec()
}

/// A frame from the host with `payload` after the fixed header, whose first header is `next`.
pub(crate) fn odd_frame(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut odd = frame(Side::Host, 1, None);
    odd.truncate(54);
    odd[18..20].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    odd[20] = next;
    odd.extend(payload);
    odd
}

/// PDM with PSNTP `psntp` and PSNLR `psnlr`, its other fields 0 but a DELTATLR of one attosecond.
pub(crate) fn option(psntp: u8, psnlr: u8) -> [u8; 12] {
    [0x0f, 10, 0, 0, 0, psntp, 0, psnlr, 0, 1, 0, 0]
}
