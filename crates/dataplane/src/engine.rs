//! What is done to a burst, in the stages of the design: look, find, rewrite. Each stage goes over the whole burst
//! and asks the processor for the memory that the next one will need.

use std::sync::Arc;

use arrayvec::ArrayVec;
use flow::{
    Answer, Ended, FlowId, FlowRecord, Hash, Instant, Key, PairId, Progress, Reception, Shard, Side, Span,
    Survey, TickRate,
};
use pdm::{Attos, Insertion, Limits, Look, PdmAt, PdmOption, Skip};
use stats::{Counters, Drop, Metric, PrefixBook, Recorders, RuleId};

use crate::rules::{Rules, Selection};
use crate::{BURST, Clock, Owners, Packet, WorkerId};

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

/// A packet that the rules select, between the stages.
pub(crate) struct Selected {
    look: Look,
    side: Side,
    selection: Selection,
    key: Key,
    hash: Hash,
}

impl Selected {
    /// Who of `owners` owns its flow.
    pub(crate) fn owner(&self, owners: &Owners) -> WorkerId {
        owners.of(&self.key, self.hash)
    }
}

/// What is known of each packet of a burst after it was looked at: what to do with it, or why to leave it alone.
pub(crate) type Stage = ArrayVec<Result<Selected, Skip>, BURST>;

/// What became of a packet that was not left alone.
enum Done {
    Inserted,
    Observed,
    Plain,
}

/// The packet path of one worker, between receiving a burst and sending it.
pub struct Engine<'m> {
    shard: Shard<'m>,
    rules: Rules,
    counters: Arc<Counters>,
    recorders: Recorders,
    /// Remote prefixes, if delays are recorded by them too.
    prefixes: Option<PrefixBook>,
    /// Packets of the last burst that each rule selected, and then those that none did.
    selected: Box<[u32]>,
    /// The place after the last rule.
    no_rule: RuleId,
    /// Whether delays and loss are measured.
    measuring: bool,
}

impl<'m> Engine<'m> {
    /// An engine on `shard` that counts in `counters`, which nobody else writes.
    #[must_use]
    pub fn new(shard: Shard<'m>, rules: Rules, counters: Arc<Counters>) -> Self {
        let recorders = Recorders::new(rules.count());
        let selected = vec![0; rules.count() + 1].into_boxed_slice();
        let no_rule = rules.after_last();
        Self { shard, rules, counters, recorders, prefixes: None, selected, no_rule, measuring: true }
    }

    /// The same engine, which also records delays by the remote prefixes of `book`.
    #[must_use]
    pub fn with_prefixes(self, book: PrefixBook) -> Self {
        Self { recorders: self.recorders.with_prefixes(), prefixes: Some(book), ..self }
    }

    /// Measures delays and loss from now on, or no longer: options are then written, answered and stripped, and that is all.
    /// An engine measures unless it is told not to; this is how to find out what measuring costs.
    pub fn set_measuring(&mut self, measuring: bool) {
        self.measuring = measuring;
        self.shard.set_measuring(measuring);
    }

    /// Whether it measures.
    #[must_use]
    #[inline]
    pub(crate) const fn is_measuring(&self) -> bool {
        self.measuring
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it recorded since it was last emptied.
    #[must_use]
    pub fn recorders(&self) -> &Recorders {
        &self.recorders
    }

    /// As [`Engine::recorders`], to be emptied or swapped for another set.
    pub(crate) fn recorders_mut(&mut self) -> &mut Recorders {
        &mut self.recorders
    }

    /// Does to `burst`, at most [`BURST`] packets that arrived together at `received`, what the rules ask for.
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
        let stage = self.look_at(burst, arrival, pair, received);
        self.rewrite_all(burst, &stage, pair, received, clock);
    }

