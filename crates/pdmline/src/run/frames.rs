//! What the control socket tells: a frame of each moment, which also knows what came before.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use flow::WorstBy;
use pdm::Skip;
use stats::{Counts, Drop, Metric, PortSnapshot, RuleId, Snapshot, Summary};

use super::export::Moment;
use crate::config::Instance;
use crate::flow_object::FlowObject;
use crate::frame::{CHARTED, Count, Frame, Medians, Name, Port, REMEMBERED, Rule, Tally, Worker};

/// Makes a [`Frame`] of each moment and those before.
#[derive(Debug)]
pub(super) struct Frames {
    instance: String,
    dpdk_version: String,
    /// At the end of the last interval.
    uptime: Duration,
    /// At the end of the last interval.
    counts: Counts,
    /// At the end of the last interval; none before the first.
    ports: Vec<PortSnapshot>,
    /// By rule; none before the first interval.
    medians: Vec<Medians>,
}

impl Frames {
    /// Frames of `instance`, which begins now.
    pub(super) fn new(instance: &Instance) -> Self {
        Self {
            instance: instance.to_string(),
            dpdk_version: dpdk::Version::running().to_string(),
            uptime: Duration::ZERO,
            counts: Counts::default(),
            ports: Vec::new(),
            medians: Vec::new(),
        }
    }

    /// What is to be told of the interval that `moment` ends.
    pub(super) fn next(&mut self, moment: &Moment) -> Frame {
        let snapshot = &*moment.snapshot;
        let total = snapshot.counts();
        let interval = total.since(&self.counts);
        let plain = interval.plain_ones().zip(total.plain_ones());
        let plain = plain.map(|((name, _, interval), (_, _, total))| (name, Count { interval, total }));
        let frame = Frame {
            instance: self.instance.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            dpdk_version: self.dpdk_version.clone(),
            uptime_s: snapshot.uptime.as_secs_f64(),
            interval_s: snapshot.uptime.saturating_sub(self.uptime).as_secs_f64(),
            clock_error_ppb: snapshot.clock_error_ppb,
            workers: snapshot.workers.iter().map(|w| Worker { core: w.core, alive: w.alive }).collect(),
            flows_live: total.flows_live,
            counts: named(plain.filter(|(name, _)| *name != "flows_live")),
            skipped: by_reason(Skip::ALL.map(Skip::name), interval.skipped, total.skipped),
            dropped: by_reason(Drop::ALL.map(Drop::name), interval.dropped, total.dropped),
            ports: self.ports(snapshot),
            rules: self.rules(snapshot),
            worst: WorstBy::ALL.map(|by| (by.name().into(), worst(moment, by))).into(),
        };
        (self.uptime, self.counts) = (snapshot.uptime, total);
        frame
    }

    fn ports(&mut self, snapshot: &Snapshot) -> Vec<Port> {
        let lost = |port: &PortSnapshot| [port.missed, port.no_buffer, port.kernel_dropped];
        // Ports come and go only with the program.
        let earlier = self.ports.iter().map(lost).chain(std::iter::repeat([0; 3]));
        let port = |(port, earlier): (&PortSnapshot, [u64; 3])| {
            let total = lost(port);
            let interval = std::array::from_fn(|i| total[i].saturating_sub(earlier[i]));
            Port {
                pair: port.pair,
                side: port.side.into(),
                device: port.device.clone(),
                dropped: by_reason(["missed", "no_buffer", "kernel_dropped"], interval, total),
            }
        };
        let ports = snapshot.ports.iter().zip(earlier).map(port).collect();
        self.ports.clone_from(&snapshot.ports);
        ports
    }

    fn rules(&mut self, snapshot: &Snapshot) -> Vec<Rule> {
        self.medians.resize_with(snapshot.rules.len(), Medians::new);
        let named = snapshot.rule_ids().filter_map(|(id, name)| Some((id, name?)));
        let rule = |((id, name), medians): ((RuleId, &str), &mut Medians)| {
            let delays = delays(snapshot, id);
            for metric in CHARTED.map(Metric::name) {
                let median = delays.get(metric).map(|summary| summary.p50_ns);
                remember(medians.entry(metric.into()).or_default(), median);
            }
            Rule { name: name.to_owned(), delays, medians: medians.clone() }
        };
        named.zip(&mut self.medians).map(rule).collect()
    }
}

fn delays(snapshot: &Snapshot, rule: RuleId) -> BTreeMap<Name, Summary> {
    let summary = |metric| snapshot.interval.histogram(rule, metric).and_then(Summary::of);
    Metric::ALL.into_iter().filter_map(|metric| Some((metric.name().into(), summary(metric)?))).collect()
}

