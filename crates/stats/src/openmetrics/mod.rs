//! Metrics as scrapers read them: OpenMetrics, and the Prometheus text format for those who want that.
//!
//! Labels come from the configuration and from fixed lists (rules, workers, ports, reasons), so that traffic cannot make
//! new series. It makes those of remote prefixes, of which there are no more than [`MAX_PREFIXES`](crate::MAX_PREFIXES)
//! and one.

mod buckets;
mod encoder;
mod format;
mod text;

use hdrhistogram::Histogram;
use pdm::Skip;

use crate::{
    Counts, Drop, Leg, Metric, PortSnapshot, PrefixCollector, RemoteDelays, RuleId, Snapshot, WorkerSnapshot,
};
pub use buckets::Buckets;
use encoder::{Encoder, Kind, Label};
pub use format::Format;
use text::Billionths;

/// The one number of [`Counts`] that falls again.
const FLOWS_LIVE: &str = "flows_live";

/// What the metrics are written with, beside what was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposition {
    /// The bounds of histograms.
    pub buckets: Buckets,
    /// pdmline's version.
    pub version: String,
    /// DPDK's version, as it calls itself: `DPDK 22.11.4`.
    pub dpdk_version: String,
}

impl Exposition {
    /// All metrics of `snapshot` in `format`.
    #[must_use]
    pub fn render(&self, snapshot: &Snapshot, format: Format) -> String {
        let mut encoder = Encoder::new(format);
        self.process(&mut encoder, snapshot);
        workers(&mut encoder, &snapshot.workers);
        ports(&mut encoder, &snapshot.ports);
        Metric::ALL.into_iter().for_each(|metric| self.delays(&mut encoder, snapshot, metric));
        snapshot.prefixes.iter().for_each(|prefixes| self.prefixes(&mut encoder, prefixes));
        encoder.finish()
    }

    fn process(&self, encoder: &mut Encoder, snapshot: &Snapshot) {
        let versions: [Label<'_>; 2] = [("version", &self.version), ("dpdk_version", &self.dpdk_version)];
        encoder.family(Kind::Info, "build", "Versions of pdmline and DPDK.").sample(&versions, 1);
        let uptime = Billionths(snapshot.uptime.as_nanos());
        encoder.family(Kind::Gauge, "uptime_seconds", "Time since the start.").sample(&[], uptime);
        let error = Billionths(snapshot.clock_error_ppb.into());
        encoder.family(Kind::Gauge, "clock_error_ratio", "How wrong the clock may run.").sample(&[], error);
    }

    /// One metric's delays, by rule. Of packets that no rule selects, whose rule is "", only residence is known.
    fn delays(&self, encoder: &mut Encoder, snapshot: &Snapshot, metric: Metric) {
        let mut family = encoder.family(Kind::Histogram, &format!("{}_seconds", metric.name()), help(metric));
        let unselected = (metric == Metric::Residence).then_some("");
        let rules = snapshot.rules.iter().map(String::as_str).chain(unselected);
        for (rule, id) in rules.zip((0..=u16::MAX).map(RuleId::new)) {
            if let Some(histogram) = snapshot.total.histogram(id, metric) {
                family.histogram(&[("rule", rule)], histogram, &self.buckets);
            }
        }
    }

    /// The remote ends' delays, by prefix.
    fn prefixes(&self, encoder: &mut Encoder, prefixes: &PrefixCollector) {
        let remotes: Vec<_> =
            prefixes.by_remote().map(|(remote, delays)| (remote.to_string(), delays)).collect();
        for (name, help, histogram) in PREFIX_HISTOGRAMS {
            let mut family = encoder.family(Kind::Histogram, name, help);
            for (remote, delays) in &remotes {
                family.histogram(&[("prefix", remote)], histogram(delays), &self.buckets);
            }
        }
    }
}

const fn help(metric: Metric) -> &'static str {
    match metric {
        Metric::TotalRtt => "From sending a packet to the first packet that answers it.",
        Metric::NetworkRtt => "The network's share of the round trip.",
        Metric::ServerDelay => "The far end's share of the round trip.",
        Metric::LocalDelay => "How long the local hosts took to answer.",
        Metric::Residence => {
            "How long packets were inside pdmline; those that no rule selects have an empty rule."
        }
    }
}

/// What is known of a remote prefix: its name, a sentence, and the delays.
type PrefixHistogram = (&'static str, &'static str, fn(&RemoteDelays) -> &Histogram<u64>);

const PREFIX_HISTOGRAMS: [PrefixHistogram; 2] = [
    (
        "prefix_network_rtt_seconds",
        "The network's share of the round trip, by remote prefix; other is all beyond the first 1024.",
        |delays| &delays.network_rtt,
    ),
    (
        "prefix_server_delay_seconds",
        "The far end's share of the round trip, by remote prefix; other is all beyond the first 1024.",
        |delays| &delays.server_delay,
    ),
];

