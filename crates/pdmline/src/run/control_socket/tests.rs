use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::run::accept::THREADS;
use crate::run::export::testing::{instance, moment};

fn open(path: &Path) -> Result<ControlSocket, Error> {
    ControlSocket::open(path.into(), &instance())
}

fn complaint(path: &Path) -> String {
    let error = anyhow::Error::from(open(path).unwrap_err());
    format!("{error:#}").replace(&path.display().to_string(), "PATH")
}

/// A socket in a folder of its own.
fn socket() -> (TempDir, PathBuf, ControlSocket) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("edge-a.sock");
    let socket = open(&path).unwrap();
    (dir, path, socket)
}

/// The next frame's uptime, in seconds; `None` at the end.
fn next(client: &mut BufReader<UnixStream>) -> Option<f64> {
    let mut line = String::new();
    let told = client.read_line(&mut line).unwrap();
    (told > 0).then(|| serde_json::from_str::<Value>(&line).unwrap()["uptime_s"].as_f64().unwrap())
}

fn connect(path: &Path) -> BufReader<UnixStream> {
    BufReader::new(UnixStream::connect(path).unwrap())
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_interval_is_told_and_the_last_at_once() {
    let (_dir, path, mut socket) = socket();
    let mut early = connect(&path);
    socket.publish(&moment(SECOND));
    assert_eq!(next(&mut early), Some(1.0));
    let mut late = connect(&path);
    assert_eq!(next(&mut late), Some(1.0));
    socket.publish(&moment(2 * SECOND));
    assert_eq!((next(&mut early), next(&mut late)), (Some(2.0), Some(2.0)));
    drop(socket);
    assert_eq!((next(&mut early), next(&mut late)), (None, None));
    assert!(!path.exists());
}

#[test]
fn it_is_for_one_user() {
    let (_dir, path, _socket) = socket();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn who_hangs_up_makes_room() {
    let (_dir, path, mut socket) = socket();
    socket.publish(&moment(SECOND));
    for _ in 0..3 {
        let mut clients: Vec<_> = (0..THREADS).map(|_| connect(&path)).collect();
        assert!(clients.iter_mut().all(|client| next(client) == Some(1.0)));
    }
}

#[test]
fn who_does_not_read_is_dropped() {
    // More than the kernel keeps for a client.
    let latest = Arc::new(Mutex::new(Told { number: 1, line: vec![b'x'; 1 << 20].into() }));
    let (ours, _silent) = UnixStream::pair().unwrap();
    let start = Instant::now();
    let dropped = tell(&Arc::downgrade(&latest), ours).unwrap_err();
    assert_eq!(dropped.kind(), ErrorKind::WouldBlock);
    assert!(start.elapsed() >= PATIENCE);
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("edge-a.sock");
    assert!(!remove_leftover(&path).unwrap(), "nothing there");
    drop(UnixListener::bind(&path).unwrap());
    assert!(remove_leftover(&path).unwrap());
    drop(UnixListener::bind(&path).unwrap());
    let mut socket = open(&path).unwrap();
    socket.publish(&moment(SECOND));
    assert_eq!(next(&mut connect(&path)), Some(1.0));
}

#[test]
fn what_is_not_ours_stays_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("edge-a.sock");
    fs::write(&path, "precious").unwrap();
    assert_eq!(complaint(&path), "PATH is in the way of the control socket; move it away");
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let path = dir.path().join("theirs.sock");
    let _theirs = UnixListener::bind(&path).unwrap();
    assert_eq!(
        complaint(&path),
        "a program that is no instance of pdmline answers on the control socket PATH; end it (`ss -xlp` tells which)"
    );

    let path = dir.path().join("none/edge-a.sock");
    assert_eq!(
        complaint(&path),
        "cannot make the control socket PATH: No such file or directory (os error 2)"
    );
    let path = dir.path().join("x".repeat(108));
    assert!(complaint(&path).starts_with("cannot make the control socket PATH: "));
}
