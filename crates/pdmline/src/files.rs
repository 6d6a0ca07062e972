//! Files that are whole or not there, and the folders the program keeps its own in.

use std::env;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SYSTEM_STATE: &str = "/var/lib/pdmline";
const SYSTEM_LOCKS: &str = "/run/pdmline";

/// Writes `path` so that a reader sees the old content or the new, and never a part, whatever happens meanwhile.
///
/// # Errors
/// What the file system says; `path` is then as it was.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let Some(path) = replaceable(path) else { return fs::write(path, content) };
    let mut file = tempfile::Builder::new()
        .prefix(".pdmline-")
        .permissions(Permissions::from_mode(0o666)) // the umask takes from it, as from any new file
        .tempfile_in(folder_of(&path))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Whether [`write_atomically`] could write `path` now.
///
/// # Errors
/// Why not.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    match replaceable(path) {
        Some(path) if path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Some(path) => tempfile::tempfile_in(folder_of(&path)).map(drop),
        None => Ok(()),
    }
}

/// `path` through all links; none if it is a terminal or a pipe, which nobody wants to have replaced.
fn replaceable(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let special = path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir());
    (!special).then_some(path)
}

/// The folder that `path` is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where state stays over restarts: systemd's choice, else the system's or the user's place.
pub(crate) fn state_dir() -> PathBuf {
    if let Some(folder) = folder_from("STATE_DIRECTORY") {
        return folder;
    }
    if nix::unistd::geteuid().is_root() {
        return SYSTEM_STATE.into();
    }
    folder_from("XDG_STATE_HOME")
        .or_else(|| folder_from("HOME").map(|home| home.join(".local/state")))
        .map_or_else(|| SYSTEM_STATE.into(), |folder| folder.join("pdmline"))
}

/// Where locks and control sockets are while the machine runs. All instances of a user must agree on it, so nothing else chooses it.
pub(crate) fn lock_dir() -> PathBuf {
    let user = nix::unistd::geteuid();
    if user.is_root() {
        return SYSTEM_LOCKS.into();
    }
    match folder_from("XDG_RUNTIME_DIR") {
        Some(folder) => folder.join("pdmline"),
        None => env::temp_dir().join(format!("pdmline-{user}")),
    }
}

/// Where the control socket of `instance` is while it runs, in one of [`lock_dirs`].
pub(crate) fn control_socket(folder: &Path, instance: &str) -> PathBuf {
    folder.join(format!("{instance}.sock"))
}

/// The user's own [`lock_dir`], and the system's.
pub(crate) fn lock_dirs() -> Vec<PathBuf> {
    let mut folders = vec![lock_dir(), SYSTEM_LOCKS.into()];
    folders.dedup();
    folders
}

/// A folder that the environment names; relative ones and empty ones do not count.
fn folder_from(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        write_atomically(&path, b"a longer first content").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_and_not_replaced() {
        write_atomically(Path::new("/dev/null"), b"x").unwrap();
        assert!(!Path::new("/dev/null").is_file());
        check_writable(Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_noticed_early() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check_writable(&dir.path().join("report.json")).is_ok());
        assert!(check_writable(&dir.path().join("none/report.json")).is_err());
        assert!(check_writable(dir.path()).is_err());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        std::fs::create_dir_all(path.join("full")).unwrap();
        assert!(write_atomically(&path, b"x").is_err());
        assert!(path.join("full").is_dir());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
