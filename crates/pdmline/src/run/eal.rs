//! What EAL is told. All of it follows from the configuration; what the user adds comes last and wins.

use crate::config::{Config, Device};

/// What the machine has to say about the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Cores that this process may use.
    pub(super) cores: Vec<usize>,
    /// Frames of each net_af_packet ring that can be locked into memory; none: the driver's own number.
    pub(super) ring_frames: Option<u32>,
}

/// An argument that is left out when the user gave one of those that exclude it.
struct Derived {
    argument: String,
    yields_to: &'static [&'static str],
}

const MIB: u64 = 1 << 20;
/// What a buffer of a pool takes, with its headers and its share of queues and caches.
const MBUF_OCTETS: u64 = 2560;
/// What EAL and the drivers take beside the buffers.
const BASE_OCTETS: u64 = 64 * MIB;
/// A block of a net_af_packet ring: 32 frames of 2 KiB.
const RING_BLOCK_OCTETS: u32 = 65_536;
/// A frame of a net_af_packet ring, and the one for the other direction.
const RING_FRAME_OCTETS: usize = 2 * 2048;
const AF_PACKET: &str = "net_af_packet";

/// Octets of EAL memory that `config` needs.
pub(super) fn memory_octets(config: &Config) -> u64 {
    let ports = config.devices().count() as u64;
    BASE_OCTETS + ports * u64::from(config.memory.mbufs) * MBUF_OCTETS
}

/// The command line for EAL, the program's name first.
pub(super) fn arguments(config: &Config, machine: &Machine, user: &[String]) -> Vec<String> {
    let derived = derived(config, machine).into_iter().filter(|derived| !derived.yields(user));
    std::iter::once("pdmline".into())
        .chain(derived.map(|derived| derived.argument))
        .chain(user.iter().cloned())
        .collect()
}

fn derived(config: &Config, machine: &Machine) -> Vec<Derived> {
    let mut derived = vec![
        Derived { argument: format!("--file-prefix={}", config.instance), yields_to: &[] },
        Derived { argument: lcores(config, &machine.cores), yields_to: &["-l", "-c", "--lcores"] },
        Derived { argument: "--log-level=critical".into(), yields_to: &["--log-level"] },
    ];
    derived.extend(memory(config));
    if !config.devices().any(|device| matches!(device, Device::Pci { .. })) {
        derived.push(Derived { argument: "--no-pci".into(), yields_to: &["-a", "--allow", "-b", "--block"] });
    }
    derived
}

impl Derived {
    fn yields(&self, user: &[String]) -> bool {
        self.yields_to.iter().any(|option| user.iter().any(|argument| is_option(argument, option)))
    }
}

/// Whether `argument` is `option`, with its value attached or not.
fn is_option(argument: &str, option: &str) -> bool {
    match argument.strip_prefix(option) {
        Some(rest) if option.starts_with("--") => rest.is_empty() || rest.starts_with('='),
        Some(_) => true,
        None => false,
    }
}

/// The first lcore is the main one and does not work: it stays off the workers' cores where there are others. A worker's
/// lcore is [`worker_lcore`].
fn lcores(config: &Config, available: &[usize]) -> String {
    let workers: Vec<usize> = config.cores().iter().map(|core| core.number()).collect();
    let others: Vec<usize> = available.iter().copied().filter(|core| !workers.contains(core)).collect();
    let main = if others.is_empty() { &workers } else { &others };
    let main = main.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let workers =
        workers.iter().enumerate().map(|(worker, core)| format!(",{}@{core}", worker_lcore(worker)));
    format!("--lcores=0@({main}){}", workers.collect::<String>())
}

/// The lcore of the worker on the `worker`-th of [`Config::cores`].
pub(super) fn worker_lcore(worker: usize) -> usize {
    worker + 1
}

fn memory(config: &Config) -> Vec<Derived> {
    if config.memory.hugepages {
        let excluding = &["--no-huge", "--huge-dir", "--huge-unlink", "--legacy-mem", "--in-memory"];
        return vec![Derived { argument: "--in-memory".into(), yields_to: excluding }];
    }
    let excluding = &["--no-huge", "--in-memory", "--huge-dir", "--socket-mem"];
    let mib = memory_octets(config).div_ceil(MIB);
    vec![
        Derived { argument: "--no-huge".into(), yields_to: excluding },
        Derived {
            argument: format!("-m{mib}"),
            yields_to: &["-m", "--in-memory", "--huge-dir", "--socket-mem"],
        },
    ]
}

/// A device's arguments as its driver gets them: net_af_packet's own rings lose thousands of frames in one burst of TCP.
pub(super) fn device_arguments(device: &Device, machine: &Machine) -> String {
    let mut arguments = device.args().to_string();
    if let Some(frames) = machine.ring_frames.filter(|_| device.is(AF_PACKET)) {
        for (key, value) in [("blocksz", RING_BLOCK_OCTETS), ("framecnt", frames)] {
            if !device.args().has(key) {
                arguments += &format!(",{key}={value}");
            }
        }
    }
    arguments.trim_start_matches(',').into()
}

