//! One flow, as far as nearly every packet needs it: its key, the numbers and times that options are made of, and what may be answered.
//! One cache line; all else is in the flow's [`Past`].

use std::hint::cold_path;

use pdm::{PdmOption, Psn, ScaledTime};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::facts::Facts;
use crate::key::KeptKey;
use crate::log::{Place, Run, SendLog};
use crate::measure::Answer;
use crate::past::Past;
use crate::record;
use crate::{FlowRecord, Horizon, Instant, Key, Side, Span, TickRate};

/// How many numbers are used from one time that the flow's past counts them to the next.
const PERIOD: u16 = 1 << 14;

/// The first line of a flow. All zero is none.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    /// With PSNLR.
    key: KeptKey,
    last_receive: Instant,
    /// What left last, as far as it may still be answered; there may be none in it. The runs before it are in the send log, the
    /// newest first.
    newest: Run,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// Why an answer does not tell how long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Untold {
    /// The packet, or one after it, was answered before.
    NotTheFirst,
    NeverSent,
    Forgotten,
}

impl From<Untold> for Answer {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::NotTheFirst => Self::None,
            Untold::NeverSent => Self::NeverSent,
            Untold::Forgotten => Self::Forgotten,
        }
    }
}

impl Entry {
    /// A flow that begins at `now`, and whose first number is `first`.
    pub(crate) fn beginning(key: &Key, first: Psn, now: Instant) -> (Self, Past) {
        let last = first.previous();
        let entry =
            Self { key: KeptKey::new(*key), last_receive: Instant::default(), newest: Run::of(now, last, 0) };
        (entry, Past::beginning(now, last))
    }

    /// Makes this a free entry, before `next_free` in the list of those. It has a key that no packet has, as protocol 0 is no upper
    /// layer.
    pub(crate) fn vacate(&mut self, next_free: u32) {
        self.key = KeptKey::default();
        self.last_receive = Instant::from_ticks(next_free.into());
    }

    /// The next free entry, counted from 1, of one that is free.
    pub(crate) fn next_free(&self) -> u32 {
        u32::try_from(self.last_receive.ticks()).unwrap_or_default()
    }

    pub(crate) fn is_live(&self) -> bool {
        self.key.key() != Key::default()
    }

    pub(crate) fn key(&self) -> Key {
        self.key.key()
    }

    /// Whether it is the flow of `key`.
    #[inline(always)]
    pub(crate) fn is_of(&self, key: &Key) -> bool {
        self.key.is(key)
    }

    /// Whether nothing came from `side` for so long that it may be over.
    #[inline(always)]
    pub(crate) fn may_be_over(&self, side: Side, horizon: Horizon) -> bool {
        let last = match side {
            Side::Host => self.newest.at,
            Side::Wire => self.last_receive,
        };
        last < horizon.0
    }

    /// When the flow, whose past is `past`, was last seen.
    pub(crate) fn last_seen(&self, past: &Past) -> Instant {
        self.newest.at.max(self.last_receive).max(past.last_plain)
    }

    #[inline(always)]
    fn has(&self, fact: Facts) -> bool {
        self.newest.facts.has(fact)
    }

    #[inline(always)]
    fn set(&mut self, facts: Facts) {
        self.newest.facts = self.newest.facts.and(facts);
    }

    #[inline(always)]
    pub(crate) fn is_native(&self) -> bool {
        self.has(Facts::NATIVE)
    }

    /// How long the local host takes to answer when a packet leaves at `now`, if that is the first one since one was received.
    #[inline(always)]
    pub(crate) fn local_delay(&self, now: Instant) -> Option<Span> {
        if self.has(Facts::RECEIVED_SINCE_SENT) { now.checked_since(self.last_receive) } else { None }
    }

    /// A packet leaves at `now` with this option of ours. The run of packets that it ends goes into `log`, if there is one.
    #[inline(always)]
    pub(crate) fn depart(
        &mut self,
        past: &mut Past,
        now: Instant,
        scale: &mut Scale<'_>,
        log: Option<&mut SendLog<'_>>,
    ) -> PdmOption {
        if now != self.newest.at {
            self.begin_run(log);
        }
        self.newest.extend();
        let psn = self.newest.last;
        if psn.get().is_multiple_of(PERIOD) {
            cold_path();
            past.count_sent(psn);
        }
        let option = PdmOption {
            psntp: psn,
            psnlr: self.key.psnlr(),
            delta_tlr: self.since_receive(now, scale),
            delta_tls: self.since_send(now, scale),
        };
        self.sent_at(now);
        option
    }

    /// Numbers from here on leave later than those before, which `log` remembers if they may still be answered.
    #[inline(always)]
    fn begin_run(&mut self, log: Option<&mut SendLog<'_>>) {
        if let Some(log) = log
            && self.newest.open > 0
        {
            log.close(&mut self.newest);
        }
        self.newest.open = 0;
    }

    /// DELTATLR: since the last packet was received.
    #[inline(always)]
    fn since_receive(&self, now: Instant, scale: &mut Scale<'_>) -> ScaledTime {
        if self.has(Facts::RECEIVED) { scale.delta(self.last_receive, now) } else { ScaledTime::ZERO }
    }

    /// DELTATLS: from the last sending to the last receipt; when nothing was received since, to now (RFC 8250,
    /// appendix C.2.1 and C.2.3).
    #[inline(always)]
    fn since_send(&self, now: Instant, scale: &mut Scale<'_>) -> ScaledTime {
        let end = if self.has(Facts::RECEIVED_SINCE_SENT) { self.last_receive } else { now };
        if self.has(Facts::SENT) { scale.delta(self.newest.at, end) } else { ScaledTime::ZERO }
    }

