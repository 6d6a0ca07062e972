//! Every vector through several workers: the output byte for byte, in order, and every counter, loss and metric.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs::File;
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::Duration;

use dataplane::memory::HeapPacket;
use dataplane::{Action, Packet, Pair, Rule};
use flow::{Instant, KeyHasher, PairId, PsnStart, Settings};
use ipnet::Ipv6Net;
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use pdm::{Limits, Psn};
use pdmline_tests::vectors::{self, Replayed, Vector};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use serde_json::json;
use stats::Report;
use support::crew::{Crew, Plan, Spread, with_crew};
use support::{TestClock, rule};

fn number(vector: &Vector, key: &str) -> u16 {
    vector.says(key).as_u64().unwrap().try_into().unwrap()
}

fn is_set(vector: &Vector, key: &str) -> bool {
    vector.says(key).as_bool().unwrap()
}

fn local(vector: &Vector) -> Vec<Ipv6Net> {
    let prefixes = vector.says("local").as_array().unwrap().iter();
    prefixes.map(|prefix| prefix.as_str().unwrap().parse().unwrap()).collect()
}

/// A crew that does what the vector asks for.
fn plan(vector: &Vector, workers: u16, spread: Spread) -> Plan {
    let limits = Limits { mtu: number(vector, "mtu"), max_destopts_len: number(vector, "max_destopts_len") };
    let rule = Rule {
        local: local(vector).into_iter().map(Into::into).collect(),
        esp_tunnel: is_set(vector, "esp_tunnel"),
        ..rule(Action { insert: is_set(vector, "insert"), strip: is_set(vector, "strip") })
    };
    Plan {
        workers,
        spread,
        pairs: vec![Pair { id: PairId::default(), limits }],
        rules: vec![rule],
        flows: 1000,
        ring: 1,
    }
}

/// The way that `frame` comes by: from the hosts if its source is one.
fn way(frame: &[u8], local: &[Ipv6Net]) -> usize {
    let packet = HeapPacket::new(frame);
    let look = packet.network_offset().and_then(|offset| pdm::look(frame, frame.len(), offset));
    let is_host = |source: &[u8; 16]| local.iter().any(|prefix| prefix.contains(&Ipv6Addr::from(*source)));
    usize::from(look.is_ok_and(|look| !is_host(&look.addresses(frame)[0])))
}

/// Lets a crew do what the vector asks for, one packet after the other at its own time, writing into `directory`.
fn replay(vector: &Vector, workers: u16, spread: Spread, directory: &Path) -> Replayed {
    let mut input = PcapReader::new(File::open(vector.input()).unwrap()).unwrap();
    let path = directory.join(format!("{}.pcap", vector.name));
    let mut output = PcapWriter::with_header(File::create(&path).unwrap(), input.header()).unwrap();
    let (local, clock) = (local(vector), TestClock::default());
    let mut dice = ChaCha12Rng::seed_from_u64(workers.into());
    let settings = || {
        let first = PsnStart::At(Psn::new(number(vector, "initial_psn")));
        Settings::new(KeyHasher::new([1, 2, 3, 4]), first)
    };
    let run = |mut crew: Crew<'_, &TestClock>| {
        while let Some(record) = input.next_packet() {
            let record = record.unwrap();
            clock.0.set(record.timestamp.as_nanos().try_into().unwrap());
            crew.ports.deliver(way(&record.data, &local), &record.data);
            crew.settle(&mut dice);
            let [(_, packet)] = &crew.ports.take_sent().collect::<Vec<_>>()[..] else { panic!("not one") };
            let original_len = packet.wire_len().try_into().unwrap();
            let record = PcapPacket::new(record.timestamp, original_len, packet.bytes());
            output.write_packet(&record).unwrap();
        }
        crew.end(Instant::default())
    };
    let outcome = with_crew(&plan(vector, workers, spread), settings, |_| &clock, run);
    let report = Report::new(&outcome.counts, &outcome.delays, Duration::ZERO);
    Replayed { output: path, report: serde_json::to_value(report).unwrap() }
}

#[test]
fn every_vector_comes_out_as_it_says_whoever_shares_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for vector in vectors::all().unwrap() {
        for workers in [1, 2, 3, 4, 8] {
            for spread in Spread::ALL {
                let replayed = replay(&vector, workers, spread, directory.path());
                let differences = vector.differences(&replayed).unwrap();
                let place = format!("{} through {workers} workers, {spread:?}", vector.name);
                wrong.extend(differences.into_iter().map(|difference| format!("{place}: {difference}")));
                assert_eq!(replayed.report["dropped"], json!({}), "{place}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
