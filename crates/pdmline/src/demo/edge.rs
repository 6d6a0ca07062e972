//! One appliance of the demo: the real worker between two rings, and what it measured.

use std::sync::Arc;
use std::time::Duration;

use dataplane::{Action, Engine, Mailbox, Pair, Rule, Rules, Telling, Way, Worker};
use dpdk::{QueuePair, RxQueue, TxQueue};
use flow::{PairId, Settings, Shard, Side, Span};
use ipnet::Ipv6Net;
use pdm::Limits;
use stats::{Collector, Counters, Report};

use super::clock::SimulatedClock;
use crate::secret;

/// Packets in flight that an edge remembers; the demo has a few hundred.
const LOG_PACKETS: usize = 1 << 14;

/// Rules that it has.
const RULES: usize = 1;

/// Flows that it has room for.
const FLOWS: usize = 1 << 10;

/// An appliance with its flows in memory of its own.
pub(super) struct Edge<'e> {
    worker: Worker<'e, RxQueue<'e>, TxQueue<'e>, &'e SimulatedClock>,
    counters: Arc<Counters>,
    recorded: stats::Intake,
}

impl<'e> Edge<'e> {
    /// Octets of memory that an edge needs.
    pub(super) fn memory() -> usize {
        Shard::memory_for(FLOWS, LOG_PACKETS)
    }

    /// An edge that acts for the hosts of `prefix` on `host`, towards `wire`.
    pub(super) fn new(
        prefix: Ipv6Net,
        [host, wire]: [QueuePair<'e>; 2],
        memory: &'e mut [u8],
        clock: &'e SimulatedClock,
    ) -> anyhow::Result<Self> {
        let counters = Arc::new(Counters::default());
        let shard = Shard::new(memory, settings()?)?;
        let rule = Rule::of_hosts("demo", [prefix], Action::MEASURE);
        let engine = Engine::new(shard, Rules::new(vec![rule]), Arc::clone(&counters));
        let pair = Pair { id: PairId::default(), limits: Limits::default() };
        let ways = vec![
            Way::alone(pair, Side::Host, host.rx, wire.tx),
            Way::alone(pair, Side::Wire, wire.rx, host.tx),
        ];
        // Exchanged once, at the end: in the demo nobody looks before.
        let (telling, listening) = Telling::of(&engine, Span::from_ticks(u64::MAX));
        let worker = Worker::new(engine, ways, Mailbox::alone(), clock, telling);
        Ok(Self { worker, counters, recorded: listening.recorders })
    }

    /// One round of the worker; returns how many packets there were.
    pub(super) fn step(&mut self) -> usize {
        self.worker.step()
    }

    /// What it measured in `duration`.
    pub(super) fn into_report(self, duration: Duration) -> Report {
        let mut collector = Collector::new(RULES);
        self.recorded.collect(|recorders| collector.fold(recorders));
        collector.fold(self.worker.into_engine().recorders());
        Report::new(&self.counters.now(), &collector, duration)
    }
}

fn settings() -> anyhow::Result<Settings> {
    Ok(Settings { log_packets: LOG_PACKETS, ..Settings::new(secret::hasher()?, secret::psn_start()?) })
}
