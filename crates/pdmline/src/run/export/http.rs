//! Metrics and liveness over HTTP: `/metrics` and `/healthz`.
//!
//! Each connection is one request and its answer, with bounded time and memory: whoever is slow or silent takes one of
//! the server's threads for that long.

mod connection;

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use stats::Snapshot;
use stats::openmetrics::{Exposition, Format};

use crate::run::accept::Acceptors;
use connection::{Answer, Connection, Request};

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Somebody else listens there.
    #[error(
        "cannot serve metrics on {0}: the port is taken; end who has it (`ss -ltnp` tells), or choose another"
    )]
    Taken(SocketAddr),
    /// Not an address of this machine.
    #[error("cannot serve metrics on {0}: no interface has this address; choose one that `ip address` lists")]
    NotOurs(SocketAddr),
    /// Something else.
    #[error("cannot serve metrics on {0}")]
    Other(SocketAddr, #[source] io::Error),
}

/// A server that runs until it is dropped. Answers that are under way then end by themselves, soon.
#[derive(Debug)]
pub(crate) struct Server {
    shared: Arc<Shared>,
    _acceptors: Acceptors<TcpListener>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    exposition: Exposition,
    latest: Mutex<Option<Arc<Snapshot>>>,
}

impl Server {
    /// Listens on `address` and serves what is published, written as `exposition` says.
    ///
    /// # Errors
    /// If the address cannot be had, or threads cannot be started.
    pub(crate) fn bind(address: SocketAddr, exposition: Exposition) -> Result<Self, Error> {
        let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => Error::Taken(address),
            ErrorKind::AddrNotAvailable => Error::NotOurs(address),
            _ => Error::Other(address, error),
        })?;
        let shared = Arc::new(Shared { exposition, latest: Mutex::default() });
        let answering = Arc::clone(&shared);
        let accept = |listener: &TcpListener| Ok(listener.accept()?.0);
        let acceptors = Acceptors::start("http", listener, accept, move |stream| {
            // What goes wrong with a client is the client's own business.
            drop(Connection::new(stream).serve(|request| answering.answer(request)));
        });
        Ok(Self { shared, _acceptors: acceptors.map_err(|error| Error::Other(address, error))? })
    }

    /// From now on `snapshot` is what clients get.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        *self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> Answer {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (request.path.as_str(), latest) {
            ("/metrics", Some(snapshot)) => self.metrics(&snapshot, request),
            ("/healthz", Some(snapshot)) => health(&snapshot),
            ("/metrics" | "/healthz", None) => Answer::text("503 Service Unavailable", "starting\n"),
            _ => Answer::text("404 Not Found", "there are /metrics and /healthz\n"),
        }
    }

    fn metrics(&self, snapshot: &Snapshot, request: &Request) -> Answer {
        let format = Format::negotiate(request.accept.as_deref());
        Answer {
            status: "200 OK",
            content_type: format.content_type(),
            body: self.exposition.render(snapshot, format),
        }
    }
}

/// A line for each worker; it is good if all of them live.
fn health(snapshot: &Snapshot) -> Answer {
    let mut lines = String::new();
    for worker in &snapshot.workers {
        let state = if worker.alive { "alive" } else { "stuck" };
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "worker on core {}: {state}", worker.core);
    }
    let all = snapshot.workers.iter().all(|worker| worker.alive);
    Answer::text(if all { "200 OK" } else { "503 Service Unavailable" }, &lines)
}

#[cfg(test)]
mod tests;
