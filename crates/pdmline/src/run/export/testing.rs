//! What the exporters' tests export.

use std::time::Duration;

use stats::{Collector, Counts, Metric, Recorders, RuleId, Snapshot, WorkerSnapshot};

/// The end of an interval with one delay of 100 ns; a packet was received each millisecond since the start.
pub(super) fn snapshot(uptime: Duration) -> Snapshot {
    let mut recorders = Recorders::new(1);
    recorders.record(RuleId::new(0), Metric::NetworkRtt, 100);
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
