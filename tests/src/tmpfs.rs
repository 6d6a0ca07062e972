//! A file system that is full soon.

use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Calls `test` with an empty folder that has room for `octets`, whole pages of them. Nobody else sees it, and it is gone
/// afterwards.
///
/// # Errors
///
/// If this machine does not let us mount.
///
/// # Panics
///
/// If `test` does.
pub fn with<R: Send>(octets: usize, test: impl FnOnce(&Path) -> R + Send) -> Result<R> {
    let folder = tempfile::tempdir()?;
    // Its mounts are those of one thread, and end with it.
    let tested = thread::scope(|scope| {
        let thread = scope.spawn(|| mount_private(folder.path(), octets).map(|()| test(folder.path())));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    tested.context("cannot mount a tmpfs")
}

fn mount_private(folder: &Path, octets: usize) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(format!("size={octets}").as_str()))
}
