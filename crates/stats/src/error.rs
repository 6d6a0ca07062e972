//! What can be wrong with what this crate is asked for.

use crate::PrefixBook;
use crate::openmetrics::Buckets;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too few buckets would hide what is asked; too many are more series than anybody wants to store.
    #[error(
        "{per_decade} buckets in a decade: choose {} to {}",
        Buckets::PER_DECADE.start(),
        Buckets::PER_DECADE.end()
    )]
    BucketsPerDecade {
        /// What was asked for.
        per_decade: u8,
    },
    /// No bits would be everybody; too many tell the hosts of one network apart.
    #[error("a prefix of {bits} bits: choose {} to {}", PrefixBook::BITS.start(), PrefixBook::BITS.end())]
    PrefixBits {
        /// What was asked for.
        bits: u8,
    },
}
