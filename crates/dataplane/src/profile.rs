//! Where a worker's time goes: ticks of its clock for each leg of a burst's way. Off unless it is asked for, and then not
//! even there: a worker that is not profiled is compiled without it.

use flow::Instant;
use stats::{Counters, Leg};

use crate::Clock;

/// Times the legs of a burst's way.
pub trait Profile {
    /// A way begins.
    fn begin(&mut self, clock: &impl Clock);

    /// `leg` ends here, and the next one begins.
    fn end(&mut self, leg: Leg, clock: &impl Clock, counters: &Counters);
}

/// Times nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unprofiled;

impl Profile for Unprofiled {
    #[inline]
    fn begin(&mut self, _clock: &impl Clock) {}

    #[inline]
    fn end(&mut self, _leg: Leg, _clock: &impl Clock, _counters: &Counters) {}
}

/// Times every leg, at the cost of one more reading of the clock for each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Profiled {
    since: Instant,
}

impl Profile for Profiled {
    fn begin(&mut self, clock: &impl Clock) {
        self.since = clock.now();
    }

    fn end(&mut self, leg: Leg, clock: &impl Clock, counters: &Counters) {
        let now = clock.now();
        counters.leg_ticks[leg.index()].add(now.saturating_since(self.since).ticks());
        self.since = now;
    }
}
