//! UDP at an even pace in several flows, whose packets a path may lose, repeat and swap.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::network::Host;

/// When nothing came for this long, nothing is on its way any more.
const QUIET: Duration = Duration::from_secs(1);
/// One for each millisecond: ports and sockets hold what comes while a busy machine does something else.
const PER_MILLISECOND: usize = 4;

/// Sends `count` packets, one from each of `flows` ports in turn, and answers every one that arrives. Returns how many did,
/// when all is quiet again.
///
/// # Errors
///
/// If a packet cannot be sent.
pub fn stream(from: &Host, to: &Host, flows: usize, count: usize) -> Result<usize> {
    let service = to.namespace.within(|| Ok(UdpSocket::bind((to.address, 0))?))?;
    service.set_read_timeout(Some(QUIET))?;
    let address = service.local_addr()?;
    let open = || -> Result<UdpSocket> {
        let socket = UdpSocket::bind((from.address, 0))?;
        socket.connect(address)?;
        Ok(socket)
    };
    let sockets = from.namespace.within(|| (0..flows).map(|_| open()).collect::<Result<Vec<_>>>())?;

    std::thread::scope(|scope| {
        let answering = scope.spawn(|| answer(&service));
        for (number, socket) in sockets.iter().cycle().take(count).enumerate() {
            // Nobody reads the answers: it is enough that they pass.
            socket.send(&number.to_be_bytes())?;
            if number % PER_MILLISECOND == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        answering.join().map_err(|_| anyhow!("the server panicked"))?
    })
}

fn answer(service: &UdpSocket) -> Result<usize> {
    let mut packet = [0; 64];
    let mut arrived = 0;
    loop {
        match service.recv_from(&mut packet) {
            Ok((len, client)) => service.send_to(&packet[..len], client)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(arrived),
            Err(error) => return Err(error.into()),
        };
        arrived += 1;
    }
}
