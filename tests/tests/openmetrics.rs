//! What we export, judged by those who read it: promtool, the parser of PyPI's prometheus_client, and our own dashboard.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pdmline_tests::requirement::Requirement;
use pdmline_tests::tools::{PROMTOOL, told};
use pdmline_tests::{python, require};
use serde_json::Value;
use stats::openmetrics::{Buckets, Exposition, Format};
use stats::{
    Collector, Counts, Metric, PortSnapshot, PrefixBook, PrefixCollector, Recorders, RuleId, Snapshot,
    WorkerSnapshot,
};

/// Everything a label must survive.
const HOSTILE_RULE: &str = "a \"b\" \\n {c=\"d\"},# ü";

/// Nanoseconds that are recorded for every rule and metric.
const SAMPLES: [f64; 5] = [1.0, 1e3, 1.5e6, 20e6, 3e12];

/// Where the independent reader of OpenMetrics comes from.
const PARSER_PACKAGE: &str = "prometheus_client==0.26.0";

/// Reads OpenMetrics and writes, as JSON, each family's type and each sample as name, labels and value.
const PARSER: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
read = [(family.name, family.type, [(s.name, s.labels, s.value) for s in family.samples])
        for family in families(sys.stdin.read())]
json.dump(read, sys.stdout)
";

fn snapshot() -> Result<Snapshot> {
    let rules = vec!["web".to_owned(), HOSTILE_RULE.to_owned()];
    let mut recorders = Recorders::new(rules.len()).with_prefixes();
    for rule in [0, 1].map(RuleId::new) {
        for metric in Metric::ALL {
            SAMPLES.into_iter().for_each(|nanos| recorders.record(rule, metric, nanos));
        }
    }
    recorders.record(RuleId::new(2), Metric::Residence, 700.0);
    let mut book = PrefixBook::new(48, [1, 2, 3, 4])?;
    for remote in ["2001:db8:a::1", "2001:db8:b::1"] {
        let slot = book.slot(remote.parse()?);
        SAMPLES.into_iter().for_each(|nanos| recorders.record_remote(slot, nanos, Some(nanos)));
    }
    let mut total = Collector::new(rules.len());
    total.fold(&recorders);
    let mut prefixes = PrefixCollector::default();
    prefixes.fold(&recorders);
    let counts = Counts { packets: u64::from(u32::MAX) + 1, flows_live: 5, lost: 3, ..Counts::default() };
    let worker = |core| WorkerSnapshot { core, counts, alive: core == 1 };
    let port = |side, device: &str| PortSnapshot { side, device: device.into(), ..PortSnapshot::default() };
    Ok(Snapshot {
        uptime: Duration::from_millis(61_234),
        workers: [1, 2].map(worker).to_vec(),
        ports: vec![port("host", "0000:01:00.0"), port("wire", "net_af_packet0,iface=wire")],
        rules,
        interval: total.clone(),
        total,
        prefixes: Some(prefixes),
        clock_error_ppb: 1_500,
    })
}

fn rendered(format: Format) -> Result<String> {
    let buckets = Buckets::log_spaced(3)?;
    let exposition = Exposition { buckets, version: "0.1.0".into(), dpdk_version: "22.11.4".into() };
    Ok(exposition.render(&snapshot()?, format))
}

#[test]
fn promtool_has_nothing_to_say_of_the_text_format() -> Result<()> {
    require!(Requirement::Program(PROMTOOL));
    let check = || {
        let mut promtool = Command::new(PROMTOOL);
        promtool.args(["check", "metrics"]);
        promtool
    };
    assert_eq!(told(&mut check(), &rendered(Format::Prometheus)?)?, "");
    assert!(told(&mut check(), &rendered(Format::OpenMetrics)?).is_err(), "it looks");
    Ok(())
}

