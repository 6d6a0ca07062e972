//! An engine as the program has it, with a clock that the bench moves.

use std::cell::Cell;
use std::sync::Arc;

use dataplane::{Action, Arrival, BURST, Clock, Engine, Packet, Pair, Rule, Rules};
use flow::{Instant, PairId, Shard, Side, Span, TickRate};
use ipnet::Ipv6Net;
use pdm::Limits;

/// A clock that ticks once a nanosecond, and moves by the same each time that it is read.
#[derive(Debug)]
pub struct Ticking {
    now: Cell<Instant>,
    step: Span,
}

impl Ticking {
    /// A clock that `step` moves.
    #[must_use]
    pub fn by(step: Span) -> Self {
        Self { now: Cell::default(), step }
    }
}

impl Clock for Ticking {
    fn now(&self) -> Instant {
        self.now.set(self.now.get().saturating_add(self.step));
        self.now.get()
    }

    fn rate(&self) -> TickRate {
        TickRate::NANOSECONDS
    }
}

/// The one pair of ports.
pub const PAIR: Pair = Pair { id: PairId::new(0), limits: Limits { mtu: 1500, max_destopts_len: 40 } };

/// An engine on `shard` that measures what the benches' hosts send and get.
///
/// # Panics
/// Never: their prefix is one.
#[must_use]
pub fn engine(shard: Shard<'_>) -> Engine<'_> {
    Engine::new(shard, Rules::new(vec![rule()]), Arc::default())
}

/// The benches' only rule: whatever their hosts say to anybody is measured.
///
/// # Panics
/// Never: their prefix is one.
#[must_use]
pub fn rule() -> Rule {
    let hosts: Ipv6Net = "2001:db8:a::/48".parse().expect("the prefix is one");
    Rule::of_hosts("hosts", [hosts], Action::MEASURE)
}

/// Does to `packets`, which came from `side`, what `engine` does, a burst at a time.
#[inline]
pub fn process<P: Packet>(engine: &mut Engine<'_>, packets: &mut [P], side: Side, clock: &Ticking) {
    for burst in packets.chunks_mut(BURST) {
        engine.process(burst, Arrival::Port(side), &PAIR, clock.now(), clock);
    }
}
