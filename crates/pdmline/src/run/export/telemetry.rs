//! Commands on DPDK's telemetry socket, for `dpdk-telemetry.py`: what was known when the last interval ended.

use std::sync::{Arc, Mutex, PoisonError};

use dpdk::{Dictionary, Eal, Telemetry};
use pdm::Skip;
use stats::{Drop, Metric, RuleId, Snapshot, Summary};

/// What the commands answer from.
type Latest = Arc<Mutex<Option<Arc<Snapshot>>>>;

/// The commands, for as long as EAL runs.
pub(crate) struct Commands<'eal> {
    latest: Latest,
    _registered: Telemetry<'eal>,
}

impl<'eal> Commands<'eal> {
    /// Registers `/pdm/stats` and `/pdm/rules`, which have nothing to tell yet.
    ///
    /// # Errors
    /// If DPDK refuses them.
    pub(crate) fn register(eal: &'eal Eal) -> Result<Self, dpdk::Error> {
        let latest = Latest::default();
        let mut registered = Telemetry::new(eal);
        let answer = |of: fn(&Snapshot) -> Dictionary| {
            let latest = Arc::clone(&latest);
            move |_: &str| read(&latest).as_deref().map(of).unwrap_or_default()
        };
        let help = "Counters of all workers together. Takes no parameters";
        registered.register("/pdm/stats", help, answer(stats_of))?;
        let help = "Delays of each rule since the start, in nanoseconds. Takes no parameters";
        registered.register("/pdm/rules", help, answer(rules_of))?;
        Ok(Self { latest, _registered: registered })
    }

    /// From now on `snapshot` is what the commands tell of.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

fn read(latest: &Latest) -> Option<Arc<Snapshot>> {
    latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn stats_of(snapshot: &Snapshot) -> Dictionary {
    let counts = snapshot.counts();
    let plain = counts.plain_ones().map(|(name, _, count)| (name.to_owned(), count));
    let skipped =
        Skip::ALL.map(|reason| format!("skipped_{}", reason.name())).into_iter().zip(counts.skipped);
    let dropped =
        Drop::ALL.map(|reason| format!("dropped_{}", reason.name())).into_iter().zip(counts.dropped);
    dictionary(plain.chain(skipped).chain(dropped))
}

fn rules_of(snapshot: &Snapshot) -> Dictionary {
    let metrics = |(rule, name): (RuleId, Option<&str>)| {
        let name = name.unwrap_or("unselected").to_owned();
        Metric::ALL
            .map(|metric| (format!("{name}_{}", metric.name()), snapshot.total.histogram(rule, metric)))
    };
    let measured = snapshot.rule_ids().flat_map(metrics);
    let summaries = measured.filter_map(|(name, histogram)| Some((name, histogram.and_then(Summary::of)?)));
    dictionary(summaries.flat_map(|(name, Summary { count, p50_ns, p99_ns, max_ns, .. })| {
        [("count", count), ("p50_ns", p50_ns), ("p99_ns", p99_ns), ("max_ns", max_ns)]
            .map(|(of, value)| (format!("{name}_{of}"), value))
    }))
}

/// `entries`, as many of them as an answer holds.
fn dictionary(entries: impl Iterator<Item = (String, u64)>) -> Dictionary {
    let mut answer = Dictionary::default();
    for (name, value) in entries {
        if !answer.insert(&name, value) {
            break;
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::run::export::testing::snapshot;

    #[test]
    fn answers_hold_every_counter_and_what_the_rules_measured() {
        let snapshot = snapshot(Duration::from_secs(1));
        let stats = format!("{:?}", stats_of(&snapshot));
        for name in ["packets", "flows_live", "skipped_esp", "dropped_transmit_full"] {
            assert!(stats.contains(&format!("\"{name}\"")), "{name} in {stats}");
        }
        let rules = format!("{:?}", rules_of(&snapshot));
        assert!(rules.contains("\"lab_network_rtt_count\""), "{rules}");
    }
}
