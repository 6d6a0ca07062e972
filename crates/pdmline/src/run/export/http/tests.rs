use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use stats::openmetrics::Buckets;
use stats::{Collector, Counts, WorkerSnapshot};

use super::*;
use crate::run::accept::THREADS;

fn bind(address: SocketAddr) -> Result<Server, Error> {
    let buckets = Buckets::log_spaced(3).unwrap();
    Server::bind(address, Exposition { buckets, version: "1".into(), dpdk_version: "2".into() })
}

fn server() -> (Server, SocketAddr) {
    let server = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = server._acceptors.listener.local_addr().unwrap();
    (server, address)
}

fn snapshot(alive: [bool; 2]) -> Arc<Snapshot> {
    let worker = |core, alive| WorkerSnapshot { core, counts: Counts::default(), alive };
    Arc::new(Snapshot {
        uptime: Duration::from_secs(1),
        workers: vec![worker(1, alive[0]), worker(2, alive[1])],
        ports: Vec::new(),
        rules: vec!["lab".into()],
        total: Collector::new(1),
        interval: Collector::new(1),
        prefixes: None,
        clock_error_ppb: 0,
    })
}

/// Head and body of the answer to a request, whose head is completed here.
fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request}\r\nHost: here\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    let (server, address) = server();
    assert!(ask(address, "GET /metrics HTTP/1.1").0.starts_with("HTTP/1.1 503 "), "nothing is known yet");
    server.publish(snapshot([true, true]));
    let (head, body) = ask(address, "GET /metrics HTTP/1.1");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0;")
    );
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    assert!(body.contains("\npdmline_uptime_seconds 1.0\n") && body.ends_with("# EOF\n"));
    let (head, body) = ask(address, "GET /metrics?x=y HTTP/1.0\r\nACCEPT: text/plain");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4;"));
    assert!(!body.contains("# EOF"));
    let (head, nothing) = ask(address, "HEAD /metrics HTTP/1.1\r\nAccept: text/plain");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    assert_eq!(nothing, "");
}

#[test]
fn health_is_that_of_every_worker() {
    let (server, address) = server();
    assert!(ask(address, "GET /healthz HTTP/1.1").0.starts_with("HTTP/1.1 503 "));
    server.publish(snapshot([true, true]));
    let (head, body) = ask(address, "GET /healthz HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(body, "worker on core 1: alive\nworker on core 2: alive\n");
    server.publish(snapshot([true, false]));
    let (head, body) = ask(address, "GET /healthz HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 503 "));
    assert_eq!(body, "worker on core 1: alive\nworker on core 2: stuck\n");
}

#[test]
fn what_else_is_asked_is_refused() {
    let (_server, address) = server();
    for (request, status) in [
        ("GET / HTTP/1.1".to_owned(), "404 Not Found"),
        ("GET /metrics/x HTTP/1.1".to_owned(), "404 Not Found"),
        ("POST /metrics HTTP/1.1".to_owned(), "405 Method Not Allowed"),
        ("what?".to_owned(), "400 Bad Request"),
        (format!("GET /metrics HTTP/1.1\r\n{}", "A: b\r\n".repeat(100)), "400 Bad Request"),
    ] {
        assert!(ask(address, &request).0.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}");
    }
}

#[test]
fn the_silent_and_the_slow_are_given_up() {
    let (server, address) = server();
    server.publish(snapshot([true, true]));
    let silent: Vec<_> = (0..THREADS).map(|_| TcpStream::connect(address).unwrap()).collect();
    (&silent[0]).write_all(b"GET /metrics HT").unwrap();
    assert!(ask(address, "GET /metrics HTTP/1.1").0.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_taken_port_and_a_strange_address_are_told_at_the_start() {
    let (server, address) = server();
    let told = bind(address).unwrap_err().to_string();
    assert!(told.contains(&format!("{address}: the port is taken")), "{told}");
    drop(server);
    let _again = bind(address).unwrap();
    let strange = "192.0.2.1:9464".parse().unwrap();
    assert!(matches!(bind(strange), Err(Error::NotOurs(address)) if address == strange));
}
