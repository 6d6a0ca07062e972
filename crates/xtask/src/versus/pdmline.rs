//! pdmline as a contestant: its configuration, and the counters of its JSON lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::bench::Timing;
use super::case::Work;
use super::frame::{HOSTS, NOBODY};
use super::outcome::Measured;
use super::process::{Process, important};
use super::wiring::Wiring;

/// Octets of a worker's flow table without flows, more than the send log takes; and of a flow, more than one takes.
const TABLE_OCTETS: u64 = 64 << 20;
const FLOW_OCTETS: u64 = 256;
/// A burst may be counted on one side of an interval's end and not on the other.
const NEARLY_ALL: f64 = 0.99;

/// How pdmline is set up.
pub(super) struct Setup<'a> {
    pub(super) program: &'a Path,
    pub(super) work: Work,
    /// Flows of each source.
    pub(super) flows: u32,
    pub(super) hugepages: bool,
}

/// A line of what it exports.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Interval(Interval),
    #[serde(other)]
    Other,
}

/// What it counted in an interval, or in several.
#[derive(Default, Deserialize)]
struct Interval {
    interval_s: f64,
    packets: u64,
    inserted: u64,
    observed: u64,
    stripped: u64,
    handed_over: u64,
    dropped: BTreeMap<String, u64>,
}

impl Setup<'_> {
    /// Octets of its flow tables.
    pub(super) fn table_octets(&self, wiring: &Wiring) -> u64 {
        let workers = wiring.cores.workers().len() as u64;
        workers * (TABLE_OCTETS + u64::from(self.flows) * FLOW_OCTETS)
    }

    /// Runs it on `wiring`, and measures it.
    pub(super) fn measure(&self, wiring: &Wiring, timing: Timing, folder: &Path) -> Result<Measured> {
        // Whole intervals are measured, without the last one, in which it ends.
        let interval = timing.time.clamp(Duration::from_millis(100), Duration::from_secs(1));
        let (warm_up, measured) = (intervals(timing.warm_up, interval), intervals(timing.time, interval));
        let duration = interval * (warm_up + measured + 2);

        let config = folder.join("pdmline.toml");
        fs::write(&config, self.config(wiring, interval))?;
        let mut command = important(self.program);
        command.args(["run", "--restart-rules", "--duration"]).arg(format!("{}ms", duration.as_millis()));
        command.arg("--config").arg(&config).env("STATE_DIRECTORY", folder);
        let mut process = Process::start("pdmline", &mut command, folder)?;
        let (_input, mut output) = process.streams()?;
        let ended_early = || format!("pdmline ended early: {}", process.complaints());
        sum(&mut output, warm_up).with_context(ended_early)?;
        let waited = process.waited()?;
        let counted = sum(&mut output, measured).with_context(ended_early)?;
        let waited = process.waited()? - waited;
        // At its end it tells of every flow.
        io::copy(&mut output, &mut io::sink())?;
        process.finish()?;
        counted.measured(self.work, waited, wiring.cores.workers().len())
    }

    fn config(&self, wiring: &Wiring, interval: Duration) -> String {
        let workers = wiring.cores.workers();
        let of_pairs = workers.chunks(wiring.cores.queues());
        let pairs: String =
            wiring.pairs.iter().zip(of_pairs).map(|(pair, cores)| self.pair(pair, cores)).collect();
        format!(
            r#"
instance = "versus"
{pairs}{rule}
[flows]
memory = "{table_octets}B"
[memory]
hugepages = {hugepages}
mbufs = {buffers}
[export]
interval = "{interval}ms"
json = "-"
[consent]
statement = "generated packets, which leave no machine"
"#,
            rule = rule(self.work),
            table_octets = self.table_octets(wiring),
            hugepages = self.hugepages,
            buffers = wiring.buffers,
            interval = interval.as_millis(),
        )
    }

    fn pair(&self, [source, sink]: &[String; 2], cores: &[u32]) -> String {
        let [host, wire] = match self.work {
            Work::Pass | Work::Overlook | Work::Insert => [source, sink],
            Work::Strip | Work::Observe => [sink, source],
        };
        format!("[[pair]]\nhost = \"{host}\"\nwire = \"{wire}\"\nmtu = 1500\ncores = {cores:?}\n")
    }
}

fn rule(work: Work) -> String {
    let (local, action) = match work {
        Work::Pass => return String::new(),
        Work::Overlook => (NOBODY, "measure"),
        Work::Insert | Work::Strip => (HOSTS, "measure"),
        Work::Observe => (HOSTS, "observe"),
    };
    format!("[[rule]]\nname = \"all\"\nlocal = [\"{local}\"]\nremote = [\"::/0\"]\naction = \"{action}\"\n")
}

/// Intervals that take `time` at least.
fn intervals(time: Duration, interval: Duration) -> u32 {
    u32::try_from(time.as_nanos().div_ceil(interval.as_nanos())).unwrap_or(u32::MAX)
}

/// Adds up the next `count` intervals of `lines`.
fn sum(lines: &mut BufReader<impl Read>, count: u32) -> Result<Interval> {
    let mut sum = Interval::default();
    let mut left = count;
    let mut line = String::new();
    while left > 0 {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "{left} of {count} intervals are missing");
        if let Line::Interval(interval) = serde_json::from_str(&line)? {
            sum.add(interval);
            left -= 1;
        }
    }
    Ok(sum)
}

