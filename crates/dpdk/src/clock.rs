//! The time stamp counter as the packet path's clock, calibrated by another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use dataplane::Clock;
use flow::{Instant, TickRate};
use nix::time::{ClockId, clock_gettime};

use crate::{Calibration, Error, Reading};

/// How long the first calibration takes.
const FIRST: Duration = Duration::from_millis(30);

/// Attempts at one reading, of which the best is taken: an interrupt spoils some.
const ATTEMPTS: usize = 64;

/// The time stamp counter, at the rate its [`Calibrator`] last found. Clones share the rate.
#[derive(Debug, Clone)]
pub struct TscClock {
    /// [`TickRate::q32`].
    rate: Arc<AtomicU64>,
}

impl Clock for TscClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant::from_ticks(tsc())
    }

    #[inline]
    fn rate(&self) -> TickRate {
        TickRate::from_q32(self.rate.load(Ordering::Relaxed))
    }
}

/// Finds what a tick of the time stamp counter is worth by `CLOCK_MONOTONIC_RAW`, at first within some parts per
/// million, and the longer it runs the better. For a control thread.
#[derive(Debug)]
pub struct Calibrator {
    start: Reading,
    best: Calibration,
    rate: Arc<AtomicU64>,
}

impl Calibrator {
    /// Calibrates for 30 ms, on the calling thread. EAL need not run.
    ///
    /// # Errors
    /// [`Error::NoClock`] when the counter cannot serve as a clock; [`Error::System`].
    pub fn start() -> Result<Self, Error> {
        let start = read()?;
        thread::sleep(FIRST);
        let best = Calibration::between(start, read()?).ok_or(Error::NoClock)?;
        let rate = Arc::new(AtomicU64::new(best.rate.q32()));
        Ok(Self { start, best, rate })
    }

    /// Measures again, over all the time since the start, and hands the rate to the clocks unless an interruption
    /// made it a worse one than the last. To be called every second or so.
    ///
    /// # Errors
    /// [`Error::NoClock`] when the counter went backwards or stopped; [`Error::System`].
    pub fn refine(&mut self) -> Result<Calibration, Error> {
        let found = Calibration::between(self.start, read()?).ok_or(Error::NoClock)?;
        if found.error_ppb <= self.best.error_ppb {
            self.best = found;
            self.rate.store(found.rate.q32(), Ordering::Relaxed);
        }
        Ok(self.best)
    }

    /// A clock that shares the rate.
    #[must_use]
    pub fn clock(&self) -> TscClock {
        TscClock { rate: Arc::clone(&self.rate) }
    }

    /// The rate in use, and how far it may be off.
    #[must_use]
    pub const fn calibration(&self) -> Calibration {
        self.best
    }
}

#[inline]
fn tsc() -> u64 {
    // SAFETY: reads a counter of the processor's. DPDK's own function is a call.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Reads the counter, the clock, and the counter again, until nothing came between.
fn read() -> Result<Reading, Error> {
    let mut best: Option<Reading> = None;
    for _ in 0..ATTEMPTS {
        let before = tsc();
        let clock = clock_gettime(ClockId::CLOCK_MONOTONIC_RAW).map_err(Error::system("read the clock"))?;
        let width = tsc().saturating_sub(before);
        let nanos = u64::try_from(Duration::from(clock).as_nanos()).unwrap_or(u64::MAX);
        let reading = Reading { ticks: before + width / 2, nanos, doubt: width.div_ceil(2) };
        if best.is_none_or(|best| reading.doubt < best.doubt) {
            best = Some(reading);
        }
    }
    best.ok_or(Error::NoClock)
}
