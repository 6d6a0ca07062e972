//! The `hdrhistogram` package of PyPI reads the interval log that `stats` wrote: it finds the same intervals with the same
//! counts and the same percentiles, and in the log of a run every sample of its report.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use hdrhistogram::Histogram;
use pdmline_tests::program::{finish, pdmline, text_of};
use pdmline_tests::requirement::Requirement;
use pdmline_tests::{python, require};
use serde_json::{Value, json};
use stats::{Collector, HistogramLog, Metric, Recorders, RuleId, Snapshot};

const READER: &str = "hdrhistogram==0.10.8";

/// Prints each interval of the log as a line of JSON.
const SCRIPT: &str = "
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

log = HistogramLogReader(sys.argv[1], HdrHistogram(1, 2, 2))
while (interval := log.get_next_interval_histogram(absolute=True)) is not None:
    print(json.dumps({
        'tag': interval.get_tag(),
        'start_ms': round(interval.get_start_time_stamp()),
        'end_ms': round(interval.get_end_time_stamp()),
        'log_start_s': log.get_start_time_sec(),
        'count': interval.get_total_count(),
        'min': interval.get_min_value(),
        'max': interval.get_max_value(),
        'percentiles': [interval.get_value_at_percentile(share / 10) for share in json.loads(sys.argv[2])],
    }))
";

/// Shares in thousandths. Every count is a multiple of 1000, so that nobody has to round.
const SHARES: [u16; 8] = [1, 10, 250, 500, 900, 990, 999, 1000];

const START: Duration = Duration::from_secs(1_700_000_000);
const HOUR_NANOS: u64 = 3_600_000_000_000;

/// The rest of an instance with packets without end, none of which a rule selects.
const FLOOD: &str = "
consent.statement = 'packets of nobody'
memory.hugepages = false
export = { interval = '300ms', hlog = 'delays.hlog' }
pair = [{ host = 'net_null0', wire = 'net_null1', mtu = 1500, cores = [0] }]
rule = [{ name = 'lab', local = ['2001:db8::/32'], remote = ['::/0'], action = 'measure' }]
";

#[test]
fn a_reader_that_is_not_ours_finds_the_same() -> Result<()> {
    require!(Requirement::Python(READER));
    let start = UNIX_EPOCH + START;
    let mut log = HistogramLog::new(start);
    let (mut text, mut ours) = (Vec::new(), Vec::new());
    log.write_header(&mut text)?;
    let mut uptime = Duration::ZERO;
    for (length, scale) in [(1500, 1), (500, 1000), (60_000, 1_000_000)] {
        let began = uptime;
        uptime += Duration::from_millis(length);
        let snapshot = snapshot(uptime, scale);
        log.write_interval(&snapshot, start + uptime, &mut text)?;
        ours.extend(intervals(&snapshot, start + began, start + uptime)?);
    }
    let theirs = read(&text)?;
    assert_eq!(ours.len(), 9);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    Ok(())
}

#[test]
fn the_log_of_a_run_holds_every_sample_of_its_report() -> Result<()> {
    require!(Requirement::Python(READER));
    let directory = tempfile::tempdir()?;
    let file = |name| directory.path().join(name);
    let name = format!("instance = 'hlog-{}'", std::process::id());
    fs::write(file("pdmline.toml"), name + FLOOD)?;
    let mut run = Command::new(pdmline()?);
    run.args(["run", "--config", "pdmline.toml", "--duration", "1s", "--report", "report.json"]);
    run.current_dir(&directory).env("STATE_DIRECTORY", ".").env("RUNTIME_DIRECTORY", ".");
    finish(&mut run)?;
    let intervals = read(&fs::read(file("delays.hlog"))?)?;
    let report: Value = serde_json::from_slice(&fs::read(file("report.json"))?)?;
    assert!(intervals.len() > 1, "{intervals:?}");
    assert!(intervals.iter().all(|interval| interval["tag"] == "residence"), "{intervals:?}");
    let samples: u64 = intervals.iter().filter_map(|interval| interval["count"].as_u64()).sum();
    assert_eq!(report["metrics"]["residence"]["count"], samples);
    Ok(())
}

/// What the reader finds in the log.
fn read(log: &[u8]) -> Result<Vec<Value>> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(log)?;
    let mut reader = Command::new(python::with(READER)?);
    reader.args(["-c", SCRIPT]).arg::<&Path>(file.path()).arg(json!(SHARES).to_string());
    text_of(&mut reader)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Delays that are spread evenly, that lie apart by the whole range, and that are all the same; in units of `scale`.
fn snapshot(uptime: Duration, scale: u64) -> Snapshot {
    let mut recorders = Recorders::new(2);
    let (lab, other, none) = (RuleId::new(0), RuleId::new(1), RuleId::new(2));
    for nanos in 1..=4000 {
        recorders.record(lab, Metric::NetworkRtt, (nanos * scale) as f64);
    }
    recorders.record_times(other, Metric::ServerDelay, scale as f64, 999);
    recorders.record_times(other, Metric::ServerDelay, HOUR_NANOS as f64, 1);
    recorders.record_times(none, Metric::Residence, (300 * scale) as f64, 3_000_000_000);
    let mut interval = Collector::new(2);
    interval.fold(&recorders);
    Snapshot {
        uptime,
        workers: Vec::new(),
        ports: Vec::new(),
        rules: vec!["lab".into(), "the other, too".into()],
        total: interval.clone(),
        interval,
        prefixes: None,
        clock_error_ppb: 0,
    }
}

/// What the reader should find of one interval.
fn intervals(snapshot: &Snapshot, began: SystemTime, ended: SystemTime) -> Result<Vec<Value>> {
    let epoch_ms = |time: SystemTime| {
        Ok::<_, anyhow::Error>(u64::try_from(time.duration_since(UNIX_EPOCH)?.as_millis())?)
    };
    let (start_ms, end_ms) = (epoch_ms(began)?, epoch_ms(ended)?);
    let expected = [
        (0, Metric::NetworkRtt, "lab.network_rtt", 4000),
        (1, Metric::ServerDelay, "the_other__too.server_delay", 1000),
        (2, Metric::Residence, "residence", 3_000_000_000_u64),
    ];
    let interval = |(rule, metric, tag, count)| {
        let histogram = snapshot.interval.histogram(RuleId::new(rule), metric);
        let histogram = histogram.ok_or_else(|| anyhow::anyhow!("no {tag}"))?;
        Ok(json!({
            "tag": tag, "start_ms": start_ms, "end_ms": end_ms, "log_start_s": START.as_secs_f64(), "count": count,
            "min": histogram.min(), "max": histogram.max(), "percentiles": percentiles(histogram),
        }))
    };
    expected.into_iter().map(interval).collect()
}

fn percentiles(histogram: &Histogram<u64>) -> [u64; 8] {
    SHARES.map(|share| histogram.value_at_quantile(f64::from(share) / 1000.0))
}
