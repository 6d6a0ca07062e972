//! What the demo sets, and so what it must find.

/// One network and one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// One way through the network, in nanoseconds.
    pub(super) delay: u64,
    /// From a request's arrival at the server to its answer, in nanoseconds.
    pub(super) thinking: u64,
    /// Packets lost in ten thousand, each way.
    pub(super) loss_per_myriad: u32,
}

const MILLISECOND: u64 = 1_000_000;

/// The questions that an operator has.
pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "all is well", delay: MILLISECOND, thinking: MILLISECOND / 2, loss_per_myriad: 0 },
    Scenario {
        name: "the network is slow",
        delay: 40 * MILLISECOND,
        thinking: MILLISECOND,
        loss_per_myriad: 0,
    },
    Scenario {
        name: "the server is slow",
        delay: MILLISECOND,
        thinking: 80 * MILLISECOND,
        loss_per_myriad: 0,
    },
    Scenario {
        name: "the network loses packets",
        delay: 10 * MILLISECOND,
        thinking: 5 * MILLISECOND,
        loss_per_myriad: 200,
    },
];
