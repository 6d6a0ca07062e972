//! What an arriving option tells of the path and the peer, and how far it can be believed (RFC 8250, sections 2 and
//! 4.3).

use pdm::{Attos, ScaledTime};

use crate::time::ATTOS_IN_A_NANO;

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
const CERTAINTY: u8 = 10;

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
        /// Round trip, with the server's share, in nanoseconds.
        total_ns: u64,
        /// The server's share, in nanoseconds.
        server_ns: u64,
    },
    /// All three.
    Measured {
        /// Round trip, with the server's share, in nanoseconds.
        total_ns: u64,
        /// The server's share, in nanoseconds.
        server_ns: u64,
        /// The network's share, in nanoseconds.
        network_ns: u64,
    },
}

/// The largest scale by which all that [`part_short`] computes has 64 bits: the longest such delay is 9 s.
const SHORT_SCALE: u8 = 47;

/// Parts `total` into what the server says it took, `delta`, and the network's share.
#[inline(always)]
pub(crate) fn part(total: Attos, delta: ScaledTime, tolerance: ClockTolerance) -> Answer {
    match u64::try_from(total.get()) {
        Ok(total) if delta.scale <= SHORT_SCALE => part_short(total, delta, tolerance),
        _ => part_long(total, delta, tolerance),
    }
}

/// As [`part_long`], in attoseconds of 64 bits: twice as fast.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a fraction of 64 bits has 64 bits")]
fn part_short(total: u64, delta: ScaledTime, tolerance: ClockTolerance) -> Answer {
    let server = u64::from(delta.mantissa) << delta.scale;
    let drift = ((u128::from(server) * u128::from(tolerance.q32)) >> 32) as u64;
    let error = (1 << delta.scale) + drift;
    if total.saturating_add(error) < server {
        return Answer::Nonsense;
    }
    let (total_ns, server_ns) = (total / ATTOS_IN_A_NANO, server / ATTOS_IN_A_NANO);
    match total.checked_sub(server) {
        Some(network) if network >= error * u64::from(CERTAINTY) => {
            Answer::Measured { total_ns, server_ns, network_ns: network / ATTOS_IN_A_NANO }
        }
        _ => Answer::Uncertain { total_ns, server_ns },
    }
}

#[cold]
fn part_long(total: Attos, delta: ScaledTime, tolerance: ClockTolerance) -> Answer {
    let server = delta.decode();
    let error = tolerance.error(delta);
    // A delay that saturates has a saturated error too, and would pass for uncertain.
    if server == Attos::MAX || total.saturating_add(error) < server {
        return Answer::Nonsense;
    }
    let (total_ns, server_ns) = (total.nanos(), server.nanos());
    match total.checked_sub(server) {
        Some(network) if network.get() >= error.get().saturating_mul(CERTAINTY.into()) => {
            Answer::Measured { total_ns, server_ns, network_ns: network.nanos() }
        }
        _ => Answer::Uncertain { total_ns, server_ns },
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
        let Answer::Measured { network_ns, .. } = parted(12 * SECOND, 4 * SECOND) else { panic!() };
        assert_eq!(network_ns, 8_000_029_474);
    }

    #[test]
    fn short_times_are_parted_as_long_ones_are() {
        let tolerance = ClockTolerance::from_ppm(4_000);
        let mut kinds = [0; 3];
        for scale in 0..=SHORT_SCALE {
            for mantissa in [0, 1, 0x8000, 0xde0b, u16::MAX] {
                let delta = ScaledTime { mantissa, scale };
                let (server, error) = (delta.decode().get(), tolerance.error(delta).get());
                let edges = [server.saturating_sub(error), server, server + 10 * error, u64::MAX.into()];
                for total in edges.into_iter().flat_map(|edge| [edge.saturating_sub(1), edge, edge + 1]) {
                    let long = part_long(Attos::new(total), delta, tolerance);
                    assert_eq!(part(Attos::new(total), delta, tolerance), long, "{total} {delta:?}");
                    kinds[match long {
                        Answer::Nonsense => 0,
                        Answer::Uncertain { .. } => 1,
                        _ => 2,
                    }] += 1;
                }
            }
        }
        assert!(kinds.iter().all(|&kind| kind > 100), "{kinds:?}");
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
