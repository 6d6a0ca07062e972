//! The image, and the lab in containers as `docker/rig` runs it: hosts that talk, edges that tell network from server, crashes
//! under traffic, and nothing left behind.
//!
//! There is one lab on a machine, and its images take minutes to build: `cargo xtask docker` runs these tests, one after the
//! other.

#![expect(clippy::print_stdout, reason = "sizes and times are for whoever runs them")]

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pdmline_tests::capture::Capture;
use pdmline_tests::hugepages::{self, HugePages};
use pdmline_tests::lab::{Lab, docker, leftovers, rig};
use pdmline_tests::program::{finish, text_of};
use pdmline_tests::requirement::Requirement::{Program, Root, TwoCores};
use pdmline_tests::tshark::count;
use pdmline_tests::{http, require};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Where the metrics of edge-a and edge-b are.
const EDGES: [&str; 2] = ["127.0.0.1:9464", "127.0.0.1:9465"];

/// What the rig says it needs, in pages of 2 MiB.
const PAGES: u64 = 128;

/// What hosts say to each other that is to be measured, as tshark calls it.
const TALK: &str = "ipv6.src == 2001:db8::/32 && (tcp || icmpv6.type in {128,129})";

/// Milliseconds.
type Ms = std::ops::Range<f64>;

#[test]
#[ignore = "takes minutes and containers: cargo xtask docker"]
fn the_image_is_small_and_has_no_compiler() -> Result<()> {
    require!(Root, Program("docker"), Program("docker-compose"));
    finish(&mut rig(&["build"]))?;
    let size = text_of(&mut docker(&["image", "inspect", "--format", "{{.Size}}", "pdmline"]))?;
    let size: u64 = size.trim().parse()?;
    let start = Instant::now();
    let version = text_of(&mut docker(&["run", "--rm", "--network=none", "pdmline", "--version"]))?;
    println!(
        "the image pdmline: {} MB; `docker run pdmline --version` took {:?}",
        size / 1_000_000,
        start.elapsed()
    );
    assert!(version.starts_with("pdmline "), "{version}");
    assert!(size < 150 * MIB, "{size} octets");
    let shell = |script| docker(&["run", "--rm", "--entrypoint=sh", "pdmline", "-c", script]);
    assert_eq!(
        text_of(&mut shell("id --user --name; command -v cc gcc clang cargo rustc || true"))?,
        "pdmline\n"
    );
    Ok(())
}

#[test]
#[ignore = "takes minutes and containers: cargo xtask docker"]
fn af_packet() -> Result<()> {
    require!(Root, TwoCores, Program("docker"), Program("docker-compose"), Program("tshark"));
    let lab = up(&[])?;
    let directory = tempfile::tempdir()?;
    let capture = |service, interface, direction| -> Result<Capture> {
        let file = directory.path().join(format!("{service}-{interface}.pcapng"));
        Capture::by(lab.container(service)?.in_its_network("dumpcap")?, interface, direction, &file)
    };
    let wire = [capture("wire", "eth0", "inbound")?, capture("wire", "eth1", "inbound")?];
    let hosts = [capture("client", "eth0", "")?, capture("server", "eth0", "")?];
    let before = metrics()?;
    traffic()?;
    let stop =
        |captures: [Capture; 2]| captures.map(Capture::stop).into_iter().collect::<Result<Vec<PathBuf>>>();
    for file in stop(wire)? {
        let (all, marked) =
            (count(&file, TALK)?, count(&file, &format!("{TALK} && ipv6.opt.pdm.psn_this_pkt"))?);
        assert!(all > 1_000, "only {all} packets on the wire");
        assert_eq!(marked, all, "packets with the option, and all that should have it");
    }
    for file in stop(hosts)? {
        assert!(count(&file, TALK)? > 1_000, "hosts did not talk");
        assert_eq!(count(&file, "ipv6.dstopts")?, 0, "packets with options at a host");
    }
    // The wire takes 10 ms each way.
    judge(&before, 20.0..28.0)?;
    prometheus_agrees()?;
    for service in ["edge-a", "edge-b"] {
        crash(&lab, service)?;
    }
    lab.down()
}

