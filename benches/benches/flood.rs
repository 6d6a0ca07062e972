//! 100 million packets of distinct flows against a table of 64 MiB in which 1,000 flows are established and go on talking.
//!
//! Calm and flood take turns. It fails when memory grows, an established flow loses its state or a sample, or a stranger is
//! neither let in nor refused; what a packet of the established flows costs is told, with a verdict.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant as Wall};

use dataplane::{Clock, Engine};
use flow::{KeyHasher, PsnStart, Settings, Shard, Side, Span};
use memmap2::MmapMut;
use pdmline_benches::bump::{Ticking, engine, process};
use pdmline_benches::pages::Pages;
use pdmline_benches::results::Page;
use pdmline_benches::ring::{Buffer, ring};
use pdmline_benches::rounds::{Costs, median, per_packet, times};
use pdmline_benches::strangers::{Guise, Strangers};
use pdmline_benches::talk::Talk;
use stats::{Collector, Counts, Metric};

/// Octets of the table.
const MEMORY: usize = 64 << 20;

const ESTABLISHED: usize = 1_000;

/// Packets of strangers, at the least.
const FLOOD: u32 = 100_000_000;

/// How many times as much an established flow's packet may cost during the flood.
const BOUND: f64 = 2.0;

/// Bursts of questions, and of answers, that are timed together.
const TALK_BURSTS: usize = 8;

/// Bursts of strangers after the questions, and after the answers: none, or 16 times as many packets as those.
const CALM: usize = 0;
const FLOOD_BURSTS: usize = 128;

/// Rounds of questions and answers in a spell, calm or not. The first ones, which find the cache as the spell before
/// left it, do not count.
const ROUNDS: usize = 100;
const WARM_UP: usize = 10;

/// Calm spells before the first stranger.
const CALM_BEFORE: usize = 50;

/// Nanoseconds that the clock moves with each reading: of so many packets that the flood is longer than a flow lives.
const STEP: Span = Span::from_ticks(20_000);

const LIFETIME: Span = Span::from_ticks(60_000_000_000);

/// Entries that a worker looks at after each burst.
const SWEEP_BUDGET: usize = 8;

/// KiB by which the kernel's count of our pages may be wrong, for it keeps a part of that for each core.
const RSS_SLACK: u64 = 1024;

/// The appliance, and everybody around it.
struct Scene<'m> {
    engine: Engine<'m>,
    clock: Ticking,
    talk: Talk,
    strangers: Strangers,
    talkers_buffers: Vec<Buffer>,
    strangers_buffers: Vec<Buffer>,
    answers: u64,
}

impl<'m> Scene<'m> {
    fn new(memory: &'m mut MmapMut, guise: Guise) -> Self {
        let settings = Settings {
            lifetime: Some(LIFETIME),
            ..Settings::new(KeyHasher::new([1, 2, 3, 4]), PsnStart::random([5; 32]))
        };
        Self {
            engine: engine(Shard::new(memory, settings).expect("the memory is large enough")),
            clock: Ticking::by(STEP),
            talk: Talk::on(ESTABLISHED),
            strangers: Strangers::new(guise),
            talkers_buffers: ring(TALK_BURSTS),
            strangers_buffers: ring(1),
            answers: 0,
        }
    }

    /// What an established flow's packet costs in a spell in which so many bursts of strangers come after the questions,
    /// and after the answers.
    fn spell(&mut self, bursts: usize) -> f64 {
        let costs: Costs = (0..ROUNDS).map(|_| self.round(bursts)).collect();
        median(&costs[WARM_UP..])
    }

    /// What it costs in one round.
    fn round(&mut self, bursts: usize) -> f64 {
        let questions = self.ask();
        self.flood(bursts);
        let answers = self.answer();
        self.flood(bursts);
        per_packet(questions + answers, 2 * self.talkers_buffers.len())
    }

    fn ask(&mut self) -> Duration {
        self.talk.ask(&mut self.talkers_buffers);
        let time = self.process_talk(Side::Host);
        self.talk.asked(&self.talkers_buffers);
        time
    }

    fn answer(&mut self) -> Duration {
        self.talk.answer(&mut self.talkers_buffers);
        self.answers += self.talkers_buffers.len() as u64;
        let time = self.process_talk(Side::Wire);
        assert!(self.talkers_buffers.iter().all(|buffer| buffer.option().is_none()), "hosts see no option");
        time
    }

    fn process_talk(&mut self, side: Side) -> Duration {
        let start = Wall::now();
        process(&mut self.engine, &mut self.talkers_buffers, side, &self.clock);
        let time = start.elapsed();
        self.engine.sweep(self.clock.now(), TALK_BURSTS * SWEEP_BUDGET, None);
        time
    }

    fn flood(&mut self, bursts: usize) {
        for _ in 0..bursts {
            let side = self.strangers.come(&mut self.strangers_buffers);
            process(&mut self.engine, &mut self.strangers_buffers, side, &self.clock);
            self.engine.sweep(self.clock.now(), SWEEP_BUDGET, None);
        }
    }

