//! Metrics and liveness over HTTP: `/metrics` and `/healthz`.
//!
//! A few threads wait for connections side by side, and each answers one request per connection, for which it has
//! bounded time and memory: whoever is slow or silent takes one of them for that long, and no more of the machine.

mod connection;

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use stats::Snapshot;
use stats::openmetrics::{Exposition, Format};

use connection::{Answer, Connection, Request};

/// Connections that are served at the same time; others wait in the kernel's queue.
const THREADS: usize = 4;

/// How long to wait when the system has no connection to give, for want of descriptors for example.
const BREATHER: Duration = Duration::from_millis(100);

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

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server(Arc<Shared>);

/// What the threads share.
#[derive(Debug)]
struct Shared {
    listener: TcpListener,
    exposition: Exposition,
    latest: Mutex<Option<Arc<Snapshot>>>,
    ended: AtomicBool,
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
        let server = Self(Arc::new(Shared {
            listener,
            exposition,
            latest: Mutex::default(),
            ended: AtomicBool::new(false),
        }));
        for _ in 0..THREADS {
            let shared = Arc::clone(&server.0);
            let started = thread::Builder::new().name("http".into()).spawn(move || shared.serve());
            started.map_err(|error| Error::Other(address, error))?;
        }
        Ok(server)
    }

    /// From now on `snapshot` is what clients get.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        *self.0.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

impl Drop for Server {
    /// Ends listening at once. Answers that are under way end by themselves, soon.
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
        // It wakes the threads that wait for connections. Only a listener that listens no more refuses.
        let _ = shutdown(self.0.listener.as_raw_fd(), Shutdown::Both);
    }
}

impl Shared {
    fn serve(&self) {
        while !self.ended.load(Relaxed) {
            match self.listener.accept() {
                // What goes wrong with a client is the client's own business.
                Ok((stream, _)) => drop(Connection::new(stream).serve(|request| self.answer(request))),
                Err(_) => thread::sleep(BREATHER),
            }
        }
    }

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
