//! Loss towards us, read from the numbers of the packets that arrive.

use pdm::Psn;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The largest step forward that is loss, and the largest backward that is reordering; beyond, the peer started anew.
const FARTHEST: i16 = 1000;

const FARTHEST_BACK: i16 = -FARTHEST;

/// How far back it is known which packets were seen.
const WINDOW: i16 = 63;
const WINDOW_BACK: i16 = -WINDOW;

/// What one arriving number tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The flow's first, or the one after the newest, or one ahead with `lost` missing between.
    Forward {
        /// Packets that did not arrive before this one.
        lost: u16,
    },
    /// A number that was seen before.
    Duplicate,
    /// A number older than the newest.
    Reordered {
        /// It had been counted as lost.
        taken_back: bool,
    },
    /// A jump: the peer lost its state.
    Restart,
}

impl Progress {
    /// Nothing is missing.
    pub const IN_ORDER: Self = Self::Forward { lost: 0 };
}

impl Default for Progress {
    fn default() -> Self {
        Self::IN_ORDER
    }
}

/// The numbers seen on one flow. Packed, as what lies in a shard's memory has no padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(4))]
pub(crate) struct Seen {
    /// Bit n: the n-th before the newest was seen. None is set before there was any.
    window: u64,
    /// The newest number.
    newest: Psn,
    /// How far the first one lies behind the newest, at most 64: nothing before it was counted lost.
    since_first: u16,
}

impl Seen {
    /// Notes that `psn` arrived, if it is the one after the newest, and tells whether it is.
    #[inline(always)]
    pub(crate) fn note_next(&mut self, psn: Psn) -> bool {
        let is_next = psn == self.newest.next() && self.window != 0;
        if is_next {
            self.forward(psn, 1);
        }
        is_next
    }

    /// Notes that `psn` arrived.
    pub(crate) fn note(&mut self, psn: Psn) -> Progress {
        if self.window == 0 {
            self.start(psn);
            return Progress::IN_ORDER;
        }
        match psn.step_from(self.newest) {
            0 => Progress::Duplicate,
            step @ 1..=FARTHEST => self.forward(psn, step.unsigned_abs()),
            step @ WINDOW_BACK..0 => self.backward(step.unsigned_abs()),
            FARTHEST_BACK..0 => Progress::Reordered { taken_back: false },
            _ => {
                self.start(psn);
                Progress::Restart
            }
        }
    }

    fn start(&mut self, psn: Psn) {
        *self = Self { window: 1, newest: psn, since_first: 0 };
    }

    #[inline(always)]
    fn forward(&mut self, psn: Psn, step: u16) -> Progress {
        self.window = self.window.checked_shl(step.into()).unwrap_or(0) | 1;
        self.newest = psn;
        self.since_first = (self.since_first + step).min(WINDOW.unsigned_abs() + 1);
        Progress::Forward { lost: step - 1 }
    }

    fn backward(&mut self, back: u16) -> Progress {
        if back > self.since_first {
            // Before the flow's first: it was not counted lost, and which of these were seen is not remembered.
            return Progress::Reordered { taken_back: false };
        }
        let bit = 1 << back;
        if self.window & bit != 0 {
            return Progress::Duplicate;
        }
        self.window |= bit;
        Progress::Reordered { taken_back: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Progress::{Duplicate, Forward, Reordered, Restart};

    fn progress(numbers: &[u16]) -> Vec<Progress> {
        let mut seen = Seen::default();
        let note = |&number| {
            let (psn, mut sooner) = (Psn::new(number), seen);
            let progress = seen.note(psn);
            if sooner.note_next(psn) {
                assert_eq!((progress, sooner), (Progress::IN_ORDER, seen));
            }
            progress
        };
        numbers.iter().map(note).collect()
    }

    #[test]
    fn every_kind_of_step() {
        assert_eq!(
            progress(&[10, 11, 14, 13, 13, 9, 2000, 65_535, 0, 2, 1]),
            [
                Forward { lost: 0 },
                Forward { lost: 0 },
                Forward { lost: 2 },
                Reordered { taken_back: true },
                Duplicate,
                Reordered { taken_back: false },
                Restart,
                Restart,
                Forward { lost: 0 },
                Forward { lost: 1 },
                Reordered { taken_back: true },
            ]
        );
    }

    #[test]
    fn the_edges_of_the_ranges() {
        assert_eq!(progress(&[0, 1000])[1], Forward { lost: 999 });
        assert_eq!(progress(&[0, 1001])[1], Restart);
        assert_eq!(progress(&[0, 200, 137])[2], Reordered { taken_back: true });
        assert_eq!(progress(&[0, 200, 136])[2], Reordered { taken_back: false });
        assert_eq!(progress(&[2000, 1000])[1], Reordered { taken_back: false });
        assert_eq!(progress(&[2000, 999])[1], Restart);
        assert_eq!(progress(&[5, 5])[1], Duplicate);
        assert_eq!(progress(&[5, 4, 4])[1..], [Reordered { taken_back: false }; 2]);
        assert_eq!(progress(&[5, 7, 5])[2], Duplicate);
    }
}