impl Interval {
    fn add(&mut self, other: Self) {
        self.interval_s += other.interval_s;
        self.packets += other.packets;
        self.inserted += other.inserted;
        self.observed += other.observed;
        self.stripped += other.stripped;
        self.handed_over += other.handed_over;
        for (reason, count) in other.dropped {
            *self.dropped.entry(reason).or_default() += count;
        }
    }

    /// What this says of `workers` workers that did `work` and waited so long for their cores.
    ///
    /// # Errors
    ///
    /// If they did anything else: a rate of that would say nothing.
    fn measured(&self, work: Work, waited: Duration, workers: usize) -> Result<Measured> {
        let dropped: u64 = self.dropped.values().sum();
        let sent = self.packets.saturating_sub(dropped) as f64;
        let done = match work {
            Work::Pass | Work::Overlook => None,
            Work::Insert => Some(self.inserted),
            Work::Strip => Some(self.stripped),
            Work::Observe => Some(self.observed),
        };
        ensure!(sent > 0.0, "pdmline sent nothing");
        if let Some(done) = done {
            ensure!(done as f64 > NEARLY_ALL * sent, "pdmline did so to {done} of {sent} packets only");
        }
        Ok(Measured {
            pps: sent / self.interval_s,
            handed_over: self.handed_over as f64 / self.packets as f64,
            dropped: dropped as f64 / self.packets as f64,
            waited: waited.as_secs_f64() / (self.interval_s * workers as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::capture::Capture;
    use super::super::wiring::Cores;
    use super::*;

    const LINES: &str = r#"{"type":"interval","time":"2026-11-22T07:41:30.895Z","interval_s":1.5,"packets":1000,"inserted":990,"observed":0,"stripped":0,"handed_over":250,"flows_live":4,"skipped":{},"dropped":{"hand_over_full":10},"loss":{"lost":0},"rules":{"all":{}},"unselected":{}}
{"type":"flow","time":"2026-11-22T07:41:35.377Z","ending":"idle","pair":0}
{"type":"interval","time":"2026-11-22T07:41:32.895Z","interval_s":0.5,"packets":1000,"inserted":1000,"observed":0,"stripped":0,"handed_over":250,"flows_live":4,"skipped":{},"dropped":{},"loss":{"lost":0},"rules":{"all":{}},"unselected":{}}
"#;

    fn counted() -> Interval {
        sum(&mut BufReader::new(LINES.as_bytes()), 2).unwrap()
    }

    fn config(work: Work, cores: Cores) -> toml::Table {
        let captures = ["a", "b"].map(|path| Capture { path: path.into(), frames: 1024 });
        let setup = Setup { program: Path::new("pdmline"), work, flows: 1024, hugepages: true };
        setup.config(&Wiring::new(cores, &captures), Duration::from_secs(1)).parse().unwrap()
    }

    #[test]
    fn intervals_add_up_and_other_lines_do_not() {
        let measured = counted().measured(Work::Insert, Duration::from_millis(40), 2).unwrap();
        assert_eq!(measured, Measured { pps: 995.0, handed_over: 0.25, dropped: 0.005, waited: 0.01 });
    }

    #[test]
    fn an_end_before_all_intervals_is_an_error() {
        let Err(error) = sum(&mut BufReader::new(LINES.as_bytes()), 3) else { panic!("there are two") };
        assert_eq!(error.to_string(), "1 of 3 intervals are missing");
    }

    #[test]
    fn a_rate_of_something_else_is_refused() {
        let error = counted().measured(Work::Strip, Duration::ZERO, 1).unwrap_err();
        assert_eq!(error.to_string(), "pdmline did so to 0 of 1990 packets only");
        assert!(counted().measured(Work::Pass, Duration::ZERO, 1).is_ok());
        let error = Interval::default().measured(Work::Pass, Duration::ZERO, 1).unwrap_err();
        assert_eq!(error.to_string(), "pdmline sent nothing");
    }

    #[test]
    fn packets_with_an_option_come_from_the_wire() {
        let source = |work, side: &str| {
            config(work, Cores::One)["pair"][0][side].as_str().unwrap().starts_with("net_pcap0")
        };
        assert!(source(Work::Insert, "host") && source(Work::Pass, "host"));
        assert!(source(Work::Strip, "wire") && source(Work::Observe, "wire"));
    }

    #[test]
    fn each_core_has_a_pair_or_all_share_one() {
        let cores = |cores| {
            let config = config(Work::Insert, cores);
            let pairs = config["pair"].as_array().unwrap();
            pairs.iter().map(|pair| pair["cores"].to_string()).collect::<Vec<_>>()
        };
        assert_eq!(cores(Cores::One), ["[1]"]);
        assert_eq!(cores(Cores::Two), ["[0]", "[1]"]);
        assert_eq!(cores(Cores::Shared), ["[0, 1]"]);
    }

    #[test]
    fn a_time_takes_whole_intervals() {
        let second = Duration::from_secs(1);
        assert_eq!(intervals(second * 5, second), 5);
        assert_eq!(intervals(Duration::from_millis(2100), second), 3);
        assert_eq!(intervals(Duration::ZERO, second), 0);
    }
}
