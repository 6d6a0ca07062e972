//! What is served over HTTP, read with as little as that needs.

use std::io::{Read, Write};
use std::iter::Sum;
use std::net::TcpStream;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const PATIENCE: Duration = Duration::from_secs(10);

/// The body of what is at `path` there.
///
/// # Errors
///
/// If nobody answers, or it is not to be had.
pub fn get(address: &str, path: &str) -> Result<String> {
    let mut server = TcpStream::connect(address).with_context(|| format!("nobody serves at {address}"))?;
    server.set_read_timeout(Some(PATIENCE))?;
    // Of version 1.0, whose answers come in one piece.
    server.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("this is no HTTP answer")?;
    ensure!(head.split(' ').nth(1) == Some("200"), "{address}{path} answers {answer}");
    Ok(body.to_owned())
}

/// The sum of a metric over all its series whose labels have `label` among them, which may be empty.
#[must_use]
pub fn sum<N: FromStr + Sum>(metrics: &str, name: &str, label: &str) -> N {
    let samples = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let ours = samples.filter(|sample| sample.starts_with(['{', ' ']) && sample.contains(label));
    ours.filter_map(|sample| sample.rsplit_once(' ')?.1.parse().ok()).sum()
}
