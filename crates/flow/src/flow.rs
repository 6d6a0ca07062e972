//! One flow, when a packet of its own passes.

use std::hint::cold_path;

use pdm::{PdmOption, Psn, ScaledTime};

use crate::entry::{Entry, Scale};
use crate::log::SendLog;
use crate::measure::{Answer, ClockTolerance};
use crate::past::Past;
use crate::{Instant, Progress, Span, TickRate};

/// A flow in its shard.
pub struct Flow<'s, 'm> {
    pub(crate) entry: &'s mut Entry,
    pub(crate) past: &'s mut Past,
    /// Where send times are remembered; none, when options are not read either.
    pub(crate) log: Option<&'s mut SendLog<'m>>,
    pub(crate) tolerance: ClockTolerance,
    /// How many deltas would have been negative so far.
    pub(crate) backwards: &'s mut u64,
}

impl Flow<'_, '_> {
    /// Whether the flow's host speaks PDM itself.
    #[must_use]
    #[inline(always)]
    pub fn is_native(&self) -> bool {
        self.entry.is_native()
    }

    /// How long the local host takes to answer when a packet leaves at `now`, if that is the first one since one was received;
    /// `None` too while the shard does not measure.
    #[must_use]
    #[inline(always)]
    pub fn local_delay(&self, now: Instant) -> Option<Span> {
        if self.log.is_some() { self.entry.local_delay(now) } else { None }
    }

    /// A packet leaves at `now` with the option that this returns; `rate` is what the clock's tick is worth.
    #[inline(always)]
    pub fn depart(&mut self, now: Instant, rate: TickRate) -> PdmOption {
        let mut scale = Scale { rate, backwards: self.backwards };
        self.entry.depart(self.past, now, &mut scale, self.log.as_deref_mut())
    }

    /// A packet leaves at `now` with an option of the host's own, which makes the flow a native host's.
    #[inline]
    pub fn depart_native(&mut self, option: &PdmOption, now: Instant) {
        self.entry.depart_native(self.past, option.psntp, now, self.log.as_deref_mut());
    }

    /// A packet arrives at `at` without an option.
    #[inline]
    pub fn arrive_plain(&mut self, at: Instant) {
        self.entry.arrive_plain(self.past, at);
    }

    /// What the option of a packet that arrives at `at` says of the packet that it answers. Only the first answer tells: server
    /// delay ends with the first packet sent back (RFC 8250, section 2.2).
    #[inline(always)]
    pub fn answer(&mut self, option: &PdmOption, at: Instant, rate: TickRate) -> Answer {
        let Some(log) = self.log.as_deref_mut() else {
            return Answer::None;
        };
        if option.psnlr == Psn::default() && option.delta_tlr == ScaledTime::ZERO {
            // The peer has received nothing.
            return Answer::None;
        }
        let sent = match self.entry.sending_of(self.past, option.psnlr, log) {
            Ok(sent) => sent,
            Err(untold) => return untold.into(),
        };
        let Some(total) = at.checked_since(sent) else {
            cold_path();
            return Answer::Nonsense;
        };
        let answer = Answer::after(rate.nanos(total), option.delta_tlr, self.tolerance);
        self.past.account.took(&answer);
        answer
    }

    /// A packet arrives at `at` with number `psn`; [`Flow::answer`] was asked before. Tells what the number says of the packets
    /// before it.
    #[inline(always)]
    pub fn arrive(&mut self, psn: Psn, at: Instant) -> Progress {
        let progress = if self.log.is_some() { self.past.progress(psn) } else { Progress::IN_ORDER };
        self.entry.arrive(psn, at);
        progress
    }
}
