//! Where results go while the appliance runs: each interval, what is known of it is handed to all who want it.
//!
//! All of this happens on the control thread and costs the workers nothing. Only what is wrong at the start ends the
//! program; a disk that fills up later, or a reader that goes away, ends that one export.

mod hlog;
mod http;
mod json;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stats::Snapshot;

use crate::config::Export;
use hlog::Hlog;
use http::Server;
use json::JsonLines;

/// All exports of an instance.
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
        Ok(Self {
            interval: config.interval,
            next: config.interval,
            openmetrics: config.openmetrics.map(Server::bind).transpose()?,
            hlog: config.hlog.as_deref().map(|path| Hlog::create(path, now)).transpose()?,
            json: config.json.as_ref().map(JsonLines::create).transpose()?,
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
    pub(super) fn export(&mut self, snapshot: Snapshot, now: SystemTime) {
        if let Some(hlog) = &mut self.hlog {
            hlog.export(&snapshot, now);
        }
        if let Some(json) = &mut self.json {
            json.export(&snapshot, now);
        }
        if let Some(openmetrics) = &self.openmetrics {
            openmetrics.publish(Arc::new(snapshot));
        }
    }

    /// Opens the files anew.
    pub(super) fn reopen(&mut self) {
        if let Some(hlog) = &mut self.hlog {
            hlog.reopen();
        }
        if let Some(json) = &mut self.json {
            json.reopen();
        }
    }
}
