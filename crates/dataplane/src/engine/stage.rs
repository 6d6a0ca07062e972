//! What is known of a burst between the stages.

use arrayvec::ArrayVec;
use flow::{FlowId, Hash, Key, Side};
use pdm::Layout;
use stats::RuleId;

use crate::rules::{Choice, Task};
use crate::{LONGEST, Owners, WorkerId};

/// A packet that the rules select.
pub(crate) struct Selected {
    pub(super) key: Key,
    pub(super) hash: Hash,
    /// The flow that is most likely its own.
    pub(super) likely: Option<FlowId>,
    pub(super) layout: Layout,
    choice: Choice,
    pub(super) side: Side,
    /// Its place in the burst.
    place: u8,
}

impl Selected {
    /// The packet at `place` of a burst, not yet hashed, for which a rule made `choice`.
    #[inline(always)]
    pub(super) fn new(place: usize, side: Side, key: Key, layout: Layout, choice: Choice) -> Self {
        Self { key, hash: Hash::default(), likely: None, layout, choice, side, place: place_of(place) }
    }

    /// It, at `place` of another burst.
    pub(crate) fn at(self, place: usize) -> Self {
        Self { place: place_of(place), ..self }
    }

    /// Its place in the burst.
    #[inline]
    pub(crate) const fn place(&self) -> usize {
        self.place as usize
    }

    /// Who of `owners` owns its flow.
    pub(crate) fn owner(&self, owners: &Owners) -> WorkerId {
        owners.of(&self.key, self.hash)
    }

    /// The rule that selected it.
    pub(crate) fn rule(&self) -> RuleId {
        self.choice.rule
    }

    /// What is to be done to it.
    #[inline(always)]
    pub(super) fn task(&self) -> Task {
        self.choice.task
    }
}

/// The packets of a burst that the rules select, in their order; the others are done with.
pub(crate) type Stage = ArrayVec<Selected, LONGEST>;

/// A place in a burst as it is kept.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a burst holds 64")]
const fn place_of(place: usize) -> u8 {
    place as u8
}
