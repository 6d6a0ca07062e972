//! The control thread: it launches the workers and watches them. It keeps the clock, takes what they recorded, prints,
//! and ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;
use dataplane::{Clock, Engine, Idle, Profile};
use dpdk::{Calibrator, Eal, Scope};
use stats::{Report, StatsCore};

use super::activation::{Activations, Remaining};
use super::control_socket::ControlSocket;
use super::export::{Commands, Exports, Moment};
use super::flows::Flows;
use super::ports::Ports;
use super::shares::{PortWorker, Share};
use super::signals::{Wish, Wishes};
use super::summary::Summary;
use super::{Args, say};
use crate::config::{Config, Core, Rule};

/// How often recorders are taken and the clock is refined: more often than anybody looks.
const TICK: Duration = Duration::from_millis(100);

/// A running worker, which leaves its engine.
type Launched<'scope, 'a> = dpdk::Worker<'scope, Engine<'a>>;

/// What is known of the workers, apart from them.
pub(super) struct Control<'a> {
    calibrator: Calibrator,
    core: StatsCore,
    flows: Flows,
    exports: Exports,
    commands: Commands<'a>,
    socket: ControlSocket,
    /// Rules that have not ended yet, and when they will.
    endings: Vec<(&'a Rule, SystemTime)>,
    summary: Summary,
    duration: Option<Duration>,
    /// Whether workers are profiled.
    profile: bool,
    ran: Duration,
}

impl<'a> Control<'a> {
    /// A control over nothing yet. Says what is to be known about the rules of `config` before they act.
    pub(super) fn new(
        args: &Args,
        config: &'a Config,
        activations: &Activations,
        calibrator: Calibrator,
        exports: Exports,
        commands: Commands<'a>,
        socket: ControlSocket,
    ) -> Self {
        let core = StatsCore::new(config.rules.iter().map(|rule| rule.name.clone()).collect());
        let endings = config.rules.iter().filter_map(|rule| ending(rule, activations)).collect();
        Self {
            calibrator,
            core: if config.export.prefixes.is_some() { core.with_prefixes() } else { core },
            flows: Flows::default(),
            exports,
            commands,
            socket,
            endings,
            summary: Summary::new(args.interval, args.duration),
            duration: args.duration,
            profile: args.profile,
            ran: Duration::ZERO,
        }
    }

    /// Runs the workers of `shares` until somebody wishes it, or the time is over, or one of them fails. Their queues are
    /// gone when this returns, and all is exported.
    pub(super) fn run(
        &mut self,
        eal: &Eal,
        ports: &Ports<'_>,
        shares: Vec<Share<'_>>,
        idle: Idle,
        wishes: &Wishes,
    ) -> anyhow::Result<()> {
        let stop = AtomicBool::new(false);
        let start = Instant::now();
        let ran = eal.scope(|scope| {
            let mut workers = Vec::new();
            let launched = shares.into_iter().try_for_each(|share| {
                workers.push((share.seat.core, self.launch(scope, share, idle, &stop)?));
                Ok(())
            });
            let watched = launched.and_then(|()| self.watch(start, ports, wishes, &stop));
            stop.store(true, Relaxed);
            watched.and(self.join(workers))
        });
        self.ran = start.elapsed();
        let ended = self.end_interval(ports);
        self.exports.finish();
        ran.and(ended)
    }

