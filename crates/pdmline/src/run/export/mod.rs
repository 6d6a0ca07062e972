//! Where results go while the appliance runs: each interval, what is known of it is handed to all who want it.
//!
//! All of this happens on the control thread and costs the workers nothing. Only what is wrong at the start ends the
//! program; a disk that fills up later, or a reader that goes away, ends that one export.

mod file;
mod hlog;
mod http;
mod json;
mod telemetry;
#[cfg(test)]
pub(super) mod testing;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flow::{Survey, TickRate};
use stats::Snapshot;
use stats::openmetrics::{Buckets, Exposition};

use super::say;
use crate::config::Export;
use hlog::Hlog;
use http::Server;
use json::JsonLines;

pub(super) use telemetry::Commands;

/// All that is known at the end of an interval.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) snapshot: Arc<Snapshot>,
    /// The flows that stand out.
    pub(super) worst: Survey,
    /// What a tick is worth in what is known of flows.
    pub(super) rate: TickRate,
}

/// All exports that the configuration names.
pub(super) struct Exports {
    interval: Duration,
    next: Duration,
    openmetrics: Option<Server>,
    hlog: Option<Hlog>,
    json: Option<JsonLines>,
}

impl Exports {
    /// Opens all that `config` names.
    ///
    /// # Errors
    /// When one of them cannot be: a path that cannot be written, an address that is taken.
    pub(super) fn open(config: &Export, now: SystemTime) -> anyhow::Result<Self> {
        let exposition = Exposition {
            buckets: Buckets::log_spaced(config.buckets_per_decade)?,
            version: env!("CARGO_PKG_VERSION").into(),
            dpdk_version: dpdk::version(),
        };
        let serve = |address| Server::bind(address, exposition);
        Ok(Self {
            interval: config.interval,
            next: config.interval,
            openmetrics: config.openmetrics.map(serve).transpose()?,
            hlog: config.hlog.clone().map(|path| Hlog::create(path, now)).transpose()?,
            json: config.json.clone().map(JsonLines::create).transpose()?,
        })
    }

    /// Whether an interval has ended by `uptime`.
    pub(super) fn are_due(&mut self, uptime: Duration) -> bool {
        let due = uptime >= self.next;
        while self.next <= uptime {
            self.next += self.interval;
        }
        due
    }

    /// Hands `snapshot`, taken at `now`, to all.
    pub(super) fn export(&mut self, snapshot: &Arc<Snapshot>, now: SystemTime) {
        let hlog = self.hlog.as_mut().and_then(|hlog| hlog.export(snapshot, now));
        let json = self.json.as_mut().and_then(|json| json.export(snapshot, now));
        say_all([hlog, json]);
        if let Some(openmetrics) = &self.openmetrics {
            openmetrics.publish(Arc::clone(snapshot));
        }
    }

    /// Opens the files anew.
    pub(super) fn reopen(&mut self) {
        let hlog = self.hlog.as_mut().and_then(Hlog::reopen);
        let json = self.json.as_mut().and_then(JsonLines::reopen);
        say_all([hlog, json]);
    }
}

fn say_all(lines: [Option<String>; 2]) {
    lines.iter().flatten().for_each(|line| say(line));
}
