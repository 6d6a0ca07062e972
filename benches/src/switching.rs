//! What measuring costs, by switching it on and off inside one process: separate runs differ by more than it does.

use std::time::Duration;

use dataplane::{Clock, Receive, Transmit, Worker};
use dpdk::TscClock;
use serde::Serialize;

/// How long measuring is on or off.
const WINDOW: Duration = Duration::from_millis(20);

/// The first part of a window, in which nothing is counted: packets are still answered that left before the switch.
const SETTLING: Duration = Duration::from_millis(8);

/// How long the worker goes round before the first window.
const WARM_UP: Duration = Duration::from_millis(500);

/// Windows with measuring on, and as many with it off.
const PAIRS: usize = 200;

/// Rounds between two looks at the clock.
const ROUNDS: usize = 16;

/// Packets per second in two neighbouring windows, with measuring on and off.
#[derive(Debug, Clone, Copy)]
struct Pair {
    on: f64,
    off: f64,
}

/// What was found by switching.
#[derive(Debug, Clone)]
pub struct Switching {
    pairs: Vec<Pair>,
    /// Options that were read with measuring on.
    pub answers: u64,
}

/// What measuring costs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// Million packets per second with measuring on, the median of all windows.
    pub on_mpps: f64,
    /// The same with measuring off.
    pub off_mpps: f64,
    /// Packets per second with measuring on by those with it off: quartiles over all pairs of windows.
    pub ratio: [f64; 3],
}

impl Switching {
    /// Lets `worker` go round, first with measuring on until caches are warm, and then with and without in turn.
    pub fn of<R, T>(worker: &mut Worker<'_, R, T, TscClock>, clock: &TscClock) -> Self
    where
        R: Receive,
        T: Transmit<Packet = R::Packet>,
    {
        go_round(worker, clock, WARM_UP);
        let mut answers = answered(worker);
        let mut pairs = Vec::new();
        for _ in 0..PAIRS {
            let off = window(worker, clock, false);
            let before = answered(worker);
            let on = window(worker, clock, true);
            answers += answered(worker) - before;
            pairs.push(Pair { on, off });
        }
        Self { pairs, answers }
    }

    /// What it comes to.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let of = |number: fn(&Pair) -> f64| quartiles(self.pairs.iter().map(number).collect());
        let [[_, on, _], [_, off, _]] = [of(|pair| pair.on), of(|pair| pair.off)];
        Cost { on_mpps: on / 1e6, off_mpps: off / 1e6, ratio: of(|pair| pair.on / pair.off) }
    }
}

/// Packets whose option was read.
fn answered<R, T>(worker: &mut Worker<'_, R, T, TscClock>) -> u64
where
    R: Receive,
    T: Transmit<Packet = R::Packet>,
{
    worker.engine_mut().counters().observed.get()
}

/// Packets per second in a window.
fn window<R, T>(worker: &mut Worker<'_, R, T, TscClock>, clock: &TscClock, measuring: bool) -> f64
where
    R: Receive,
    T: Transmit<Packet = R::Packet>,
{
    worker.engine_mut().set_measuring(measuring);
    go_round(worker, clock, SETTLING);
    go_round(worker, clock, WINDOW - SETTLING)
}

/// Lets `worker` go round for `time`; returns how many packets it moved in a second.
fn go_round<R, T>(worker: &mut Worker<'_, R, T, TscClock>, clock: &TscClock, time: Duration) -> f64
where
    R: Receive,
    T: Transmit<Packet = R::Packet>,
{
    let (rate, start) = (clock.rate(), clock.now());
    let mut packets = 0;
    loop {
        packets += (0..ROUNDS).map(|_| worker.step()).sum::<usize>();
        let gone = clock.now().saturating_since(start);
        if gone >= rate.span_of(time) {
            return packets as f64 * 1e9 / rate.nanos(gone);
        }
    }
}

/// The three quartiles of `numbers`, of which there are some.
fn quartiles(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[(numbers.len() - 1) * quarter / 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_the_median_of_the_pairs() {
        let pair = |on, off| Pair { on, off };
        let pairs = vec![pair(9e6, 1e7), pair(1e6, 2e6), pair(19e6, 2e7), pair(8e6, 1e7), pair(10e6, 1e7)];
        let cost = Switching { pairs, answers: 0 }.cost();
        assert_eq!(cost.ratio, [0.8, 0.9, 0.95]);
        assert_eq!((cost.on_mpps, cost.off_mpps), (9.0, 10.0));
    }
}
