//! The stats core: it takes in what all workers recorded and counted, and says what is known of it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Collector, Counters, Counts, Intake, PortSnapshot, PrefixCollector, Recorders, Report, Snapshot,
    WorkerSnapshot,
};

/// What is known of all workers. It belongs to one thread, which is none of theirs.
#[derive(Debug)]
pub struct StatsCore {
    rules: Vec<String>,
    total: Collector,
    interval: Collector,
    prefixes: Option<PrefixCollector>,
    workers: Vec<Worker>,
}

/// What is known of one worker.
#[derive(Debug)]
struct Worker {
    core: u32,
    counters: Arc<Counters>,
    intake: Intake,
    /// How often it had gone round when the last interval ended.
    rounds: u64,
}

impl StatsCore {
    /// A stats core without workers yet, for rules of these names.
    #[must_use]
    pub fn new(rules: Vec<String>) -> Self {
        let nothing = Collector::new(rules.len());
        Self { rules, total: nothing.clone(), interval: nothing, prefixes: None, workers: Vec::new() }
    }

    /// The same one, which also takes in what the workers record by remote prefix.
    #[must_use]
    pub fn with_prefixes(self) -> Self {
        Self { prefixes: Some(PrefixCollector::default()), ..self }
    }

    /// Listens to the worker on `core` from now on, that counts in `counters` and hands its recorders to `intake`.
    pub fn listen(&mut self, core: u32, counters: Arc<Counters>, intake: Intake) {
        self.workers.push(Worker { core, counters, intake, rounds: 0 });
    }

    /// Takes in what the workers have handed over.
    pub fn take_in(&mut self) {
        for worker in &self.workers {
            worker.intake.collect(|full| {
                self.total.fold(full);
                self.interval.fold(full);
                self.prefixes.iter_mut().for_each(|prefixes| prefixes.fold(full));
            });
        }
    }

    /// Takes in what a worker had not handed over when it ended.
    pub fn take_in_last(&mut self, recorders: &Recorders) {
        self.total.fold(recorders);
        self.interval.fold(recorders);
        self.prefixes.iter_mut().for_each(|prefixes| prefixes.fold(recorders));
    }

    /// What all workers together have counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.workers.iter().for_each(|worker| sum += worker.counters.now());
        sum
    }

    /// All that happened in `duration`.
    #[must_use]
    pub fn report(&self, duration: Duration) -> Report {
        Report::new(&self.counts(), &self.total, duration)
    }

    /// Ends an interval, `uptime` after the start: all that is known now. `ports` is what the ports have counted,
    /// `clock_error_ppb` how wrong the clock may run.
    pub fn end_interval(
        &mut self,
        uptime: Duration,
        ports: Vec<PortSnapshot>,
        clock_error_ppb: u64,
    ) -> Snapshot {
        let nothing = Collector::new(self.rules.len());
        Snapshot {
            uptime,
            workers: self.workers.iter_mut().map(Worker::end_interval).collect(),
            ports,
            rules: self.rules.clone(),
            total: self.total.clone(),
            interval: mem::replace(&mut self.interval, nothing),
            prefixes: self.prefixes.clone(),
            clock_error_ppb,
        }
    }
}

impl Worker {
    fn end_interval(&mut self) -> WorkerSnapshot {
        let counts = self.counters.now();
        let before = mem::replace(&mut self.rounds, counts.rounds);
        WorkerSnapshot { core: self.core, counts, alive: counts.rounds != before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exchange, Metric, PrefixBook, RuleId, exchange};

    #[test]
    fn an_interval_holds_what_came_in_it_and_the_total_everything() {
        let mut recorders = Recorders::new(1);
        let (worker, intake) = exchange(&recorders);
        let counters = Arc::new(Counters::default());
        let mut core = StatsCore::new(vec!["lab".into()]);
        core.listen(3, Arc::clone(&counters), intake);

        recorders.record(RuleId::default(), Metric::TotalRtt, 100.0);
        worker.swap(&mut recorders);
        counters.rounds.add(1);
        counters.packets.add(5);
        core.take_in();
        let first = core.end_interval(Duration::from_secs(1), Vec::new(), 7);
        assert_eq!((first.workers[0].core, first.workers[0].alive), (3, true));
        assert_eq!((first.counts().packets, first.clock_error_ppb), (5, 7));
        assert_eq!(first.interval.summary(Metric::TotalRtt).unwrap().count, 1);

        recorders.record_times(RuleId::default(), Metric::TotalRtt, 100.0, 2);
        core.take_in_last(&recorders);
        let second = core.end_interval(Duration::from_secs(2), Vec::new(), 7);
        assert!(!second.workers[0].alive, "it did not go round");
        assert_eq!(second.interval.summary(Metric::TotalRtt).unwrap().count, 2);
        assert_eq!(second.total.summary(Metric::TotalRtt).unwrap().count, 3);
        assert_eq!(core.report(Duration::from_secs(2)).metrics["total_rtt"].count, 3);
    }

    /// A worker that records by prefix.
    struct Recording {
        book: PrefixBook,
        recorders: Recorders,
        exchange: Exchange,
    }

    impl Recording {
        fn new(core: &mut StatsCore) -> Self {
            let recorders = Recorders::new(1).with_prefixes();
            let (exchange, intake) = exchange(&recorders);
            core.listen(0, Arc::default(), intake);
            Self { book: PrefixBook::new(48, [1, 2, 3, 4]).unwrap(), recorders, exchange }
        }

        /// Records an answer from each of `remotes`, and offers the set.
        fn answers(&mut self, remotes: &[&str]) {
            for remote in remotes {
                self.recorders.record_remote(self.book.slot(remote.parse().unwrap()), 5.0, Some(7.0));
            }
            self.exchange.swap(&mut self.recorders);
        }
    }

    #[test]
    fn prefixes_keep_their_slots_over_an_exchange_and_workers_add_up() {
        let mut core = StatsCore::new(vec!["lab".into()]).with_prefixes();
        let [mut one, mut other] = [Recording::new(&mut core), Recording::new(&mut core)];
        one.answers(&["2001:db8:a::1", "2001:db8:b::1"]);
        core.take_in();
        // From here on sets come back that were in use before.
        one.answers(&["2001:db8:b::1", "2001:db8:b::2"]);
        one.answers(&["2001:db8:a::2"]);
        other.answers(&["2001:db8:b::1", "2001:db8:c::1"]);
        core.take_in();
        one.recorders.record_remote(one.book.slot("2001:db8:a::1".parse().unwrap()), 5.0, Some(7.0));
        core.take_in_last(&one.recorders);
        let snapshot = core.end_interval(Duration::from_secs(1), Vec::new(), 0);
        let prefixes = snapshot.prefixes.unwrap();
        let counts: Vec<_> = prefixes
            .by_remote()
            .map(|(remote, delays)| (remote.to_string(), delays.server_delay.len(), delays.network_rtt.len()))
            .collect();
        let expected = [("2001:db8:a::/48", 3), ("2001:db8:b::/48", 4), ("2001:db8:c::/48", 1), ("other", 0)];
        assert_eq!(counts, expected.map(|(remote, count)| (remote.to_owned(), count, count)));
    }

    #[test]
    fn without_prefixes_none_are_told() {
        let snapshot = StatsCore::new(Vec::new()).end_interval(Duration::ZERO, Vec::new(), 0);
        assert!(snapshot.prefixes.is_none());
    }
}
