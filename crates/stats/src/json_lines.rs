//! What happened in each interval, one object for each, for whoever collects JSON lines.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use pdm::Skip;
use serde::Serialize;

use crate::report::by_reason;
use crate::{Counts, Drop, Metric, RuleId, Snapshot, Summary};

/// The counters that tell of missing packets and stand together. Unlike in a report nothing is subtracted: a packet
/// that was lost in one interval may be taken back in another.
const LOSS: [&str; 5] = ["lost", "taken_back", "duplicated", "reordered", "restarts"];

type Delays = BTreeMap<&'static str, Summary>;

/// What happened in one interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interval<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it ended, in UTC.
    time: String,
    /// How long it was, in seconds.
    interval_s: f64,
    /// How many of each there were; of `flows_live`, how many there are.
    #[serde(flatten)]
    counts: BTreeMap<&'static str, u64>,
    /// Packets that were left alone, by reason; none with a count of 0.
    skipped: BTreeMap<&'static str, u64>,
    /// Packets that did not leave, by reason; none with a count of 0.
    dropped: BTreeMap<&'static str, u64>,
    loss: BTreeMap<&'static str, u64>,
    /// The metrics that have samples, by rule.
    rules: BTreeMap<&'a str, Delays>,
    /// The metrics that have samples of packets that no rule selects.
    unselected: Delays,
}

/// Makes an [`Interval`] of each snapshot and the one before.
#[derive(Debug, Default)]
pub struct Intervals {
    /// At the end of the last interval.
    uptime: Duration,
    /// At the end of the last interval.
    counts: Counts,
}

impl Intervals {
    /// What happened in the interval that `snapshot` ends at `now`, a time in the years 1970 to 9999.
    pub fn ended<'a>(&mut self, snapshot: &'a Snapshot, now: SystemTime) -> Interval<'a> {
        let total = snapshot.counts();
        let counts = total.since(&self.counts);
        let length = snapshot.uptime.saturating_sub(self.uptime);
        *self = Self { uptime: snapshot.uptime, counts: total };
        let plain = counts.plain_ones().map(|(name, _, count)| (name, count));
        let (loss, plain) = plain.partition(|(name, _)| LOSS.contains(name));
        let (mut rules, mut unselected) = (BTreeMap::new(), Delays::new());
        for (id, name) in snapshot.rule_ids() {
            match name {
                Some(name) => drop(rules.insert(name, delays(snapshot, id))),
                None => unselected = delays(snapshot, id),
            }
        }
        Interval {
            kind: "interval",
            time: humantime::format_rfc3339_millis(now).to_string(),
            interval_s: length.as_secs_f64(),
            counts: plain,
            skipped: by_reason(Skip::ALL.map(Skip::name), counts.skipped),
            dropped: by_reason(Drop::ALL.map(Drop::name), counts.dropped),
            loss,
            rules,
            unselected,
        }
    }
}

fn delays(snapshot: &Snapshot, rule: RuleId) -> Delays {
    let summary = |metric| snapshot.interval.histogram(rule, metric).and_then(Summary::of);
    Metric::ALL.into_iter().filter_map(|metric| Some((metric.name(), summary(metric)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collector, Recorders, WorkerSnapshot};

    fn snapshot(uptime: Duration, counts: Counts) -> Snapshot {
        let mut recorders = Recorders::new(2);
        recorders.record_times(RuleId::new(0), Metric::NetworkRtt, 100.0, 3);
        recorders.record(RuleId::new(2), Metric::Residence, 7.0);
        let mut interval = Collector::new(2);
        interval.fold(&recorders);
        Snapshot {
            uptime,
            workers: vec![WorkerSnapshot { core: 1, counts, alive: true }; 2],
            ports: Vec::new(),
            rules: vec!["lab".into(), "silent \"one\"".into()],
            total: Collector::new(2),
            interval,
            prefixes: None,
            clock_error_ppb: 0,
        }
    }

    fn json(intervals: &mut Intervals, snapshot: &Snapshot) -> serde_json::Value {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        serde_json::to_value(intervals.ended(snapshot, now)).unwrap()
    }

    fn counts() -> Counts {
        let mut counts = Counts { packets: 5, lost: 3, flows_live: 4, ..Counts::default() };
        counts.skipped[Skip::Esp.index()] = 1;
        counts.dropped[Drop::TransmitFull.index()] = 2;
        counts
    }

    #[test]
    fn an_object_tells_all_of_its_interval() {
        let object = json(&mut Intervals::default(), &snapshot(Duration::from_millis(1500), counts()));
        let expected = serde_json::json!({
            "type": "interval",
            "time": "2023-11-14T22:13:20.250Z",
            "interval_s": 1.5,
            "skipped": {"esp": 2},
            "dropped": {"transmit_full": 4},
            "loss": {"lost": 6, "taken_back": 0, "duplicated": 0, "reordered": 0, "restarts": 0},
            "rules": {
                "lab": {"network_rtt": {"count": 3, "min_ns": 100, "p50_ns": 100, "p90_ns": 100, "p99_ns": 100, "max_ns": 100}},
                "silent \"one\"": {},
            },
            "unselected": {"residence": {"count": 1, "min_ns": 7, "p50_ns": 7, "p90_ns": 7, "p99_ns": 7, "max_ns": 7}},
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&object[key], value, "{key}");
        }
        let plain: Vec<_> = object.as_object().unwrap().iter().filter(|(_, value)| value.is_u64()).collect();
        assert_eq!(plain.len() + LOSS.len(), Counts::default().plain_ones().count());
        let some: Vec<_> = plain.into_iter().filter(|(_, count)| **count != 0).collect();
        assert_eq!(some, [(&"flows_live".to_owned(), &8.into()), (&"packets".to_owned(), &10.into())]);
    }

    #[test]
    fn the_next_object_tells_only_what_came_after() {
        let mut intervals = Intervals::default();
        json(&mut intervals, &snapshot(Duration::from_millis(1500), counts()));
        let later = Counts { packets: 6, taken_back: 1, ..counts() };
        let object = json(&mut intervals, &snapshot(Duration::from_secs(2), later));
        assert_eq!(object["interval_s"], 0.5);
        assert_eq!((&object["packets"], &object["flows_live"]), (&2.into(), &8.into()));
        assert_eq!(
            (&object["skipped"], &object["dropped"]),
            (&serde_json::json!({}), &serde_json::json!({}))
        );
        assert_eq!((&object["loss"]["lost"], &object["loss"]["taken_back"]), (&0.into(), &2.into()));
    }
}