    /// Answers that gave a sample.
    fn samples(&self) -> u64 {
        let mut collector = Collector::new(1);
        collector.fold(self.engine.recorders());
        collector.summary(Metric::TotalRtt).map_or(0, |summary| summary.count)
    }
}

/// What a flood cost, and what was counted.
struct Outcome {
    before: f64,
    calm: Costs,
    flood: Costs,
    counts: Counts,
    strangers: u32,
    answers: u64,
    resident: [u64; 2],
}

/// Lets strangers of `guise` come, and holds the appliance to its promises.
fn flood_of(guise: Guise) -> Outcome {
    let mut memory = Pages::Advised.map(MEMORY);
    let mut scene = Scene::new(&mut memory, guise);
    let before = median(&(0..CALM_BEFORE).map(|_| scene.spell(CALM)).collect::<Costs>());
    let [mut calm, mut flood] = [Costs::new(), Costs::new()];
    let mut resident_when_full = 0;
    while scene.strangers.count() < FLOOD {
        calm.push(scene.spell(CALM));
        flood.push(scene.spell(FLOOD_BURSTS));
        if resident_when_full == 0 && scene.engine.counters().now().flows_refused > 0 {
            resident_when_full = resident();
        }
    }
    let counts = scene.engine.counters().now();
    let (strangers, answers) = (scene.strangers.count(), scene.answers);
    let resident = [resident_when_full, resident()];

    assert!(resident[0] > 0, "the table was full");
    assert!(resident[1] <= resident[0] + RSS_SLACK, "memory grows: {resident:?} KiB");
    assert_eq!(counts.flows_created + counts.flows_refused, u64::from(strangers) + ESTABLISHED as u64);
    assert_eq!(counts.flows_live, counts.flows_created - counts.flows_expired);
    assert_eq!(counts.flows_evicted, 0);
    assert_eq!(scene.samples(), answers, "every answer gives a sample");
    assert_eq!((counts.never_sent, counts.forgotten, counts.nonsense, counts.lost), (0, 0, 0, 0));
    Outcome { before, calm, flood, counts, strangers, answers, resident }
}

/// The process's memory, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says how large it is");
    line.trim().trim_end_matches(" kB").parse().expect("a size is a number")
}

/// A row of what a packet of the established flows cost.
fn costs(who: &str, outcome: &Outcome) -> [String; 5] {
    let ratio = times(&outcome.flood, &outcome.calm);
    let [calm, flood] = [&outcome.calm, &outcome.flood].map(|costs| format!("{:.1}", median(costs)));
    [who.to_owned(), format!("{:.1}", outcome.before), calm, flood, format!("{ratio:.2}")]
}

/// A row of what was counted.
fn counts(who: &str, outcome: &Outcome) -> [String; 7] {
    let Outcome { counts, strangers, answers, resident: [when_full, at_the_end], .. } = outcome;
    let numbers =
        [(*strangers).into(), counts.flows_refused, counts.flows_created, counts.flows_expired, *answers];
    let [strangers, refused, created, expired, answers] = numbers.map(|number| number.to_string());
    let resident = format!("{when_full}, {at_the_end}");
    [who.to_owned(), strangers, refused, created, expired, answers, resident]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut page = Page::new("flood", "100 million packets of distinct flows against 1,000 established ones");
    let floods = [
        ("random addresses and ports", flood_of(Guise::Random)),
        ("established flows' addresses, other ports", flood_of(Guise::Alike)),
    ];
    page.say(
        "A table of 64 MiB, flows that live 60 s, refusal when it is full. Strangers come from the hosts, from the wire, and \
         from the wire with options, by turns, 16 for each packet of the established flows. For each of the latter's \
         packets, half of them questions and half of them answers, in nanoseconds: before any stranger came, in calm \
         between floods, in floods, and how many times the calm that is; medians over spells that took turns.",
    );
    page.table(
        ["strangers", "before", "calm", "flood", "times"],
        floods.iter().map(|(who, outcome)| costs(who, outcome)),
    );
    for (who, outcome) in &floods {
        let ratio = times(&outcome.flood, &outcome.calm);
        let verdict = if ratio < BOUND { "kept" } else { "missed" };
        page.say(format!("{who}: {ratio:.2} times, bound {BOUND:.1}: {verdict}."));
    }
    page.say(
        "Every stranger was let in or refused (with the 1,000, refused and created make the number of strangers), no number \
         of an established flow was left out, each of their answers gave a sample, and memory did not grow.",
    );
    page.table(
        [
            "strangers",
            "packets",
            "refused",
            "created",
            "expired",
            "answers = samples",
            "resident when full, at the end (KiB)",
        ],
        floods.iter().map(|(who, outcome)| counts(who, outcome)),
    );
    page.publish()?;
    Ok(())
}
