//! What is done to a burst, in the stages of the design: look, find, rewrite. Each stage goes over the whole burst
//! and asks the processor for the memory that the next one will need.

mod egress;
mod ingress;
mod look;
mod notes;
mod stage;

use std::sync::Arc;

use flow::{Ended, FlowId, FlowRecord, Horizon, Instant, PairId, Shard, Side, Survey, TickRate};
use pdm::{Limits, Skip};
use stats::{Counters, Drop, Metric, PrefixBook, Recorders, RuleId};

use crate::rules::Rules;
use crate::{Clock, Packet};

use notes::Notes;
pub(crate) use stage::{Selected, Stage};

/// Where a burst comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A port on this side.
    Port(Side),
    /// No port: a packet with a local source comes from the hosts, else one with a local destination from the wire.
    Capture,
}

/// A port pair, as far as a packet's rewriting depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Its place in the configuration.
    pub id: PairId,
    /// How far its wire lets packets grow.
    pub limits: Limits,
}

/// Where a burst comes from, and when.
pub(crate) struct Coming {
    pub(crate) arrival: Arrival,
    pub(crate) pair: PairId,
    pub(crate) received: Instant,
}

/// What became of a packet that was not left alone.
enum Done {
    Inserted,
    Observed,
    Plain,
}

/// What became of a burst's packets; counters are one cache line's distance away, and each would be waited for.
#[derive(Default)]
struct Tally {
    inserted: u64,
    observed: u64,
    stripped: u64,
    plain: u64,
}

impl Tally {
    #[inline(always)]
    fn count(&mut self, done: Result<Done, Skip>, counters: &Counters) {
        match done {
            Ok(Done::Inserted) => self.inserted += 1,
            Ok(Done::Observed) => self.observed += 1,
            Ok(Done::Plain) => self.plain += 1,
            Err(skip) => counters.skipped[skip.index()].add(1),
        }
    }

    fn add_to(&self, counters: &Counters) {
        counters.inserted.add(self.inserted);
        counters.observed.add(self.observed);
        counters.stripped.add(self.stripped);
        counters.plain.add(self.plain);
    }
}

/// The packet path of one worker, between receiving a burst and sending it.
pub struct Engine<'m> {
    shard: Shard<'m>,
    rules: Rules,
    notes: Notes,
}

impl<'m> Engine<'m> {
    /// An engine on `shard` that counts in `counters`, which nobody else writes.
    #[must_use]
    pub fn new(shard: Shard<'m>, rules: Rules, counters: Arc<Counters>) -> Self {
        let notes = Notes::new(&rules, counters);
        Self { shard, rules, notes }
    }

    /// The same engine, which also records delays by the remote prefixes of `book`.
    #[must_use]
    pub fn with_prefixes(self, book: PrefixBook) -> Self {
        Self { notes: self.notes.with_prefixes(book), ..self }
    }

    /// Measures delays and loss from now on, or no longer: options are then written, answered and stripped, and that is all.
    /// An engine measures unless it is told not to; this is how to find out what measuring costs.
    pub fn set_measuring(&mut self, measuring: bool) {
        self.shard.set_measuring(measuring);
    }

    /// Whether it measures.
    #[must_use]
    #[inline]
    pub(crate) const fn is_measuring(&self) -> bool {
        self.shard.is_measuring()
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.notes.counters
    }

    /// What it recorded since it was last emptied.
    #[must_use]
    pub fn recorders(&self) -> &Recorders {
        &self.notes.recorders
    }

    /// As [`Engine::recorders`], to be emptied or swapped for another set.
    pub(crate) fn recorders_mut(&mut self) -> &mut Recorders {
        &mut self.notes.recorders
    }

    /// Does to `burst`, at most [`crate::LONGEST`] packets that arrived together at `received`, what the rules ask for.
    ///
    /// # Panics
    /// If there are more packets than that.
    #[inline]
    pub fn process<P: Packet>(
        &mut self,
        burst: &mut [P],
        arrival: Arrival,
        pair: &Pair,
        received: Instant,
        clock: &impl Clock,
    ) {
        let mut stage = Stage::new();
        self.look(burst, &Coming { arrival, pair: pair.id, received }, &mut stage);
        self.find(arrival, &mut stage);
        self.rewrite(burst, arrival, &stage, pair, received, clock);
    }

    /// Finds out which flows the packets of `stage` most likely belong to, and asks for those and for what else such packets change:
    /// the send log, when they leave, and their flows' pasts, when they arrive.
    #[inline]
    pub(crate) fn find(&self, arrival: Arrival, stage: &mut Stage) {
        match arrival {
            Arrival::Port(Side::Host) => {
                self.shard.prefetch_log(stage.len());
                self.find_each(stage, |_| {});
            }
            Arrival::Port(Side::Wire) | Arrival::Capture => {
                self.find_each(stage, |flow| self.shard.prefetch_past(flow));
            }
        }
    }

