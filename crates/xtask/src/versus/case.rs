//! The cases: what passes, who forwards it, and which ratios tell something.

use serde::Serialize;

use super::wiring::Cores;

/// The shortest frame of interest: UDP over IPv6 with 16 octets.
const SHORT: &[u16] = &[78];
/// As on the Internet, so it is said: seven short packets, four of middle length, a long one. The long ones leave room for
/// an option below an MTU of 1500.
const IMIX: &[u16] = &[78, 594, 78, 594, 78, 78, 1498, 78, 594, 78, 594, 78];

/// Something that is measured.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether it is measured when no case is named.
    pub(super) quick: bool,
    pub(super) traffic: Traffic,
    pub(super) contestants: &'static [Contestant],
    pub(super) comparisons: &'static [Comparison],
}

/// The packets of one source.
#[derive(Clone, Copy)]
pub(super) struct Traffic {
    pub(super) flows: u32,
    /// Octets of the frames in turn, without an option.
    pub(super) lengths: &'static [u16],
    /// Frames come from the wire with an option of 16 octets, instead of from the hosts without one.
    pub(super) marked: bool,
}

/// A program that forwards a case's packets in some way.
#[derive(Clone, Copy)]
pub(super) enum Contestant {
    Pdmline(Work, Cores),
    /// dpdk-testpmd in one of its forwarding modes.
    Testpmd(&'static str, Cores),
}

/// What pdmline does to packets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// There is no rule.
    Pass,
    /// There is a rule that selects none of them.
    Overlook,
    Insert,
    Strip,
    Observe,
}

/// A ratio of contestants' rates: the product of some over the product of others.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) name: &'static str,
    /// Contestants, by their place in the case.
    #[serde(skip)]
    pub(super) over: &'static [usize],
    #[serde(skip)]
    pub(super) under: &'static [usize],
    /// What the project wants it to be at least.
    pub(super) aim: Option<f64>,
}

impl Contestant {
    pub(super) fn name(self) -> String {
        match self {
            Self::Pdmline(_, cores) => format!("pdmline{}", cores.name()),
            Self::Testpmd(mode, cores) => format!("testpmd {mode}{}", cores.name()),
        }
    }

    pub(super) fn cores(self) -> Cores {
        match self {
            Self::Pdmline(_, cores) | Self::Testpmd(_, cores) => cores,
        }
    }
}

const fn short(flows: u32) -> Traffic {
    Traffic { flows, lengths: SHORT, marked: false }
}

const fn marked(flows: u32) -> Traffic {
    Traffic { flows, lengths: SHORT, marked: true }
}

const fn to_mac(aim: f64) -> [Comparison; 2] {
    [
        Comparison { name: "pdmline / io", over: &[0], under: &[1], aim: None },
        Comparison { name: "pdmline / mac", over: &[0], under: &[2], aim: Some(aim) },
    ]
}

const fn to(name: &'static str, aim: Option<f64>) -> [Comparison; 1] {
    [Comparison { name, over: &[0], under: &[1], aim }]
}

const PASS: &[Contestant] = &[
    Contestant::Pdmline(Work::Pass, Cores::One),
    Contestant::Testpmd("io", Cores::One),
    Contestant::Testpmd("mac", Cores::One),
];
const OVERLOOK: &[Contestant] = &[
    Contestant::Pdmline(Work::Overlook, Cores::One),
    Contestant::Testpmd("io", Cores::One),
    Contestant::Testpmd("mac", Cores::One),
];
const INSERT: &[Contestant] =
    &[Contestant::Pdmline(Work::Insert, Cores::One), Contestant::Testpmd("csum", Cores::One)];
const STRIP: &[Contestant] =
    &[Contestant::Pdmline(Work::Strip, Cores::One), Contestant::Testpmd("csum", Cores::One)];
const OBSERVE: &[Contestant] =
    &[Contestant::Pdmline(Work::Observe, Cores::One), Contestant::Testpmd("csum", Cores::One)];
const LONG: &[Contestant] =
    &[Contestant::Pdmline(Work::Insert, Cores::One), Contestant::Testpmd("mac", Cores::One)];
const SCALING: &[Contestant] = &[
    Contestant::Pdmline(Work::Insert, Cores::One),
    Contestant::Testpmd("csum", Cores::One),
    Contestant::Pdmline(Work::Insert, Cores::Two),
    Contestant::Testpmd("csum", Cores::Two),
];
const SHARED: &[Contestant] =
    &[Contestant::Pdmline(Work::Insert, Cores::Shared), Contestant::Testpmd("csum", Cores::Shared)];

