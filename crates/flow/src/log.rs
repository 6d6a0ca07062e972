//! The send log: when packets left that may still be answered.
//!
//! What a flow sent at one time, with numbers one after the other, is a [`Run`]. A flow's newest run stays in its entry;
//! when the next one begins before all of it was answered it goes into the log, a ring in the order of sending. So to
//! remember a packet touches nothing but the ring's next place, however many flows there are, and a flow whose packets
//! are answered one by one never comes here.
//!
//! A flow's runs are chained, the newest first. Answers come in the order of sending: when one asks for a run of the
//! chain, the chain is turned round, and is then eaten up from its oldest end. So a run is visited twice at the most.

use pdm::Psn;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Instant;

/// Packets that left at the same time, with numbers one after the other.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Run {
    pub(crate) at: Instant,
    pub(crate) first: Psn,
    pub(crate) last: Psn,
    /// The flow's next run in its chain.
    next: Place,
}

/// Where a run is: how many were put into the log before it, and 1. It may be gone. 0 is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(crate) struct Place(u32);

impl Place {
    const NOWHERE: Self = Self(0);
}

/// How many runs late a number may be found.
const OUT_OF_ORDER: usize = 16;

/// What a flow's entry keeps of the log.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trail {
    /// Runs that were put in since the chain was turned round, the newest first.
    newest: Place,
    /// The runs before them, the oldest first.
    oldest: Place,
}

/// The log of one shard.
pub(crate) struct SendLog<'m> {
    /// A power of two of them.
    runs: &'m mut [Run],
    /// Where the last run is.
    last: Place,
}

/// Runs of a log for `packets` packets in flight: a power of two, and some cache lines at the least.
pub(crate) const fn runs_for(packets: usize) -> usize {
    let runs = packets.next_power_of_two();
    if runs < 64 { 64 } else { runs }
}

impl Run {
    /// A run that is in no chain.
    pub(crate) fn of(at: Instant, first: Psn, last: Psn) -> Self {
        Self { at, first, last, next: Place::NOWHERE }
    }

    /// Whether packet `psn` is one of these.
    #[inline]
    pub(crate) fn holds(&self, psn: Psn) -> bool {
        psn.ahead_of(self.first) <= self.last.ahead_of(self.first)
    }

    /// Whether all of these were sent before packet `psn`.
    fn is_before(&self, psn: Psn) -> bool {
        psn.step_from(self.last) > 0
    }
}

impl<'m> SendLog<'m> {
    /// A log on a power of two of runs, at most 2^31.
    pub(crate) fn new(runs: &'m mut [Run]) -> Self {
        Self { runs, last: Place::NOWHERE }
    }

    /// Puts `run` into the log, the newest of the flow with `trail`.
    #[inline(always)]
    pub(crate) fn put(&mut self, trail: &mut Trail, run: Run) {
        // Nowhere is left out when the count wraps.
        self.last = Place(self.last.0.wrapping_add(1).max(1));
        *self.at(self.last) = Run { next: trail.newest, ..run };
        trail.newest = self.last;
    }

    /// When the flow with `trail`, whose newest packet left at `newest`, sent packet `psn`, if that is still remembered. What
    /// was sent before it is forgotten, as nobody asks for it any more.
    pub(crate) fn take(&mut self, trail: &mut Trail, psn: Psn, newest: Instant) -> Option<Instant> {
        let found = self.eat_up(trail, psn, newest);
        if found.is_some() || trail.oldest != Place::NOWHERE {
            return found;
        }
        self.turn_round(trail, newest);
        self.eat_up(trail, psn, newest)
    }

    /// Goes on from the oldest run to the one that holds `psn`.
    fn eat_up(&mut self, trail: &mut Trail, psn: Psn, newest: Instant) -> Option<Instant> {
        while let Some(run) = self.get(trail.oldest, newest) {
            if run.holds(psn) {
                if psn == run.last {
                    trail.oldest = run.next;
                }
                return Some(run.at);
            }
            if !run.is_before(psn) {
                return self.find_after(run, psn, newest);
            }
            trail.oldest = run.next;
        }
        trail.oldest = Place::NOWHERE;
        None
    }

    /// Looks for `psn` a little after `run`: a native host's packets may have left in another order than their numbers'.
    #[cold]
    fn find_after(&mut self, mut run: Run, psn: Psn, newest: Instant) -> Option<Instant> {
        for _ in 0..OUT_OF_ORDER {
            run = self.get(run.next, newest)?;
            if run.holds(psn) {
                return Some(run.at);
            }
        }
        None
    }

    /// Makes the newest runs, as far as they are there, the oldest first.
    fn turn_round(&mut self, trail: &mut Trail, newest: Instant) {
        let (mut place, mut bound) = (trail.newest, newest);
        *trail = Trail::default();
        while let Some(run) = self.get(place, bound) {
            bound = run.at;
            *self.at(place) = Run { next: trail.oldest, ..run };
            trail.oldest = place;
            place = run.next;
        }
    }

