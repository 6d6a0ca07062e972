//! One flow: its key and its PDM state, 128 octets.

use pdm::{PdmOption, Psn, ScaledTime};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::log::{Place, Run, SendLog};
use crate::loss::Seen;
use crate::measure::Answer;
use crate::record::{self, Account, Beginning};
use crate::{FlowRecord, Horizon, Instant, Key, Progress, Span, TickRate};

/// A set of yes-or-no facts about a flow.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
struct Facts(u32);

/// The entry holds a flow.
const LIVE: u32 = 1;
/// A packet was sent with the option.
const SENT: u32 = 1 << 1;
/// A packet was received.
const RECEIVED: u32 = 1 << 2;
/// A packet was received, and none sent since.
const RECEIVED_SINCE_SENT: u32 = 1 << 3;
/// A packet was received with the option.
const RECEIVED_OPTION: u32 = 1 << 4;
/// One of our packets was answered.
const ANSWERED: u32 = 1 << 5;
/// The host speaks PDM itself.
const NATIVE: u32 = 1 << 6;

impl Facts {
    fn has(self, fact: u32) -> bool {
        self.0 & fact != 0
    }

    fn set(&mut self, facts: u32) {
        self.0 |= facts;
    }

    fn clear(&mut self, facts: u32) {
        self.0 &= !facts;
    }
}

/// One flow, in two cache lines. All zero is a free entry.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(crate) key: Key,
    last_receive: Instant,
    /// What left last, as far as it may still be answered; there may be none in it. The runs before it are in the send log, the
    /// newest first.
    newest: Run,

    pub(crate) last_seen: Instant,
    pub(crate) seen: Seen,
    facts: Facts,
    /// Runs in the send log that come before the others, the oldest first.
    oldest: Place,
    psnlr: Psn,
    last_answered: Psn,
    /// How many numbers up to the last one were used, each time round anew; while the entry is free, the next free one,
    /// counted from 1.
    sent: u32,
    began: Beginning,
    account: Account,
}

