//! Questions and answers over UDP, with a server that thinks for a while and times itself.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::network::Host;

/// An answer that takes longer was lost.
const LOST: Duration = Duration::from_secs(5);
/// Before each question, so that every one finds the rig at rest, however soon the last was answered. Workers that sleep
/// when nothing comes would be awake all the time otherwise, and the rig a different one.
const PAUSE: Duration = Duration::from_millis(2);

/// Asks the server `count` times, one question after the other, and returns the median of the times that it took from
/// receiving a question to sending the answer, as it saw them itself.
///
/// Each question comes from a new port and so is a flow of its own: the client's own delay, from an answer to the next
/// question, is then nobody's server delay.
///
/// # Errors
///
/// If an answer is missing or wrong.
pub fn exchange(client: &Host, server: &Host, think: Duration, count: u32) -> Result<Duration> {
    let service = server.namespace.within(|| Ok(UdpSocket::bind((server.address, 0))?))?;
    let address = service.local_addr()?;
    service.set_read_timeout(Some(LOST))?;
    // All open at once: the kernel would otherwise hand out a port twice now and then.
    let open = || -> Result<UdpSocket> { Ok(UdpSocket::bind((client.address, 0))?) };
    let clients = client.namespace.within(|| (0..count).map(|_| open()).collect::<Result<Vec<_>>>())?;

    let (asked, served) = std::thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&service, think, count));
        let asked = clients.iter().zip(0..).try_for_each(|(client, number)| ask(client, address, number));
        (asked, serving.join())
    });
    asked?;
    let mut delays = served.map_err(|_| anyhow::anyhow!("the server panicked"))??;
    delays.sort_unstable();
    delays.get(delays.len() / 2).copied().context("no question was asked")
}

fn ask(client: &UdpSocket, server: SocketAddr, number: u32) -> Result<()> {
    std::thread::sleep(PAUSE);
    client.set_read_timeout(Some(LOST))?;
    client.connect(server)?;
    let question = number.to_be_bytes();
    client.send(&question)?;
    let mut answer = [0; 64];
    let len = client.recv(&mut answer).with_context(|| format!("no answer to question {number}"))?;
    ensure!(answer[..len] == question, "a wrong answer to question {number}");
    Ok(())
}

fn serve(service: &UdpSocket, think: Duration, count: u32) -> Result<Vec<Duration>> {
    let mut question = [0; 64];
    let mut delays = Vec::new();
    for _ in 0..count {
        let (len, client) = service.recv_from(&mut question).context("a question is missing")?;
        let received = Instant::now(); // CLOCK_MONOTONIC
        std::thread::sleep(think);
        service.send_to(&question[..len], client)?;
        delays.push(received.elapsed());
    }
    Ok(delays)
}