    /// Finds the flow of each packet of `stage`, and lets `prefetch` ask for more of it.
    #[inline(always)]
    fn find_each(&self, stage: &mut Stage, prefetch: impl Fn(FlowId)) {
        let mut missing = false;
        for selected in &mut *stage {
            match self.shard.prefetch_flow(selected.hash) {
                Some(likely) => {
                    prefetch(likely);
                    selected.likely = Some(likely);
                }
                None => missing = true,
            }
        }
        if missing {
            for selected in stage.iter_mut().filter(|selected| selected.likely.is_none()) {
                selected.likely =
                    self.shard.prefetch_flow_elsewhere(selected.hash).inspect(|&flow| prefetch(flow));
            }
        }
    }

    /// Does to each packet of `burst` what `stage` says of it.
    #[inline]
    pub(crate) fn rewrite<P: Packet>(
        &mut self,
        burst: &mut [P],
        arrival: Arrival,
        stage: &Stage,
        pair: &Pair,
        received: Instant,
        clock: &impl Clock,
    ) {
        // Nothing that comes from the wire is told when it leaves.
        let now = if arrival == Arrival::Port(Side::Wire) { received } else { clock.now() };
        let moment = Moment { received, now, rate: clock.rate(), horizon: self.shard.horizon(now) };
        let mut tally = Tally::default();
        // As in `look`.
        match arrival {
            Arrival::Port(Side::Host) => self.egress(burst, stage, pair, &moment, &mut tally),
            Arrival::Port(Side::Wire) => self.ingress(burst, stage, &moment, &mut tally),
            Arrival::Capture => stage.iter().for_each(|selected| {
                let packet = &mut burst[selected.place()];
                let done = match selected.side {
                    Side::Host => self.egress_closely(packet, selected, pair, &moment),
                    Side::Wire => self.ingress_closely(packet, selected, &moment, &mut tally),
                };
                tally.count(done, &self.notes.counters);
            }),
        }
        tally.add_to(&self.notes.counters);
    }

    /// Counts a packet that another worker owns: one that was handed over, or one that found no room.
    pub(crate) fn count_handed_over(&self, handed_over: bool) {
        if handed_over {
            self.notes.counters.handed_over.add(1);
        } else {
            self.notes.counters.dropped[Drop::HandOverFull.index()].add(1);
        }
    }

    /// Asks for the buckets of a burst that another worker has looked at.
    pub(crate) fn prefetch_buckets(&self, stage: &Stage) {
        stage.iter().for_each(|selected| self.shard.prefetch_bucket(selected.hash));
    }

    /// The rule that selected each of the `packets` packets of the burst of `stage`; what no rule selects counts after the
    /// last.
    pub(crate) fn rules_of(&self, stage: &Stage, packets: usize) -> impl Iterator<Item = RuleId> {
        let mut selected = stage.iter().peekable();
        (0..packets).map(move |place| {
            let selected = selected.next_if(|selected| selected.place() == place);
            selected.map_or(self.notes.no_rule, Selected::rule)
        })
    }

    /// Counts `nanos` as the time that each of the `packets` packets of the burst of `stage` was inside.
    #[inline]
    pub(crate) fn record_residence(&mut self, stage: &Stage, packets: usize, nanos: f64) {
        self.notes.residence(stage, packets, nanos);
    }

    /// Counts `nanos` as the time that a packet that `rule` selected was inside.
    pub(crate) fn record_residence_of(&mut self, rule: RuleId, nanos: f64) {
        if self.is_measuring() {
            self.notes.recorders.record(rule, Metric::Residence, nanos);
        }
    }

    /// The flow of `selected`, if it is in the table.
    fn flow_of(&mut self, selected: &Selected, now: Instant) -> Option<FlowId> {
        self.shard.find(selected.hash, &selected.key, now)
    }

    /// A new flow for `selected`.
    fn create(&mut self, selected: &Selected, now: Instant) -> Result<FlowId, Skip> {
        self.shard.create(selected.hash, &selected.key, now).map_err(|_| Skip::TableFull)
    }

    /// Looks at no more than `budget` entries of the table: idle flows end, and `survey` sees the others. Publishes the
    /// table's own counters.
    pub fn sweep(&mut self, now: Instant, budget: usize, survey: Option<&mut Survey>) {
        let survey = survey.filter(|_| self.is_measuring());
        self.shard.sweep(now, budget, survey);
        let census = self.shard.census();
        self.notes.counters.flows_created.set(census.created);
        self.notes.counters.flows_expired.set(census.expired);
        self.notes.counters.flows_evicted.set(census.evicted);
        self.notes.counters.flows_refused.set(census.refused);
        self.notes.counters.flows_live.set(census.live);
        self.notes.counters.flows_unreported.set(census.unreported);
        self.notes.counters.clock_backwards.set(census.clock_backwards);
    }

    /// Whether there are flows that have ended, and nobody has taken them.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.shard.has_ended()
    }

    /// Takes at most `most` of the flows that have ended.
    #[inline]
    pub(crate) fn ended(&mut self, most: usize) -> impl Iterator<Item = Ended> {
        self.shard.ended(most)
    }

    /// What is known of all flows in the table at `now`.
    pub fn flows(&self, now: Instant) -> impl Iterator<Item = FlowRecord> {
        self.shard.flows(now)
    }
}

/// The times of a burst.
struct Moment {
    received: Instant,
    /// When it is sent, as far as options can tell.
    now: Instant,
    rate: TickRate,
    /// Flows that were last seen before it are over.
    horizon: Horizon,
}
