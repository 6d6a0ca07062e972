//! The time stamp counter against the system's clock. Its arithmetic is tested beside it, without clocks.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use dataplane::Clock;
use dpdk::Calibrator;
use nix::time::{ClockId, clock_gettime};

fn raw_nanos() -> u128 {
    Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC_RAW).unwrap()).as_nanos()
}

#[test]
fn a_span_of_ticks_is_worth_what_the_system_measured() {
    let mut calibrator = Calibrator::start().unwrap();
    let clock = calibrator.clock();
    let first = calibrator.calibration();
    assert_eq!(clock.rate(), first.rate);

    // The outer pair of readings is longer than the inner one by what lies between, so each bounds the other.
    let outer = raw_nanos();
    let start = clock.now();
    let inner = raw_nanos();
    std::thread::sleep(Duration::from_millis(100));
    let inner = raw_nanos() - inner;
    let span = clock.now().checked_since(start).unwrap();
    let outer = raw_nanos() - outer;
    let nanos = clock.rate().attos(span).get() / 1_000_000_000;
    assert!(nanos >= inner * 99 / 100 && nanos <= outer * 101 / 100, "{inner} <= {nanos} <= {outer}");

    let better = calibrator.refine().unwrap();
    assert!(better.error_ppb <= first.error_ppb, "{better:?} after {first:?}");
    assert_eq!(clock.rate(), better.rate);
    let apart = u128::from(better.rate.q32().abs_diff(first.rate.q32())) * 1_000_000_000;
    let ppb = apart / u128::from(better.rate.q32());
    let allowed = u128::from(first.error_ppb + better.error_ppb);
    assert!(ppb <= allowed + 1, "{ppb} ppb apart, {allowed} allowed");
}

#[test]
fn it_never_goes_back() {
    let clock = Calibrator::start().unwrap().clock();
    let mut last = clock.now();
    for _ in 0..100_000 {
        let now = clock.now();
        assert!(now >= last);
        last = now;
    }
}
