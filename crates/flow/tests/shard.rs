//! A shard from outside: the RFC's examples, the table's bound, the end of flows, and a model of all of it.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::HashMap;

use flow::{
    Answer, Census, Ended, Ending, FlowId, FlowRecord, Full, Instant, Key, KeyHasher, PairId, Progress,
    PsnStart, RoundTrip, Settings, Shard, Side, Span, Survey, TickRate, WhenFull, WorstBy,
};
use pdm::{Attos, PdmOption, Psn, ScaledTime};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const RATE: TickRate = TickRate::NANOSECONDS;

fn at(nanoseconds: u64) -> Instant {
    Instant::from_ticks(nanoseconds)
}

fn settings(first: u16, lifetime: Option<u64>, log_packets: usize) -> Settings {
    Settings {
        lifetime: lifetime.map(Span::from_ticks),
        log_packets,
        ..Settings::new(KeyHasher::new([1, 2, 3, 4]), PsnStart::At(Psn::new(first)))
    }
}

/// The key of a UDP packet from port `port` of a host.
fn key(port: u16) -> Key {
    let mut packet = [0; 48];
    packet[0] = 0x60;
    packet[5] = 8;
    packet[6] = 17;
    packet[8..40].fill(0x20);
    packet[40..42].copy_from_slice(&port.to_be_bytes());
    let look = pdm::look(&packet, packet.len(), 0).unwrap();
    Key::of(&packet, &look, Side::Host, PairId::default())
}

fn option(psntp: u16, psnlr: u16, delta_tlr: u64) -> PdmOption {
    PdmOption {
        psntp: Psn::new(psntp),
        psnlr: Psn::new(psnlr),
        delta_tlr: ScaledTime::encode(Attos::new(u128::from(delta_tlr) * 1_000_000_000)),
        delta_tls: ScaledTime::ZERO,
    }
}

/// A packet with `option` arrives on `flow`.
fn receive(shard: &mut Shard<'_>, flow: FlowId, option: PdmOption, nanoseconds: u64) -> (Answer, Progress) {
    let mut flow = shard.flow(flow);
    (flow.answer(&option, at(nanoseconds), RATE), flow.arrive(option.psntp, at(nanoseconds)))
}

