//! The delays that are measured.

/// A delay that is measured (RFC 8250, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// From sending a packet to receiving its answer.
    TotalRtt,
    /// The network's share of that.
    NetworkRtt,
    /// The peer's share of that: its own DELTATLR.
    ServerDelay,
    /// How long the local host took to answer: our own DELTATLR.
    LocalDelay,
    /// How long a packet was inside the appliance.
    Residence,
}

impl Metric {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::TotalRtt, Self::NetworkRtt, Self::ServerDelay, Self::LocalDelay, Self::Residence];

    /// The metric's place in [`Metric::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The metric as reports name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TotalRtt => "total_rtt",
            Self::NetworkRtt => "network_rtt",
            Self::ServerDelay => "server_delay",
            Self::LocalDelay => "local_delay",
            Self::Residence => "residence",
        }
    }
}
