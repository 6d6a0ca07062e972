//! One flow, when a packet of its own passes.

use pdm::{PdmOption, Psn, ScaledTime};

use crate::entry::Entry;
use crate::log::SendLog;
use crate::measure::{self, Answer, ClockTolerance};
use crate::{Departure, Instant, Progress, TickRate};

/// What an arriving option tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reception {
    /// What it says about the path and the peer.
    pub answer: Answer,
    /// What its number says about the packets before it.
    pub progress: Progress,
}

/// A flow in its shard.
pub struct Flow<'s, 'm> {
    pub(crate) entry: &'s mut Entry,
    /// Where send times are remembered; none, when options are not read either.
    pub(crate) log: Option<&'s mut SendLog<'m>>,
    pub(crate) tolerance: ClockTolerance,
}

impl Flow<'_, '_> {
    /// Whether the flow's host speaks PDM itself.
    #[must_use]
    #[inline(always)]
    pub fn is_native(&self) -> bool {
        self.entry.is_native()
    }

    /// A packet leaves at `now` with an option of ours; `rate` is what the clock's tick is worth.
    #[inline(always)]
    pub fn depart(&mut self, now: Instant, rate: TickRate) -> Departure {
        self.entry.depart(now, rate, self.log.as_deref_mut())
    }

    /// A packet leaves at `now` with an option of the host's own, which makes the flow a native host's.
    #[inline]
    pub fn depart_native(&mut self, option: &PdmOption, now: Instant) {
        self.entry.depart_native(option.psntp, now, self.log.as_deref_mut());
    }

    /// A packet arrives at `at` without an option.
    #[inline]
    pub fn arrive_plain(&mut self, at: Instant) {
        self.entry.arrive_plain(at);
    }

    /// A packet arrives at `at` with `option`.
    #[inline(always)]
    pub fn arrive(&mut self, option: &PdmOption, at: Instant, rate: TickRate) -> Reception {
        let reception = self.read(option, at, rate).unwrap_or_default();
        self.entry.arrive(option.psntp, at);
        reception
    }

    /// What `option`, which arrived at `at`, tells; `None` when it is not asked.
    #[inline(always)]
    fn read(&mut self, option: &PdmOption, at: Instant, rate: TickRate) -> Option<Reception> {
        let log = self.log.as_deref_mut()?;
        let answer = answer(self.entry, log, option, at, rate, self.tolerance);
        let progress = self.entry.account(option.psntp, &answer);
        Some(Reception { answer, progress })
    }
}

/// What `option` says of the packet that it answers. Only the first answer tells: server delay ends with the first
/// packet sent back (RFC 8250, section 2.2).
#[inline(always)]
fn answer(
    entry: &mut Entry,
    log: &mut SendLog<'_>,
    option: &PdmOption,
    at: Instant,
    rate: TickRate,
    tolerance: ClockTolerance,
) -> Answer {
    let answered = option.psnlr;
    let nothing_received = answered == Psn::default() && option.delta_tlr == ScaledTime::ZERO;
    if nothing_received || !entry.is_first_answer(answered) {
        return Answer::None;
    }
    if !entry.has_sent(answered) {
        return Answer::NeverSent;
    }
    let Some(sent) = entry.answered(answered, log) else {
        return Answer::Forgotten;
    };
    match at.checked_since(sent) {
        Some(total) => measure::part(rate.attos(total), option.delta_tlr, tolerance),
        None => Answer::Nonsense,
    }
}