fn with_shard(flows: usize, settings: Settings, test: impl FnOnce(Shard<'_>)) {
    let mut memory = vec![0; Shard::memory_for(flows, settings.log_packets)];
    test(Shard::new(&mut memory, settings).unwrap());
}

#[test]
fn appendix_c_1_from_host_a() {
    with_shard(4, settings(25, None, 64), |mut shard| {
        let (key, hash) = (key(1), shard.hash(&key(1)));
        let flow = shard.create(hash, &key, at(0)).unwrap();
        let first = shard.flow(flow).depart(at(0), RATE);
        assert_eq!(first, option(25, 0, 0));
        assert_eq!(shard.flow(flow).local_delay(at(0)), None);

        let (answer, progress) = receive(&mut shard, flow, option(12, 25, 4 * SECOND), 12 * SECOND);
        assert_eq!(progress, Progress::Forward { lost: 0 });
        let Answer::Measured(RoundTrip { total_ns, server_ns, network_ns }) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(total_ns, 12e9);
        assert_eq!([server_ns, network_ns].map(f64::floor), [3_999_970_525.0, 8_000_029_474.0]);

        assert_eq!(shard.flow(flow).local_delay(at(12 * SECOND)), Some(Span::default()));
        let second = shard.flow(flow).depart(at(12 * SECOND), RATE);
        let twelve = ScaledTime { mantissa: 0xa688, scale: 48 };
        assert_eq!(second, PdmOption { delta_tls: twelve, ..option(26, 12, 0) });
        assert_eq!(shard.flow(flow).local_delay(at(13 * SECOND)), None);
        assert_eq!(shard.find(hash, &key, at(12 * SECOND)), Some(flow));
    });
}

#[test]
fn only_the_first_answer_counts_and_strangers_none() {
    with_shard(4, settings(100, None, 64), |mut shard| {
        let flow = shard.create(shard.hash(&key(1)), &key(1), at(0)).unwrap();
        shard.flow(flow).depart(at(0), RATE);
        shard.flow(flow).depart(at(1000), RATE);
        let mut answer =
            |psntp, psnlr, delta| receive(&mut shard, flow, option(psntp, psnlr, delta), 100_000).0;
        assert_eq!(answer(1, 0, 0), Answer::None, "nothing received yet");
        assert_eq!(answer(2, 102, 5), Answer::NeverSent);
        assert_eq!(answer(3, 99, 5), Answer::NeverSent);
        assert!(matches!(answer(4, 101, 5), Answer::Measured(_)));
        assert_eq!(answer(5, 101, 5), Answer::None, "answered before");
        assert_eq!(answer(6, 100, 5), Answer::None, "older than what was answered");
    });
}

#[test]
fn more_in_flight_than_the_log_holds_is_forgotten_not_wrong() {
    with_shard(4, settings(0, None, 64), |mut shard| {
        let flow = shard.create(shard.hash(&key(1)), &key(1), at(0)).unwrap();
        for sent in 0..5000 {
            shard.flow(flow).depart(at(sent), RATE);
        }
        assert_eq!(receive(&mut shard, flow, option(1, 1, 0), 10_000).0, Answer::Forgotten);
        let newest = receive(&mut shard, flow, option(2, 4999, 0), 10_000).0;
        let Answer::Measured(RoundTrip { total_ns, .. }) = newest else { panic!("{newest:?}") };
        assert_eq!(total_ns, 5001.0);
    });
}

#[test]
fn a_native_hosts_numbers_take_the_place_of_ours() {
    with_shard(4, settings(7, None, 64), |mut shard| {
        let flow = shard.create(shard.hash(&key(1)), &key(1), at(0)).unwrap();
        shard.flow(flow).depart(at(0), RATE);
        assert!(!shard.flow(flow).is_native());
        shard.flow(flow).depart_native(&option(500, 0, 0), at(10));
        shard.flow(flow).depart_native(&option(503, 0, 0), at(20));
        shard.flow(flow).depart_native(&option(499, 0, 0), at(30));
        assert!(shard.flow(flow).is_native());
        let mut answer = |psnlr| receive(&mut shard, flow, option(psnlr, psnlr, 0), 100_000).0;
        assert_eq!(answer(7), Answer::NeverSent, "ours no longer counts");
        assert!(matches!(answer(499), Answer::Measured(_)));
        assert!(matches!(answer(500), Answer::Measured(_)));
        assert_eq!(answer(502), Answer::Forgotten);
        assert!(matches!(answer(503), Answer::Measured(_)));
        assert_eq!(answer(504), Answer::NeverSent);
    });
}

#[test]
fn a_full_table_refuses_and_keeps_what_it_has() {
    with_shard(8, settings(0, Some(10 * SECOND), 64), |mut shard| {
        let mut created = Vec::new();
        for port in 0..100 {
            let hash = shard.hash(&key(port));
            assert_eq!(shard.has_room(hash), port < 8);
            match shard.create(hash, &key(port), at(0)) {
                Ok(flow) => created.push((port, flow)),
                Err(Full) => assert_eq!(created.len(), 8),
            }
        }
        for &(port, flow) in &created {
            assert_eq!(shard.find(shard.hash(&key(port)), &key(port), at(10 * SECOND)), Some(flow));
        }
        let full = shard.census();
        assert_eq!(full, Census { live: 8, created: 8, refused: 92, ..Census::default() });

        shard.sweep(at(11 * SECOND), 3, None);
        assert_eq!(shard.census(), Census { live: 5, expired: 3, ..full });
        shard.sweep(at(11 * SECOND), 5, None);
        assert_eq!(shard.census(), Census { live: 0, expired: 8, ..full });
        assert!(shard.create(shard.hash(&key(50)), &key(50), at(11 * SECOND)).is_ok());
    });
}

#[test]
fn where_flows_make_room_the_idlest_near_goes() {
    let settings = Settings { when_full: WhenFull::Evict, ..settings(0, None, 64) };
    with_shard(8, settings, |mut shard| {
        for port in 0..100 {
            assert!(shard.has_room(shard.hash(&key(port))));
            shard.create(shard.hash(&key(port)), &key(port), at(port.into())).unwrap();
        }
        assert_eq!(shard.census(), Census { live: 8, created: 100, evicted: 92, ..Census::default() });
        let newest = key(99);
        assert!(shard.find(shard.hash(&newest), &newest, at(100)).is_some());
    });
}

#[test]
fn a_flow_that_was_idle_too_long_starts_anew() {
    with_shard(8, settings(0, Some(SECOND), 64), |mut shard| {
        let hash = shard.hash(&key(1));
        let flow = shard.create(hash, &key(1), at(0)).unwrap();
        shard.flow(flow).arrive_plain(at(SECOND));
        let mut confirmed = |now| {
            let horizon = shard.horizon(at(now));
            shard.confirm(flow, &key(1), Side::Wire, horizon).is_some()
        };
        assert_eq!([SECOND / 2, 2 * SECOND, 2 * SECOND + 1].map(&mut confirmed), [true, true, false]);
        assert_eq!(shard.find(hash, &key(1), at(2 * SECOND)), Some(flow), "as long as its lifetime");
        assert_eq!(shard.find(hash, &key(1), at(2 * SECOND + 1)), None);
        assert_eq!(shard.census(), Census { created: 1, expired: 1, ..Census::default() });
    });
}

/// What came without an option after one with it moves no receive time that options tell, but keeps the flow alive.
#[test]
fn packets_without_an_option_keep_a_flow_alive_too() {
    with_shard(8, settings(0, Some(SECOND), 64), |mut shard| {
        let (key, hash) = (key(1), shard.hash(&key(1)));
        let flow = shard.create(hash, &key, at(0)).unwrap();
        receive(&mut shard, flow, option(5, 0, 0), 0);
        shard.flow(flow).arrive_plain(at(SECOND));
        assert_eq!(shard.flows(at(2 * SECOND)).next().unwrap().idle, Span::from_ticks(SECOND));
        shard.sweep(at(2 * SECOND), 1, None);
        assert_eq!(shard.find(hash, &key, at(2 * SECOND)), Some(flow));
        assert_eq!(shard.find(hash, &key, at(2 * SECOND + 1)), None);
    });
}

/// Either side keeps it alive, and each is asked about packets of its own.
#[test]
fn a_flow_of_which_one_side_is_silent_is_not_over() {
    with_shard(8, settings(0, Some(SECOND), 64), |mut shard| {
        let (key, hash) = (key(1), shard.hash(&key(1)));
        let flow = shard.create(hash, &key, at(0)).unwrap();
        shard.flow(flow).depart(at(3 * SECOND), RATE);
        let horizon = shard.horizon(at(4 * SECOND));
        let confirmed =
            [Side::Host, Side::Wire].map(|side| shard.confirm(flow, &key, side, horizon).is_some());
        assert_eq!(confirmed, [true, false], "that nothing was received for long says nothing yet");
        assert_eq!(shard.find(hash, &key, at(4 * SECOND)), Some(flow));
    });
}

#[test]
fn packets_are_counted_however_often_their_numbers_come_round() {
    const PACKETS: u32 = 200_000;
    with_shard(4, settings(65_000, None, 64), |mut shard| {
        let flow = shard.create(shard.hash(&key(1)), &key(1), at(0)).unwrap();
        let sent = |shard: &Shard<'_>| shard.flows(at(0)).next().unwrap().sent;
        for packets in 1..=PACKETS {
            shard.flow(flow).depart(at(packets.into()), RATE);
            assert_eq!(sent(&shard), packets);
        }
        // The host's own numbers are counted from the beginning.
        for (psn, packets) in [(7, 1), (9, 3), (8, 3), (5, 5), (9 + 30_000, 30_005), (9 + 60_000, 60_005)] {
            shard.flow(flow).depart_native(&option(psn, 0, 0), at(u64::from(PACKETS) + 1));
            assert_eq!(sent(&shard), packets, "{psn}");
        }
    });
}

#[test]
fn of_very_many_packets_at_one_time_the_first_ones_are_forgotten() {
    with_shard(4, settings(0, None, 64), |mut shard| {
        let flow = shard.create(shard.hash(&key(1)), &key(1), at(0)).unwrap();
        for _ in 0..300 {
            shard.flow(flow).depart(at(5), RATE);
        }
        shard.flow(flow).depart(at(10), RATE);
        let mut answer = |psnlr| receive(&mut shard, flow, option(psnlr, psnlr, 1), 1000).0;
        assert_eq!(answer(44), Answer::Forgotten);
        assert!(matches!(answer(45), Answer::Measured(_)), "the first of 255");
        assert!(matches!(answer(299), Answer::Measured(_)));
        assert!(matches!(answer(300), Answer::Measured(_)));
        assert_eq!(answer(301), Answer::NeverSent);
    });
}

#[test]
fn too_little_memory_says_how_much_is_needed() {
    let mut memory = vec![0; 1000];
    let needed = Shard::memory_for(1, 64);
    let Err(error) = Shard::new(&mut memory, settings(0, None, 64)) else { panic!() };
    let message = error.to_string();
    assert!(message.contains(&format!("at least {needed}")), "{message}");
    let mut memory = vec![0; needed];
    assert!(Shard::new(&mut memory, settings(0, None, 64)).is_ok());
}

/// Found by reading: where there was room for the send log and nothing else a bucket was cut off all the same.
#[test]
fn no_size_of_memory_that_is_too_small_panics() {
    // Where the memory starts costs up to a cache line less one octet.
    let surely_too_little = Shard::memory_for(1, 64) - 64;
    for octets in 0..surely_too_little {
        assert!(Shard::new(&mut vec![0; octets], settings(0, None, 64)).is_err(), "{octets} octets");
    }
}

/// A shard's flow `port` that sent a packet at `sent` and had an answer at `answered`, which says that three others
/// were lost, and that the server took a second.
fn talk(shard: &mut Shard<'_>, port: u16, sent: u64, answered: u64) {
    let flow = shard.create(shard.hash(&key(port)), &key(port), at(sent)).unwrap();
    let psn = shard.flow(flow).depart(at(sent), RATE).psntp;
    receive(shard, flow, option(5, 0, 0), sent);
    receive(shard, flow, option(9, psn.get(), SECOND), answered);
    shard.flow(flow).arrive_plain(at(answered));
}

#[test]
fn a_record_tells_what_a_flow_has_been_through() {
    with_shard(4, settings(0, None, 64), |mut shard| {
        talk(&mut shard, 1, 0, 3 * SECOND);
        let records: Vec<FlowRecord> = shard.flows(at(5 * SECOND)).collect();
        let [record] = records[..] else { panic!("{records:?}") };
        assert_eq!((record.key, record.sent, record.received, record.lost), (key(1), 1, 3, 3));
        // In steps of 2^24 ns, which 5 s are no multiple of.
        assert_eq!(record.age, Span::from_ticks(((5 * SECOND) >> 24) << 24));
        assert_eq!(record.idle, Span::from_ticks(2 * SECOND));
        let (network, server) = (record.network_rtt.unwrap(), record.server_delay.unwrap());
        assert_eq!(network.recent_ns.next_multiple_of(1_000_000), 2 * SECOND + 1_000_000);
        assert_eq!((network.recent_ns, server.recent_ns), (network.longest_ns, server.longest_ns));
        assert_eq!(server.recent_ns.next_multiple_of(1_000_000), SECOND);
    });
}

#[test]
fn an_uncertain_answer_tells_of_the_server_alone_and_one_that_is_nonsense_of_nobody() {
    with_shard(4, settings(0, None, 64), |mut shard| {
        talk(&mut shard, 1, 0, SECOND);
        let delays = |shard: &Shard<'_>| {
            let record = shard.flows(at(SECOND)).next().unwrap();
            (
                record.network_rtt,
                record.server_delay.map(|delay| delay.longest_ns.next_multiple_of(1_000_000)),
            )
        };
        assert_eq!(delays(&shard), (None, Some(SECOND)));

        let flow = shard.find(shard.hash(&key(1)), &key(1), at(SECOND)).unwrap();
        let psn = shard.flow(flow).depart(at(SECOND), RATE).psntp;
        let (answer, _) = receive(&mut shard, flow, option(10, psn.get(), 2 * SECOND), 2 * SECOND);
        assert_eq!(answer, Answer::Nonsense);
        assert_eq!(delays(&shard), (None, Some(SECOND)));
    });
}

