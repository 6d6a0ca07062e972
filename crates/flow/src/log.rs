//! The send log: when packets left that may still be answered.
//!
//! What a flow sent at one time, with numbers one after the other, is a [`Run`]. A flow's newest run stays in its entry, as it
//! would be in the log; when the next one begins before all of it was answered it goes into the log, a ring in the order of
//! sending. So to remember a packet touches nothing but the ring's next place, however many flows there are, and a flow whose
//! packets are answered one by one never comes here.
//!
//! A flow's runs are chained, the newest first. Answers come in the order of sending: when one asks for a run of the
//! chain, the chain is turned round, and is then eaten up from its oldest end. So a run is visited twice at the most.

use pdm::Psn;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Instant;
use crate::facts::Facts;
use crate::prefetch::prefetch_at;

/// Packets that left at the same time, with numbers one after the other.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Run {
    pub(crate) at: Instant,
    pub(crate) last: Psn,
    /// How many of them, up to the last one, may still be answered.
    pub(crate) open: u8,
    /// Those of the flow, while the run lies in its entry, and without a meaning in the log.
    pub(crate) facts: Facts,
    /// The flow's next run in its chain.
    pub(crate) next: Place,
}

/// Where a run is: how many were put into the log before it, and 1. It may be gone. 0 is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(crate) struct Place(u32);

impl Place {
    const NOWHERE: Self = Self(0);
}

/// Runs of a cache line.
const LINE: usize = 4;
const _: () = assert!(LINE * size_of::<Run>() == 64);

