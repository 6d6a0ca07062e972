//! One worker's share of all flows.

use arrayvec::ArrayVec;
use pdm::Psn;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use zerocopy::FromBytes;

use crate::entry::Entry;
use crate::index::{Bucket, EntryIndex, buckets_for};
use crate::log::{Run, SendLog, runs_for};
use crate::measure::ClockTolerance;
use crate::past::Past;
use crate::table::Table;
use crate::{Ended, Ending, Error, Flow, FlowRecord, Hash, Instant, Key, KeyHasher, Side, Span, Survey};

/// Where the numbers of a new flow start.
#[derive(Debug)]
pub enum PsnStart {
    /// Where nobody can guess (RFC 8250, section 3.2.1): from a generator seeded once by the system.
    Random(Box<ChaCha12Rng>),
    /// At a number: captures that are to come out the same every time.
    At(Psn),
}

impl PsnStart {
    /// Random starts from `seed`, which should be fresh from the system's generator.
    #[must_use]
    pub fn random(seed: [u8; 32]) -> Self {
        Self::Random(Box::new(ChaCha12Rng::from_seed(seed)))
    }

    fn draw(&mut self) -> Psn {
        match self {
            Self::Random(generator) => Psn::new(generator.random()),
            Self::At(psn) => *psn,
        }
    }
}

/// What happens to a new flow when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It is refused: a flood never pushes an established flow out.
    #[default]
    Refuse,
    /// It takes the place of the idlest flow near its own place.
    Evict,
}

/// How a shard is to behave.
#[derive(Debug)]
pub struct Settings {
    /// The hasher that all shards share.
    pub hasher: KeyHasher,
    /// Where new flows' numbers start.
    pub psn_start: PsnStart,
    /// A flow ends when it was idle for longer than this; `None` for never.
    pub lifetime: Option<Span>,
    /// What happens when the table is full.
    pub when_full: WhenFull,
    /// How wrong peers' clocks may run.
    pub tolerance: ClockTolerance,
    /// How many packets in flight the send log is to hold.
    pub log_packets: usize,
    /// Whether flows that end are kept for [`Shard::ended`].
    pub keep_ended: bool,
}

impl Settings {
    /// What suits most: flows that never end, refusal when the table is full, a send log of [`Settings::LOG_PACKETS`].
    #[must_use]
    pub fn new(hasher: KeyHasher, psn_start: PsnStart) -> Self {
        Self {
            hasher,
            psn_start,
            lifetime: None,
            when_full: WhenFull::default(),
            tolerance: ClockTolerance::default(),
            log_packets: Self::LOG_PACKETS,
            keep_ended: false,
        }
    }

    /// Packets in flight that a shard remembers if nothing else is asked for.
    pub const LOG_PACKETS: usize = 1 << 18;
}

/// A flow in its shard. Good until the shard ends flows, in [`Shard::find`] or [`Shard::sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowId(EntryIndex);

/// A flow that was last seen before it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon(pub(crate) Instant);

/// The table's bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// How many flows there are and were, and what befell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Flows in the table.
    pub live: u64,
    /// Flows that were created.
    pub created: u64,
    /// Flows that ended for idleness.
    pub expired: u64,
    /// Flows that had to make room.
    pub evicted: u64,
    /// Flows that found none.
    pub refused: u64,
    /// Flows that ended when there was no room to keep more of those.
    pub unreported: u64,
    /// Deltas that would have been negative, and were sent as 0.
    pub clock_backwards: u64,
}

/// One worker's flows and their send log.
pub struct Shard<'m> {
    table: Table<'m>,
    log: SendLog<'m>,
    settings: Settings,
    /// Where [`Shard::sweep`] goes on.
    hand: u32,
    census: Census,
    ended: ArrayVec<Ended, KEPT_ENDED>,
    /// Whether send times are remembered and options read.
    measuring: bool,
}

/// How many flows that ended are kept: those of a long burst and of a look at a few entries.
const KEPT_ENDED: usize = 128;

/// Octets that the parts of a shard's memory are aligned to.
const ALIGN: usize = 64;

impl<'m> Shard<'m> {
    /// Octets of memory that hold `flows` flows, and a send log for `log_packets` packets in flight.
    #[must_use]
    pub fn memory_for(flows: usize, log_packets: usize) -> usize {
        log_octets(log_packets) + table_octets(flows) + ALIGN
    }

    /// A shard that fills `memory`, which is zeroed.
    ///
    /// # Errors
    /// [`Error::TooLittleMemory`] when not a single flow fits.
    pub fn new(memory: &'m mut [u8], settings: Settings) -> Result<Self, Error> {
        let (given, needed) = (memory.len(), Self::memory_for(1, settings.log_packets));
        let parts = Self::divide(memory, settings.log_packets);
        let (table, log) = parts.ok_or(Error::TooLittleMemory { given, needed })?;
        Ok(Self {
            table,
            log,
            settings,
            hand: 0,
            census: Census::default(),
            ended: ArrayVec::new(),
            measuring: true,
        })
    }

