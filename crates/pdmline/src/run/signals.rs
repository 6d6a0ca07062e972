//! What people want of a running instance: SIGINT and SIGTERM end it, SIGHUP opens its files anew.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// That it ends.
    End,
    /// That it opens its files anew: the old ones were moved away.
    Reopen,
}

/// Wishes, as they come.
pub(super) struct Wishes(Receiver<Wish>);

impl Wishes {
    /// Catches the signals from now on. The thread for that runs on the cores of the calling one.
    pub(super) fn catch() -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let (sender, receiver) = channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let wish = if signal == SIGHUP { Wish::Reopen } else { Wish::End };
                // Nobody listens any more when the end is under way.
                let _ = sender.send(wish);
            }
        })?;
        Ok(Self(receiver))
    }

    /// The next wish, if one comes within `time`.
    pub(super) fn wait(&self, time: Duration) -> Option<Wish> {
        match self.0.recv_timeout(time) {
            Ok(wish) => Some(wish),
            Err(RecvTimeoutError::Timeout) => None,
            // Without anybody to say so the end would never come.
            Err(RecvTimeoutError::Disconnected) => Some(Wish::End),
        }
    }
}