/// A worker's core, as its label, and what it counted.
type Counted<'a> = (String, &'a Counts);

fn workers(encoder: &mut Encoder, workers: &[WorkerSnapshot]) {
    let mut alive =
        encoder.family(Kind::Gauge, "worker_alive", "Whether the worker on this core still goes round.");
    for worker in workers {
        alive.sample(&[("worker", &worker.core.to_string())], u8::from(worker.alive));
    }
    let counted: Vec<_> = workers.iter().map(|worker| (worker.core.to_string(), &worker.counts)).collect();
    plain(encoder, &counted);
    let names = Skip::ALL.map(Skip::name);
    labelled(
        encoder,
        "skipped",
        "Packets that were left alone, by reason.",
        ("reason", &names),
        &counted,
        |c| &c.skipped,
    );
    let names = Drop::ALL.map(Drop::name);
    labelled(
        encoder,
        "dropped",
        "Packets that did not leave, by reason.",
        ("reason", &names),
        &counted,
        |c| &c.dropped,
    );
    // The only one that most never have: workers are profiled on request.
    if counted.iter().any(|(_, counts)| counts.leg_ticks.iter().any(|&ticks| ticks > 0)) {
        let names = Leg::ALL.map(Leg::name);
        let help = "Cycles of the time stamp counter that each leg of the packets' way took.";
        labelled(encoder, "leg_cycles", help, ("leg", &names), &counted, |c| &c.leg_ticks);
    }
}

