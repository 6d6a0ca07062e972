//! Which instances there are, and how to reach one.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Why an instance cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("no instance is running; `pdmline run --config FILE` starts one")]
    NoneRuns,
    #[error("no instance {name} is running; there is {others}", others = .others.join(", "))]
    NotThere { name: String, others: Vec<String> },
    #[error("there are several instances: {all}; choose one: `pdmline top {one}`", all = .0.join(", "), one = .0[0])]
    Several(Vec<String>),
    #[error("cannot look for instances in {folder}", folder = .0.display())]
    Folder(PathBuf, #[source] io::Error),
    #[error("the instance {0} was killed and left {path} behind; start it again", path = .1.display())]
    Killed(String, PathBuf),
    #[error(
        "the instance {0} is another user's, whose alone {path} is: watch as that user, or with sudo",
        path = .1.display()
    )]
    Denied(String, PathBuf),
    #[error("cannot reach the instance {0} at {path}", path = .1.display())]
    Unreachable(String, PathBuf, #[source] io::Error),
}

/// An instance's control socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) instance: String,
    path: PathBuf,
}

impl Socket {
    /// Connects to the instance.
    ///
    /// # Errors
    /// When it is gone, or this user may not.
    pub(super) fn connect(&self) -> Result<UnixStream, Error> {
        UnixStream::connect(&self.path).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        let (instance, path) = (self.instance.clone(), self.path.clone());
        match error.kind() {
            ErrorKind::ConnectionRefused => Error::Killed(instance, path),
            ErrorKind::PermissionDenied => Error::Denied(instance, path),
            _ => Error::Unreachable(instance, path, error),
        }
    }
}

/// The socket of `instance`, or the only one there is, in `folders`.
///
/// # Errors
/// When there is none, or more than one.
pub(super) fn find(instance: Option<&str>, folders: &[PathBuf]) -> Result<Socket, Error> {
    let mut sockets = Vec::new();
    for folder in folders {
        sockets.extend(list(folder).map_err(|error| Error::Folder(folder.clone(), error))?);
    }
    let names: Vec<String> = sockets.iter().map(|socket| socket.instance.clone()).collect();
    let mut wanted = sockets.into_iter().filter(|socket| instance.is_none_or(|name| name == socket.instance));
    match (wanted.next(), wanted.next(), instance) {
        (Some(socket), None, _) | (Some(socket), _, Some(_)) => Ok(socket),
        (Some(_), Some(_), None) => Err(Error::Several(names)),
        (None, _, Some(name)) if !names.is_empty() => {
            Err(Error::NotThere { name: name.into(), others: names })
        }
        (None, ..) => Err(Error::NoneRuns),
    }
}

/// All sockets in `folder`, by name.
fn list(folder: &Path) -> io::Result<Vec<Socket>> {
    let entries = match folder.read_dir() {
        // It is made by the first instance.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut sockets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let (Some(instance), true) = (path.file_stem(), path.extension().is_some_and(|is| is == "sock")) {
            sockets.push(Socket { instance: instance.to_string_lossy().into(), path });
        }
    }
    sockets.sort_by(|one, other| one.instance.cmp(&other.instance));
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::files;

    /// What is said of `instance` when the folder holds the sockets `there`.
    fn found(instance: Option<&str>, there: &[&str]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let _all: Vec<_> = there
            .iter()
            .map(|name| UnixListener::bind(files::control_socket(dir.path(), name)).unwrap())
            .collect();
        std::fs::write(dir.path().join("instance-edge-a.lock"), "").unwrap();
        match find(instance, &[dir.path().join("none"), dir.path().into()]) {
            Ok(socket) => socket.connect().map(|_| socket.instance).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_only_one_needs_no_name() {
        assert_eq!(found(None, &["edge-a"]), "edge-a");
        assert_eq!(found(Some("edge-b"), &["edge-a", "edge-b"]), "edge-b");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do() {
        let none = "no instance is running; `pdmline run --config FILE` starts one";
        assert_eq!(found(None, &[]), none);
        assert_eq!(found(Some("edge-a"), &[]), none);
        assert_eq!(
            found(None, &["edge-b", "edge-a"]),
            "there are several instances: edge-a, edge-b; choose one: `pdmline top edge-a`"
        );
        assert_eq!(
            found(Some("edge-c"), &["edge-b", "edge-a"]),
            "no instance edge-c is running; there is edge-a, edge-b"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = find(None, &[file.path().into()]).unwrap_err().to_string();
        assert_eq!(said, format!("cannot look for instances in {}", file.path().display()));
    }

    #[test]
    fn one_that_was_killed_is_told_from_one_that_is_not_for_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = files::control_socket(dir.path(), "edge-a");
        drop(UnixListener::bind(&path).unwrap());
        let socket = find(None, &[dir.path().into()]).unwrap();
        let said = |error: Error| error.to_string().replace(&path.display().to_string(), "PATH");
        assert_eq!(
            said(socket.connect().unwrap_err()),
            "the instance edge-a was killed and left PATH behind; start it again"
        );
        assert_eq!(
            said(socket.failed(ErrorKind::PermissionDenied.into())),
            "the instance edge-a is another user's, whose alone PATH is: watch as that user, or with sudo"
        );
        std::fs::remove_file(&path).unwrap();
        let error = anyhow::Error::from(socket.connect().unwrap_err());
        assert!(format!("{error:#}").ends_with(": No such file or directory (os error 2)"), "{error:#}");
    }
}
