//! The wish to end: SIGINT and SIGTERM.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Waits while nobody wants the program to end.
pub(super) struct Ending(Receiver<()>);

impl Ending {
    /// Catches both signals from now on. Its thread runs on the cores of the calling one.
    pub(super) fn catch() -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (sender, receiver) = channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                // Nobody listens any more when the end is under way.
                let _ = sender.send(());
            }
        })?;
        Ok(Self(receiver))
    }

    /// Waits for `time`, or less when the end is wanted; says whether it is.
    pub(super) fn wait(&self, time: Duration) -> bool {
        !matches!(self.0.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}
