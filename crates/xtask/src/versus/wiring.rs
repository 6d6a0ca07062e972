//! What both programs are given: the same ports, cores and buffers.

use super::capture::Capture;

/// Which cores forward, and what they share. Core 1 is the first to, as core 0 is where all else runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cores {
    One,
    /// A pair of ports for each.
    Two,
    /// One pair of ports with a queue for each.
    Shared,
}

impl Cores {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::One => "",
            Self::Two => ", two cores",
            Self::Shared => ", two cores, one pair",
        }
    }

    /// The cores that forward.
    pub(super) const fn workers(self) -> &'static [u32] {
        match self {
            Self::One => &[1],
            Self::Two | Self::Shared => &[0, 1],
        }
    }

    pub(super) const fn pairs(self) -> usize {
        match self {
            Self::One | Self::Shared => 1,
            Self::Two => 2,
        }
    }

    /// Queues of a port.
    pub(super) const fn queues(self) -> usize {
        self.workers().len() / self.pairs()
    }
}

/// Octets of a buffer with its share of the pool, in huge pages and, where none may cross a page, in small ones.
const BUFFER_OCTETS: u64 = 2560;
const SMALL_PAGE_BUFFER_OCTETS: u64 = 4160;
/// Buffers beside those that hold a capture: on their way, and in the cores' caches.
const BUFFERS_ON_THE_WAY: u32 = 8192;
/// What EAL and drivers take beside buffers.
const BASE_OCTETS: u64 = 128 << 20;

/// The ports, with what they need.
pub(super) struct Wiring {
    pub(super) cores: Cores,
    /// Devices: a source that repeats its captures, and a sink.
    pub(super) pairs: Vec<[String; 2]>,
    /// Buffers of each port.
    pub(super) buffers: u32,
}

impl Wiring {
    /// The ports for `cores`, a source for each of which is among `captures`.
    pub(super) fn new(cores: Cores, captures: &[Capture]) -> Self {
        let captures = &captures[..cores.workers().len()];
        let of_pairs = captures.chunks(cores.queues());
        let frames = captures[..cores.queues()].iter().map(|capture| capture.frames).sum::<u32>();
        Self {
            cores,
            pairs: of_pairs.enumerate().map(|(number, captures)| pair(number, captures)).collect(),
            buffers: frames + BUFFERS_ON_THE_WAY,
        }
    }

    /// Octets that the buffers of all ports take at the most, and what is beside them.
    pub(super) fn memory_octets(&self, hugepages: bool) -> u64 {
        let ports = self.pairs.as_flattened().len() as u64;
        let octets = if hugepages { BUFFER_OCTETS } else { SMALL_PAGE_BUFFER_OCTETS };
        BASE_OCTETS + ports * u64::from(self.buffers) * octets
    }
}

fn pair(number: usize, captures: &[Capture]) -> [String; 2] {
    let inputs: String =
        captures.iter().map(|capture| format!(",rx_pcap={}", capture.path.display())).collect();
    [format!("net_pcap{number}{inputs},infinite_rx=1"), format!("net_null{number},no-rx=1")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring(cores: Cores) -> Wiring {
        let captures = ["a", "b"].map(|path| Capture { path: path.into(), frames: 1000 });
        Wiring::new(cores, &captures)
    }

    #[test]
    fn cores_have_pairs_or_queues_of_their_own() {
        let sources = |cores| wiring(cores).pairs.into_iter().map(|[source, _]| source).collect::<Vec<_>>();
        assert_eq!(sources(Cores::One), ["net_pcap0,rx_pcap=a,infinite_rx=1"]);
        assert_eq!(
            sources(Cores::Two),
            ["net_pcap0,rx_pcap=a,infinite_rx=1", "net_pcap1,rx_pcap=b,infinite_rx=1"]
        );
        assert_eq!(sources(Cores::Shared), ["net_pcap0,rx_pcap=a,rx_pcap=b,infinite_rx=1"]);
    }

    #[test]
    fn a_port_has_buffers_for_its_captures() {
        assert_eq!(wiring(Cores::One).buffers, 9192);
        assert_eq!(wiring(Cores::Two).buffers, 9192);
        assert_eq!(wiring(Cores::Shared).buffers, 10_192);
        assert_eq!(wiring(Cores::Two).memory_octets(true), (128 << 20) + 4 * 9192 * 2560);
    }
}
