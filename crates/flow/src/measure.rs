//! What an arriving option tells of the path and the peer, and how far it can be believed (RFC 8250, sections 2 and
//! 4.3).

use pdm::{Attos, ScaledTime};

/// How much faster or slower than ours a peer's clock may run, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockTolerance {
    q32: u32,
}

impl ClockTolerance {
    /// `ppm` parts per million, at most 4,000 of them.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "4,000 / 10^6 of 2^32 has 25 bits")]
    pub const fn from_ppm(ppm: u16) -> Self {
        let ppm = if ppm > 4_000 { 4_000 } else { ppm };
        Self { q32: (((ppm as u64) << 32) / 1_000_000) as u32 }
    }

    /// How wrong `delta` may be: what truncation cut off, and the clock's share.
    #[inline]
    fn error(self, delta: ScaledTime) -> Attos {
        delta.resolution().saturating_add(delta.decode().saturating_mul_q32(self.q32))
    }
}

impl Default for ClockTolerance {
    /// 100 ppm: what cheap crystals keep to.
    fn default() -> Self {
        Self::from_ppm(100)
    }
}

/// A network delay is believed when it is so many times larger than its error.
const CERTAINTY: u128 = 10;

/// What the first option that answers a packet tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answer {
    /// It answers nothing, or something that was answered before.
    #[default]
    None,
    /// It answers a packet that the flow never sent.
    NeverSent,
    /// It answers a packet whose send time is no longer known.
    Forgotten,
    /// More server delay than round trip: a broken clock or a forgery (RFC 8250, section 4.3).
    Nonsense,
    /// Round trip and server delay are so close that the network's share drowns in their error.
    Uncertain {
        /// Round trip, with the server's share.
        total: Attos,
        /// The server's share.
        server: Attos,
    },
    /// All three.
    Measured {
        /// Round trip, with the server's share.
        total: Attos,
        /// The server's share.
        server: Attos,
        /// The network's share.
        network: Attos,
    },
}

/// Parts `total` into what the server says it took, `delta`, and the network's share.
#[inline]
pub(crate) fn part(total: Attos, delta: ScaledTime, tolerance: ClockTolerance) -> Answer {
    let server = delta.decode();
    let error = tolerance.error(delta);
    // A delay that saturates has a saturated error too, and would pass for uncertain.
    if server == Attos::MAX || total.saturating_add(error) < server {
        return Answer::Nonsense;
    }
    match total.checked_sub(server) {
        Some(network) if network.get() >= error.get().saturating_mul(CERTAINTY) => {
            Answer::Measured { total, server, network }
        }
        _ => Answer::Uncertain { total, server },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u128 = 1_000_000_000_000_000_000;

    fn parted(total: u128, server: u128) -> Answer {
        part(Attos::new(total), ScaledTime::encode(Attos::new(server)), ClockTolerance::default())
    }

    #[test]
    fn the_rfcs_example_of_twelve_seconds() {
        let Answer::Measured { network, .. } = parted(12 * SECOND, 4 * SECOND) else { panic!() };
        assert_eq!(network.nanos(), 8_000_029_474);
    }

    #[test]
    fn a_network_share_within_the_error_is_uncertain_and_below_it_nonsense() {
        // The error of 1 s is 2^44 as (17.6 us) and 100 us.
        assert!(matches!(parted(SECOND, SECOND), Answer::Uncertain { .. }));
        assert!(matches!(parted(SECOND - SECOND / 10_000, SECOND), Answer::Uncertain { .. }));
        assert!(matches!(parted(SECOND + SECOND / 1_000, SECOND), Answer::Uncertain { .. }));
        assert!(matches!(parted(SECOND + SECOND / 800, SECOND), Answer::Measured { .. }));
        assert_eq!(parted(SECOND - SECOND / 5_000, SECOND), Answer::Nonsense);
    }

    #[test]
    fn a_delay_past_all_bounds_is_nonsense() {
        let endless = ScaledTime { mantissa: 0x8000, scale: 255 };
        assert_eq!(part(Attos::new(SECOND), endless, ClockTolerance::default()), Answer::Nonsense);
    }
}