const SCALES: &[Comparison] = &[
    Comparison { name: "pdmline, two cores / one", over: &[2], under: &[0], aim: None },
    Comparison { name: "csum, two cores / one", over: &[3], under: &[1], aim: None },
    Comparison { name: "pdmline's scaling / csum's", over: &[2, 1], under: &[0, 3], aim: Some(0.95) },
];

/// All there are.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "pass-1k",
        about: "no rule, 1,024 frames",
        quick: false,
        traffic: short(1 << 10),
        contestants: PASS,
        comparisons: &to_mac(0.95),
    },
    Case {
        name: "pass-64k",
        about: "no rule, 65,536 frames",
        quick: true,
        traffic: short(1 << 16),
        contestants: PASS,
        comparisons: &to_mac(0.95),
    },
    Case {
        name: "rule-1k",
        about: "one rule that selects nothing, 1,024 frames",
        quick: false,
        traffic: short(1 << 10),
        contestants: OVERLOOK,
        comparisons: &to_mac(0.8),
    },
    Case {
        name: "rule-64k",
        about: "one rule that selects nothing, 65,536 frames",
        quick: true,
        traffic: short(1 << 16),
        contestants: OVERLOOK,
        comparisons: &to_mac(0.8),
    },
    Case {
        name: "insert-1",
        about: "an option into every packet, 1 flow",
        quick: false,
        traffic: short(1),
        contestants: INSERT,
        comparisons: &to("pdmline / csum", None),
    },
    Case {
        name: "insert-1k",
        about: "an option into every packet, 1,024 flows",
        quick: true,
        traffic: short(1 << 10),
        contestants: INSERT,
        comparisons: &to("pdmline / csum", Some(1.0)),
    },
    Case {
        name: "insert-64k",
        about: "an option into every packet, 65,536 flows",
        quick: true,
        traffic: short(1 << 16),
        contestants: INSERT,
        comparisons: &to("pdmline / csum", Some(0.85)),
    },
    Case {
        name: "insert-1m",
        about: "an option into every packet, 1,048,576 flows",
        quick: false,
        traffic: short(1 << 20),
        contestants: INSERT,
        comparisons: &to("pdmline / csum", Some(0.75)),
    },
    Case {
        name: "strip-64k",
        about: "every packet's option read and removed, 65,536 flows",
        quick: true,
        traffic: marked(1 << 16),
        contestants: STRIP,
        comparisons: &to("pdmline / csum", Some(0.75)),
    },
    Case {
        name: "observe-64k",
        about: "every packet's option read, 65,536 flows",
        quick: false,
        traffic: marked(1 << 16),
        contestants: OBSERVE,
        comparisons: &to("pdmline / csum", None),
    },
    Case {
        name: "long",
        about: "an option into every packet of 1,400 octets, 1,024 flows",
        quick: false,
        traffic: Traffic { flows: 1 << 10, lengths: &[1400], marked: false },
        contestants: LONG,
        comparisons: &to("pdmline / mac", None),
    },
    Case {
        name: "imix",
        about: "an option into every packet of 78, 594 or 1,498 octets (7:4:1), 1,024 flows",
        quick: false,
        traffic: Traffic { flows: 1 << 10, lengths: IMIX, marked: false },
        contestants: LONG,
        comparisons: &to("pdmline / mac", None),
    },
    Case {
        name: "scaling-1k",
        about: "an option into every packet, a pair and its own 1,024 flows for each core",
        quick: false,
        traffic: short(1 << 10),
        contestants: SCALING,
        comparisons: SCALES,
    },
    Case {
        name: "scaling-64k",
        about: "an option into every packet, a pair and its own 65,536 flows for each core",
        quick: false,
        traffic: short(1 << 16),
        contestants: SCALING,
        comparisons: SCALES,
    },
    Case {
        name: "shared-64k",
        about: "an option into every packet, one pair with two queues for two cores, 65,536 flows in each",
        quick: false,
        traffic: short(1 << 16),
        contestants: SHARED,
        comparisons: &to("pdmline / csum", None),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_comparisons_are_of_contestants() {
        for (index, case) in CASES.iter().enumerate() {
            assert!(CASES[..index].iter().all(|other| other.name != case.name), "{}", case.name);
            let named = case.comparisons.iter().flat_map(|comparison| [comparison.over, comparison.under]);
            assert!(named.flatten().all(|place| *place < case.contestants.len()), "{}", case.name);
        }
    }
}
