//! What the exporters' tests export.

use std::sync::Arc;
use std::time::Duration;

use flow::{Survey, TickRate};
use stats::{Collector, Counts, Metric, Recorders, RuleId, Snapshot, WorkerSnapshot};

use super::Moment;
use crate::config::{Config, Instance};
use crate::flow_object::tests::record;

/// The end of an interval with one delay of 100 ns; a packet was received each millisecond since the start.
pub(in crate::run) fn snapshot(uptime: Duration) -> Snapshot {
    let mut recorders = Recorders::new(1);
    recorders.record(RuleId::new(0), Metric::NetworkRtt, 100.0);
    let mut interval = Collector::new(1);
    interval.fold(&recorders);
    let packets = u64::try_from(uptime.as_millis()).unwrap();
    let counts = Counts { packets, ..Counts::default() };
    Snapshot {
        uptime,
        workers: vec![WorkerSnapshot { core: 1, counts, alive: true }],
        ports: Vec::new(),
        rules: vec!["lab".into()],
        total: interval.clone(),
        interval,
        prefixes: None,
        clock_error_ppb: 0,
    }
}

/// The same with one flow, which lost a packet.
pub(in crate::run) fn moment(uptime: Duration) -> Moment {
    let mut worst = Survey::default();
    worst.see(&record());
    Moment { snapshot: Arc::new(snapshot(uptime)), worst, rate: TickRate::NANOSECONDS }
}

/// An instance called edge-a.
pub(in crate::run) fn instance() -> Instance {
    let pair = "[[pair]]\nhost = 'net_null0'\nwire = 'net_null1'\nmtu = 1500\ncores = [0]";
    Config::parse(&format!("instance = 'edge-a'\n{pair}")).unwrap().instance
}