    /// Looks at each packet of `burst`, as [`Engine::process`] has it, and changes none.
    #[inline]
    pub(crate) fn look_at<P: Packet>(
        &self,
        burst: &[P],
        arrival: Arrival,
        pair: &Pair,
        received: Instant,
    ) -> Stage {
        let mut stage = Stage::new();
        for packet in burst {
            stage.push(self.look(packet, arrival, pair, received));
        }
        self.counters.packets.add(burst.len() as u64);
        stage
    }

    /// Does to each packet of `burst` what `stage` says of it.
    #[inline]
    pub(crate) fn rewrite_all<P: Packet>(
        &mut self,
        burst: &mut [P],
        stage: &Stage,
        pair: &Pair,
        received: Instant,
        clock: &impl Clock,
    ) {
        self.prefetch(stage);
        self.selected.fill(0);
        let moment = Moment { received, now: clock.now(), rate: clock.rate() };
        for (packet, selected) in burst.iter_mut().zip(stage) {
            self.selected[self.rule_of(selected).index()] += 1;
            let done = match selected {
                Ok(selected) => self.rewrite(packet, selected, pair, &moment),
                Err(skip) => Err(*skip),
            };
            self.count(done);
        }
    }

    /// Counts a packet that another worker owns: one that was handed over, or one that found no room.
    pub(crate) fn count_handed_over(&self, handed_over: bool) {
        if handed_over {
            self.counters.handed_over.add(1);
        } else {
            self.counters.dropped[Drop::HandOverFull.index()].add(1);
        }
    }

    /// Asks for the buckets of a burst that another worker has looked at.
    pub(crate) fn prefetch_buckets(&self, stage: &Stage) {
        stage.iter().flatten().for_each(|selected| self.shard.prefetch_bucket(selected.hash));
    }

    /// The rule that selected a packet; what no rule selects counts after the last.
    #[inline]
    pub(crate) fn rule_of(&self, selected: &Result<Selected, Skip>) -> RuleId {
        selected.as_ref().map_or(self.no_rule, |selected| selected.selection.rule)
    }

    /// Counts `nanos` as the time that each packet of the last burst was inside.
    pub(crate) fn record_residence(&mut self, nanos: u64) {
        for (rule, &packets) in (0..).map(RuleId::new).zip(&self.selected) {
            if packets > 0 {
                self.recorders.record_times(rule, Metric::Residence, nanos, packets);
            }
        }
    }

    /// Counts `nanos` as the time that a packet that `rule` selected was inside.
    pub(crate) fn record_residence_of(&mut self, rule: RuleId, nanos: u64) {
        if self.measuring {
            self.recorders.record(rule, Metric::Residence, nanos);
        }
    }

    /// Looks at a packet and asks the rules about it.
    #[inline]
    fn look<P: Packet>(
        &self,
        packet: &P,
        arrival: Arrival,
        pair: &Pair,
        now: Instant,
    ) -> Result<Selected, Skip> {
        let frame = packet.bytes();
        let look = pdm::look(frame, packet.wire_len(), packet.network_offset()?)?;
        let found = sides(arrival).iter().find_map(|&side| {
            let key = Key::of(frame, &look, side, pair.id);
            self.rules.select(&key, &look, now).map(|selection| (side, key, selection))
        });
        let Some((side, key, selection)) = found else {
            return Err(why_not_selected(&look));
        };
        let hash = self.shard.hash(&key);
        self.shard.prefetch_bucket(hash);
        Ok(Selected { look, side, selection, key, hash })
    }

    /// Asks for the flows of a burst, and then for their places in the send log.
    #[inline]
    fn prefetch(&self, stage: &[Result<Selected, Skip>]) {
        let mut departing = ArrayVec::<FlowId, BURST>::new();
        for selected in stage.iter().flatten() {
            let flow = self.shard.prefetch_flow(selected.hash);
            departing.extend(flow.filter(|_| selected.side == Side::Host));
        }
        for flow in departing {
            self.shard.prefetch_departure(flow);
        }
    }

