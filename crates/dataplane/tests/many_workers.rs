//! Several workers do together what one does alone, however their queues share the packets: for each flow and direction the
//! same octets in the same order, and over all the same flows, counts and delays. In one thread, in a seeded order.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

use dataplane::{Action, Clock, Packet};
use flow::Side;
use pdm::{Attos, PdmOption, Psn, ScaledTime};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use stats::{Counts, Metric, RuleId};
use support::crew::{Crew, Outcome, Plan, Spread, with_crew};
use support::stream::{EPOCH, FLOWS, Stream, label, pairs, rules, stream_settings};
use support::{MILLISECOND, PAIR, TestClock, frame, odd_frame, rule, settings};

const SEED: u64 = 8250;
const PACKETS: usize = 1_000_000;

/// What left with one label by one way: how many packets, and a digest of their octets in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Course {
    packets: u64,
    digest: u64,
}

impl Course {
    fn follow(&mut self, octets: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.digest);
        hasher.write(octets);
        *self = Self { packets: self.packets + 1, digest: hasher.finish() };
    }
}

/// The stream's passage through a crew.
struct Passage {
    /// By way and label.
    courses: HashMap<(usize, u32), Course>,
    outcome: Outcome,
    /// Packets that rules selected.
    selected: u64,
}

fn pass(workers: u16, spread: Spread) -> Passage {
    let plan =
        Plan { workers, spread, pairs: pairs(), rules: rules(), flows: usize::from(FLOWS), ring: EPOCH };
    let (mut stream, clock) = (Stream::new(SEED), TestClock::default());
    let mut dice = ChaCha12Rng::seed_from_u64(SEED);
    let (mut courses, mut selected) = (HashMap::<_, Course>::new(), 0);
    let run = |mut crew: Crew<'_, &TestClock>| {
        for _ in 0..PACKETS / EPOCH {
            let (now, samples) = stream.next_epoch();
            clock.0.set(now);
            for sample in samples {
                selected += u64::from(sample.selected);
                crew.ports.deliver(sample.way, &sample.frame);
            }
            crew.settle(&mut dice);
            for (way, packet) in crew.ports.take_sent() {
                courses.entry((way, label(packet.bytes()))).or_default().follow(packet.bytes());
            }
        }
        crew.end((&clock).now())
    };
    let outcome = with_crew(&plan, stream_settings, |_| &clock, run);
    Passage { courses, outcome, selected }
}

/// One worker does it all.
static ALONE: LazyLock<Passage> = LazyLock::new(|| pass(1, Spread::ToOwner));

/// What every way to share the work has to agree on.
fn shared(counts: &Counts) -> Counts {
    Counts { rounds: 0, handed_over: 0, taken_over: 0, ..*counts }
}

/// Lets crews do what one worker did alone; returns of each how many packets were handed over.
fn handed_over(spread: Spread) -> [u64; 4] {
    [2, 3, 4, 8].map(|workers| {
        let (alone, passage) = (&*ALONE, pass(workers, spread));
        let outcome = &passage.outcome;
        assert_eq!(passage.courses.len(), alone.courses.len(), "{workers} workers");
        for (at, course) in &alone.courses {
            assert_eq!(passage.courses[at], *course, "{workers} workers, way and label {at:?}");
        }
        assert_eq!(shared(&outcome.counts), shared(&alone.outcome.counts), "{workers} workers");
        assert_eq!(outcome.flows, alone.outcome.flows, "{workers} workers");
        for rule in (0..4).map(RuleId::new) {
            for metric in Metric::ALL {
                let [ours, theirs] = [outcome, &alone.outcome].map(|all| all.delays.histogram(rule, metric));
                assert!(ours == theirs, "{workers} workers, {metric:?} of {rule:?}");
            }
        }
        assert_eq!(outcome.counts.handed_over, outcome.counts.taken_over, "{workers} workers");
        outcome.counts.handed_over
    })
}

#[test]
fn the_stream_has_everything_that_does_not_depend_on_who_shares_a_table() {
    let Passage { courses, outcome, selected } = &*ALONE;
    let zero = outcome.counts.plain_ones().filter(|&(.., count)| count == 0).map(|(name, ..)| name);
    assert_eq!(
        zero.collect::<Vec<_>>(),
        [
            "handed_over",
            "taken_over",
            "flows_evicted",
            "flows_refused",
            "flows_unreported",
            "clock_backwards"
        ]
    );
    assert_eq!(outcome.counts.packets, PACKETS as u64);
    assert_eq!(courses.values().map(|course| course.packets).sum::<u64>(), PACKETS as u64);
    assert!(*selected > 900_000 && *selected < 990_000, "{selected}");
}