/// The most frames, up to 4096, that every net_af_packet ring of `config` can have with what this process may lock into
/// memory. `can_lock` tries an amount of octets.
pub(super) fn ring_frames(config: &Config, can_lock: impl Fn(usize) -> bool) -> Option<u32> {
    let ports = config.devices().filter(|device| device.is(AF_PACKET)).count();
    if ports == 0 {
        return None;
    }
    [4096, 2048, 1024].into_iter().find(|&frames| can_lock(ports * frames as usize * RING_FRAME_OCTETS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str, u16)], hugepages: bool) -> Config {
        let mut text = String::from("instance = 'edge-a'\n");
        for (host, wire, core) in pairs {
            text += &format!("[[pair]]\nhost = '{host}'\nwire = '{wire}'\nmtu = 1500\ncores = [{core}]\n");
        }
        Config::parse(&format!("{text}[memory]\nhugepages = {hugepages}\nmbufs = 8192")).unwrap()
    }

    fn on(cores: &[usize]) -> Machine {
        Machine { cores: cores.to_vec(), ring_frames: Some(4096) }
    }

    #[test]
    fn the_command_line_follows_from_the_configuration() {
        let virtual_pair = ("net_null0", "net_null1", 1);
        let second_pair = ("net_null2", "net_null3", 0);
        let pci_pair = ("0000:03:00.0", "0000:03:00.1", 2);
        let table: [(&[_], bool, &[usize], &str, &str); 10] = [
            (
                &[virtual_pair],
                true,
                &[0, 1, 2],
                "",
                "--lcores=0@(0,2),1@1 --log-level=critical --in-memory --no-pci",
            ),
            (&[virtual_pair], true, &[1], "", "--lcores=0@(1),1@1 --log-level=critical --in-memory --no-pci"),
            (
                &[virtual_pair, second_pair],
                true,
                &[0, 1],
                "",
                "--lcores=0@(1,0),1@1,2@0 --log-level=critical --in-memory --no-pci",
            ),
            (
                &[virtual_pair],
                false,
                &[0, 1],
                "",
                "--lcores=0@(0),1@1 --log-level=critical --no-huge -m104 --no-pci",
            ),
            (&[pci_pair], true, &[0, 2], "", "--lcores=0@(0),1@2 --log-level=critical --in-memory"),
            (
                &[virtual_pair],
                false,
                &[0, 1],
                "-m 512",
                "--lcores=0@(0),1@1 --log-level=critical --no-huge --no-pci -m 512",
            ),
            (
                &[virtual_pair],
                false,
                &[0, 1],
                "--in-memory",
                "--lcores=0@(0),1@1 --log-level=critical --no-pci --in-memory",
            ),
            (&[virtual_pair], true, &[0, 1], "-l0,1", "--log-level=critical --in-memory --no-pci -l0,1"),
            (
                &[virtual_pair],
                true,
                &[0, 1],
                "--log-level=lib.eal:debug",
                "--lcores=0@(0),1@1 --in-memory --no-pci --log-level=lib.eal:debug",
            ),
            (
                &[virtual_pair],
                true,
                &[0, 1],
                "--file-prefix=x -a 0000:05:00.0",
                "--lcores=0@(0),1@1 --log-level=critical --in-memory --file-prefix=x -a 0000:05:00.0",
            ),
        ];
        for (pairs, hugepages, cores, user, expected) in table {
            let user: Vec<String> = user.split_whitespace().map(Into::into).collect();
            let arguments = arguments(&config(pairs, hugepages), &on(cores), &user);
            assert_eq!(arguments.join(" "), format!("pdmline --file-prefix=edge-a {expected}"));
        }
    }

    #[test]
    fn rings_of_af_packet_are_long_unless_the_user_says_otherwise() {
        let table = [
            ("net_af_packet0,iface=a", Some(4096), "iface=a,blocksz=65536,framecnt=4096"),
            ("net_af_packet0,iface=a,framecnt=512", Some(4096), "iface=a,framecnt=512,blocksz=65536"),
            ("net_af_packet0,iface=a", None, "iface=a"),
            ("net_null0", Some(4096), ""),
            ("net_pcap0,rx_pcap=a,rx_pcap=b", Some(4096), "rx_pcap=a,rx_pcap=b"),
        ];
        for (device, ring_frames, expected) in table {
            let config = config(&[(device, "net_null9", 0)], true);
            let machine = Machine { cores: vec![0], ring_frames };
            assert_eq!(device_arguments(&config.pairs[0].host, &machine), expected);
        }
    }

    #[test]
    fn rings_take_what_can_be_locked() {
        let config = config(&[("net_af_packet0,iface=a", "net_af_packet1,iface=b", 0)], true);
        let limit = |octets| ring_frames(&config, move |wanted| wanted <= octets);
        assert_eq!(limit(32 << 20), Some(4096));
        assert_eq!(limit(8 << 20), Some(1024));
        assert_eq!(limit(1 << 20), None, "the driver's own");
    }
}