fn remember(medians: &mut VecDeque<Option<u64>>, median: Option<u64>) {
    if medians.len() == REMEMBERED {
        medians.pop_front();
    }
    medians.push_back(median);
}

fn worst(moment: &Moment, by: WorstBy) -> Vec<FlowObject> {
    moment.worst.worst(by).iter().map(|flow| FlowObject::new(flow, moment.rate)).collect()
}

/// The counts that are not 0 by now, under their reasons' names.
fn by_reason<const N: usize>(names: [&'static str; N], interval: [u64; N], total: [u64; N]) -> Tally {
    let counts = interval.into_iter().zip(total).map(|(interval, total)| Count { interval, total });
    named(names.into_iter().zip(counts).filter(|(_, count)| count.total > 0))
}

fn named(counts: impl Iterator<Item = (&'static str, Count)>) -> Tally {
    counts.map(|(name, count)| (Name::from(name), count)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::run::export::testing::{instance, moment};

    const SECOND: Duration = Duration::from_secs(1);

    fn frames() -> Frames {
        Frames::new(&instance())
    }

    /// A moment at which a counter of each kind stands at `count`, and the rule has no sample.
    fn silent(uptime: Duration, count: u64) -> Moment {
        let mut moment = moment(uptime);
        let snapshot = Arc::get_mut(&mut moment.snapshot).unwrap();
        snapshot.interval.clear();
        snapshot.clock_error_ppb = 7;
        let counts = &mut snapshot.workers[0].counts;
        *counts = Counts { packets: count, flows_live: 3, ..Counts::default() };
        counts.skipped[Skip::Esp.index()] = count;
        counts.dropped[Drop::TransmitFull.index()] = count;
        snapshot.ports = vec![PortSnapshot {
            pair: 1,
            side: "wire",
            device: "net_null1".into(),
            kernel_dropped: count,
            ..PortSnapshot::default()
        }];
        moment
    }

    #[test]
    fn a_frame_tells_of_its_interval_and_of_the_whole() {
        let mut frames = frames();
        let first = frames.next(&silent(SECOND, 5));
        assert_eq!(first.count("packets"), Count { interval: 5, total: 5 });
        let frame = serde_json::to_value(frames.next(&silent(3 * SECOND, 7))).unwrap();
        let count = json!({"interval": 2, "total": 7});
        let expected = json!({
            "instance": "edge-a",
            "version": env!("CARGO_PKG_VERSION"),
            "dpdk_version": dpdk::Version::running().to_string(),
            "uptime_s": 3.0,
            "interval_s": 2.0,
            "clock_error_ppb": 7,
            "workers": [{"core": 1, "alive": true}],
            "flows_live": 3,
            "skipped": {"esp": count},
            "dropped": {"transmit_full": count},
            "ports": [{"pair": 1, "side": "wire", "device": "net_null1", "dropped": {"kernel_dropped": count}}],
            "rules": [{
                "name": "lab",
                "delays": {},
                "medians": {"network_rtt": [null, null], "server_delay": [null, null]},
            }],
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&frame[key], value, "{key}");
        }
        assert_eq!(frame["counts"]["packets"], count);
        assert_eq!(frame["counts"].as_object().unwrap().len() + 1, Counts::default().plain_ones().count());
        assert_eq!(frame["worst"]["loss"][0]["lost"], 1);
        assert_eq!(frame["worst"]["server_delay"], json!([]));
    }

    #[test]
    fn medians_are_remembered_for_sixty_intervals() {
        let mut frames = frames();
        let mut last = None;
        for second in 1..=61 {
            let uptime = second * SECOND;
            last = Some(frames.next(&if second == 61 { moment(uptime) } else { silent(uptime, 0) }));
            let remembered = last.as_ref().unwrap().rules[0].medians["network_rtt"].len();
            assert_eq!(remembered, REMEMBERED.min(second as usize));
        }
        let rule = &last.unwrap().rules[0];
        assert_eq!(rule.delays["network_rtt"].p50_ns, 100);
        let medians = &rule.medians["network_rtt"];
        assert_eq!((medians[58], medians[59]), (None, Some(100)));
        assert_eq!(rule.medians["server_delay"][59], None);
    }

    #[test]
    fn what_is_told_is_understood() {
        let frame = frames().next(&moment(SECOND));
        assert_eq!(serde_json::from_str::<Frame>(&serde_json::to_string(&frame).unwrap()).unwrap(), frame);
    }
}