    /// Measures from now on, or no longer: options are still written and answered, but nothing is learnt from them. A shard
    /// measures unless it is told not to.
    pub fn set_measuring(&mut self, measuring: bool) {
        self.measuring = measuring;
    }

    /// Whether it measures.
    #[must_use]
    #[inline]
    pub const fn is_measuring(&self) -> bool {
        self.measuring
    }

    /// Cuts `memory` into the send log, the buckets, the entries and their pasts.
    fn divide(memory: &'m mut [u8], log_packets: usize) -> Option<(Table<'m>, SendLog<'m>)> {
        let skew = memory.as_ptr().align_offset(ALIGN);
        let memory = memory.get_mut(skew..)?;
        let (log, rest) = memory.split_at_mut_checked(log_octets(log_packets))?;
        let flows = flows_in(rest.len());
        let (buckets, rest) = rest.split_at_mut_checked(buckets_for(flows) * size_of::<Bucket>())?;
        let (entries, rest) = rest.split_at_mut(flows * size_of::<Entry>());
        let (pasts, _) = rest.split_at_mut(flows * size_of::<Past>());
        let table = Table::new(
            <[Bucket]>::mut_from_bytes(buckets).ok()?,
            <[Entry]>::mut_from_bytes(entries).ok().filter(|entries| !entries.is_empty())?,
            <[Past]>::mut_from_bytes(pasts).ok()?,
        );
        Some((table, SendLog::new(<[Run]>::mut_from_bytes(log).ok()?)))
    }

    /// The hash of `key` under the shards' shared secret.
    #[must_use]
    #[inline(always)]
    pub fn hash(&self, key: &Key) -> Hash {
        self.settings.hasher.hash(key)
    }

    /// Asks for what [`Shard::prefetch_flow`] will look at.
    #[inline]
    pub fn prefetch_bucket(&self, hash: Hash) {
        self.table.prefetch_bucket(hash);
    }

    /// Asks for what [`Shard::find`] and a packet that leaves on the flow will look at; returns the flow that this most likely is. If it
    /// is none, asks for what [`Shard::prefetch_flow_elsewhere`] will look at.
    #[inline]
    pub fn prefetch_flow(&self, hash: Hash) -> Option<FlowId> {
        self.table.prefetch_entry(hash).map(FlowId)
    }

    /// The same for a key of which that said that it is none: few are to be found here.
    #[inline]
    pub fn prefetch_flow_elsewhere(&self, hash: Hash) -> Option<FlowId> {
        self.table.prefetch_entry_elsewhere(hash).map(FlowId)
    }

    /// Asks for what the options of packets that arrive on `flow` change beside that.
    #[inline]
    pub fn prefetch_past(&self, flow: FlowId) {
        self.table.prefetch_past(flow.0);
    }

    /// Asks for what remembering that `packets` packets have left will write to.
    #[inline]
    pub fn prefetch_log(&self, packets: usize) {
        self.log.prefetch(packets);
    }

    /// The flow of `key`, which hashes to `hash`. One that was idle for too long ends here.
    #[inline]
    pub fn find(&mut self, hash: Hash, key: &Key, now: Instant) -> Option<FlowId> {
        let index = self.table.find(hash, key)?;
        if self.table.is_over(index, self.horizon(now)) {
            self.end(hash, index, Ending::Idle, now);
            return None;
        }
        Some(FlowId(index))
    }

    /// How far back flows reach that are not over at `now`: what [`Shard::confirm`] asks, for all packets of a burst.
    #[inline]
    #[must_use]
    pub fn horizon(&self, now: Instant) -> Horizon {
        Horizon(self.settings.lifetime.map_or(Instant::default(), |lifetime| now.saturating_sub(lifetime)))
    }

    /// The flow of `key` for a packet of its own that came from `side`, if it is `likely`, of which [`Shard::prefetch_flow`] said that
    /// it most likely is. `None` says nothing: then [`Shard::find`] knows.
    ///
    /// # Panics
    /// If `likely` is another shard's.
    #[inline(always)]
    #[must_use]
    pub fn confirm(
        &mut self,
        likely: FlowId,
        key: &Key,
        side: Side,
        horizon: Horizon,
    ) -> Option<Flow<'_, 'm>> {
        let entry = self.table.entry(likely.0);
        let is_it = entry.is_of(key) && !entry.may_be_over(side, horizon);
        is_it.then(|| self.flow(likely))
    }

    /// Ends the flow at `index`, whose key hashes to `hash`.
    fn end(&mut self, hash: Hash, index: EntryIndex, ending: Ending, now: Instant) {
        match ending {
            Ending::Idle => self.census.expired += 1,
            Ending::Evicted => self.census.evicted += 1,
        }
        if self.settings.keep_ended {
            let flow = self.table.record(index, now);
            self.census.unreported += u64::from(self.ended.try_push(Ended { flow, ending }).is_err());
        }
        self.table.remove(hash, index);
    }

