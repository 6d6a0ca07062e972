//! What is known of a burst between the stages.

use arrayvec::ArrayVec;
use flow::{FlowId, Hash, Key, Side};
use pdm::Look;
use stats::RuleId;

use crate::rules::Selection;
use crate::{BURST, Owners, WorkerId};

/// A packet that the rules select.
pub(crate) struct Selected {
    /// Its place in the burst.
    pub(crate) place: usize,
    pub(super) side: Side,
    pub(super) selection: Selection,
    pub(super) hash: Hash,
    pub(super) key: Key,
    pub(super) look: Look,
    /// The flow that is most likely its own.
    pub(super) likely: Option<FlowId>,
}

impl Selected {
    /// It, at `place` of another burst.
    pub(crate) fn at(self, place: usize) -> Self {
        Self { place, ..self }
    }

    /// Who of `owners` owns its flow.
    pub(crate) fn owner(&self, owners: &Owners) -> WorkerId {
        owners.of(&self.key, self.hash)
    }

    /// The rule that selected it.
    pub(crate) fn rule(&self) -> RuleId {
        self.selection.rule
    }
}

/// The packets of a burst that the rules select, in their order; the others are done with.
pub(crate) type Stage = ArrayVec<Selected, BURST>;
