//! What was measured: counters and histograms that a worker fills, and what the stats core makes of them.
//!
//! A worker owns one [`Recorders`] and writes one block of [`Counters`]; neither is locked, shared between workers, or
//! allocated after start. The [`StatsCore`] takes in what they handed over, and makes [`Snapshot`]s and [`Report`]s of it.
//! This crate knows no packets, flows or clocks: a delay comes in as nanoseconds, an event as a counter's name, a remote end
//! as its address.

#![forbid(unsafe_code)]

mod collector;
mod counters;
mod error;
mod exchange;
mod hlog;
mod json_lines;
mod metric;
pub mod openmetrics;
mod prefix;
mod prefix_collector;
mod recorder;
mod recorders;
mod report;
mod rule;
mod snapshot;
mod stats_core;

pub use collector::{Collector, Summary};
pub use counters::{Counter, Counters, Counts, Drop, Leg};
pub use error::Error;
pub use exchange::{Exchange, Intake, exchange};
pub use hlog::HistogramLog;
pub use json_lines::{Interval, Intervals};
pub use metric::Metric;
pub use prefix::{MAX_PREFIXES, PrefixBook, Remote, Slot};
pub use prefix_collector::{PrefixCollector, RemoteDelays};
pub use recorders::Recorders;
pub use report::{Loss, Report};
pub use rule::RuleId;
pub use snapshot::{PortSnapshot, Snapshot, WorkerSnapshot};
pub use stats_core::StatsCore;
