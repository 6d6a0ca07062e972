//! Scaled time (RFC 8250, section 3.2.2 and appendix B): a delta's 16 most significant bits and how many were cut.

/// A length of time in attoseconds, the unit of the wire format. 10^18 make a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Attos(u128);

/// Attoseconds in a nanosecond, without its factor of 2^9.
const NANO_ODD_PART: u64 = 1_953_125;
/// The binary exponent of the attoseconds in a nanosecond.
const NANO_POWER: u32 = 9;

impl Attos {
    /// The longest time this type holds, and what larger ones saturate to.
    pub const MAX: Self = Self(u128::MAX);

    /// `attos` attoseconds.
    #[must_use]
    pub const fn new(attos: u128) -> Self {
        Self(attos)
    }

    /// The time in attoseconds.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The time in nanoseconds, rounded down; saturates.
    #[must_use]
    pub fn nanos(self) -> u64 {
        // A shift and a division by a constant in 64 bits: a 128-bit division costs ten times as much.
        match u64::try_from(self.0 >> NANO_POWER) {
            Ok(short) => short / NANO_ODD_PART,
            Err(_) => u64::try_from((self.0 >> NANO_POWER) / u128::from(NANO_ODD_PART)).unwrap_or(u64::MAX),
        }
    }
}

/// A time as the option carries it: `mantissa << scale` attoseconds. Any pair is a time, also one that is not
/// normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ScaledTime {
    /// DELTATLR or DELTATLS: the most significant bits.
    pub mantissa: u16,
    /// SCALEDTLR or SCALEDTLS: how many bits were cut off below them.
    pub scale: u8,
}

/// Bits of the mantissa.
const MANTISSA_BITS: u32 = u16::BITS;

impl ScaledTime {
    /// No time at all: 0 with scale 0.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// Cuts `time` to its 16 most significant bits (RFC 8250, section 3.2.2). Exact under 65,536 attoseconds.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "compared just before; the shift leaves 16 bits, and is itself at most 112"
    )]
    #[inline]
    pub const fn encode(time: Attos) -> Self {
        // Under 18 s the time has 64 bits, and what is done to those costs a third.
        if time.0 <= u64::MAX as u128 {
            let at_least_a_mantissa = time.0 as u64 | 1 << (MANTISSA_BITS - 1);
            let scale = u64::BITS - at_least_a_mantissa.leading_zeros() - MANTISSA_BITS;
            Self { mantissa: (time.0 as u64 >> scale) as u16, scale: scale as u8 }
        } else {
            let scale = u128::BITS - time.0.leading_zeros() - MANTISSA_BITS;
            Self { mantissa: (time.0 >> scale) as u16, scale: scale as u8 }
        }
    }

    /// The time this stands for; one too large for [`Attos`] saturates.
    #[must_use]
    pub const fn decode(self) -> Attos {
        Attos(shifted(self.mantissa as u128, self.scale))
    }

    /// The time in nanoseconds, also one too large for [`Attos`]; right to 53 bits, of which the mantissa has 16.
    #[must_use]
    #[inline]
    pub fn nanos(self) -> f64 {
        f64::from(self.mantissa) * self.resolution_nanos()
    }

    /// How far away the first time above this one is that the encoder could have told from it, in nanoseconds: what truncation cut
    /// off is less.
    #[must_use]
    #[inline]
    pub fn resolution_nanos(self) -> f64 {
        RESOLUTIONS[usize::from(self.scale)]
    }
}

/// What each scale resolves, in nanoseconds.
static RESOLUTIONS: [f64; 1 << u8::BITS] = {
    let mut resolutions = [1e-9; 1 << u8::BITS];
    let mut scale = 1;
    while scale < resolutions.len() {
        resolutions[scale] = 2.0 * resolutions[scale - 1];
        scale += 1;
    }
    resolutions
};

/// `value << scale`, saturating.
const fn shifted(value: u128, scale: u8) -> u128 {
    if value == 0 {
        0
    } else if scale as u32 > value.leading_zeros() {
        u128::MAX
    } else {
        value << scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: u128 = 1_000_000_000_000;
    const SECOND: u128 = 1_000_000 * MICROSECOND;

    /// RFC 8250, section 3.2.2 and appendices B and C; what is known besides.
    const KNOWN: [(u128, u16, u8); 9] = [
        (0, 0, 0),
        (65_535, 0xffff, 0),
        (65_536, 0x8000, 1),
        (65_537, 0x8000, 1),
        (39_838 * MICROSECOND, 0x8d88, 40),
        (32_311_072 * MICROSECOND, 0xe033, 49),
        (3 * SECOND, 0xa688, 46),
        (4 * SECOND, 0xde0b, 46),
        (12 * SECOND, 0xa688, 48),
    ];

    #[test]
    fn the_rfcs_numbers() {
        for (attos, mantissa, scale) in KNOWN {
            assert_eq!(ScaledTime::encode(Attos::new(attos)), ScaledTime { mantissa, scale }, "{attos}");
        }
        assert_eq!(ScaledTime { mantissa: 0xde0b, scale: 46 }.decode().nanos(), 3_999_970_525);
    }

    #[test]
    fn nanoseconds_are_those_of_the_attoseconds() {
        for (_, mantissa, scale) in KNOWN {
            let time = ScaledTime { mantissa, scale };
            let exact = time.decode().get() as f64 / 1e9;
            assert!((time.nanos() - exact).abs() <= exact * f64::EPSILON, "{time:?}");
        }
        assert_eq!(ScaledTime { mantissa: 1, scale: 255 }.nanos(), 2_f64.powi(255) * 1e-9);
        assert_eq!(ScaledTime { mantissa: 9, scale: 0 }.resolution_nanos(), 1e-9);
    }

    #[test]
    fn pairs_that_are_not_normalised_and_ones_too_large() {
        assert_eq!(ScaledTime { mantissa: 1, scale: 20 }.decode(), Attos::new(1 << 20));
        assert_eq!(ScaledTime { mantissa: 0, scale: 255 }.decode(), Attos::new(0));
        assert_eq!(ScaledTime { mantissa: 1, scale: 127 }.decode(), Attos::new(1 << 127));
        assert_eq!(ScaledTime { mantissa: 2, scale: 127 }.decode(), Attos::MAX);
        assert_eq!(ScaledTime { mantissa: 1, scale: 255 }.decode(), Attos::MAX);
    }

    #[test]
    fn nanoseconds_round_down_and_saturate() {
        assert_eq!(Attos::new(1_999_999_999).nanos(), 1);
        assert_eq!(Attos::new(3_600 * SECOND).nanos(), 3_600_000_000_000);
        assert_eq!(Attos::new(u128::from(u64::MAX) * 1_000_000_000).nanos(), u64::MAX);
        assert_eq!(Attos::MAX.nanos(), u64::MAX);
    }
}
