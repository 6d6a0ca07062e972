//! What can go wrong at start.

/// Why a shard cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The memory does not hold the send log and a single flow.
    #[error("{given} octets are too few for a flow table: give at least {needed} (flows.memory, --memory)")]
    TooLittleMemory {
        /// Octets there are.
        given: usize,
        /// Octets that one flow and the send log need.
        needed: usize,
    },
}
