//! All that is known at one moment: what every exporter is made from.

use std::time::Duration;

use crate::{Collector, Counts, PrefixCollector, RuleId};

/// All that is known at the end of an interval.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Since the start.
    pub uptime: Duration,
    /// Each worker, in the order of their cores.
    pub workers: Vec<WorkerSnapshot>,
    /// Each port, a pair's host port before its wire port.
    pub ports: Vec<PortSnapshot>,
    /// Names of the rules, by [`crate::RuleId::index`]; what no rule selects comes after them.
    pub rules: Vec<String>,
    /// Delays since the start.
    pub total: Collector,
    /// Delays of the interval that ends now.
    pub interval: Collector,
    /// Delays since the start by remote prefix; `None` when they are not recorded.
    pub prefixes: Option<PrefixCollector>,
    /// How wrong the clock may run, in parts per billion.
    pub clock_error_ppb: u64,
}

/// What one worker has counted since the start.
#[derive(Debug, Clone)]
pub struct WorkerSnapshot {
    /// Its core.
    pub core: u32,
    /// What it counted.
    pub counts: Counts,
    /// Whether it still goes round.
    pub alive: bool,
}

/// What a port's driver, and the kernel below it, have counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortSnapshot {
    /// The pair's place in the configuration.
    pub pair: usize,
    /// `host` or `wire`.
    pub side: &'static str,
    /// The device's name.
    pub device: String,
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets lost because a queue was full.
    pub missed: u64,
    /// Broken packets received.
    pub receive_errors: u64,
    /// Packets that could not be sent.
    pub transmit_errors: u64,
    /// Packets lost because the pool was empty.
    pub no_buffer: u64,
    /// Packets that the kernel dropped before the driver saw them.
    pub kernel_dropped: u64,
}

impl Snapshot {
    /// What all workers together have counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.workers.iter().for_each(|worker| sum += worker.counts);
        sum
    }

    /// Each rule with its name, and then, without one, what no rule selects.
    pub fn rule_ids(&self) -> impl Iterator<Item = (RuleId, Option<&str>)> {
        let names = self.rules.iter().map(|name| Some(name.as_str())).chain([None]);
        (0..=u16::MAX).map(RuleId::new).zip(names)
    }
}