#[test]
fn flows_that_end_are_kept_until_they_are_taken() {
    let kept =
        Settings { keep_ended: true, when_full: WhenFull::Evict, ..settings(0, Some(10 * SECOND), 64) };
    with_shard(4, kept, |mut shard| {
        for port in 0..=4 {
            talk(&mut shard, port, u64::from(port), 100);
        }
        let evicted: Vec<Ended> = shard.ended(10).collect();
        assert_eq!(evicted.iter().map(|ended| ended.ending).collect::<Vec<_>>(), [Ending::Evicted]);
        assert_eq!(evicted[0].flow.received, 3);
        shard.sweep(at(20 * SECOND), 4, None);
        assert_eq!(shard.ended(3).map(|ended| ended.ending).collect::<Vec<_>>(), [Ending::Idle; 3]);
        assert_eq!(shard.ended(3).count(), 1);
        assert_eq!(shard.census(), Census { created: 5, expired: 4, evicted: 1, ..Census::default() });
    });
}

#[test]
fn a_survey_sees_every_flow_once_however_small_the_steps() {
    with_shard(100, settings(0, None, 1024), |mut shard| {
        for port in 0..50 {
            talk(&mut shard, port, 0, SECOND + u64::from(port + 1) * 100_000_000);
        }
        let mut survey = Survey::default();
        for step in 1..=17 {
            assert!(!survey.is_complete(), "{step}");
            shard.sweep(at(10 * SECOND), 3, Some(&mut survey));
        }
        assert!(survey.is_complete());
        let worst: Vec<u16> =
            survey.worst(WorstBy::NetworkRtt).iter().map(|flow| flow.key.local_port()).collect();
        assert_eq!(worst, (34..50).rev().collect::<Vec<_>>());
        assert_eq!(survey.worst(WorstBy::Loss).len(), 16);
    });
    with_shard(4, settings(0, None, 64), |mut empty| {
        let mut survey = Survey::default();
        empty.sweep(at(0), 3, Some(&mut survey));
        assert!(survey.is_complete(), "there is nothing to see");
    });
}

