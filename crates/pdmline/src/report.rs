//! The report of a run or a replay, for programs and for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::Path;

use anyhow::Context;
use stats::{Leg, Report, Summary};

use crate::{files, human};

/// Writes `report` as JSON, whole or not at all.
///
/// # Errors
/// When `path` cannot be written.
pub(crate) fn write_json(report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    files::write_atomically(path, &json)
        .with_context(|| format!("cannot write the report {}", path.display()))
}

/// `report` in a few lines.
pub(crate) fn for_people(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_for_people(&mut text, report);
    text
}

fn write_for_people(out: &mut String, report: &Report) -> fmt::Result {
    let Report { packets, inserted, observed, stripped, plain, flows, duration_s, .. } = report;
    writeln!(out, "{packets} packets and {flows} flows in {duration_s:.3} s")?;
    writeln!(out, "inserted {inserted}, observed {observed}, stripped {stripped}, without option {plain}")?;
    write_reasons(out, "left alone", &report.skipped)?;
    write_reasons(out, "dropped", &report.dropped)?;
    let stats::Loss { lost, duplicated, reordered, restarts } = report.loss;
    writeln!(
        out,
        "towards us: lost {lost}, duplicated {duplicated}, reordered {reordered}, restarts {restarts}"
    )?;
    let oddities = [
        ("nonsense", report.nonsense),
        ("uncertain", report.uncertain),
        ("never_sent", report.never_sent),
        ("forgotten", report.forgotten),
        ("clock_backwards", report.clock_backwards),
        ("handed_over", report.handed_over),
    ];
    write_reasons(
        out,
        "answers and clocks",
        &oddities.into_iter().filter(|(_, count)| *count > 0).collect(),
    )?;
    write_cycles(out, &report.cycles_per_packet)?;
    write_metrics(out, &report.metrics)
}

/// In the order of a packet's way.
fn write_cycles(out: &mut String, cycles: &BTreeMap<&str, f64>) -> fmt::Result {
    if cycles.is_empty() {
        return Ok(());
    }
    let known = Leg::ALL.into_iter().filter_map(|leg| Some((leg.name(), cycles.get(leg.name())?)));
    let list: Vec<String> = known.map(|(leg, cycles)| format!("{leg} {cycles:.1}")).collect();
    writeln!(out, "cycles per packet: {}", list.join(", "))
}

fn write_reasons(out: &mut String, what: &str, reasons: &BTreeMap<&str, u64>) -> fmt::Result {
    if reasons.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    writeln!(out, "{what}: {}", list.join(", "))
}

fn write_metrics(out: &mut String, metrics: &BTreeMap<&str, Summary>) -> fmt::Result {
    if metrics.is_empty() {
        return Ok(());
    }
    let heads = ["count", "min", "p50", "p90", "p99", "max"].map(|head| format!("{head:>11}")).concat();
    writeln!(out, "{:<14}{heads}", "")?;
    for (name, summary) in metrics {
        write!(out, "{name:<14}{:>11}", summary.count)?;
        for nanos in [summary.min_ns, summary.p50_ns, summary.p90_ns, summary.p99_ns, summary.max_ns] {
            write!(out, "{:>11}", human::nanos(nanos))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let summary = Summary {
            count: 3,
            min_ns: 8,
            p50_ns: 8_000,
            p90_ns: 9_000,
            p99_ns: 9_000,
            max_ns: 12_000_000_000,
        };
        Report {
            packets: 12,
            inserted: 5,
            observed: 4,
            skipped: BTreeMap::from([("esp", 2), ("not_ipv6", 1)]),
            flows: 1,
            cycles_per_packet: BTreeMap::from([("send", 20.04), ("look", 15.5)]),
            duration_s: 1.5,
            metrics: BTreeMap::from([("total_rtt", summary)]),
            ..Report::default()
        }
    }

    #[test]
    fn people_see_what_happened_and_nothing_that_did_not() {
        let text = for_people(&report());
        let expected = [
            "12 packets and 1 flows in 1.500 s",
            "inserted 5, observed 4, stripped 0, without option 0",
            "left alone: esp 2, not_ipv6 1",
            "towards us: lost 0, duplicated 0, reordered 0, restarts 0",
            "cycles per packet: look 15.5, send 20.0",
            "                    count        min        p50        p90        p99        max",
            "total_rtt               3   8.000 ns   8.000 us   9.000 us   9.000 us    12.00 s",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn programs_read_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        write_json(&report(), &path).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["packets"], 12);
        assert_eq!(json["skipped"], serde_json::json!({"esp": 2, "not_ipv6": 1}));
        assert_eq!(json["metrics"]["total_rtt"]["max_ns"], 12_000_000_000_u64);
        let nowhere = dir.path().join("none/report.json");
        let message = format!("{:#}", write_json(&report(), &nowhere).unwrap_err());
        assert!(message.starts_with("cannot write the report "), "{message}");
    }
}
