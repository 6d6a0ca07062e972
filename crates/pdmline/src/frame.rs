//! What an instance tells on its control socket, once in each interval, and `pdmline top` shows.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use flow::WorstBy;
use serde::{Deserialize, Serialize};
use stats::{Metric, Summary};

use crate::flow_object::FlowObject;

/// A name from a fixed list, of counters, reasons or metrics.
pub(crate) type Name = Cow<'static, str>;

/// An instance at the end of an interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) instance: String,
    /// Of pdmline.
    pub(crate) version: Name,
    pub(crate) dpdk_version: String,
    /// Since the start, in seconds.
    pub(crate) uptime_s: f64,
    /// How long the interval was, in seconds.
    pub(crate) interval_s: f64,
    /// How wrong the clock may run, in parts per billion.
    pub(crate) clock_error_ppb: u64,
    pub(crate) workers: Vec<Worker>,
    /// Flows in the tables.
    pub(crate) flows_live: u64,
    /// All other counters that are not by reason.
    pub(crate) counts: Tally,
    /// Packets that were left alone, by reason.
    pub(crate) skipped: Tally,
    /// Packets that did not leave, by reason.
    pub(crate) dropped: Tally,
    /// Packets that got lost at ports.
    pub(crate) ports: Vec<Port>,
    /// In the order of the configuration.
    pub(crate) rules: Vec<Rule>,
    /// The flows that stand out, by what, the worst first.
    pub(crate) worst: BTreeMap<Name, Vec<FlowObject>>,
}

/// Numbers by their names.
pub(crate) type Tally = BTreeMap<Name, Count>;

/// How many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    /// In the interval.
    pub(crate) interval: u64,
    /// Since the start.
    pub(crate) total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) core: u32,
    /// Whether it still goes round.
    pub(crate) alive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Port {
    /// The pair's place in the configuration.
    pub(crate) pair: usize,
    /// `host` or `wire`.
    pub(crate) side: Name,
    pub(crate) device: String,
    /// Packets that got lost there, by reason.
    pub(crate) dropped: Tally,
}

/// What a rule measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// The metrics that have samples in the interval.
    pub(crate) delays: BTreeMap<Name, Summary>,
    /// Medians of the last intervals, the newest last.
    pub(crate) medians: Medians,
}

/// Nanoseconds by metric, for each of [`CHARTED`]; none where an interval has no sample.
pub(crate) type Medians = BTreeMap<Name, VecDeque<Option<u64>>>;

/// Intervals whose medians are remembered.
pub(crate) const REMEMBERED: usize = 60;

/// The metrics whose course is remembered.
pub(crate) const CHARTED: [Metric; 2] = [Metric::NetworkRtt, Metric::ServerDelay];

impl Frame {
    /// The counter `name`; nothing if there is none.
    pub(crate) fn count(&self, name: &str) -> Count {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// The flows that stand out by `by`, the worst first.
    pub(crate) fn worst(&self, by: WorstBy) -> &[FlowObject] {
        self.worst.get(by.name()).map_or(&[], Vec::as_slice)
    }
}
