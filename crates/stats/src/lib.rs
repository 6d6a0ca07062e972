//! What was measured: counters and histograms that a worker fills, and what the stats core makes of them.
//!
//! A worker owns one [`Recorders`] and writes one block of [`Counters`]; neither is locked, shared between workers, or
//! allocated after start. The stats core owns a [`Collector`], which folds full recorders in, and writes [`Report`]s.
//! This crate knows no packets, flows or clocks: a delay comes in as nanoseconds, an event as a counter's name.

#![forbid(unsafe_code)]

mod collector;
mod counters;
mod exchange;
mod metric;
mod recorder;
mod report;
mod rule;
mod snapshot;

pub use collector::{Collector, Summary};
pub use counters::{Counter, Counters, Counts, Drop};
pub use exchange::{Core, Exchange, exchange};
pub use metric::Metric;
pub use recorder::Recorders;
pub use report::{Loss, Report};
pub use rule::RuleId;
pub use snapshot::{PortSnapshot, Snapshot, WorkerSnapshot};