/// Every number that is not by reason.
fn plain(encoder: &mut Encoder, workers: &[Counted<'_>]) {
    for (place, (name, help, _)) in Counts::default().plain_ones().enumerate() {
        let kind = if name == FLOWS_LIVE { Kind::Gauge } else { Kind::Counter };
        let mut family = encoder.family(kind, name, help.trim_start());
        for (core, counts) in workers {
            let counted = counts.plain_ones().nth(place);
            counted.into_iter().for_each(|(.., count)| family.sample(&[("worker", core)], count));
        }
    }
}

/// Numbers with a label of their own, zeroes too: a series that only appears with its first event hides that event from rates.
fn labelled(
    encoder: &mut Encoder,
    name: &str,
    help: &str,
    (label, values): (&'static str, &[&str]),
    workers: &[Counted<'_>],
    numbers: impl Fn(&Counts) -> &[u64],
) {
    let mut family = encoder.family(Kind::Counter, name, help);
    for (core, counts) in workers {
        for (value, count) in values.iter().zip(numbers(counts)) {
            family.sample(&[("worker", core), (label, value)], count);
        }
    }
}

/// What a port counts: its name, a sentence, and the number.
type PortCounter = (&'static str, &'static str, fn(&PortSnapshot) -> u64);

const PORT_COUNTERS: [PortCounter; 7] = [
    ("received", "Packets the port received.", |port| port.received),
    ("sent", "Packets the port sent.", |port| port.sent),
    ("missed", "Packets lost because a queue of the port was full.", |port| port.missed),
    ("receive_errors", "Broken packets the port received.", |port| port.receive_errors),
    ("transmit_errors", "Packets the port could not send.", |port| port.transmit_errors),
    ("no_buffer", "Packets lost because the port's pool was empty.", |port| port.no_buffer),
    ("kernel_dropped", "Packets the kernel dropped before the driver saw them.", |port| port.kernel_dropped),
];

fn ports(encoder: &mut Encoder, ports: &[PortSnapshot]) {
    for (name, help, number) in PORT_COUNTERS {
        let mut family = encoder.family(Kind::Counter, &format!("port_{name}"), help);
        for port in ports {
            let pair = port.pair.to_string();
            family.sample(&[("pair", &pair), ("side", port.side), ("device", &port.device)], number(port));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Collector, MAX_PREFIXES, PrefixBook, Recorders};

    /// One in which `prefixes` prefixes answered.
    fn snapshot(prefixes: u16) -> Snapshot {
        let mut book = PrefixBook::new(48, [1, 2, 3, 4]).unwrap();
        let mut recorders = Recorders::new(2).with_prefixes();
        for n in 1..=prefixes {
            recorders.record_remote(book.slot([0x2001, 0xdb8, n, 0, 0, 0, 0, 1].into()), 2_000.0, None);
        }
        recorders.record(RuleId::new(1), Metric::NetworkRtt, 3_000.0);
        recorders.record_times(RuleId::new(2), Metric::Residence, 500.0, 5);
        let mut total = Collector::new(2);
        total.fold(&recorders);
        let mut by_prefix = PrefixCollector::default();
        by_prefix.fold(&recorders);
        let mut counts = Counts { packets: 9, flows_live: 3, ..Counts::default() };
        counts.skipped[Skip::Esp.index()] = 2;
        counts.leg_ticks[Leg::Look.index()] = 70;
        counts.dropped[Drop::TransmitFull.index()] = 4;
        let port =
            PortSnapshot { pair: 1, side: "wire", device: "eth0".into(), sent: 8, ..PortSnapshot::default() };
        Snapshot {
            uptime: Duration::from_millis(2_500),
            workers: vec![
                WorkerSnapshot { core: 1, counts, alive: true },
                WorkerSnapshot { core: 3, counts: Counts::default(), alive: false },
            ],
            ports: vec![port],
            rules: vec!["web".into(), "a \"b\"".into()],
            interval: total.clone(),
            total,
            prefixes: Some(by_prefix),
            clock_error_ppb: 12_345,
        }
    }

    fn rendered(snapshot: &Snapshot, format: Format) -> String {
        let buckets = Buckets::log_spaced(3).unwrap();
        let exposition = Exposition { buckets, version: "0.1.0".into(), dpdk_version: "DPDK 22.11.4".into() };
        exposition.render(snapshot, format)
    }

    fn samples(snapshot: &Snapshot, format: Format) -> Vec<String> {
        let text = rendered(snapshot, format);
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn everything_known_is_there() {
        let text = rendered(&snapshot(2), Format::OpenMetrics);
        for line in [
            "pdmline_build_info{version=\"0.1.0\",dpdk_version=\"DPDK 22.11.4\"} 1",
            "pdmline_uptime_seconds 2.5",
            "pdmline_clock_error_ratio 0.000012345",
            "pdmline_worker_alive{worker=\"1\"} 1",
            "pdmline_worker_alive{worker=\"3\"} 0",
            "pdmline_packets_total{worker=\"1\"} 9",
            "pdmline_packets_total{worker=\"3\"} 0",
            "# TYPE pdmline_flows_live gauge",
            "pdmline_flows_live{worker=\"1\"} 3",
            "pdmline_skipped_total{worker=\"1\",reason=\"esp\"} 2",
            "pdmline_skipped_total{worker=\"1\",reason=\"oversize\"} 0",
            "pdmline_leg_cycles_total{worker=\"1\",leg=\"look\"} 70",
            "pdmline_leg_cycles_total{worker=\"1\",leg=\"send\"} 0",
            "pdmline_dropped_total{worker=\"1\",reason=\"transmit_full\"} 4",
            "pdmline_port_sent_total{pair=\"1\",side=\"wire\",device=\"eth0\"} 8",
            "# TYPE pdmline_network_rtt_seconds histogram",
            "# UNIT pdmline_network_rtt_seconds seconds",
            "pdmline_network_rtt_seconds_bucket{rule=\"a \\\"b\\\"\",le=\"0.00000215\"} 0",
            "pdmline_network_rtt_seconds_bucket{rule=\"a \\\"b\\\"\",le=\"+Inf\"} 1",
            "pdmline_network_rtt_seconds_count{rule=\"web\"} 0",
            "pdmline_residence_seconds_count{rule=\"\"} 5",
            "pdmline_prefix_network_rtt_seconds_count{prefix=\"2001:db8:2::/48\"} 0",
            "pdmline_prefix_server_delay_seconds_bucket{prefix=\"2001:db8:2::/48\",le=\"0.000001\"} 0",
            "pdmline_prefix_server_delay_seconds_bucket{prefix=\"2001:db8:2::/48\",le=\"0.00000215\"} 1",
            "pdmline_prefix_server_delay_seconds_count{prefix=\"other\"} 0",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
        let unselected = text.lines().filter(|line| line.contains("_count{rule=\"\"}"));
        assert_eq!(unselected.count(), 1, "of what no rule selects only residence is known");
    }

    #[test]
    fn samples_are_the_same_in_both_formats() {
        let snapshot = snapshot(2);
        assert_eq!(samples(&snapshot, Format::OpenMetrics), samples(&snapshot, Format::Prometheus));
    }

    #[test]
    fn series_are_bounded_whatever_the_traffic() {
        let without = samples(&Snapshot { prefixes: None, ..snapshot(0) }, Format::Prometheus).len();
        let by_label = Skip::ALL.len() + Drop::ALL.len() + Leg::ALL.len();
        let per_worker = 1 + Counts::default().plain_ones().count() + by_label;
        let per_histogram = 25 + 3;
        let histograms = 2 * Metric::ALL.len() + 1;
        assert_eq!(without, 3 + 2 * per_worker + PORT_COUNTERS.len() + histograms * per_histogram);
        for (prefixes, told_apart) in [(0, 0), (2, 2), (1_024, MAX_PREFIXES), (1_100, MAX_PREFIXES)] {
            let series = samples(&snapshot(prefixes), Format::Prometheus).len() - without;
            assert_eq!(series, PREFIX_HISTOGRAMS.len() * (told_apart + 1) * per_histogram);
        }
    }

    #[test]
    fn help_needs_no_escapes() {
        let text = rendered(&snapshot(0), Format::OpenMetrics);
        let mut help = text.lines().filter(|line| line.starts_with("# HELP"));
        assert!(help.all(|line| line.ends_with('.') && !line.contains(['\\', '"'])));
    }
}
