//! One worker as the program has it, and beside it what the program's control thread does, with all of it on.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dataplane::{Clock, Engine, FlowListener, Mailbox, Receive, Rules, Telling, Transmit, Way, Worker};
use dpdk::{Calibrator, TscClock};
use flow::{Settings, Shard, Side};
use stats::openmetrics::{Buckets, Exposition, Format};
use stats::{Counters, HistogramLog, Intervals, Metric, StatsCore};

use crate::bump::{PAIR, rule};
use crate::{Machine, Switching, memory, populate, settings};

/// How often recorders are exchanged and taken in.
const TICK: Duration = Duration::from_millis(100);

/// How often everything is exported.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a flow may be idle.
const LIFETIME: Duration = Duration::from_secs(60);

/// What became of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What the switching found.
    pub switching: Switching,
    /// Round trips that were measured.
    pub samples: u64,
}

/// A way from `side` of the one pair there is.
pub fn way<R, T>(from: Side, receive: R, transmit: T) -> Way<R, T> {
    Way::alone(PAIR, from, receive, transmit)
}

/// Lets a worker with `flows` flows in its table serve `ways`, and switches measuring on and off meanwhile.
///
/// # Panics
/// If the clock is unfit.
pub fn run<R, T>(machine: &Machine, flows: u32, ways: Vec<Way<R, T>>) -> Run
where
    R: Receive + Send,
    T: Transmit<Packet = R::Packet> + Send,
    R::Packet: Send,
{
    let calibrator = Calibrator::start().expect("the clock is fit");
    let clock = calibrator.clock();
    let mut memory = memory(flows as usize);
    let counters = Arc::new(Counters::default());
    let engine = engine(&mut memory, flows, &clock, &counters);
    let (telling, listening) = Telling::of(&engine, clock.rate().span_of(TICK));
    let mut core = StatsCore::new(vec!["bench".into()]);
    core.listen(Machine::WORKER, counters, listening.recorders);
    let mut worker = Worker::new(engine, ways, Mailbox::alone(), clock.clone(), telling);
    let mut control = Control::new(calibrator, core, listening.flows);
    machine.eal.scope(|scope| {
        let launched = scope.launch(Machine::WORKER, move || {
            let switching = Switching::of(&mut worker, &clock);
            (switching, worker.into_engine())
        });
        let launched = launched.expect("the core is free");
        while !launched.is_finished() {
            thread::sleep(TICK);
            control.tick();
        }
        let (switching, engine) = launched.join().expect("the worker does not panic");
        control.core.take_in_last(engine.recorders());
        Run { switching, samples: control.samples() }
    })
}

/// An engine whose flows are all there: they come by in another order than they lie in.
fn engine<'m>(memory: &'m mut [u8], flows: u32, clock: &TscClock, counters: &Arc<Counters>) -> Engine<'m> {
    let lifetime = Some(clock.rate().span_of(LIFETIME));
    let settings = Settings { lifetime, keep_ended: true, ..settings() };
    let mut shard = Shard::new(memory, settings).expect("the memory is large enough");
    populate(&mut shard, flows, clock.now());
    Engine::new(shard, Rules::new(vec![rule()]), Arc::clone(counters))
}

/// What the control thread has, with exports to nowhere.
struct Control {
    calibrator: Calibrator,
    core: StatsCore,
    flows: FlowListener,
    exposition: Exposition,
    hlog: HistogramLog,
    intervals: Intervals,
    start: Instant,
    exported: Duration,
}

impl Control {
    fn new(calibrator: Calibrator, core: StatsCore, flows: FlowListener) -> Self {
        Self {
            calibrator,
            core,
            flows,
            exposition: Exposition {
                buckets: Buckets::log_spaced(3).expect("3 are possible"),
                version: env!("CARGO_PKG_VERSION").into(),
                dpdk_version: dpdk::Version::running().to_string(),
            },
            hlog: HistogramLog::new(SystemTime::now()),
            intervals: Intervals::default(),
            start: Instant::now(),
            exported: Duration::ZERO,
        }
    }

    /// What is due now.
    fn tick(&mut self) {
        let ran = self.start.elapsed();
        self.core.take_in();
        let error = self.calibrator.refine().expect("the clock is fit").error_ppb;
        if ran >= self.exported + INTERVAL {
            self.exported = ran;
            self.export(ran, error);
        }
    }

    /// Ends an interval, writes what is known in every way there is, and asks for the flows that stand out.
    fn export(&mut self, ran: Duration, clock_error_ppb: u64) {
        let (snapshot, now) = (self.core.end_interval(ran, Vec::new(), clock_error_ppb), SystemTime::now());
        self.hlog.write_interval(&snapshot, now, &mut io::sink()).expect("nowhere is never full");
        let interval = self.intervals.ended(&snapshot, now);
        serde_json::to_writer(io::sink(), &interval).expect("nowhere is never full");
        drop(self.exposition.render(&snapshot, Format::OpenMetrics));
        let mut survey = self.flows.answer().unwrap_or_default();
        survey.clear();
        // If it has not begun with the last one yet, it has one.
        let _ = self.flows.ask(survey);
    }

    /// Round trips that were measured.
    fn samples(&self) -> u64 {
        let report = self.core.report(self.start.elapsed());
        report.metrics.get(Metric::TotalRtt.name()).map_or(0, |summary| summary.count)
    }
}
