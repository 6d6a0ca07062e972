//! Packet sequence numbers and their serial arithmetic.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A packet sequence number, PSNTP or PSNLR: 0 to 65,535, wrapping (RFC 8250, section 3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Psn(u16);

impl Psn {
    /// The number as it stands in the option.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number as it stands in the option.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The number of the packet before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// The number of the packet after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// How many packets after `other` this one was sent, when no more than half the numbers lie between them; negative
    /// when it was sent before.
    #[must_use]
    pub const fn step_from(self, other: Self) -> i16 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// How many numbers this one is ahead of `other`, counted upwards: 0 to 65,535.
    #[must_use]
    pub const fn ahead_of(self, other: Self) -> u16 {
        self.0.wrapping_sub(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_wrap() {
        assert_eq!(Psn::new(0).step_from(Psn::new(65_535)), 1);
        assert_eq!(Psn::new(65_535).step_from(Psn::new(0)), -1);
        assert_eq!(Psn::new(65_535).next(), Psn::new(0));
        assert_eq!(Psn::new(2).ahead_of(Psn::new(65_534)), 4);
    }
}
