//! How long a packet is inside, at half of the rate that the worker can do: by the worker's own histogram, and by a generator
//! on the other core that keeps a pace and has the box between two virtio-user ports.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use dataplane::{Clock, Engine, Idle, Mailbox, Rules, Telling, Worker};
use dpdk::{Calibrator, Pool, QueuePair, TscClock};
use flow::{Side, Span};
use pdmline_benches::bump::rule;
use pdmline_benches::generator::{Generator, Pace};
use pdmline_benches::lent::Lent;
use pdmline_benches::pages::SetAside;
use pdmline_benches::results::Page;
use pdmline_benches::rounds::{Costs, median};
use pdmline_benches::{Machine, memory, shard, way};
use stats::{Collector, Counts, Metric, Summary};

const FLOWS: u32 = 1024;

/// Rounds, in each of which both subjects have their turn: as fast as they can, and at a pace.
const UTMOST_ROUNDS: usize = 9;
const ROUNDS: usize = 41;

/// How long each is measured in a round, and runs before.
const MEASURED: Duration = Duration::from_millis(300);
const WARM_UP: Duration = Duration::from_millis(100);

/// What forwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// An option goes into every packet.
    Inserting,
    /// No rule: every packet leaves as it came.
    Empty,
}

impl Subject {
    const ALL: [Self; 2] = [Self::Inserting, Self::Empty];

    fn name(self) -> &'static str {
        match self {
            Self::Inserting => "inserting",
            Self::Empty => "no rule",
        }
    }

    fn rules(self) -> Rules {
        Rules::new(if self == Self::Inserting { vec![rule()] } else { vec![] })
    }
}

/// The box: one worker between two ports, and the flows that it knows.
struct Appliance<'a> {
    machine: &'a Machine,
    clock: TscClock,
    host: QueuePair<'a>,
    wire: QueuePair<'a>,
}

/// What the worker found meanwhile.
struct Found {
    counts: Counts,
    residence: Option<Summary>,
}

impl Appliance<'_> {
    /// Forwards as `subject` while the generator does `work`.
    fn forward<R>(&mut self, subject: Subject, work: impl FnOnce() -> R) -> (R, Found) {
        let Self { machine, clock, host, wire } = self;
        let mut memory = memory(FLOWS as usize);
        let engine = Engine::new(shard(&mut memory, FLOWS), subject.rules(), Arc::default());
        let (telling, _listening) = Telling::of(&engine, Span::from_ticks(u64::MAX));
        let ways = vec![
            way(Side::Host, Lent(&mut host.rx), Lent(&mut wire.tx)),
            way(Side::Wire, Lent(&mut wire.rx), Lent(&mut host.tx)),
        ];
        let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock.clone(), telling);
        let stop = &AtomicBool::new(false);
        machine.eal.scope(|scope| {
            let launched = scope.launch(Machine::WORKER, move || {
                worker.run(Idle::Spin, stop);
                Found::of(&worker.into_engine(), subject)
            });
            let done = work();
            stop.store(true, Relaxed);
            let found = launched.expect("the core is free").join();
            (done, found.expect("the worker does not panic"))
        })
    }
}

impl Found {
    fn of(engine: &Engine<'_>, subject: Subject) -> Self {
        let mut collector = Collector::new(subject.rules().count());
        collector.fold(engine.recorders());
        Self { counts: engine.counters().now(), residence: collector.summary(Metric::Residence) }
    }
}

/// The two ends of a wire: the appliance's port and the generator's.
fn wire<'a>(machine: &'a Machine, pool: &Pool<'a>, number: usize, folder: &Path) -> [QueuePair<'a>; 2] {
    let socket = folder.join(number.to_string());
    let devices =
        [format!("net_vhost{number},iface="), format!("net_virtio_user{number},queue_size=1024,path=")];
    devices.map(|device| {
        let device = format!("{device}{}", socket.display());
        machine.open(&device, pool)
    })
}

/// The generator and the appliance.
struct Rig<'a> {
    generator: Generator<'a>,
    appliance: Appliance<'a>,
}

/// A subject's part of all rounds.
#[derive(Default)]
struct Outcome {
    /// Packets that came back, that the generator left out, and that the worker could not send.
    received: u64,
    left_out: u64,
    dropped: u64,
    inside: Vec<Summary>,
    there_and_back: Vec<Summary>,
    generators_rounds: Vec<Summary>,
}

