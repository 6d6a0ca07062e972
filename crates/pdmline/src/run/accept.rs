//! Threads that wait for connections side by side: what the servers of a run have in common.
//!
//! Each serves one client at a time, so a client takes one of them, and no more of the machine.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};

/// Clients of a server that are served at the same time; others wait in the kernel's queue.
pub(super) const THREADS: usize = 4;

/// How long to wait when the system has no connection to give, for want of descriptors for example.
const BREATHER: Duration = Duration::from_millis(100);

/// The threads of one server, until it is dropped.
#[derive(Debug)]
pub(super) struct Acceptors<L: AsRawFd> {
    pub(super) listener: Arc<L>,
    ended: Arc<AtomicBool>,
}

impl<L: AsRawFd + Send + Sync + 'static> Acceptors<L> {
    /// Starts threads called `name` that take what comes to `listener` by `accept`, and `serve` it. They run on the
    /// cores of the calling one.
    ///
    /// # Errors
    /// If they cannot be started.
    pub(super) fn start<S: 'static>(
        name: &str,
        listener: L,
        accept: fn(&L) -> io::Result<S>,
        serve: impl Fn(S) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let acceptors = Self { listener: Arc::new(listener), ended: Arc::default() };
        for _ in 0..THREADS {
            let (listener, ended) = (Arc::clone(&acceptors.listener), Arc::clone(&acceptors.ended));
            let serve = serve.clone();
            thread::Builder::new().name(name.into()).spawn(move || {
                while !ended.load(Relaxed) {
                    match accept(&listener) {
                        Ok(stream) => serve(stream),
                        Err(_) => thread::sleep(BREATHER),
                    }
                }
            })?;
        }
        Ok(acceptors)
    }
}

impl<L: AsRawFd> Drop for Acceptors<L> {
    /// Ends listening at once. What is being served ends by itself.
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        // It wakes the threads that wait for connections. Only a listener that listens no more refuses.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
    }
}
