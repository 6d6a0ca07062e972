//! A generator that keeps a pace, and hears what comes back of its packets and when.

use std::time::Duration;

use dataplane::{BURST, Burst, Clock, Packet, Receive, Transmit};
use dpdk::{Mbuf, Pool, QueuePair, TscClock};
use flow::{Instant, Span};
use hdrhistogram::Histogram;

use crate::{FRAME, frame};

/// How many packets a generator may be late by. What is due beyond that is left out: sent all at once, it would wait for
/// itself, and that would be measured.
const LATE: u64 = 4;

/// How long nothing comes back when nothing is on its way any more.
const SILENCE: Duration = Duration::from_millis(10);

/// How packets follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As many as are taken.
    Utmost,
    /// One each so many ticks.
    Every(Span),
}

/// When packets are due.
struct Schedule {
    pace: Pace,
    due: Instant,
}

/// What there is to do now.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    /// Packets to send.
    packets: usize,
    /// Packets that were due before, and are left out.
    left_out: u64,
}

impl Schedule {
    fn turn(&mut self, now: Instant) -> Turn {
        match self.pace {
            Pace::Utmost => Turn { packets: BURST, left_out: 0 },
            Pace::Every(_) if now < self.due => Turn { packets: 0, left_out: 0 },
            Pace::Every(pace) => {
                let late = now.saturating_since(self.due).ticks() / pace.ticks();
                let left_out = if late > LATE { late } else { 0 };
                self.due = self.due.saturating_add(Span::from_ticks(pace.ticks() * (left_out + 1)));
                Turn { packets: 1, left_out }
            }
        }
    }
}

/// The hosts, by two queues: they send by the first one's port, and hear by the second one's.
pub struct Generator<'a> {
    pool: &'a Pool<'a>,
    sends: QueuePair<'a>,
    hears: QueuePair<'a>,
    clock: TscClock,
    frames: Vec<[u8; FRAME]>,
    turn: usize,
}

/// What came of some time.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Packets that were sent, that came back, and that were due but left out.
    pub sent: u64,
    /// See above.
    pub received: u64,
    /// See above.
    pub left_out: u64,
    /// How long each took, in nanoseconds.
    pub trips: Histogram<u64>,
    /// How long the generator's own rounds took: by so much it may have noticed a packet too late.
    pub rounds: Histogram<u64>,
}

impl Default for Heard {
    fn default() -> Self {
        // A second, to three digits.
        let histogram = Histogram::new_with_max(1_000_000_000, 3).expect("the bounds are sound");
        Self { sent: 0, received: 0, left_out: 0, trips: histogram.clone(), rounds: histogram }
    }
}

impl<'a> Generator<'a> {
    /// The hosts of `flows` flows, which take turns.
    #[must_use]
    pub fn new(pool: &'a Pool<'a>, [sends, hears]: [QueuePair<'a>; 2], clock: TscClock, flows: u32) -> Self {
        Self { pool, sends, hears, clock, frames: (0..flows).map(frame).collect(), turn: 0 }
    }

    /// Sends for `time` at `pace`, and then waits for what is still on its way, which counts neither as received nor as
    /// late.
    pub fn talk(&mut self, pace: Pace, time: Duration) -> Heard {
        let mut heard = Heard::default();
        let start = self.clock.now();
        let end = start.saturating_add(self.clock.rate().span_of(time));
        let (mut last, mut schedule) = (start, Schedule { pace, due: start });
        while last < end {
            let now = self.clock.now();
            note(&mut heard.rounds, &self.clock, last, now);
            last = now;
            let Turn { packets, left_out } = schedule.turn(now);
            heard.left_out += left_out;
            if packets > 0 {
                heard.sent += self.send(packets);
            }
            self.hear(&mut heard);
        }
        self.wait_for_silence();
        heard
    }

    /// Sends `packets` packets, at most a burst. Returns how many were taken.
    fn send(&mut self, packets: usize) -> u64 {
        let mut burst = Burst::new();
        while burst.len() < packets {
            // None is free while too many are on their way.
            let Ok(packet) = self.pool.packet(&self.frames[self.turn]) else { break };
            burst.push(packet);
            self.turn = (self.turn + 1) % self.frames.len();
        }
        let now = self.clock.now();
        burst.iter_mut().for_each(|packet| stamp(packet, now));
        let made = burst.len();
        self.sends.tx.transmit(&mut burst);
        let sent = made - burst.len();
        dpdk::free(&mut burst);
        sent as u64
    }

    /// Takes what has come back.
    fn hear(&mut self, heard: &mut Heard) {
        let mut burst = Burst::new();
        self.hears.rx.receive(&mut burst);
        if burst.is_empty() {
            return;
        }
        let now = self.clock.now();
        for packet in &burst {
            note(&mut heard.trips, &self.clock, stamped(packet), now);
        }
        heard.received += burst.len() as u64;
        dpdk::free(&mut burst);
    }

    fn wait_for_silence(&mut self) {
        let silence = self.clock.rate().span_of(SILENCE);
        let mut last = self.clock.now();
        while self.clock.now().saturating_since(last) < silence {
            let mut burst = Burst::new();
            self.hears.rx.receive(&mut burst);
            if !burst.is_empty() {
                last = self.clock.now();
                dpdk::free(&mut burst);
            }
        }
    }
}

fn note(histogram: &mut Histogram<u64>, clock: &TscClock, from: Instant, to: Instant) {
    histogram.saturating_record(clock.rate().attos(to.saturating_since(from)).nanos());
}

/// Writes `now` into the last octets of the payload, which no option moves.
fn stamp(packet: &mut Mbuf<'_>, now: Instant) {
    let place = packet.bytes_mut().last_chunk_mut().expect("the frames have a payload");
    *place = now.saturating_since(Instant::default()).ticks().to_be_bytes();
}

/// What [`stamp`] wrote.
fn stamped(packet: &Mbuf<'_>) -> Instant {
    let place = packet.bytes().last_chunk().expect("the frames have a payload");
    Instant::from_ticks(u64::from_be_bytes(*place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_sent_and_what_is_too_late_is_left_out() {
        let mut schedule =
            Schedule { pace: Pace::Every(Span::from_ticks(10)), due: Instant::from_ticks(100) };
        let mut turn = |ticks| {
            let Turn { packets, left_out } = schedule.turn(Instant::from_ticks(ticks));
            (packets, left_out)
        };
        assert_eq!((turn(99), turn(100), turn(101)), ((0, 0), (1, 0), (0, 0)));
        // A little late: both are sent.
        assert_eq!((turn(125), turn(126), turn(127)), ((1, 0), (1, 0), (0, 0)));
        // Due at 130 to 200, of which the last one is sent.
        assert_eq!((turn(200), turn(201), turn(209), turn(210)), ((1, 7), (0, 0), (0, 0), (1, 0)));
    }

    #[test]
    fn the_utmost_is_a_burst_each_time() {
        let mut schedule = Schedule { pace: Pace::Utmost, due: Instant::default() };
        assert_eq!(schedule.turn(Instant::from_ticks(5)), Turn { packets: BURST, left_out: 0 });
    }
}