#[test]
fn a_survey_of_a_table_that_fills_misses_no_flow() {
    with_shard(100, settings(0, Some(60 * SECOND), 1024), |mut shard| {
        for port in 0..4 {
            talk(&mut shard, port, 0, SECOND);
        }
        shard.sweep(at(SECOND), 2, None);
        let mut survey = Survey::default();
        for port in 4..8 {
            talk(&mut shard, port, SECOND, 2 * SECOND);
            shard.sweep(at(2 * SECOND), 1, Some(&mut survey));
        }
        while !survey.is_complete() {
            shard.sweep(at(2 * SECOND), 1, Some(&mut survey));
        }
        let mut seen: Vec<u16> =
            survey.worst(WorstBy::Loss).iter().map(|flow| flow.key.local_port()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn who_does_not_measure_still_answers() {
    with_shard(4, settings(100, None, 64), |mut shard| {
        shard.set_measuring(false);
        let flow = shard.create(shard.hash(&key(1)), &key(1), at(0)).unwrap();
        shard.flow(flow).depart(at(0), RATE);
        let told = receive(&mut shard, flow, option(9, 100, 5), 1000);
        assert_eq!(told, (Answer::None, Progress::IN_ORDER));
        assert_eq!(shard.flow(flow).depart(at(1000), RATE).psnlr, Psn::new(9));
    });
}

#[test]
fn random_starts_differ_and_follow_their_seed() {
    let starts = |seed| {
        let mut first = Vec::new();
        let settings = Settings { psn_start: PsnStart::random([seed; 32]), ..settings(0, None, 64) };
        with_shard(16, settings, |mut shard| {
            for port in 0..16 {
                let flow = shard.create(shard.hash(&key(port)), &key(port), at(0)).unwrap();
                first.push(shard.flow(flow).depart(at(0), RATE).psntp.get());
            }
        });
        first
    };
    assert_eq!(starts(1), starts(1));
    assert_ne!(starts(1), starts(2));
    assert!(starts(1).iter().any(|&psn| psn != starts(1)[0]));
}

#[derive(Debug, Clone)]
enum Operation {
    Send(u16),
    Receive(u16),
    /// Receives a packet with an option, of which two others were lost since the last one.
    Lose(u16),
    Wait(u64),
    Sweep(usize),
    Survey,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..40_u16).prop_map(Operation::Send),
        4 => (0..40_u16).prop_map(Operation::Receive),
        4 => (0..40_u16).prop_map(Operation::Lose),
        2 => (0..SECOND).prop_map(Operation::Wait),
        2 => (0..20_usize).prop_map(Operation::Sweep),
        1 => Just(Operation::Survey),
    ]
}

/// What the shard must know of one flow.
#[derive(Default)]
struct Model {
    sent: u16,
    received: u32,
    lost: u32,
    /// The last number that the peer used.
    peer: Option<u16>,
    last_seen: u64,
}

const LIFETIME: u64 = SECOND;
const CAPACITY: usize = 16;

/// A shard, and beside it a plain map with the same clock, which holds a flow until the shard says that it has ended.
struct SideBySide<'m> {
    shard: Shard<'m>,
    evicts: bool,
    flows: HashMap<u16, Model>,
    now: u64,
    /// The survey under way, and the flows with loss that were there at its beginning and are still.
    survey: Option<(Survey, Vec<u16>)>,
}

impl SideBySide<'_> {
    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Wait(time) => self.now += time,
            Operation::Sweep(budget) => self.sweep(budget),
            Operation::Survey if self.survey.is_none() => {
                let with_loss = self.flows.iter().filter(|(_, flow)| flow.lost > 0);
                self.survey = Some((Survey::default(), with_loss.map(|(&port, _)| port).collect()));
            }
            Operation::Survey => {}
            Operation::Send(port) => self.with_flow(port, |shard, flow, model, now| {
                assert_eq!(shard.flow(flow).depart(at(now), RATE).psntp, Psn::new(model.sent));
                model.sent += 1;
            }),
            Operation::Receive(port) => self.with_flow(port, |shard, flow, model, now| {
                shard.flow(flow).arrive_plain(at(now));
                model.received += 1;
            }),
            Operation::Lose(port) => self.with_flow(port, |shard, flow, model, now| {
                let lost = if model.peer.is_some() { 2 } else { 0 };
                let psntp = model.peer.map_or(0, |peer| peer + 3);
                let (_, progress) = receive(shard, flow, option(psntp, 0, 0), now);
                assert_eq!(progress, Progress::Forward { lost });
                (model.peer, model.received) = (Some(psntp), model.received + 1);
                model.lost += u32::from(lost);
            }),
        }
        self.compare();
    }

    /// Finds or creates the flow of `port`, and does `something` to it.
    fn with_flow(&mut self, port: u16, something: impl FnOnce(&mut Shard<'_>, FlowId, &mut Model, u64)) {
        let (key, hash) = (key(port), self.shard.hash(&key(port)));
        let found = self.shard.find(hash, &key, at(self.now));
        self.take_ended(Ending::Idle);
        assert_eq!(found.is_some(), self.flows.contains_key(&port));
        assert!(found.is_none() || !self.is_over(&self.flows[&port]));
        let flow = found.or_else(|| self.create(port));
        if let Some(flow) = flow {
            let model = self.flows.entry(port).or_default();
            model.last_seen = self.now;
            something(&mut self.shard, flow, model, self.now);
        }
    }

    fn create(&mut self, port: u16) -> Option<FlowId> {
        let (key, hash) = (key(port), self.shard.hash(&key(port)));
        let (is_full, has_room) = (self.flows.len() == CAPACITY, self.shard.has_room(hash));
        let created = self.shard.create(hash, &key, at(self.now));
        let evicted = self.take_ended(Ending::Evicted);
        assert_eq!(has_room, created.is_ok());
        assert_eq!(evicted, usize::from(is_full && created.is_ok()));
        // Where flows make room one may still find nobody near who could.
        assert!(if self.evicts { is_full || has_room } else { is_full != has_room });
        created.ok()
    }

    fn sweep(&mut self, budget: usize) {
        self.shard.sweep(at(self.now), budget, self.survey.as_mut().map(|(survey, _)| survey));
        self.take_ended(Ending::Idle);
        if let Some((survey, expected)) = self.survey.take_if(|(survey, _)| survey.is_complete()) {
            let seen = survey.worst(WorstBy::Loss).iter().map(|flow| flow.key.local_port());
            for port in expected {
                assert_eq!(seen.clone().filter(|&seen| seen == port).count(), 1, "flow {port}");
            }
        }
    }

    fn is_over(&self, flow: &Model) -> bool {
        self.now - flow.last_seen > LIFETIME
    }

    /// Takes the flows that have ended out of the map, too, and returns how many there were.
    fn take_ended(&mut self, expected: Ending) -> usize {
        let all: Vec<_> = self.shard.ended(usize::MAX).collect();
        for Ended { flow: record, ending } in &all {
            let port = record.key.local_port();
            let flow = self.flows.remove(&port).unwrap();
            self.assert_same(record, &flow);
            assert_eq!(*ending, expected);
            assert!(*ending == Ending::Evicted || self.is_over(&flow));
            if let Some((_, expected)) = &mut self.survey {
                expected.retain(|&expected| expected != port);
            }
        }
        all.len()
    }

    fn assert_same(&self, record: &FlowRecord, flow: &Model) {
        let idle = Span::from_ticks(self.now - flow.last_seen);
        let expected = (u32::from(flow.sent), flow.received, flow.lost, idle);
        assert_eq!((record.sent, record.received, record.lost, record.idle), expected);
    }

    /// Everything that can be asked at any time.
    fn compare(&self) {
        let records: Vec<_> = self.shard.flows(at(self.now)).collect();
        assert_eq!(records.len(), self.flows.len());
        for record in records {
            self.assert_same(&record, &self.flows[&record.key.local_port()]);
        }
        let census = self.shard.census();
        assert_eq!(usize::try_from(census.live), Ok(self.flows.len()));
        assert_eq!(census.created, census.live + census.expired + census.evicted);
        assert_eq!(census.unreported, 0);
    }
}

proptest! {
    /// Against a plain map with the same clock. The shard may keep what is over until it looks, and a flow that is over
    /// may stand in a new one's way; else they agree on every flow and every number, and on what became of each.
    #[test]
    fn it_is_a_map_of_flows(evicts: bool, operations in prop::collection::vec(operation(), 0..300)) {
        let when_full = if evicts { WhenFull::Evict } else { WhenFull::Refuse };
        let settings = Settings { when_full, keep_ended: true, ..settings(0, Some(LIFETIME), 64) };
        with_shard(CAPACITY, settings, |shard| {
            let mut both = SideBySide { shard, evicts, flows: HashMap::new(), now: 0, survey: None };
            operations.iter().for_each(|operation| both.apply(operation));
            both.sweep(CAPACITY);
            assert!(both.flows.values().all(|flow| !both.is_over(flow)));
            both.compare();
        });
    }
}
