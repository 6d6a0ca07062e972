//! Commands on DPDK's telemetry socket, for `dpdk-telemetry.py`: what was known when the last interval ended.

use std::sync::{Arc, Mutex, PoisonError};

use dpdk::{Dictionary, Eal, Telemetry, Value};
use flow::WorstBy;
use pdm::Skip;
use stats::{Drop, Metric, RuleId, Summary};

use super::Moment;
use crate::flow_object::{DelayObject, FlowObject};

/// What the commands answer from.
type Latest = Arc<Mutex<Option<Arc<Moment>>>>;

/// The commands, for as long as EAL runs.
pub(crate) struct Commands<'eal> {
    latest: Latest,
    _registered: Telemetry<'eal>,
}

impl<'eal> Commands<'eal> {
    /// Registers `/pdm/stats`, `/pdm/rules` and `/pdm/flows`, which have nothing to tell yet.
    ///
    /// # Errors
    /// If DPDK refuses them.
    pub(crate) fn register(eal: &'eal Eal) -> Result<Self, dpdk::Error> {
        let latest = Latest::default();
        let mut registered = Telemetry::new(eal);
        let answer = |of: fn(&Moment, &str) -> Dictionary| {
            let latest = Arc::clone(&latest);
            move |said: &str| read(&latest).map(|moment| of(&moment, said)).unwrap_or_default()
        };
        let help = "Counters of all workers together. Takes no parameters";
        registered.register("/pdm/stats", help, answer(stats_of))?;
        let help = "Delays of each rule since the start, in nanoseconds. Takes no parameters";
        registered.register("/pdm/rules", help, answer(rules_of))?;
        let help = "Flows that stand out, the worst first. Parameter: by what: network_rtt (default), server_delay or loss";
        registered.register("/pdm/flows", help, answer(flows_of))?;
        Ok(Self { latest, _registered: registered })
    }

    /// From now on `moment` is what the commands tell of.
    pub(crate) fn publish(&self, moment: Arc<Moment>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }
}

fn read(latest: &Latest) -> Option<Arc<Moment>> {
    latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn stats_of(moment: &Moment, _: &str) -> Dictionary {
    let counts = moment.snapshot.counts();
    let plain = counts.plain_ones().map(|(name, _, count)| (name.to_owned(), count));
    let skipped =
        Skip::ALL.map(|reason| format!("skipped_{}", reason.name())).into_iter().zip(counts.skipped);
    let dropped =
        Drop::ALL.map(|reason| format!("dropped_{}", reason.name())).into_iter().zip(counts.dropped);
    dictionary(plain.chain(skipped).chain(dropped))
}

fn rules_of(moment: &Moment, _: &str) -> Dictionary {
    let snapshot = &moment.snapshot;
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

/// The flows that stand out by what `said` names, numbered.
fn flows_of(moment: &Moment, said: &str) -> Dictionary {
    let named = WorstBy::ALL.into_iter().find(|by| by.name() == said);
    let Some(by) = named.or_else(|| said.is_empty().then_some(WorstBy::NetworkRtt)) else {
        let problem = "write network_rtt, server_delay or loss";
        return dictionary([("error".to_owned(), Value::from(problem))].into_iter());
    };
    let flows = moment.worst.worst(by).iter().map(|flow| FlowObject::new(flow, moment.rate));
    dictionary((1..).zip(flows).flat_map(|(place, flow)| {
        let recent = |delay: Option<DelayObject>| delay.map(|delay| delay.recent_ns);
        let numbers = [
            ("network_rtt_ns", recent(flow.network_rtt)),
            ("server_delay_ns", recent(flow.server_delay)),
            ("lost", Some(flow.lost.into())),
            ("sent", Some(flow.sent.into())),
            ("received", Some(flow.received.into())),
        ];
        let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name, Value::from(number?))));
        let all = [("flow", Value::from(flow.to_string().as_str()))].into_iter().chain(numbers);
        all.map(move |(name, value)| (format!("{place}_{name}"), value)).collect::<Vec<_>>()
    }))
}

/// `entries`, as many of them as an answer holds.
fn dictionary(entries: impl Iterator<Item = (String, impl Into<Value>)>) -> Dictionary {
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
    use crate::run::export::testing::moment;

    #[test]
    fn answers_hold_every_counter_and_what_the_rules_measured() {
        let moment = moment(Duration::from_secs(1));
        let stats = format!("{:?}", stats_of(&moment, ""));
        for name in ["packets", "flows_live", "skipped_esp", "dropped_transmit_full"] {
            assert!(stats.contains(&format!("\"{name}\"")), "{name} in {stats}");
        }
        let rules = format!("{:?}", rules_of(&moment, ""));
        assert!(rules.contains("\"lab_network_rtt_count\""), "{rules}");
    }

    #[test]
    fn flows_are_told_by_what_they_stand_out_by() {
        let moment = moment(Duration::from_secs(1));
        let by = |said| format!("{:?}", flows_of(&moment, said));
        assert_eq!(by(""), by("network_rtt"));
        assert!(by("loss").contains("\"1_lost\""), "{}", by("loss"));
        assert_eq!(flows_of(&moment, "server_delay"), Dictionary::default(), "no flow has any");
        assert!(by("size").contains("write network_rtt, server_delay or loss"));
    }
}
