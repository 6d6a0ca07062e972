//! What measuring costs: packets per second with all of it on, by those with it off.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use dpdk::Pool;
use flow::Side;
use pdmline_benches::{Cost, Machine, Run, Sink, Source, run, way, write_capture};
use serde::Serialize;

/// Flows of each case.
const FLOWS: [u32; 2] = [1 << 10, 1 << 16];

/// What was found.
#[derive(Serialize)]
struct Findings {
    dpdk: String,
    hugepages: bool,
    cases: Vec<Case>,
}

/// One case.
#[derive(Serialize)]
struct Case {
    name: &'static str,
    flows: u32,
    #[serde(flatten)]
    cost: Cost,
    /// Of the answers that came while measuring was on, the share that gave a sample.
    sampled: Option<f64>,
}

fn main() {
    let machine = Machine::start();
    let pool = machine.pool();
    let inserting = FLOWS.map(|flows| inserting(&machine, &pool, flows));
    let measuring = FLOWS.map(|flows| measuring(&machine, &pool, flows));
    let cases = inserting.into_iter().chain(measuring).collect();
    let findings =
        Findings { dpdk: dpdk::Version::running().to_string(), hugepages: machine.hugepages, cases };
    let told = if env::args().any(|argument| argument == "--json") {
        serde_json::to_string_pretty(&findings).expect("numbers and names") + "\n"
    } else {
        table(&findings)
    };
    io::stdout().write_all(told.as_bytes()).expect("standard output is open");
}

/// The hosts' packets alone, from net_pcap to net_null.
fn inserting(machine: &Machine, pool: &Pool<'_>, flows: u32) -> Case {
    let folder = tempfile::tempdir().expect("there is a place for a capture");
    let capture = folder.path().join("hosts.pcap");
    write_capture(&capture, flows);
    let host = machine.open(&format!("net_pcap0,rx_pcap={},infinite_rx=1", capture.display()), pool);
    let wire = machine.open("net_null0", pool);
    let run = run(machine, flows, vec![way(Side::Host, host.rx, wire.tx)]);
    Case { name: "inserting", flows, cost: run.switching.cost(), sampled: None }
}

/// The hosts' packets, and to each one its answer.
fn measuring(machine: &Machine, pool: &Pool<'_>, flows: u32) -> Case {
    let ways = vec![
        way(Side::Host, Source::hosts(pool, flows), Sink::default()),
        way(Side::Wire, Source::peers(pool, flows), Sink::default()),
    ];
    let Run { switching, samples } = run(machine, flows, ways);
    let sampled = samples as f64 / switching.answers as f64;
    assert!((0.99..=1.01).contains(&sampled), "{samples} samples from {} answers", switching.answers);
    Case { name: "measuring", flows, cost: switching.cost(), sampled: Some(sampled) }
}

/// The findings for people.
fn table(findings: &Findings) -> String {
    let pages = if findings.hugepages { "hugepages" } else { "no hugepages" };
    let mut table = format!("{}, {pages}\n\n", findings.dpdk);
    table += "| case | flows | on, Mpps | off, Mpps | on / off | quartiles | sampled |\n";
    table += "|---|---:|---:|---:|---:|---:|---:|\n";
    for Case { name, flows, cost: Cost { on_mpps, off_mpps, ratio }, sampled } in &findings.cases {
        let [lower, median, upper] = ratio;
        let sampled = sampled.map_or("".into(), |sampled| format!("{:.2} %", sampled * 100.0));
        writeln!(
            table,
            "| {name} | {flows} | {on_mpps:.2} | {off_mpps:.2} | {median:.3} | {lower:.3} to {upper:.3} | {sampled} |"
        )
        .expect("a string takes everything");
    }
    table
}
