//! Times that can be compared although the machine is shared: all subjects in turn, again and again.

use std::time::Duration;

/// What a packet cost in each round, in nanoseconds.
pub type Costs = Vec<f64>;

/// In each round every subject, one after the other, warms up for `warm_up` times of `time` and then has `timed` of them,
/// whose median is its cost in that round: it knows nothing of the moments when somebody else had the core. `time` does
/// something to `packets` packets and returns how long it took.
pub fn measure<T>(
    subjects: &mut [T],
    [rounds, warm_up, timed]: [usize; 3],
    packets: usize,
    mut time: impl FnMut(&mut T) -> Duration,
) -> Vec<Costs> {
    let mut costs = vec![Costs::new(); subjects.len()];
    for _ in 0..rounds {
        for (subject, costs) in subjects.iter_mut().zip(&mut costs) {
            for _ in 0..warm_up {
                time(subject);
            }
            let times: Costs = (0..timed).map(|_| per_packet(time(subject), packets)).collect();
            costs.push(median(&times));
        }
    }
    costs
}

/// Nanoseconds for each of `packets` packets that together took `time`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the times are seconds, the packets thousands")]
pub fn per_packet(time: Duration, packets: usize) -> f64 {
    time.as_nanos() as f64 / packets as f64
}

/// The middle one of `costs`; not a number when there are none.
#[must_use]
pub fn median(costs: &[f64]) -> f64 {
    let mut costs = costs.to_vec();
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many times as much `these` are as `those`: the median over the rounds.
#[must_use]
pub fn times(these: &[f64], those: &[f64]) -> f64 {
    median(&these.iter().zip(those).map(|(this, that)| this / that).collect::<Costs>())
}