impl Rig<'_> {
    /// Packets per second as fast as they are taken.
    fn utmost(&mut self, subject: Subject) -> f64 {
        let Self { generator, appliance } = self;
        let (heard, _) = appliance.forward(subject, || {
            generator.talk(Pace::Utmost, WARM_UP);
            generator.talk(Pace::Utmost, MEASURED)
        });
        heard.received as f64 / MEASURED.as_secs_f64()
    }

    /// What happens to packets that come at `pace`.
    fn at(&mut self, pace: Pace, subject: Subject, outcome: &mut Outcome) {
        let Self { generator, appliance } = self;
        let (heard, Found { counts, residence }) = appliance.forward(subject, || {
            generator.talk(pace, WARM_UP);
            generator.talk(pace, MEASURED)
        });
        let inserted = if subject == Subject::Inserting { counts.packets } else { 0 };
        assert_eq!(counts.inserted, inserted, "the subject does what it is there for");
        outcome.received += heard.received;
        outcome.left_out += heard.left_out;
        outcome.dropped += counts.dropped.iter().sum::<u64>();
        outcome.inside.extend(residence);
        outcome.there_and_back.extend(Summary::of(&heard.trips));
        outcome.generators_rounds.extend(Summary::of(&heard.rounds));
    }
}

/// In microseconds: the medians of what was found in all rounds, and the largest of all.
fn cells(rounds: &[Summary]) -> [String; 3] {
    let median_of = |number: fn(&Summary) -> u64| {
        let numbers: Costs = rounds.iter().map(|summary| number(summary) as f64).collect();
        median(&numbers)
    };
    let max = rounds.iter().map(|summary| summary.max_ns).max().unwrap_or_default() as f64;
    let nanos = [median_of(|summary| summary.p50_ns), median_of(|summary| summary.p99_ns), max];
    nanos.map(|nanos| format!("{:.2}", nanos / 1e3))
}

fn report(mut page: Page, utmost: &[Costs; 2], outcomes: &[Outcome; 2]) -> std::io::Result<()> {
    let time = MEASURED.as_secs_f64() * ROUNDS as f64;
    let megas = |rate: f64| format!("{:.2}", rate / 1e6);
    page.say(
        "What came back at the utmost, and the pace that was kept, in million packets per second; packets that were due and \
         that the generator left out since it was late, and those that the worker dropped since they were not fetched in time.",
    );
    page.table(
        ["forwarding", "utmost", "pace", "left out", "dropped"],
        Subject::ALL.into_iter().zip(utmost).zip(outcomes).map(|((subject, utmost), outcome)| {
            let [utmost, pace] = [median(utmost), outcome.received as f64 / time].map(megas);
            let Outcome { left_out, dropped, .. } = outcome;
            [subject.name().to_owned(), utmost, pace, left_out.to_string(), dropped.to_string()]
        }),
    );
    page.say(format!(
        "Microseconds inside, by the worker's own histogram (from receiving a burst until it is sent), from the generator's \
         sending to its receiving, and of the generator's own rounds: it may notice a packet too late by one. Medians of \
         {ROUNDS} rounds, and the maximum of all.",
    ));
    page.table(
        ["forwarding", "what", "p50", "p99", "max"],
        Subject::ALL.into_iter().zip(outcomes).flat_map(|(subject, outcome)| {
            let rows = [
                ("inside", &outcome.inside),
                ("there and back", &outcome.there_and_back),
                ("a round of the generator's", &outcome.generators_rounds),
            ];
            rows.map(|(what, rounds)| {
                let [p50, p99, max] = cells(rounds);
                [subject.name().to_owned(), what.to_owned(), p50, p99, max]
            })
        }),
    );
    page.publish()
}

fn main() -> Result<(), Box<dyn Error>> {
    let page = Page::new("residence", "how long a packet is inside");
    let _set_aside = SetAside::for_regions([Machine::HUGE]);
    let machine = Machine::start();
    let pool = machine.pool();
    let folder = tempfile::tempdir()?;
    let clock = Calibrator::start()?.clock();
    let [[host, sends], [wire, hears]] = [0, 1].map(|number| wire(&machine, &pool, number, folder.path()));
    let generator = Generator::new(&pool, [sends, hears], clock.clone(), FLOWS);
    let appliance = Appliance { machine: &machine, clock: clock.clone(), host, wire };
    let mut rig = Rig { generator, appliance };

    let mut utmost = [Costs::new(), Costs::new()];
    for _ in 0..UTMOST_ROUNDS {
        Subject::ALL.iter().zip(&mut utmost).for_each(|(&subject, rates)| rates.push(rig.utmost(subject)));
    }
    let pace = clock.rate().span_of(Duration::from_secs_f64(2.0 / median(&utmost[0])));
    let mut outcomes = [Outcome::default(), Outcome::default()];
    for _ in 0..ROUNDS {
        for (subject, outcome) in Subject::ALL.into_iter().zip(&mut outcomes) {
            rig.at(Pace::Every(pace), subject, outcome);
        }
    }
    report(page, &utmost, &outcomes)?;
    Ok(())
}