    /// The run at `place`, unless it is gone. A flow's runs are none of them later than `bound`, while another's that came to
    /// the same place 2^32 runs later most likely is.
    #[inline]
    fn get(&mut self, place: Place, bound: Instant) -> Option<Run> {
        let behind = self.last.0.wrapping_sub(place.0) as usize;
        let is_there = place != Place::NOWHERE && behind < self.runs.len();
        Some(*self.at(place)).filter(|run| is_there && run.at <= bound)
    }

    #[inline]
    fn at(&mut self, place: Place) -> &mut Run {
        let mask = self.runs.len() - 1;
        &mut self.runs[place.0 as usize & mask]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: Instant = Instant::from_ticks(u64::MAX);

    fn with_log(packets: usize, test: impl FnOnce(SendLog<'_>)) {
        let nothing = Run::of(Instant::default(), Psn::default(), Psn::default());
        let mut runs = vec![nothing; runs_for(packets)];
        test(SendLog::new(&mut runs));
    }

    fn run(number: u64) -> Run {
        let psn = Psn::new(u16::try_from(number % 65_536).unwrap());
        Run::of(Instant::from_ticks(number), psn, psn)
    }

    #[test]
    fn answers_find_their_runs_while_more_are_sent() {
        with_log(64, |mut log| {
            let mut trail = Trail::default();
            let take = |log: &mut SendLog<'_>, trail: &mut Trail, psn| {
                log.take(trail, Psn::new(psn), ALWAYS).map(Instant::ticks)
            };
            assert_eq!(take(&mut log, &mut trail, 1), None);
            let long = Run::of(Instant::from_ticks(1), Psn::new(65_534), Psn::new(1));
            log.put(&mut trail, long);
            (2..5).for_each(|number| log.put(&mut trail, run(number)));
            assert_eq!(take(&mut log, &mut trail, 65_534), Some(1));
            assert_eq!(take(&mut log, &mut trail, 0), Some(1));
            (5..8).for_each(|number| log.put(&mut trail, run(number)));
            assert_eq!(take(&mut log, &mut trail, 3), Some(3));
            assert_eq!(take(&mut log, &mut trail, 6), Some(6));
            assert_eq!(take(&mut log, &mut trail, 3), None, "older than one that was taken");
            assert_eq!(take(&mut log, &mut trail, 8), None);
        });
    }

    #[test]
    fn numbers_that_were_left_out_are_not_found() {
        with_log(64, |mut log| {
            let mut trail = Trail::default();
            [10, 20].map(run).into_iter().for_each(|run| log.put(&mut trail, run));
            assert_eq!(log.take(&mut trail, Psn::new(15), ALWAYS), None);
            assert_eq!(log.take(&mut trail, Psn::new(20), ALWAYS), Some(Instant::from_ticks(20)));
        });
    }

    #[test]
    fn a_run_of_another_flow_that_has_its_place_is_not_taken_for_its_own() {
        with_log(64, |mut log| {
            let mut trail = Trail::default();
            log.put(&mut trail, run(1));
            let mut other = Trail::default();
            (0..63).for_each(|number| log.put(&mut other, run(number + 100)));
            assert_eq!(log.take(&mut trail.clone(), Psn::new(1), ALWAYS), Some(Instant::from_ticks(1)));
            log.put(&mut other, run(200));
            assert_eq!(log.take(&mut trail, Psn::new(1), ALWAYS), None);
            // 2^32 runs later the count says that the place is its own.
            let newest = Instant::from_ticks(5);
            let mut wrapped = Trail { newest: log.last, ..Trail::default() };
            assert_eq!(log.take(&mut wrapped, Psn::new(200), newest), None);
        });
    }

    /// Sends as `flows` flows in turn and asks for each packet when `in_flight` more were sent; returns how many were
    /// found, in a thousand.
    fn found_per_mille(packets: usize, flows: usize, in_flight: usize) -> usize {
        let mut found = 0;
        let total = packets * 4;
        with_log(packets, |mut log| {
            let mut trails = vec![Trail::default(); flows];
            for n in 0..total {
                let sent = Run { at: Instant::from_ticks(n as u64), ..run((n / flows) as u64) };
                log.put(&mut trails[n % flows], sent);
                if let Some(asked) = n.checked_sub(in_flight - 1) {
                    let psn = run((asked / flows) as u64).first;
                    let at = log.take(&mut trails[asked % flows], psn, ALWAYS);
                    found += usize::from(at == Some(Instant::from_ticks(asked as u64)));
                }
            }
        });
        found * 1000 / (total - in_flight + 1)
    }

    #[test]
    fn every_packet_is_found_while_no_more_are_in_flight_than_the_log_holds() {
        const PACKETS: usize = 1 << 14;
        for flows in [1, 2, 100, 1_000, 10_000] {
            assert_eq!(found_per_mille(PACKETS, flows, PACKETS), 1000, "{flows} flows");
        }
    }
}
