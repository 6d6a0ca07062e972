//! The control socket: whoever connects is told of each interval, a line of JSON for each, and of the last one at once.
//!
//! Nothing is read from clients. One that does not read holds up one of the socket's threads, and not for long.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod};

use super::accept::Acceptors;
use super::export::Moment;
use super::frames::Frames;
use super::say;
use crate::config::Instance;

/// How long a write waits for a client that does not read; once more after a part of a line was taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether there is something new, or the client gone; in milliseconds.
const TICK: u8 = 100;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Something else has its name.
    #[error("{path} is in the way of the control socket; move it away", path = .0.display())]
    InTheWay(PathBuf),
    /// Somebody has it, though not an instance: we hold its lock.
    #[error(
        "a program that is no instance of pdmline answers on the control socket {path}; end it (`ss -xlp` tells which)",
        path = .0.display()
    )]
    Answered(PathBuf),
    /// Something else.
    #[error("cannot make the control socket {path}", path = .0.display())]
    Other(PathBuf, #[source] io::Error),
}

/// The socket, until it is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    path: PathBuf,
    frames: Frames,
    latest: Arc<Mutex<Told>>,
    _acceptors: Acceptors<UnixListener>,
}

/// What was told last.
#[derive(Debug, Default, Clone)]
struct Told {
    /// 0 if there was nothing yet.
    number: u64,
    line: Arc<[u8]>,
}

impl ControlSocket {
    /// Makes the socket of `instance` at `path`. Whoever calls this holds the instance's lock, so what an earlier run
    /// left there is nobody's: it is removed, and the operator told.
    ///
    /// # Errors
    /// If something else is there, or it cannot be made.
    pub(super) fn open(path: PathBuf, instance: &Instance) -> Result<Self, Error> {
        if remove_leftover(&path)? {
            say(&format!(
                "removed the control socket {}, which a run that was killed left behind",
                path.display()
            ));
        }
        let latest = Arc::<Mutex<Told>>::default();
        let source = Arc::downgrade(&latest);
        let accept = |listener: &UnixListener| Ok(listener.accept()?.0);
        let start = |listener| {
            Acceptors::start("control-socket", listener, accept, move |stream| {
                // What goes wrong with a client is the client's own business.
                drop(tell(&source, stream));
            })
        };
        match open_own(&path).and_then(start) {
            Ok(acceptors) => Ok(Self { path, frames: Frames::new(instance), latest, _acceptors: acceptors }),
            Err(error) => Err(Error::Other(path, error)),
        }
    }

    /// Tells clients of the interval that `moment` ends.
    pub(super) fn publish(&mut self, moment: &Moment) {
        // JSON has room for all of a frame.
        let Ok(mut line) = serde_json::to_vec(&self.frames.next(moment)) else { return };
        line.push(b'\n');
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = Told { number: latest.number + 1, line: line.into() };
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // What stays is removed by the next run.
        let _ = fs::remove_file(&self.path);
    }
}

/// A listener at `path` for this user alone.
fn open_own(path: &Path) -> io::Result<UnixListener> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Before it has a name: there is no moment in which others may connect.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::new(16)?)?;
    Ok(socket.into())
}

/// Removes a socket that nobody answers on. Whether there was one.
fn remove_leftover(path: &Path) -> Result<bool, Error> {
    let failed = |error| Error::Other(path.into(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
        Ok(there) if !there.file_type().is_socket() => return Err(Error::InTheWay(path.into())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Error::Answered(path.into())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map(|()| true).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Tells the client on `stream` all that comes from `source`, until that ends or the client is gone.
fn tell(source: &Weak<Mutex<Told>>, mut stream: UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    // Held for no longer than this takes: it ends when its owner lets go of it.
    let newest = || Some(source.upgrade()?.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let mut told = 0;
    while let Some(Told { number, line }) = newest() {
        if number != told {
            stream.write_all(&line)?;
            told = number;
        }
        let mut watched = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        if poll(&mut watched, TICK).is_ok_and(|hung_up| hung_up > 0) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
