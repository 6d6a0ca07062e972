//! Where results go while the appliance runs: each interval, what is known of it is handed to all who want it.
//!
//! All of this happens apart from the workers and costs them nothing, and nothing of it ever keeps the control thread
//! waiting. Only what is wrong at the start ends the program; a disk that fills up later, or a reader that goes away, ends
//! that one export.

mod file;
mod hlog;
mod http;
mod json;
mod telemetry;
#[cfg(test)]
pub(super) mod testing;
mod writer;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use flow::{Ended, FlowRecord, Survey, TickRate};
use stats::Snapshot;
use stats::openmetrics::{Buckets, Exposition};

use super::say;
use crate::config::Export;
use http::Server;
use json::EndedFlow;
use writer::Writer;

pub(super) use telemetry::Commands;

/// Flows that are handed over together at the end.
const BATCH: usize = 4096;

/// How long the flows of the end may take to be written, but for the last ones.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait for room between two looks.
const BREATHER: Duration = Duration::from_millis(1);

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
    hlog: Option<Writer>,
    json: Option<Writer>,
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
            dpdk_version: dpdk::Version::running().to_string(),
        };
        let serve = |address| Server::bind(address, exposition);
        Ok(Self {
            interval: config.interval,
            next: config.interval,
            openmetrics: config.openmetrics.map(serve).transpose()?,
            hlog: config.hlog.clone().map(|path| hlog::open(path, now)).transpose()?,
            json: config.json.clone().map(json::open).transpose()?,
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

    /// Hands over flows that have ended by `now`; a tick of their times is worth `rate`.
    pub(super) fn flows(&mut self, ended: impl Iterator<Item = Ended>, rate: TickRate, now: SystemTime) {
        let Some(json) = &mut self.json else { return };
        let lines: Vec<_> =
            ended.map(|ended| EndedFlow::new(&ended.flow, Some(ended.ending), rate, now)).collect();
        json.flows(lines).iter().for_each(|line| say(line));
    }

    /// Hands over the flows that the end of the program ends. There may be millions, so that the file is waited for, but not
    /// for long.
    pub(super) fn last_flows(&mut self, flows: impl Iterator<Item = FlowRecord>, rate: TickRate) {
        let Some(json) = &mut self.json else { return };
        let now = SystemTime::now();
        let deadline = Instant::now() + PATIENCE;
        let mut lines = flows.map(|flow| EndedFlow::new(&flow, None, rate, now)).peekable();
        while lines.peek().is_some() {
            while !json.has_room_for_flows() && Instant::now() < deadline {
                thread::sleep(BREATHER);
            }
            let slow = json.flows(lines.by_ref().take(BATCH).collect());
            slow.iter().for_each(|line| say(line));
            if slow.is_some() {
                return;
            }
        }
    }

    /// Hands `snapshot`, taken at `now`, to all.
    pub(super) fn export(&mut self, snapshot: &Arc<Snapshot>, now: SystemTime) {
        for file in self.hlog.iter_mut().chain(&mut self.json) {
            file.export(snapshot, now).iter().for_each(|line| say(line));
        }
        if let Some(openmetrics) = &self.openmetrics {
            openmetrics.publish(Arc::clone(snapshot));
        }
    }

    /// Opens the files anew.
    pub(super) fn reopen(&self) {
        self.hlog.iter().chain(&self.json).for_each(Writer::reopen);
    }

    /// Waits until all is written that was exported, or until it takes too long.
    pub(super) fn finish(&mut self) {
        let files = self.hlog.take().into_iter().chain(self.json.take());
        files.filter_map(Writer::finish).for_each(|line| say(&line));
    }
}