    /// A packet leaves with number `psn`, given by the host itself. `log` is as in [`Entry::depart`].
    #[inline]
    pub(crate) fn depart_native(
        &mut self,
        past: &mut Past,
        psn: Psn,
        now: Instant,
        mut log: Option<&mut SendLog<'_>>,
    ) {
        if !(self.has(Facts::NATIVE) && self.has(Facts::SENT)) {
            // From here on the numbers are the host's, and an answer to one of ours is none.
            let facts = self.newest.facts.and(Facts::NATIVE).without(Facts::ANSWERED);
            self.newest = Run { facts, ..Run::of(Instant::default(), psn.previous(), 0) };
            past.set_sent(0, self.newest.last);
            past.oldest = Place::default();
        } else if now != self.newest.at || psn != self.newest.next_psn() {
            self.begin_run(log.as_deref_mut());
        }
        self.follow_numbers(past, psn, now, log);
        self.sent_at(now);
    }

    /// Widens the range of used numbers so that it holds `psn`.
    fn follow_numbers(&mut self, past: &mut Past, psn: Psn, now: Instant, log: Option<&mut SendLog<'_>>) {
        let ahead = psn.step_from(self.newest.last);
        let sent = past.sent(self.newest.last);
        if ahead > 0 {
            past.set_sent(sent.saturating_add(ahead.unsigned_abs().into()), psn);
            self.newest.last = psn.previous();
            self.newest.extend();
        } else {
            // None of the newest run.
            log.into_iter().for_each(|log| log.put(&mut self.newest.next, Run::of(now, psn, 1)));
            past.set_sent(sent.max(u32::from(ahead.unsigned_abs()) + 1), self.newest.last);
        }
    }

    #[inline(always)]
    fn sent_at(&mut self, now: Instant) {
        self.newest.at = now;
        self.newest.facts = self.newest.facts.and(Facts::SENT).without(Facts::RECEIVED_SINCE_SENT);
    }

    /// A packet arrives with number `psn`.
    #[inline(always)]
    pub(crate) fn arrive(&mut self, psn: Psn, at: Instant) {
        self.key.set_psnlr(psn);
        self.received_at(at, Facts::RECEIVED_OPTION);
    }

    /// A packet arrives without the option. It moves the receive time until one with it came: PSNLR and the receive
    /// time have to be the same packet's.
    #[inline]
    pub(crate) fn arrive_plain(&mut self, past: &mut Past, at: Instant) {
        past.account.arrived();
        if self.has(Facts::RECEIVED_OPTION) {
            past.last_plain = at;
        } else {
            self.received_at(at, Facts::RECEIVED);
        }
    }

    #[inline(always)]
    fn received_at(&mut self, at: Instant, facts: Facts) {
        self.last_receive = at;
        self.set(facts.and(Facts::RECEIVED).and(Facts::RECEIVED_SINCE_SENT));
    }

    /// When packet `psn`, which is answered now, was sent, if this is its first answer and the time still known.
    #[inline(always)]
    pub(crate) fn sending_of(
        &mut self,
        past: &mut Past,
        psn: Psn,
        log: &mut SendLog<'_>,
    ) -> Result<Instant, Untold> {
        if !self.newest.holds(psn) {
            return self.sent_earlier(past, psn, log);
        }
        self.newest.answered(psn);
        self.answered(past, psn);
        Ok(self.newest.at)
    }

    /// The same of a packet that is none of the newest run.
    #[inline(never)]
    fn sent_earlier(&mut self, past: &mut Past, psn: Psn, log: &mut SendLog<'_>) -> Result<Instant, Untold> {
        if self.has(Facts::ANSWERED) && psn.step_from(past.last_answered) <= 0 {
            return Err(Untold::NotTheFirst);
        }
        if u32::from(self.newest.last.ahead_of(psn)) >= past.sent(self.newest.last) {
            return Err(Untold::NeverSent);
        }
        self.answered(past, psn);
        log.take(&mut self.newest, &mut past.oldest, psn).ok_or(Untold::Forgotten)
    }

    #[inline(always)]
    fn answered(&mut self, past: &mut Past, psn: Psn) {
        past.last_answered = psn;
        self.set(Facts::ANSWERED);
    }

    /// What the flow, whose past is `past`, has been through until `now`.
    pub(crate) fn record(&self, past: &Past, now: Instant) -> FlowRecord {
        let idle = now.saturating_since(self.last_seen(past));
        let sent = past.sent(self.newest.last);
        record::record(self.key(), past.began, idle, sent, past.account, now)
    }
}

/// How deltas become what is sent.
pub(crate) struct Scale<'s> {
    /// What a tick is worth.
    pub(crate) rate: TickRate,
    /// How many would have been negative so far.
    pub(crate) backwards: &'s mut u64,
}

impl Scale<'_> {
    /// From `early` to `late`; nothing if that is negative.
    #[inline(always)]
    fn delta(&mut self, early: Instant, late: Instant) -> ScaledTime {
        match late.checked_since(early) {
            Some(span) => ScaledTime::encode(self.rate.attos(span)),
            None => self.backwards(),
        }
    }

    #[cold]
    fn backwards(&mut self) -> ScaledTime {
        *self.backwards += 1;
        ScaledTime::ZERO
    }
}