#[test]
fn promtool_accepts_the_example_configuration() -> Result<()> {
    require!(Requirement::Program(PROMTOOL));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../prometheus/scrape.example.yml");
    let told = told(Command::new(PROMTOOL).args(["check", "config", example]), "")?;
    assert!(told.contains("SUCCESS"), "{told}");
    Ok(())
}

/// A family as the parser read it.
type Family = (String, String, Vec<(String, BTreeMap<String, String>, f64)>);

#[test]
fn another_parser_reads_the_openmetrics_we_wrote() -> Result<()> {
    require!(Requirement::Python(PARSER_PACKAGE));
    let text = rendered(Format::OpenMetrics)?;
    let read: Vec<Family> = serde_json::from_str(&told(
        Command::new(python::with(PARSER_PACKAGE)?).args(["-c", PARSER]),
        &text,
    )?)?;
    let samples: usize = read.iter().map(|(.., samples)| samples.len()).sum();
    assert_eq!(samples, text.lines().filter(|line| !line.starts_with('#')).count());
    let family =
        |name| read.iter().find(|(its, ..)| its == name).with_context(|| format!("no family {name}"));

    let (_, kind, packets) = family("pdmline_packets")?;
    assert_eq!(kind, "counter");
    assert_eq!(packets[0].0, "pdmline_packets_total");
    assert_eq!(packets.iter().map(|sample| sample.2).sum::<f64>(), 8_589_934_592.0);
    assert_eq!(family("pdmline_build")?.1, "info");
    assert_eq!(family("pdmline_flows_live")?.1, "gauge");

    let (_, kind, rtt) = family("pdmline_network_rtt_seconds")?;
    assert_eq!(kind, "histogram");
    let of = |suffix: &str, le: Option<&str>| {
        let name = format!("pdmline_network_rtt_seconds_{suffix}");
        let mut samples = rtt.iter().filter(|(its, labels, _)| {
            *its == name && labels["rule"] == HOSTILE_RULE && labels.get("le").map(String::as_str) == le
        });
        samples.next().map(|sample| sample.2)
    };
    for (le, count) in [("0.000001", 2.0), ("0.001", 2.0), ("0.00215", 3.0), ("60.0", 4.0), ("+Inf", 5.0)] {
        assert_eq!(of("bucket", Some(le)), Some(count), "{le}");
    }
    assert_eq!(of("count", None), Some(5.0));
    let sum = of("sum", None).context("no sum")?;
    assert!((sum / 3_000.021_501 - 1.0).abs() < 0.01, "{sum} s");

    for name in ["pdmline_prefix_network_rtt_seconds", "pdmline_prefix_server_delay_seconds"] {
        let (_, kind, samples) = family(name)?;
        assert_eq!(kind, "histogram");
        let counts = samples.iter().filter(|(its, ..)| *its == format!("{name}_count"));
        let counts: Vec<_> = counts.map(|(_, labels, count)| (labels["prefix"].as_str(), *count)).collect();
        assert_eq!(counts, [("2001:db8:a::/48", 5.0), ("2001:db8:b::/48", 5.0), ("other", 0.0)]);
    }
    Ok(())
}

#[test]
fn the_dashboard_asks_for_what_there_is() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../grafana/pdmline.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let text = rendered(Format::Prometheus)?;
    let there: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let asked: BTreeSet<String> = queries(&dashboard).iter().flat_map(|query| names(query)).collect();
    ensure!(asked.len() > 20, "only {asked:?} are asked for");
    for name in asked {
        assert!(there.contains(name.as_str()), "{name} is on the dashboard and not exported");
    }
    Ok(())
}

/// The queries of all panels and variables.
fn queries(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => {
            let own = ["expr", "definition"].into_iter().filter_map(|key| members.get(key)?.as_str());
            own.chain(members.values().flat_map(queries)).collect()
        }
        Value::Array(values) => values.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

/// The names of metrics in a query.
fn names(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("pdmline_")).map(str::to_owned).collect()
}
