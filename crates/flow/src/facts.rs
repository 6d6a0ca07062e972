//! What is so, or is not, about a flow.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A set of facts.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub(crate) struct Facts(u8);

impl Facts {
    /// A packet was sent with the option.
    pub(crate) const SENT: Self = Self(1);
    /// A packet was received.
    pub(crate) const RECEIVED: Self = Self(1 << 1);
    /// A packet was received, and none sent since.
    pub(crate) const RECEIVED_SINCE_SENT: Self = Self(1 << 2);
    /// A packet was received with the option.
    pub(crate) const RECEIVED_OPTION: Self = Self(1 << 3);
    /// One of our packets was answered.
    pub(crate) const ANSWERED: Self = Self(1 << 4);
    /// The host speaks PDM itself.
    pub(crate) const NATIVE: Self = Self(1 << 5);

    /// Whether one of `facts` is so.
    #[inline(always)]
    pub(crate) const fn has(self, facts: Self) -> bool {
        self.0 & facts.0 != 0
    }

    /// These and `facts`.
    #[inline(always)]
    pub(crate) const fn and(self, facts: Self) -> Self {
        Self(self.0 | facts.0)
    }

    /// These without `facts`.
    #[inline(always)]
    pub(crate) const fn without(self, facts: Self) -> Self {
        Self(self.0 & !facts.0)
    }
}
