//! `pdmline health`: asks an instance whether every worker goes round, as a container's health check does.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

/// For each step: connecting, asking, and every part of the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer: some octets for each worker.
const MAX_ANSWER: u64 = 16_384;

/// Ask an instance whether every worker goes round; the exit status tells
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it serves its metrics: `openmetrics` in its configuration
    #[arg(default_value = "127.0.0.1:9464")]
    address: SocketAddr,
}

/// Prints what it answers, a line for each worker.
///
/// # Errors
/// When nobody answers, or the answer is not that all is well.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let address = args.address;
    let (status, lines) = ask(address).with_context(|| {
        format!("no instance answers at {address}; its configuration names the address: [export] openmetrics")
    })?;
    match status {
        200 => Ok(io::stdout().write_all(lines.as_bytes())?),
        _ => bail!("the instance at {address} is not well: {}", lines.trim_end().replace('\n', ", ")),
    }
}

/// Status and body of what `/healthz` says.
fn ask(address: SocketAddr) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut octets = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut octets)?;
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut headers);
    match (head.parse(&octets)?, head.code) {
        (httparse::Status::Complete(len), Some(status)) => {
            Ok((status, String::from_utf8_lossy(&octets[len..]).into_owned()))
        }
        _ => bail!("the answer is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is said to one who gets `answer`.
    fn said_of(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let len = client.read(&mut request).unwrap();
            assert!(request[..len].starts_with(b"GET /healthz HTTP/1.1\r\n"));
            client.write_all(answer.as_bytes()).unwrap();
        });
        let said = run(&Args { address });
        server.join().unwrap();
        said.map_err(|error| format!("{error:#}").replace(&address.to_string(), "HERE"))
    }

    #[test]
    fn only_all_being_well_is_well() {
        assert_eq!(said_of("HTTP/1.1 200 OK\r\n\r\nworker on core 1: alive\n"), Ok(()));
        let stuck =
            "HTTP/1.1 503 Service Unavailable\r\n\r\nworker on core 1: alive\nworker on core 2: stuck\n";
        let said = "the instance at HERE is not well: worker on core 1: alive, worker on core 2: stuck";
        assert_eq!(said_of(stuck), Err(said.into()));
        assert!(said_of("HTTP/1.1 200").unwrap_err().ends_with(": the answer is cut short"));
    }

    #[test]
    fn nobody_there_is_not_well() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let said = format!("{:#}", run(&Args { address }).unwrap_err());
        assert!(said.starts_with(&format!("no instance answers at {address}; its configuration")), "{said}");
    }
}
