//! Which rule a delay belongs to.

/// A rule's place in the configuration. The place after the last rule stands for the packets that none selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RuleId(u16);

impl RuleId {
    /// The rule at `index` of the configuration.
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The rule's place in the configuration.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