const _: () = assert!(size_of::<Entry>() == 128);

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
    /// Makes this a fresh flow.
    pub(crate) fn occupy(&mut self, key: Key, first: Psn, now: Instant) {
        *self = Self {
            key,
            last_receive: Instant::default(),
            newest: Run::before(first),
            last_seen: now,
            seen: Seen::default(),
            facts: Facts(LIVE),
            oldest: Place::default(),
            psnlr: Psn::default(),
            last_answered: Psn::default(),
            sent: 0,
            began: Beginning::at(now),
            account: Account::default(),
        };
    }

    /// Makes this a free entry, before `next_free` in the list of those.
    pub(crate) fn vacate(&mut self, next_free: u32) {
        self.key = Key::default();
        self.facts = Facts::default();
        self.sent = next_free;
    }

    /// The next free entry, counted from 1, of one that is free.
    pub(crate) fn next_free(&self) -> u32 {
        self.sent
    }

    /// Whether it is the flow of `key`: a free one has a key that no packet has, as protocol 0 is no upper layer.
    #[inline]
    pub(crate) fn is_of(&self, key: &Key) -> bool {
        self.key == *key
    }

    /// Whether it was idle for too long.
    #[inline]
    pub(crate) fn is_over(&self, horizon: Horizon) -> bool {
        self.last_seen < horizon.0
    }

    pub(crate) fn is_live(&self) -> bool {
        self.facts.has(LIVE)
    }

    pub(crate) fn is_native(&self) -> bool {
        self.facts.has(NATIVE)
    }

    /// How long the local host takes to answer when a packet leaves at `now`, if that is the first one since one was received.
    #[inline(always)]
    pub(crate) fn local_delay(&self, now: Instant) -> Option<Span> {
        if self.facts.has(RECEIVED_SINCE_SENT) { now.checked_since(self.last_receive) } else { None }
    }

    /// A packet leaves at `now` with this option of ours. The run of packets that it ends goes into `log`, if there is one.
    #[inline(always)]
    pub(crate) fn depart(
        &mut self,
        now: Instant,
        scale: &mut Scale<'_>,
        log: Option<&mut SendLog<'_>>,
    ) -> PdmOption {
        let psn = self.newest.next_psn();
        if now != self.newest.at {
            self.begin_run(log);
        }
        let option = PdmOption {
            psntp: psn,
            psnlr: self.psnlr,
            delta_tlr: self.since_receive(now, scale),
            delta_tls: self.since_send(now, scale),
        };
        self.newest.last = psn;
        self.sent = self.sent.saturating_add(1);
        self.sent_at(now);
        option
    }

    /// Numbers from here on leave later than those before, which `log` remembers if they may still be answered.
    #[inline(always)]
    fn begin_run(&mut self, log: Option<&mut SendLog<'_>>) {
        let first = self.newest.next_psn();
        if let Some(log) = log
            && !self.newest.is_empty()
        {
            log.close(&mut self.newest);
        }
        self.newest.first = first;
    }

    /// DELTATLR: since the last packet was received.
    #[inline(always)]
    fn since_receive(&self, now: Instant, scale: &mut Scale<'_>) -> ScaledTime {
        if self.facts.has(RECEIVED) { scale.delta(self.last_receive, now) } else { ScaledTime::ZERO }
    }

    /// DELTATLS: from the last sending to the last receipt; when nothing was received since, to now (RFC 8250,
    /// appendix C.2.1 and C.2.3).
    #[inline(always)]
    fn since_send(&self, now: Instant, scale: &mut Scale<'_>) -> ScaledTime {
        let end = if self.facts.has(RECEIVED_SINCE_SENT) { self.last_receive } else { now };
        if self.facts.has(SENT) { scale.delta(self.newest.at, end) } else { ScaledTime::ZERO }
    }

    /// A packet leaves with number `psn`, given by the host itself. `log` is as in [`Entry::depart`].
    #[inline]
    pub(crate) fn depart_native(&mut self, psn: Psn, now: Instant, mut log: Option<&mut SendLog<'_>>) {
        if !(self.facts.has(NATIVE) && self.facts.has(SENT)) {
            // From here on the numbers are the host's, and an answer to one of ours is none.
            self.facts.set(NATIVE);
            self.facts.clear(ANSWERED);
            self.sent = 0;
            (self.newest, self.oldest) = (Run::before(psn), Place::default());
        } else if now != self.newest.at || psn != self.newest.next_psn() {
            self.begin_run(log.as_deref_mut());
        }
        self.follow_numbers(psn, now, log);
        self.sent_at(now);
    }

    /// Widens the range of used numbers so that it holds `psn`.
    fn follow_numbers(&mut self, psn: Psn, now: Instant, log: Option<&mut SendLog<'_>>) {
        let ahead = psn.step_from(self.newest.last);
        if ahead > 0 {
            if psn != self.newest.next_psn() {
                self.newest.first = psn;
            }
            self.sent = self.sent.saturating_add(ahead.unsigned_abs().into());
            self.newest.last = psn;
        } else {
            // None of the newest run.
            log.into_iter().for_each(|log| log.put(&mut self.newest.next, Run::of(now, psn, psn)));
            self.sent = self.sent.max(u32::from(ahead.unsigned_abs()) + 1);
        }
    }

    fn sent_at(&mut self, now: Instant) {
        self.newest.at = now;
        self.last_seen = now;
        self.facts.set(SENT);
        self.facts.clear(RECEIVED_SINCE_SENT);
    }

    /// A packet arrives with number `psn`.
    #[inline(always)]
    pub(crate) fn arrive(&mut self, psn: Psn, at: Instant) {
        self.psnlr = psn;
        self.facts.set(RECEIVED_OPTION);
        self.received_at(at);
    }

    /// Notes that a packet with number `psn` arrived, and what that says of those before it.
    #[inline(always)]
    pub(crate) fn progress(&mut self, psn: Psn) -> Progress {
        self.account.arrived();
        if self.seen.note_next(psn) { Progress::IN_ORDER } else { self.note_disorder(psn) }
    }

    #[cold]
    fn note_disorder(&mut self, psn: Psn) -> Progress {
        let progress = self.seen.note(psn);
        self.account.told(progress);
        progress
    }

    /// Notes how long a packet and its answer took, as far as `answer` tells.
    #[inline(always)]
    pub(crate) fn took(&mut self, answer: &Answer) {
        self.account.took(answer);
    }

    /// A packet arrives without the option. It moves the receive time until one with it came: PSNLR and the receive
    /// time have to be the same packet's.
    #[inline]
    pub(crate) fn arrive_plain(&mut self, at: Instant) {
        self.account.arrived();
        if self.facts.has(RECEIVED_OPTION) {
            self.last_seen = at;
        } else {
            self.received_at(at);
        }
    }

    fn received_at(&mut self, at: Instant) {
        self.last_receive = at;
        self.last_seen = at;
        self.facts.set(RECEIVED | RECEIVED_SINCE_SENT);
    }

    /// When packet `psn`, which is answered now, was sent, if this is its first answer and the time still known.
    #[inline(always)]
    pub(crate) fn sending_of(&mut self, psn: Psn, log: &mut SendLog<'_>) -> Result<Instant, Untold> {
        if !self.newest.holds(psn) {
            return self.sent_earlier(psn, log);
        }
        // Nobody asks for what was sent before it any more.
        self.newest.first = psn.next();
        self.answered(psn);
        Ok(self.newest.at)
    }

    /// The same of a packet that is none of the newest run.
    #[inline(never)]
    fn sent_earlier(&mut self, psn: Psn, log: &mut SendLog<'_>) -> Result<Instant, Untold> {
        if self.facts.has(ANSWERED) && psn.step_from(self.last_answered) <= 0 {
            return Err(Untold::NotTheFirst);
        }
        if u32::from(self.newest.last.ahead_of(psn)) >= self.sent {
            return Err(Untold::NeverSent);
        }
        self.answered(psn);
        log.take(&mut self.newest, &mut self.oldest, psn).ok_or(Untold::Forgotten)
    }

    fn answered(&mut self, psn: Psn) {
        self.last_answered = psn;
        self.facts.set(ANSWERED);
    }

    /// What the flow has been through until `now`.
    pub(crate) fn record(&self, now: Instant) -> FlowRecord {
        let idle = now.saturating_since(self.last_seen);
        record::record(self.key, self.began, idle, self.sent, self.account, now)
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