    fn launch<'scope, 's: 'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        share: Share<'s>,
        idle: Idle,
        stop: &'scope AtomicBool,
    ) -> Result<Launched<'scope, 's>, dpdk::Error> {
        let Share { seat, worker, counters, listening } = share;
        let profile = self.profile;
        self.core.listen(seat.lcore, counters, listening.recorders);
        self.flows.listen(listening.flows);
        scope.launch(seat.lcore, move || {
            let _others = StopsOthers(stop);
            if profile { to_the_end(worker.profiled(), idle, stop) } else { to_the_end(worker, idle, stop) }
        })
    }

    /// Waits for the workers, and takes what they recorded last.
    fn join(&mut self, workers: Vec<(Core, Launched<'_, '_>)>) -> anyhow::Result<()> {
        let mut joined = Ok(());
        for (core, worker) in workers {
            match worker.join() {
                Ok(engine) => {
                    self.core.take_in_last(engine.recorders());
                    let clock = self.calibrator.clock();
                    self.exports.last_flows(engine.flows(clock.now()), clock.rate());
                }
                Err(_) => {
                    joined = Err(anyhow!("the worker on core {core} failed: please report what it said"))
                }
            }
        }
        self.core.take_in();
        let rate = self.calibrator.calibration().rate;
        self.exports.flows(self.flows.ended(), rate, SystemTime::now());
        joined
    }

    /// Watches the workers, which have run since `start`, until the end is wanted.
    fn watch(
        &mut self,
        start: Instant,
        ports: &Ports<'_>,
        wishes: &Wishes,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        say("running");
        loop {
            let left = self.duration.map_or(TICK, |duration| duration.saturating_sub(start.elapsed()));
            let wish = wishes.wait(TICK.min(left));
            self.ran = start.elapsed();
            self.core.take_in();
            let rate = self.calibrator.refine()?.rate;
            self.exports.flows(self.flows.ended(), rate, SystemTime::now());
            if self.exports.are_due(self.ran) {
                self.end_interval(ports)?;
            }
            self.say_which_rules_ended(SystemTime::now());
            self.summary.print_if_due(self.ran, &self.core);
            if wish == Some(Wish::Reopen) {
                self.exports.reopen();
            }
            if wish == Some(Wish::End)
                || stop.load(Relaxed)
                || self.duration.is_some_and(|duration| self.ran >= duration)
            {
                return Ok(());
            }
        }
    }

    /// Hands what is known now to all who want it.
    fn end_interval(&mut self, ports: &Ports<'_>) -> anyhow::Result<()> {
        let calibration = self.calibrator.calibration();
        let snapshot = self.core.end_interval(self.ran, ports.snapshots()?, calibration.error_ppb);
        let snapshot = Arc::new(snapshot);
        self.exports.export(&snapshot, SystemTime::now());
        let worst = self.flows.survey();
        let moment = Moment { snapshot, worst, rate: calibration.rate };
        self.socket.publish(&moment);
        self.commands.publish(Arc::new(moment));
        Ok(())
    }

    fn say_which_rules_ended(&mut self, now: SystemTime) {
        for (rule, end) in self.endings.extract_if(.., |(_, end)| *end <= now) {
            say(&ended(rule, end));
        }
    }

    /// All that happened.
    pub(super) fn into_report(self) -> Report {
        self.core.report(self.ran)
    }
}

/// Lets `worker` go round until `stop` is set. What is left is what it recorded and did not exchange yet.
fn to_the_end<'a, P: Profile>(mut worker: PortWorker<'a, P>, idle: Idle, stop: &AtomicBool) -> Engine<'a> {
    worker.run(idle, stop);
    worker.into_engine()
}

/// A worker that ends, by a panic too, takes the others along: half an appliance is none.
struct StopsOthers<'a>(&'a AtomicBool);

impl Drop for StopsOthers<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// When `rule` will end, if it will; says what the operator should know about it.
fn ending<'a>(rule: &'a Rule, activations: &Activations) -> Option<(&'a Rule, SystemTime)> {
    match activations.remaining(rule, SystemTime::now()) {
        Remaining::Until(_, end) => {
            say(&format!("rule {:?} ends at {}", rule.name, humantime::format_rfc3339_seconds(end)));
            Some((rule, end))
        }
        Remaining::Ended(end) => {
            say(&ended(rule, end));
            None
        }
        Remaining::Forever => {
            say(&format!("warning: rule {:?} never ends by itself: active_for = \"forever\"", rule.name));
            None
        }
    }
}

fn ended(rule: &Rule, end: SystemTime) -> String {
    format!(
        "rule {:?} ended at {}; `pdmline run --restart-rules` lets it act again",
        rule.name,
        humantime::format_rfc3339_seconds(end)
    )
}