/// How many runs late a number may be found.
const OUT_OF_ORDER: usize = 16;

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
    /// A run that is in no chain, of `open` packets up to number `last`.
    pub(crate) fn of(at: Instant, last: Psn, open: u8) -> Self {
        Self { at, last, open, facts: Facts::default(), next: Place::NOWHERE }
    }

    /// The number after the last one.
    #[inline]
    pub(crate) fn next_psn(&self) -> Psn {
        self.last.next()
    }

    /// Whether packet `psn` is one of these.
    #[inline]
    pub(crate) fn holds(&self, psn: Psn) -> bool {
        self.last.ahead_of(psn) < self.open.into()
    }

    /// One more packet, with the next number. So many of one flow never leave at one time that `open` does not hold them; if they did, the
    /// first ones would be forgotten.
    #[inline(always)]
    pub(crate) fn extend(&mut self) {
        self.open = self.open.saturating_add(1);
        self.last = self.next_psn();
    }

    /// Packet `psn`, one of these, is answered: nobody asks for those before it any more.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "less than there are open")]
    pub(crate) fn answered(&mut self, psn: Psn) {
        self.open = self.last.ahead_of(psn) as u8;
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

    /// Asks for the places of the next `runs` runs.
    pub(crate) fn prefetch(&self, runs: usize) {
        let (next, mask) = (self.last.0 as usize + 1, self.mask());
        (next..next + runs).step_by(LINE).for_each(|place| prefetch_at(self.runs, place & mask));
    }

    /// Puts `run` into the log, whose next run is `newest`, which it takes the place of.
    pub(crate) fn put(&mut self, newest: &mut Place, run: Run) {
        let mut run = Run { next: *newest, ..run };
        self.close(&mut run);
        *newest = run.next;
    }

    /// Puts the newest run of a flow into the log; the one after it comes before it in the chain.
    #[inline(always)]
    pub(crate) fn close(&mut self, newest: &mut Run) {
        // Nowhere is left out when the count wraps.
        self.last = Place(self.last.0.wrapping_add(1).max(1));
        *self.at(self.last) = *newest;
        newest.next = self.last;
    }

    /// When the flow of the run `newest`, which is not in the log, sent packet `psn`, if that is still remembered. What was sent
    /// before it is forgotten, as nobody asks for it any more.
    ///
    /// From `newest` a chain goes back as far as it has not been turned round; from `oldest` one goes forward.
    pub(crate) fn take(&mut self, newest: &mut Run, oldest: &mut Place, psn: Psn) -> Option<Instant> {
        let found = self.eat_up(oldest, psn, newest.at);
        if found.is_some() || *oldest != Place::NOWHERE {
            return found;
        }
        *oldest = self.turn_round(newest);
        self.eat_up(oldest, psn, newest.at)
    }

    /// Goes on from the oldest run to the one that holds `psn`. None is later than `bound`.
    fn eat_up(&mut self, oldest: &mut Place, psn: Psn, bound: Instant) -> Option<Instant> {
        while let Some(run) = self.get(*oldest, bound) {
            if run.holds(psn) {
                if psn == run.last {
                    *oldest = run.next;
                }
                return Some(run.at);
            }
            if !run.is_before(psn) {
                return self.find_after(run, psn, bound);
            }
            *oldest = run.next;
        }
        *oldest = Place::NOWHERE;
        None
    }

    /// Looks for `psn` a little after `run`: a native host's packets may have left in another order than their numbers'.
    #[cold]
    fn find_after(&mut self, mut run: Run, psn: Psn, bound: Instant) -> Option<Instant> {
        for _ in 0..OUT_OF_ORDER {
            run = self.get(run.next, bound)?;
            if run.holds(psn) {
                return Some(run.at);
            }
        }
        None
    }

    /// Turns the chain round that goes back from `newest`, as far as its runs are there. Returns where the oldest one is.
    fn turn_round(&mut self, newest: &mut Run) -> Place {
        let (mut place, mut bound) = (newest.next, newest.at);
        newest.next = Place::NOWHERE;
        let mut oldest = Place::NOWHERE;
        while let Some(run) = self.get(place, bound) {
            bound = run.at;
            *self.at(place) = Run { next: oldest, ..run };
            oldest = place;
            place = run.next;
        }
        oldest
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
        let mask = self.mask();
        &mut self.runs[place.0 as usize & mask]
    }

    #[inline]
    fn mask(&self) -> usize {
        self.runs.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: Instant = Instant::from_ticks(u64::MAX);

    fn with_log(packets: usize, test: impl FnOnce(SendLog<'_>)) {
        let nothing = Run::of(Instant::default(), Psn::default(), 0);
        let mut runs = vec![nothing; runs_for(packets)];
        test(SendLog::new(&mut runs));
    }

    fn run(number: u64) -> Run {
        let psn = Psn::new(u16::try_from(number % 65_536).unwrap());
        Run::of(Instant::from_ticks(number), psn, 1)
    }

    /// What an entry keeps of a flow whose newest run is later than all in the log.
    #[derive(Clone)]
    struct Trail {
        newest: Run,
        oldest: Place,
    }

    impl Trail {
        fn new() -> Self {
            Self { newest: Run::of(ALWAYS, Psn::default(), 0), oldest: Place::NOWHERE }
        }

        fn put(&mut self, log: &mut SendLog<'_>, run: Run) {
            log.put(&mut self.newest.next, run);
        }

        fn take(&mut self, log: &mut SendLog<'_>, psn: u16) -> Option<u64> {
            log.take(&mut self.newest, &mut self.oldest, Psn::new(psn)).map(Instant::ticks)
        }
    }

    #[test]
    fn answers_find_their_runs_while_more_are_sent() {
        with_log(64, |mut log| {
            let mut trail = Trail::new();
            assert_eq!(trail.take(&mut log, 1), None);
            let long = Run::of(Instant::from_ticks(1), Psn::new(1), 4);
            trail.put(&mut log, long);
            (2..5).for_each(|number| trail.put(&mut log, run(number)));
            assert_eq!(trail.take(&mut log, 65_534), Some(1));
            assert_eq!(trail.take(&mut log, 0), Some(1));
            (5..8).for_each(|number| trail.put(&mut log, run(number)));
            assert_eq!(trail.take(&mut log, 3), Some(3));
            assert_eq!(trail.take(&mut log, 6), Some(6));
            assert_eq!(trail.take(&mut log, 3), None, "older than one that was taken");
            assert_eq!(trail.take(&mut log, 8), None);
        });
    }

    #[test]
    fn numbers_that_were_left_out_are_not_found() {
        with_log(64, |mut log| {
            let mut trail = Trail::new();
            [10, 20].map(run).into_iter().for_each(|run| trail.put(&mut log, run));
            assert_eq!(trail.take(&mut log, 15), None);
            assert_eq!(trail.take(&mut log, 20), Some(20));
        });
    }

    #[test]
    fn a_run_of_another_flow_that_has_its_place_is_not_taken_for_its_own() {
        with_log(64, |mut log| {
            let mut trail = Trail::new();
            trail.put(&mut log, run(1));
            let mut other = Trail::new();
            (0..63).for_each(|number| other.put(&mut log, run(number + 100)));
            assert_eq!(trail.clone().take(&mut log, 1), Some(1));
            other.put(&mut log, run(200));
            assert_eq!(trail.take(&mut log, 1), None);
            // 2^32 runs later the count says that the place is its own.
            let mut wrapped = Trail::new();
            wrapped.newest = Run { at: Instant::from_ticks(5), next: log.last, ..wrapped.newest };
            assert_eq!(wrapped.take(&mut log, 200), None);
        });
    }

    /// Sends as `flows` flows in turn and asks for each packet when `in_flight` more were sent; returns how many were
    /// found, in a thousand.
    fn found_per_mille(packets: usize, flows: usize, in_flight: usize) -> usize {
        let mut found = 0;
        let total = packets * 4;
        with_log(packets, |mut log| {
            let mut trails = vec![Trail::new(); flows];
            for n in 0..total {
                let sent = Run { at: Instant::from_ticks(n as u64), ..run((n / flows) as u64) };
                trails[n % flows].put(&mut log, sent);
                if let Some(asked) = n.checked_sub(in_flight - 1) {
                    let psn = run((asked / flows) as u64).last;
                    let at = trails[asked % flows].take(&mut log, psn.get());
                    found += usize::from(at == Some(asked as u64));
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
