//! A bulk TCP transfer between two hosts, hashed at both ends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::network::Host;

/// A TCP connection on which nothing moves for this long has failed.
const STALLED: Duration = Duration::from_secs(30);
const BLOCK_LEN: usize = 64 << 10;

/// Sends `len` octets from one host to the other, and fails unless exactly they arrived.
///
/// # Errors
///
/// If the connection fails or stalls, or what arrived is not what was sent.
pub fn transfer(from: &Host, to: &Host, len: usize) -> Result<()> {
    let listener = to.namespace.within(|| Ok(TcpListener::bind((to.address, 0))?))?;
    let address = listener.local_addr()?;
    let connect = || Ok(TcpStream::connect_timeout(&address, STALLED)?);
    let outgoing = from.namespace.within(connect).context("cannot connect")?;
    let (incoming, _) = listener.accept()?;

    let (sent, received) = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(incoming));
        let sent = send(outgoing, len);
        (sent, receiver.join())
    });
    let (count, received) = received.map_err(|_| anyhow::anyhow!("the receiver panicked"))??;
    ensure!(count == len, "{count} octets arrived of {len}");
    ensure!(sent? == received, "what arrived is not what was sent");
    Ok(())
}

type Hash = [u8; 32];

fn send(mut stream: TcpStream, len: usize) -> Result<Hash> {
    stream.set_write_timeout(Some(STALLED))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK_LEN];
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let mut left = len;
    while left > 0 {
        noise.fill(&mut block);
        let part = &block[..left.min(BLOCK_LEN)];
        hash.update(part);
        stream.write_all(part).context("cannot send")?;
        left -= part.len();
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(hash.finalize().into())
}

fn receive(mut stream: TcpStream) -> Result<(usize, Hash)> {
    stream.set_read_timeout(Some(STALLED))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK_LEN];
    let mut count = 0;
    loop {
        let len = stream.read(&mut block).context("cannot receive")?;
        if len == 0 {
            return Ok((count, hash.finalize().into()));
        }
        hash.update(&block[..len]);
        count += len;
    }
}

/// Octets of which no two blocks are alike, so that swapped or repeated ones are found (xorshift).
struct Noise(u64);

impl Noise {
    fn fill(&mut self, block: &mut [u8]) {
        for word in block.chunks_exact_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            word.copy_from_slice(&self.0.to_le_bytes());
        }
    }
}
