//! A program that does not get its share of the machine: what the kernel drops meanwhile is told, and no frame is missing
//! between received and dropped.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pdmline_tests::appliance::{Appliance, Settings};
use pdmline_tests::flood::Flood;
use pdmline_tests::http::{get, sum};
use pdmline_tests::namespace::Namespace;
use pdmline_tests::network::{CUT, MIDDLE, Network, Pair};
use pdmline_tests::program::text_of;
use pdmline_tests::require;
use pdmline_tests::requirement::Requirement::Namespaces;
use serde_json::json;

/// Frames that wait in a ring of pdmline's at the most.
const RING: u64 = 4096;
/// Several rings of them.
const FLOOD: usize = 12_000;

/// On a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

const METRICS: &str = "127.0.0.1:9464";

/// The cut wire instead of a host on either side.
const PAIR: Pair = Pair { host: MIDDLE[0].wire, wire: MIDDLE[1].wire };

#[test]
fn what_arrives_while_it_stands_still_is_received_or_said_to_be_dropped() -> Result<()> {
    require!(Namespaces);
    let mut network = Network::create()?;
    let flood = Flood::from(network.cut_the_wire()?, CUT[0])?;
    // Until net_af_packet of DPDK 22.11 binds its sockets they take what comes to any interface, and hosts are never
    // quite silent.
    for pair in MIDDLE {
        network.middle.ip(&format!("link del {}", pair.host))?;
    }
    let directory = tempfile::tempdir()?;
    let export = format!("[export]\nopenmetrics = \"{METRICS}\"\ninterval = \"100ms\"\n");
    let settings = Settings {
        instance: "drops",
        pairs: &[PAIR],
        cores: &[1],
        idle: "sleep:50us",
        protocol: "any",
        more: &export,
    };
    let mut appliance = Appliance::start(&network.middle, directory.path(), settings)?;
    appliance.wait_until_it_runs()?;
    appliance.pause()?;
    flood.send(FLOOD)?;
    appliance.resume()?;

    let arrived = arrived(&network.middle, PAIR.host)?;
    ensure!(arrived > RING, "only {arrived} frames arrived");
    let metrics = metrics_when_all_are_known(&network.middle, arrived)?;
    let report = appliance.stop()?;
    let dropped = report["dropped"]["kernel"].as_u64().context("nothing was dropped")?;
    let packets = arrived - dropped;
    assert!(packets <= RING, "{packets} frames were received");
    assert_eq!(report["packets"], packets, "{report}");
    assert_eq!(report["skipped"], json!({"not_ipv6": packets}));
    assert_eq!(sum::<u64>(&metrics, "pdmline_port_kernel_dropped_total", ""), dropped, "{metrics}");
    Ok(())
}

/// Frames that an interface was handed, by the kernel's own count.
fn arrived(namespace: &Namespace, interface: &str) -> Result<u64> {
    let file = format!("/sys/class/net/{interface}/statistics/rx_packets");
    Ok(text_of(namespace.command("cat").arg(file))?.trim().parse()?)
}

/// The metrics when they tell of `count` frames, received or dropped. In the first interval there are none yet.
fn metrics_when_all_are_known(namespace: &Namespace, count: u64) -> Result<String> {
    let start = Instant::now();
    loop {
        let answer = namespace.within(|| get(METRICS, "/metrics"));
        let metrics = answer.as_deref().unwrap_or_default();
        let packets = sum::<u64>(metrics, "pdmline_packets_total", "");
        let dropped = sum::<u64>(metrics, "pdmline_port_kernel_dropped_total", "");
        if packets + dropped == count {
            return answer;
        }
        ensure!(
            start.elapsed() < PATIENCE,
            "{packets} received and {dropped} dropped are not the {count} that arrived: {answer:?}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
