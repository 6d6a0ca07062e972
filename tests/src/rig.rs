//! The network with something in its middle that carries packets: ready when it exists, quiet when it is gone.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::appliance::{Appliance, Settings};
use crate::network::{Host, MIDDLE, Network};
use crate::program::text_of;

/// How long the first ping through may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hosts that said nothing for so long have said all: more than a delayed acknowledgement takes.
const REST: Duration = Duration::from_millis(300);

/// What stands in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middle {
    /// Kernel bridges, to see what the rig does without us.
    Bridges,
    /// One pdmline that serves both pairs on one core.
    OneProcess,
    /// The same with two workers, each with queues of its own on every port.
    TwoWorkers,
    /// A pdmline for each pair.
    TwoProcesses,
}

/// Network and appliances. Dropping it ends and removes everything.
#[derive(Debug)]
pub struct Rig {
    // In this order they go: appliances, then the network under them, then their files.
    appliances: Vec<Appliance>,
    /// Where the traffic goes.
    pub network: Network,
    directory: TempDir,
}

impl Rig {
    /// Starts everything, and returns when packets pass. The appliances measure `protocol`, or `any`.
    ///
    /// # Errors
    ///
    /// If anything does not start.
    pub fn start(middle: Middle, protocol: &str) -> Result<Self> {
        Self::start_in(Network::create()?, middle, protocol)
    }

    /// As [`Rig::start`], in a network that is there already.
    ///
    /// # Errors
    ///
    /// If anything does not start.
    pub fn start_in(network: Network, middle: Middle, protocol: &str) -> Result<Self> {
        let mut rig = Self { appliances: Vec::new(), network, directory: tempfile::tempdir()? };
        rig.start_appliances(middle, protocol)?;
        rig.wait_until_packets_pass()?;
        Ok(rig)
    }

    fn start_appliances(&mut self, middle: Middle, protocol: &str) -> Result<()> {
        let (one, other) = MIDDLE.split_at(1);
        // The hosts and whatever else runs share the cores. A worker that spins there is taken off its core for
        // milliseconds at a time, and what it measures is that.
        let settings = |instance, pairs, cores| Settings {
            instance,
            pairs,
            cores,
            idle: "sleep:50us",
            protocol,
            more: "",
        };
        let all = match middle {
            Middle::Bridges => return self.network.bridge_the_middle(),
            Middle::OneProcess => vec![settings("rig", &MIDDLE, &[1][..])],
            Middle::TwoWorkers => vec![settings("rig", &MIDDLE, &[1, 1])],
            Middle::TwoProcesses => vec![settings("rig-a", one, &[0]), settings("rig-b", other, &[1])],
        };
        for settings in all {
            self.appliances.push(Appliance::start(&self.network.middle, self.directory.path(), settings)?);
        }
        Ok(())
    }

    fn wait_until_packets_pass(&mut self) -> Result<()> {
        let start = Instant::now();
        let Network { a, b, .. } = &self.network;
        while ping_for(1, a, b, 1).is_err() {
            self.appliances.iter_mut().try_for_each(Appliance::check_alive)?;
            let said: Vec<String> = self.appliances.iter().map(Appliance::said).collect();
            ensure!(
                start.elapsed() < PATIENCE,
                "no packet passes; the appliances said:\n{}",
                said.join("\n")
            );
        }
        Ok(())
    }

    /// Returns when the hosts have said all. A segment on its way between two pairs when the appliances end would be
    /// counted by one of them only, and one that comes when a capture ends counts as lost by it.
    ///
    /// # Errors
    ///
    /// If they never do.
    pub fn wait_until_packets_rest(&self) -> Result<()> {
        let segments = || -> Result<Vec<u64>> {
            let hosts = [&self.network.a, &self.network.b];
            let counters = hosts.iter().flat_map(|host| [(host, "InSegs"), (host, "OutSegs")]);
            counters.map(|(host, name)| host.namespace.counter("Tcp", name)).collect()
        };
        let (start, mut before) = (Instant::now(), segments()?);
        loop {
            thread::sleep(REST);
            let now = segments()?;
            if now == before {
                return Ok(());
            }
            ensure!(start.elapsed() < PATIENCE, "the hosts do not stop talking");
            before = now;
        }
    }

    /// A directory for a test's own files, as long as the rig lives.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the appliances and returns their reports: of both pairs, or of A's and B's.
    ///
    /// # Errors
    ///
    /// If one of them does not end well, or lost a packet.
    pub fn stop(mut self) -> Result<Vec<Value>> {
        self.wait_until_packets_rest()?;
        let reports: Result<Vec<Value>> = self.appliances.drain(..).map(Appliance::stop).collect();
        let reports = reports?;
        reports.iter().try_for_each(every_packet_is_accounted_for)?;
        Ok(reports)
    }
}

/// Each packet is in exactly one counter of spec section 2, and none was dropped.
fn every_packet_is_accounted_for(report: &Value) -> Result<()> {
    let count = |key: &str| report[key].as_u64().with_context(|| format!("no `{key}` in {report}"));
    let skipped = report["skipped"].as_object().context("no `skipped`")?;
    let left_alone: u64 = skipped.values().filter_map(Value::as_u64).sum();
    let sum = count("inserted")? + count("observed")? + count("plain")? + left_alone;
    ensure!(sum == count("packets")?, "{sum} packets have an outcome: {report}");
    ensure!(
        report["dropped"].as_object().is_some_and(serde_json::Map::is_empty),
        "packets were dropped: {report}"
    );
    Ok(())
}

/// Pings `count` times; every one must be answered.
///
/// # Errors
///
/// If one was not.
pub fn ping(from: &Host, to: &Host, count: u32) -> Result<()> {
    // Without a deadline ping waits only two round trips for the last answer, which a busy machine may take longer for.
    let said = ping_for(10, from, to, count)?;
    let unanswered = (1..=count).find(|number| !said.contains(&format!("icmp_seq={number} ")));
    ensure!(unanswered.is_none(), "ping {unanswered:?} was not answered: {said}");
    Ok(())
}

/// Pings until `count` answers came, which must be in the given time.
fn ping_for(seconds: u32, from: &Host, to: &Host, count: u32) -> Result<String> {
    let mut ping = from.namespace.command("ping");
    ping.args(["-6", "-i", "0.1", "-c", &count.to_string(), "-w", &seconds.to_string()]);
    text_of(ping.arg(to.address.to_string()))
}

/// Whether the kernel of a host sent any TCP segment twice.
///
/// # Errors
///
/// If its counters cannot be read.
pub fn retransmissions(host: &Host) -> Result<u64> {
    host.namespace.counter("Tcp", "RetransSegs")
}

/// The sum of a counter over reports, by its JSON pointer; 0 where it is left out.
#[must_use]
pub fn total(reports: &[Value], counter: &str) -> u64 {
    reports.iter().filter_map(|report| report.pointer(counter)?.as_u64()).sum()
}