#[test]
fn packets_that_all_arrive_at_a_wrong_worker_come_out_as_from_one() {
    assert_eq!(handed_over(Spread::ToAnother), [ALONE.selected; 4]);
}

#[test]
fn packets_that_arrive_at_their_owners_come_out_as_from_one() {
    assert_eq!(handed_over(Spread::ToOwner), [0; 4]);
}

#[test]
fn packets_of_ports_that_tell_directions_apart_come_out_as_from_one() {
    let handed_over = handed_over(Spread::ByDirection);
    assert!(handed_over[0] > 0 && handed_over.is_sorted(), "{handed_over:?}");
}

#[test]
fn packets_of_ports_with_one_queue_come_out_as_from_one() {
    let handed_over = handed_over(Spread::ToFirst);
    assert!(handed_over[0] > 0 && handed_over.is_sorted(), "{handed_over:?}");
}

/// A crew of two, for the packets of one flow that each arrive at the other worker.
fn with_two<O>(clock: &TestClock, test: impl FnOnce(Crew<'_, &TestClock>) -> O) -> O {
    let (pairs, rules) = (vec![PAIR], vec![rule(Action::MEASURE)]);
    let plan = Plan { workers: 2, spread: Spread::ToAnother, pairs, rules, flows: 4, ring: 8 };
    with_crew(&plan, settings, |_| clock, test)
}

/// The option in `frame`.
fn option_of(frame: &[u8]) -> PdmOption {
    PdmOption::parse(frame[56..68].as_array().unwrap())
}

#[test]
fn packets_that_are_left_alone_for_their_options_do_not_overtake() {
    const UPPER: [u8; 8] = [0, 1, 0, 2, 0, 8, 0, 0];
    let marked_twice = [17, 1, 0x0f, 0, 0x0f, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let of_unknown_length = [17, 1, 0x0f, 2, 0, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let plain = odd_frame(17, &UPPER);
    let [twice, unknown] =
        [marked_twice, of_unknown_length].map(|options| odd_frame(60, &[&options[..], &UPPER].concat()));
    with_two(&TestClock::default(), |mut crew| {
        for frame in [&plain, &twice, &plain, &unknown, &plain] {
            crew.ports.deliver(0, frame);
        }
        crew.settle(&mut ChaCha12Rng::seed_from_u64(SEED));
        let sent: Vec<_> = crew.ports.take_sent().map(|(_, packet)| packet.bytes().to_vec()).collect();
        let [first, second, third, fourth, fifth] = &sent[..] else { panic!("{} packets", sent.len()) };
        assert_eq!([second, fourth], [&twice, &unknown]);
        assert_eq!([first, third, fifth].map(|frame| option_of(frame).psntp), [7, 8, 9].map(Psn::new));
        let counts = crew.end((&TestClock::default()).now()).counts;
        assert_eq!((counts.handed_over, counts.taken_over), (5, 5));
    });
}

#[test]
fn a_packet_that_is_handed_over_takes_its_time_along() {
    let clock = TestClock::default();
    with_two(&clock, |mut crew| {
        crew.ports.deliver(1, &frame(Side::Wire, 1, None));
        let receiver = crew.workers.iter_mut().position(|worker| worker.step() == 1).unwrap();
        clock.0.set(2 * MILLISECOND);
        crew.ports.deliver(1, &frame(Side::Wire, 1, None));
        assert_eq!(crew.workers[receiver].step(), 1);
        clock.0.set(5 * MILLISECOND);
        assert_eq!([1, 2, 3].map(|_| crew.workers[1 - receiver].step()), [1, 1, 0]);

        clock.0.set(7 * MILLISECOND);
        crew.ports.deliver(0, &frame(Side::Host, 1, None));
        crew.settle(&mut ChaCha12Rng::seed_from_u64(SEED));
        let (_, answer) = crew.ports.take_sent().next().unwrap();
        let since = ScaledTime::encode(Attos::new(5_000_000_000_000_000));
        assert_eq!(option_of(answer.bytes()).delta_tlr, since);
        let delays = crew.end((&clock).now()).delays;
        let residence = delays.histogram(RuleId::default(), Metric::Residence).unwrap();
        assert_eq!([0, 3, 5].map(|millis| residence.count_at(millis * MILLISECOND)), [1; 3]);
    });
}
