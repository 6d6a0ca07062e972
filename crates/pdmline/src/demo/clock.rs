//! A clock that moves when the demo says so.

use std::cell::Cell;

use dataplane::Clock;
use flow::{Instant, TickRate};

/// Simulated time since the demo's start, in nanoseconds: right on however busy a machine.
#[derive(Debug, Default)]
pub(super) struct SimulatedClock(Cell<u64>);

impl SimulatedClock {
    pub(super) fn nanos(&self) -> u64 {
        self.0.get()
    }

    pub(super) fn move_to(&self, nanos: u64) {
        self.0.set(nanos);
    }
}

impl Clock for &SimulatedClock {
    fn now(&self) -> Instant {
        Instant::from_ticks(self.nanos())
    }

    fn rate(&self) -> TickRate {
        TickRate::NANOSECONDS
    }
}