    /// Whether [`Shard::ended`] has any.
    #[must_use]
    #[inline]
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Takes at most `most` of the flows that have ended, the first ones first, if [`Settings::keep_ended`] says so. No
    /// more than 128 are kept.
    #[inline]
    pub fn ended(&mut self, most: usize) -> impl Iterator<Item = Ended> {
        self.ended.drain(..most.min(self.ended.len()))
    }

    /// Whether a flow whose key hashes to `hash` could be created.
    #[must_use]
    pub fn has_room(&self, hash: Hash) -> bool {
        self.table.has_room(hash) || self.evictable(hash).is_some()
    }

    /// Counts a flow that found no room, of which the caller knew before it tried.
    pub fn refuse(&mut self) {
        self.census.refused += 1;
    }

    /// Creates the flow of `key`, which hashes to `hash` and is not there.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub fn create(&mut self, hash: Hash, key: &Key, now: Instant) -> Result<FlowId, Full> {
        if !self.table.has_room(hash) {
            self.make_room(hash, now)?;
        }
        let index = self.table.insert(hash).ok_or(Full)?;
        let (entry, past) = self.table.flow_mut(index);
        (*entry, *past) = Entry::beginning(key, self.settings.psn_start.draw(), now);
        self.census.created += 1;
        Ok(FlowId(index))
    }

    /// Lets a flow go for one that hashes to `hash`, or counts that none may.
    fn make_room(&mut self, hash: Hash, now: Instant) -> Result<(), Full> {
        let Some(idlest) = self.evictable(hash) else {
            self.refuse();
            return Err(Full);
        };
        let evicted = self.settings.hasher.hash(&self.table.entry(idlest).key());
        self.end(evicted, idlest, Ending::Evicted, now);
        Ok(())
    }

    fn evictable(&self, hash: Hash) -> Option<EntryIndex> {
        (self.settings.when_full == WhenFull::Evict).then(|| self.table.idlest_near(hash)).flatten()
    }

    /// The flow, for a packet of its own.
    ///
    /// # Panics
    /// If `flow` is another shard's.
    #[must_use]
    #[inline(always)]
    pub fn flow(&mut self, flow: FlowId) -> Flow<'_, 'm> {
        let log = self.measuring.then_some(&mut self.log);
        let (entry, past) = self.table.flow_mut(flow.0);
        let tolerance = self.settings.tolerance;
        Flow { entry, past, log, tolerance, backwards: &mut self.census.clock_backwards }
    }

    /// Moves the clock hand on by at most `budget` entries: flows that were idle for too long end, and `survey` sees the
    /// others until it has seen all.
    pub fn sweep(&mut self, now: Instant, budget: usize, mut survey: Option<&mut Survey>) {
        // What the next call will look at: nobody else has asked for it.
        self.table.prefetch_from(self.hand.saturating_add(u32::try_from(budget).unwrap_or(u32::MAX)), budget);
        let horizon = self.horizon(now);
        for _ in 0..budget {
            survey = survey.filter(|survey| !survey.is_complete());
            if self.settings.lifetime.is_none() && survey.is_none() {
                return;
            }
            let hand = self.hand;
            let Some(index) = self.table.at(hand) else {
                return survey.into_iter().for_each(Survey::complete);
            };
            self.hand = self.table.after(index);
            let is_live = self.table.entry(index).is_live();
            let is_over = is_live && self.table.is_over(index, horizon);
            if let Some(survey) = survey.as_mut() {
                if is_live && !is_over {
                    survey.see(&self.table.record(index, now));
                }
                survey.advance(hand, self.hand);
            }
            if is_over {
                let hash = self.settings.hasher.hash(&self.table.entry(index).key());
                self.end(hash, index, Ending::Idle, now);
            }
        }
    }

    /// What is known of all flows in the table at `now`.
    pub fn flows(&self, now: Instant) -> impl Iterator<Item = FlowRecord> {
        self.table.iter().map(move |index| self.table.record(index, now))
    }

    /// How many flows there are and were.
    #[must_use]
    pub fn census(&self) -> Census {
        Census { live: self.table.live().into(), ..self.census }
    }
}

/// Octets of a table of `flows` flows.
const fn table_octets(flows: usize) -> usize {
    flows * (size_of::<Entry>() + size_of::<Past>()) + buckets_for(flows) * size_of::<Bucket>()
}

/// The most flows whose table fits into `octets`, as far as 32 bits find their entries.
fn flows_in(octets: usize) -> usize {
    (0..u32::BITS).rev().fold(0, |flows, bit| {
        let more = flows | 1 << bit;
        if table_octets(more) <= octets { more } else { flows }
    })
}

/// Octets of a send log for `packets` packets.
const fn log_octets(packets: usize) -> usize {
    runs_for(packets) * size_of::<Run>()
}
