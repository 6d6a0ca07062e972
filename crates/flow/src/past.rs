//! What a flow has been through, as far as a packet like nearly all does not need it: the second cache line of a flow.
//!
//! A packet that leaves does not come here: how many did is told by their numbers, and counted before these come round.

use pdm::Psn;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::log::Place;
use crate::loss::Seen;
use crate::record::{Account, Beginning};
use crate::{Instant, Progress};

/// The second line of a flow.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub(crate) struct Past {
    /// When a packet without the option came last, after one with it.
    pub(crate) last_plain: Instant,
    seen: Seen,
    /// Runs in the send log that come before the others, the oldest first.
    pub(crate) oldest: Place,
    pub(crate) last_answered: Psn,
    /// The last number that is counted in `sent`.
    counted: Psn,
    /// How many numbers up to `counted` were used, each time round anew.
    sent: u32,
    pub(crate) began: Beginning,
    pub(crate) account: Account,
    /// Fills the line.
    unused: u32,
}

const _: () = assert!(size_of::<Past>() == 64);

impl Past {
    /// That of a flow that begins at `now`, and whose first number is the one after `counted`.
    pub(crate) fn beginning(now: Instant, counted: Psn) -> Self {
        Self {
            last_plain: Instant::default(),
            seen: Seen::default(),
            oldest: Place::default(),
            last_answered: Psn::default(),
            counted,
            sent: 0,
            began: Beginning::at(now),
            account: Account::default(),
            unused: 0,
        }
    }

    /// How many numbers were used when `last` is the last one.
    pub(crate) fn sent(&self, last: Psn) -> u32 {
        self.sent.saturating_add(last.ahead_of(self.counted).into())
    }

    /// Makes up for the packets that were sent up to number `last`.
    pub(crate) fn count_sent(&mut self, last: Psn) {
        self.set_sent(self.sent(last), last);
    }

    /// `sent` numbers up to `last` were used.
    pub(crate) fn set_sent(&mut self, sent: u32, last: Psn) {
        (self.sent, self.counted) = (sent, last);
    }

    /// Notes that a packet with number `psn` arrived, and what that says of those before it.
    #[inline(always)]
    pub(crate) fn progress(&mut self, psn: Psn) -> Progress {
        self.account.arrived();
        if self.seen.note_next(psn) { Progress::IN_ORDER } else { self.note_disorder(psn) }
    }

    #[cold]
    fn note_disorder(&mut self, psn: Psn) -> Progress {
        let progress = self.seen.note(psn);
        self.account.told(progress);
        progress
    }
}