#[test]
#[ignore = "takes minutes and containers: cargo xtask docker"]
fn virtio() -> Result<()> {
    require!(Root, TwoCores, Program("docker"), Program("docker-compose"));
    let used = hugepages::used()?;
    let aside = HugePages::set_aside(PAGES)?;
    let lab = up(&["virtio"])?;
    let before = metrics()?;
    traffic()?;
    judge(&before, 0.0..5.0)?;
    for service in ["edge-a", "edge-b"] {
        crash(&lab, service)?;
    }
    lab.down()?;
    assert_eq!(hugepages::used()?, used, "huge pages that are still in use");
    drop(aside);
    Ok(())
}

#[test]
#[ignore = "takes minutes and containers: cargo xtask docker"]
fn without_hugepages_virtio_says_how_to_get_them() -> Result<()> {
    require!(Root, Program("docker"), Program("docker-compose"));
    let none = tempfile::NamedTempFile::new()?;
    fs::write(
        none.path(),
        "HugePages_Total:       3\nHugePages_Free:        2\nHugepagesize:       2048 kB\n",
    )?;
    // The machine's own number is everybody's: only the rig is told another.
    let script = format!("mount --bind {} /proc/meminfo && exec \"$@\"", none.path().display());
    let mut told = Command::new("unshare");
    told.args(["--mount", "sh", "-c", &script, "sh"]).arg(rig(&[]).get_program()).args(["up", "virtio"]);
    let output = told.output()?;
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr)?;
    let expected = "The virtio lab needs 256 MiB of hugepages, and 4 MiB are free.\n\
                    Set more aside, as root: sysctl vm.nr_hugepages=129\n\
                    Or take `docker/rig up`, which does without.\n";
    assert_eq!(said, expected);
    assert_eq!(leftovers()?, [""; 0]);
    Ok(())
}

/// What the second edge is to serve its metrics on is taken, so that half of the lab is up when it fails.
#[test]
#[ignore = "takes minutes and containers: cargo xtask docker"]
fn a_failure_half_way_leaves_nothing() -> Result<()> {
    require!(Root, Program("docker"), Program("docker-compose"));
    let _taken = TcpListener::bind(EDGES[1])?;
    let output = rig(&["up"]).output()?;
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("The lab did not come up, and is gone"), "{said}");
    assert_eq!(leftovers()?, [""; 0]);
    Ok(())
}

fn up(arguments: &[&str]) -> Result<Lab> {
    let left = leftovers()?;
    ensure!(left.is_empty(), "there is a lab already: {left:?}; `docker/rig down` removes it");
    let (lab, said) = Lab::up(arguments)?;
    println!("{said}");
    Ok(lab)
}

