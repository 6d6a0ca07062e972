//! How full recorders come to the stats core and empty ones back: two bounded queues, and nobody ever waits.

use std::mem;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::Recorders;

/// Sets that are on their way at the most.
const SPARE_SETS: usize = 2;

type Queue = Arc<ArrayQueue<Recorders>>;

/// The worker's end.
#[derive(Debug)]
pub struct Exchange {
    full: Queue,
    empty: Queue,
}

/// The stats core's end.
#[derive(Debug)]
pub struct Intake {
    full: Queue,
    empty: Queue,
}

/// Both ends of an exchange with copies of `set` in it, which holds no samples yet.
#[must_use]
pub fn exchange(set: &Recorders) -> (Exchange, Intake) {
    let (full, empty) = (Arc::new(ArrayQueue::new(SPARE_SETS)), Arc::new(ArrayQueue::new(SPARE_SETS)));
    while empty.push(set.clone()).is_ok() {}
    (Exchange { full: Arc::clone(&full), empty: Arc::clone(&empty) }, Intake { full, empty })
}

impl Exchange {
    /// Swaps `recorders` for an empty set. If the stats core is late and there is none they go on filling: nothing is
    /// lost and nothing waits.
    pub fn swap(&self, recorders: &mut Recorders) {
        if self.full.is_full() {
            return;
        }
        if let Some(empty) = self.empty.pop() {
            // There are as many places as sets.
            let _ = self.full.push(mem::replace(recorders, empty));
        }
    }
}

impl Intake {
    /// Hands every full set that is waiting to `fold`, empties it and gives it back.
    pub fn collect(&self, mut fold: impl FnMut(&Recorders)) {
        while let Some(mut recorders) = self.full.pop() {
            fold(&recorders);
            recorders.clear();
            // There are as many places as sets.
            let _ = self.empty.push(recorders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collector, Metric, RuleId};

    #[test]
    fn a_late_core_costs_no_sample() {
        let mut recorders = Recorders::new(1);
        let (worker, core) = exchange(&recorders);
        for nanos in 1..=10 {
            recorders.record(RuleId::default(), Metric::TotalRtt, f64::from(nanos));
            worker.swap(&mut recorders);
        }
        let mut collector = Collector::new(1);
        core.collect(|full| collector.fold(full));
        assert_eq!(collector.summary(Metric::TotalRtt).unwrap().count, 2);
        worker.swap(&mut recorders);
        core.collect(|full| collector.fold(full));
        assert_eq!(collector.summary(Metric::TotalRtt).unwrap().count, 10);
    }
}
