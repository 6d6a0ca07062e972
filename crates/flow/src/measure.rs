//! What an arriving option tells of the path and the peer, and how far it can be believed (RFC 8250, sections 2 and
//! 4.3).

use std::hint::cold_path;

use pdm::ScaledTime;

/// How much faster or slower than ours a peer's clock may run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockTolerance {
    share: f64,
}

impl ClockTolerance {
    /// `ppm` parts per million, at most 4,000 of them.
    #[must_use]
    pub fn from_ppm(ppm: u16) -> Self {
        Self { share: f64::from(ppm.min(4_000)) / 1e6 }
    }

    /// How wrong `delta` may be, in nanoseconds: what truncation cut off, and the clock's share.
    #[inline(always)]
    fn error(self, delta: ScaledTime) -> f64 {
        delta.resolution_nanos() + delta.nanos() * self.share
    }
}

impl Default for ClockTolerance {
    /// 100 ppm: what cheap crystals keep to.
    fn default() -> Self {
        Self::from_ppm(100)
    }
}

/// A network delay is believed when it is so many times larger than its error.
const CERTAINTY: f64 = 10.0;

/// What cannot have been measured, in nanoseconds: ten thousand years. Its error is as large, and it would pass for uncertain.
const ENDLESS: f64 = 3.4e20;

/// What the first option that answers a packet tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Answer {
    /// How long it took.
    Measured(RoundTrip),
    /// How long it took, all in all and at the server, which are so close that the network's share drowns in their error.
    Uncertain {
        /// From sending the packet to receiving its answer, in nanoseconds.
        total_ns: f64,
        /// The server's share, in nanoseconds.
        server_ns: f64,
    },
    /// It answers nothing, or something that was answered before.
    #[default]
    None,
    /// It answers a packet that the flow never sent.
    NeverSent,
    /// It answers a packet whose send time is no longer known.
    Forgotten,
    /// More server delay than round trip: a broken clock or a forgery (RFC 8250, section 4.3).
    Nonsense,
}

/// How long it took from sending a packet to receiving its answer, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundTrip {
    /// All of it.
    pub total_ns: f64,
    /// The server's share.
    pub server_ns: f64,
    /// The network's share.
    pub network_ns: f64,
}

impl Answer {
    /// Of an answer after `total_ns` of which the server says that it took `delta`.
    #[inline(always)]
    pub(crate) fn after(total_ns: f64, delta: ScaledTime, tolerance: ClockTolerance) -> Self {
        let (server_ns, error_ns) = (delta.nanos(), tolerance.error(delta));
        let network_ns = total_ns - server_ns;
        if network_ns >= CERTAINTY * error_ns {
            return Self::Measured(RoundTrip { total_ns, server_ns, network_ns });
        }
        cold_path();
        if network_ns < -error_ns || server_ns > ENDLESS {
            Self::Nonsense
        } else {
            Self::Uncertain { total_ns, server_ns }
        }
    }
}

#[cfg(test)]
mod tests {
    use pdm::Attos;

    use super::*;

    const SECOND: f64 = 1e9;

    /// What becomes of `total_ns` when the server says that it took `server_ns`, which are whole.
    fn after(total_ns: f64, server_ns: u64) -> Answer {
        let server = ScaledTime::encode(Attos::new(u128::from(server_ns) * 1_000_000_000));
        Answer::after(total_ns, server, ClockTolerance::default())
    }

    /// The network's share of that.
    fn network(total_ns: f64, server_ns: u64) -> Option<f64> {
        match after(total_ns, server_ns) {
            Answer::Measured(round_trip) => Some(round_trip.network_ns),
            Answer::Uncertain { .. } => None,
            nothing => panic!("{nothing:?}"),
        }
    }

    #[test]
    fn the_rfcs_example_of_twelve_seconds() {
        let network_ns = network(12.0 * SECOND, 4_000_000_000).unwrap();
        assert!((network_ns - 8_000_029_474.7).abs() < 0.1, "{network_ns}");
    }

    #[test]
    fn a_network_share_within_the_error_is_uncertain_and_below_it_nonsense() {
        // The error of 1 s is 2^44 as (17.6 us) and 100 us.
        let second = 1_000_000_000;
        assert_eq!(network(SECOND, second), None);
        assert_eq!(network(SECOND - SECOND / 10_000.0, second), None);
        assert_eq!(network(SECOND + SECOND / 1_000.0, second), None);
        assert!(network(SECOND + SECOND / 800.0, second).is_some());
        assert_eq!(after(SECOND - SECOND / 5_000.0, second), Answer::Nonsense);
    }

    #[test]
    fn of_no_server_delay_the_network_has_all() {
        assert_eq!(network(1.0, 0), Some(1.0));
        assert_eq!(network(0.0, 0), None, "shorter than what truncation may have cut off");
    }

    #[test]
    fn a_delay_past_all_bounds_is_nonsense() {
        for endless in [(0x8000, 255), (1, 255), (2, 127)] {
            let endless = ScaledTime { mantissa: endless.0, scale: endless.1 };
            assert_eq!(
                Answer::after(SECOND, endless, ClockTolerance::default()),
                Answer::Nonsense,
                "{endless:?}"
            );
        }
    }
}