fn traffic() -> Result<()> {
    println!("{}", text_of(&mut rig(&["traffic"]))?);
    // What is on its way yet arrives, and is counted.
    thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// What each edge tells.
fn metrics() -> Result<Vec<String>> {
    EDGES.into_iter().map(|edge| http::get(edge, "/metrics")).collect()
}

/// Network and server are told apart, and nothing was lost since `before`: until the edges have found each other they drop what
/// hosts say to their neighbours.
fn judge(before: &[String], network: Ms) -> Result<()> {
    let metrics = metrics()?;
    let mean = |metric: &str| {
        let of = |what| {
            http::sum::<f64>(&metrics[0], &format!("pdmline_{metric}_seconds_{what}"), "rule=\"http\"")
        };
        (of("count"), of("sum") / of("count") * 1e3)
    };
    // Where the network takes next to nothing, its share of some answers is uncertain and not recorded.
    let ((_, network_rtt), (count, server_delay)) = (mean("network_rtt"), mean("server_delay"));
    println!("HTTP: {count} answers, network {network_rtt:.2} ms, server {server_delay:.2} ms");
    assert!(count >= 100.0, "only {count} answers");
    assert!(network.contains(&network_rtt), "network {network_rtt} ms");
    // The server thinks for 30 ms, but not about the connection's first and last packets, and a busy machine wakes it late.
    assert!((28.0..45.0).contains(&server_delay), "server {server_delay} ms");
    for ((edge, before), metrics) in EDGES.into_iter().zip(before).zip(&metrics) {
        for what in [
            "lost",
            "dropped",
            "port_missed",
            "port_no_buffer",
            "port_kernel_dropped",
            "port_transmit_errors",
        ] {
            let [before, after] = [before, metrics]
                .map(|metrics| http::sum::<u64>(metrics, &format!("pdmline_{what}_total"), ""));
            assert_eq!(before, after, "{what} at {edge}: {metrics}");
        }
    }
    let total = |what: &str| -> u64 {
        metrics.iter().map(|metrics| http::sum::<u64>(metrics, &format!("pdmline_{what}_total"), "")).sum()
    };
    assert_eq!(total("inserted"), total("stripped"), "options that were added, and taken away");
    Ok(())
}

/// Prometheus scrapes both edges, and knows what edge-a measured.
fn prometheus_agrees() -> Result<()> {
    const QUERIES: [(&str, std::ops::Range<f64>); 2] = [
        ("sum(up)", 2.0..2.5),
        (
            "pdmline_server_delay_seconds_sum{rule=\"http\",instance=\"edge-a:9464\"}\
             /pdmline_server_delay_seconds_count",
            0.028..0.045,
        ),
    ];
    println!("{}", text_of(&mut rig(&["watch"]))?);
    let start = Instant::now();
    for (query, expected) in QUERIES {
        while !answer(query).is_ok_and(|answer| expected.contains(&answer)) {
            ensure!(start.elapsed() < Duration::from_secs(60), "{query} is {:?}", answer(query));
            thread::sleep(Duration::from_millis(500));
        }
        println!("Prometheus: {query} = {}", answer(query)?);
    }
    Ok(())
}

fn answer(query: &str) -> Result<f64> {
    let answer = http::get("127.0.0.1:9090", &format!("/api/v1/query?query={query}"))?;
    let answer: Value = serde_json::from_str(&answer)?;
    let value = answer.pointer("/data/result/0/value/1").context("there is no value yet")?;
    Ok(value.as_str().context("a value is a text")?.parse()?)
}

/// An edge is killed under traffic, and started again: TCP goes on, and both edges tell what happened.
fn crash(lab: &Lab, service: &str) -> Result<()> {
    let (itself, other) = if service == "edge-a" { (EDGES[0], EDGES[1]) } else { (EDGES[1], EDGES[0]) };
    let restarts = |metrics: &str| http::sum::<u64>(metrics, "pdmline_restarts_total", "");
    let before = http::get(other, "/metrics")?;
    let client = lab.container("client")?;
    let pings = client.start(&["ping", "-i", "0.2", "-w", "15", "server"])?;
    let transfer =
        client.start(&["iperf3", "--json", "--client", "server", "--bitrate", "20M", "--time", "15"])?;
    thread::sleep(Duration::from_secs(2));
    let took = lab.container(service)?.kill_and_restart()?;
    let transfer = transfer.wait_with_output()?;
    let report: Value = serde_json::from_slice(&transfer.stdout)?;
    ensure!(transfer.status.success(), "the transfer failed: {report}");
    let last = report["intervals"].as_array().and_then(|all| all.last()?.pointer("/sum/bytes")?.as_u64());
    ensure!(last.is_some_and(|octets| octets > 0), "TCP did not recover: {report}");
    pings.wait_with_output()?;
    println!("{service} was killed under traffic, and well again {took:?} after its start");

    let [after, of_other] = [http::get(itself, "/metrics")?, http::get(other, "/metrics")?];
    let uptime = |metrics: &str| http::sum::<f64>(metrics, "pdmline_uptime_seconds", "");
    assert!(uptime(&after) < uptime(&of_other), "{service} started later");
    assert!(http::sum::<u64>(&after, "pdmline_flows_created_total", "") > 0, "{service} made flows anew");
    assert!(restarts(&of_other) > restarts(&before), "the other edge noticed nothing: {of_other}");
    Ok(())
}