    #[inline]
    fn rewrite<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pair: &Pair,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let pdm = selected.look.pdm?;
        match (selected.side, selected.selection.over) {
            (Side::Host, true) => Err(Skip::NotSelected),
            (Side::Host, false) => self.egress(packet, selected, pdm, pair, moment),
            (Side::Wire, true) => self.strip_after_the_end(packet, selected, pdm, moment),
            (Side::Wire, false) => self.ingress(packet, selected, pdm, moment),
        }
    }

    /// From the hosts to the wire.
    #[inline]
    fn egress<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pdm: Option<PdmAt>,
        pair: &Pair,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let flow = self.shard.find(selected.hash, &selected.key, moment.now);
        if flow.is_none() && !self.shard.has_room(selected.hash) {
            self.shard.refuse();
            return Err(Skip::TableFull);
        }
        if let Some(at) = &pdm {
            let option = PdmOption::read(packet.bytes(), at);
            let flow = self.flow(flow, selected, moment.now)?;
            self.shard.depart_native(flow, &option, moment.now);
            return Ok(Done::Observed);
        }
        if !selected.selection.action.insert {
            return Err(Skip::NotSelected);
        }
        if flow.is_some_and(|flow| self.shard.is_native(flow)) {
            return Err(Skip::NativeHost);
        }
        let place = Insertion::plan(packet.bytes(), &selected.look, &pair.limits)?;
        packet.grow_front(place.growth()).map_err(|_| Skip::NoHeadroom)?;
        // Room was found above, so the packet that has grown gets its option.
        let flow = self.flow(flow, selected, moment.now)?;
        self.insert(packet, &place, flow, selected.selection.rule, moment);
        Ok(Done::Inserted)
    }

    /// Writes the option of a packet that leaves on `flow` into its place.
    #[inline]
    fn insert<P: Packet>(
        &mut self,
        packet: &mut P,
        place: &Insertion,
        flow: FlowId,
        rule: RuleId,
        moment: &Moment,
    ) {
        let departure = self.shard.depart(flow, moment.now, moment.rate);
        place.apply(packet.bytes_mut(), &departure.option);
        packet.shrink_front(place.shrinkage());
        if departure.clock_backwards > 0 {
            self.counters.clock_backwards.add(departure.clock_backwards.into());
        }
        if let Some(delay) = departure.local_delay.filter(|_| self.measuring) {
            self.recorders.record(rule, Metric::LocalDelay, moment.nanos(delay));
        }
    }

    /// From the wire to the hosts.
    #[inline]
    fn ingress<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pdm: Option<PdmAt>,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let flow = self.shard.find(selected.hash, &selected.key, moment.received);
        let flow = self.flow(flow, selected, moment.received);
        let Some(at) = &pdm else {
            self.shard.arrive_plain(flow?, moment.received);
            return Ok(Done::Plain);
        };
        let native = flow.is_ok_and(|flow| self.shard.is_native(flow));
        if let Ok(flow) = flow {
            let option = PdmOption::read(packet.bytes(), at);
            let reception = self.shard.arrive(flow, &option, moment.received, moment.rate);
            self.note(&reception, selected);
        }
        // Without room for the flow too: no host is surprised under overload.
        if selected.selection.action.strip && !native {
            self.strip(packet, &selected.look, at);
        }
        flow.map(|_| Done::Observed)
    }

    /// The flow that was found, or a new one.
    #[inline]
    fn flow(&mut self, found: Option<FlowId>, selected: &Selected, now: Instant) -> Result<FlowId, Skip> {
        match found {
            Some(flow) => Ok(flow),
            None => self.shard.create(selected.hash, &selected.key, now).map_err(|_| Skip::TableFull),
        }
    }

    /// A rule that has ended still strips for the flows in the table: their peers may not know yet.
    fn strip_after_the_end<P: Packet>(
        &mut self,
        packet: &mut P,
        selected: &Selected,
        pdm: Option<PdmAt>,
        moment: &Moment,
    ) -> Result<Done, Skip> {
        let flow = self.shard.find(selected.hash, &selected.key, moment.received);
        if let (Some(at), Some(flow)) = (&pdm, flow)
            && selected.selection.action.strip
            && !self.shard.is_native(flow)
        {
            self.strip(packet, &selected.look, at);
        }
        Err(Skip::NotSelected)
    }

    #[inline]
    fn strip<P: Packet>(&self, packet: &mut P, look: &Look, at: &PdmAt) {
        let octets = pdm::strip(packet.bytes_mut(), look, at);
        packet.shrink_front(octets);
        self.counters.stripped.add(1);
    }

    /// Counts and records what an option told.
    #[inline]
    fn note(&mut self, reception: &Reception, selected: &Selected) {
        let counters = &self.counters;
        match reception.progress {
            Progress::Forward { lost } => counters.lost.add(lost.into()),
            Progress::Duplicate => counters.duplicated.add(1),
            Progress::Reordered { taken_back } => {
                counters.reordered.add(1);
                counters.taken_back.add(taken_back.into());
            }
            Progress::Restart => counters.restarts.add(1),
        }
        match reception.answer {
            Answer::None => {}
            Answer::NeverSent => counters.never_sent.add(1),
            Answer::Forgotten => counters.forgotten.add(1),
            Answer::Nonsense => counters.nonsense.add(1),
            Answer::Uncertain { total, server } => {
                counters.uncertain.add(1);
                self.record(selected, total, server, None);
            }
            Answer::Measured { total, server, network } => {
                self.record(selected, total, server, Some(network));
            }
        }
    }

    /// Records an answer: for its rule and, if that is wanted, for the prefix that it came from.
    fn record(&mut self, selected: &Selected, total: Attos, server: Attos, network: Option<Attos>) {
        let rule = selected.selection.rule;
        let (server, network) = (server.nanos(), network.map(Attos::nanos));
        self.recorders.record(rule, Metric::TotalRtt, total.nanos());
        self.recorders.record(rule, Metric::ServerDelay, server);
        if let Some(network) = network {
            self.recorders.record(rule, Metric::NetworkRtt, network);
        }
        if let Some(prefixes) = &mut self.prefixes {
            let slot = prefixes.slot(selected.key.remote());
            self.recorders.record_remote(slot, server, network);
        }
    }

    fn count(&self, done: Result<Done, Skip>) {
        let counter = match done {
            Ok(Done::Inserted) => &self.counters.inserted,
            Ok(Done::Observed) => &self.counters.observed,
            Ok(Done::Plain) => &self.counters.plain,
            Err(skip) => &self.counters.skipped[skip.index()],
        };
        counter.add(1);
    }

    /// Looks at no more than `budget` entries of the table: idle flows end, and `survey` sees the others. Publishes how
    /// many there are.
    pub fn sweep(&mut self, now: Instant, budget: usize, survey: Option<&mut Survey>) {
        self.shard.sweep(now, budget, survey.filter(|_| self.measuring));
        let census = self.shard.census();
        self.counters.flows_created.set(census.created);
        self.counters.flows_expired.set(census.expired);
        self.counters.flows_evicted.set(census.evicted);
        self.counters.flows_refused.set(census.refused);
        self.counters.flows_live.set(census.live);
        self.counters.flows_unreported.set(census.unreported);
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
}

impl Moment {
    fn nanos(&self, span: Span) -> u64 {
        self.rate.attos(span).nanos()
    }
}

/// Why a packet is left alone that no rule selects.
fn why_not_selected(look: &Look) -> Skip {
    if look.is_esp() { Skip::Esp } else { look.pdm.err().unwrap_or(Skip::NotSelected) }
}

/// The sides that a packet may be from, the likelier one first.
fn sides(arrival: Arrival) -> &'static [Side] {
    match arrival {
        Arrival::Port(Side::Host) => &[Side::Host],
        Arrival::Port(Side::Wire) => &[Side::Wire],
        Arrival::Capture => &[Side::Host, Side::Wire],
    }
}
