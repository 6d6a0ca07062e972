//! What EAL is told. All of it follows from the configuration; what the user adds comes last and wins.

use super::crew::Crew;
use crate::config::{Config, Device, Mtu, Pair};

/// What the machine has to say about the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Cores that this process may use.
    pub(super) cores: Vec<u32>,
    /// Frames of each net_af_packet ring that can be locked into memory; none: the driver's own number.
    pub(super) ring_frames: Option<u32>,
}

/// An argument that is left out when the user gave one of those that exclude it: itself under any name, as from 25.11 on EAL
/// takes none twice, or another that contradicts it.
struct Derived {
    argument: String,
    yields_to: &'static [&'static str],
}

const MIB: u64 = 1 << 20;
/// What a buffer of a pool takes beside its packet: headers, headroom.
const MBUF_OCTETS: u64 = 512;
/// A buffer's share of its pool's ring and bookkeeping.
const MBUF_SHARE_OCTETS: u64 = 64;
const SMALL_PAGE_OCTETS: u64 = 4096;
/// What EAL and the drivers take beside the buffers.
const BASE_OCTETS: u64 = 64 * MIB;
/// A block of a net_af_packet ring: 32 frames of 2 KiB.
const RING_BLOCK_OCTETS: u32 = 65_536;
/// Octets of a buffer, unless packets are longer.
const SMALL_BUFFER_OCTETS: u16 = 2048;
/// What stands before an IPv6 packet in a buffer or a frame: an Ethernet header, tags, the kernel's own header.
const LINK_OCTETS: u16 = 84;
const AF_PACKET: &str = "net_af_packet";

/// Octets of EAL memory that `config` needs.
pub(super) fn memory_octets(config: &Config) -> u64 {
    let ports = config.pairs.iter().map(|pair| 2 * mbuf_octets(pair.mtu, config.memory.hugepages));
    BASE_OCTETS + ports.sum::<u64>() * u64::from(config.memory.mbufs)
}

/// What one buffer takes. Without hugepages none crosses the end of a small page.
fn mbuf_octets(mtu: Mtu, hugepages: bool) -> u64 {
    let octets = MBUF_OCTETS + u64::from(buffer_octets(mtu));
    if hugepages { octets } else { octets.next_multiple_of(SMALL_PAGE_OCTETS) + MBUF_SHARE_OCTETS }
}

/// The command line for EAL, without a program's name.
pub(super) fn arguments(config: &Config, crew: &Crew, machine: &Machine, user: &[String]) -> Vec<String> {
    let derived = derived(config, crew, machine).into_iter().filter(|derived| !derived.yields(user));
    derived.map(|derived| derived.argument).chain(user.iter().cloned()).collect()
}

fn derived(config: &Config, crew: &Crew, machine: &Machine) -> Vec<Derived> {
    let mut derived = vec![Derived {
        argument: format!("--file-prefix={}", config.instance),
        yields_to: &["--file-prefix"],
    }];
    derived.extend(lcores(config, crew, &machine.cores));
    derived.extend(memory(config));
    derived.extend(bus(config));
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

/// Each worker is an lcore. The main one, which does not work, stays off the workers' cores where there are others.
fn lcores(config: &Config, crew: &Crew, available: &[u32]) -> [Derived; 2] {
    let main = crew.main_lcore();
    let list = |cores: &[u32]| cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let rest = list(&others(config, available));
    let workers: String = crew.seats().iter().map(|seat| format!(",{}@{}", seat.lcore, seat.core)).collect();
    [
        Derived {
            argument: format!("--lcores={main}@({rest}){workers}"),
            yields_to: &["-l", "-c", "--lcores", "--coremask"],
        },
        Derived {
            argument: format!("--main-lcore={main}"),
            yields_to: &["-l", "-c", "--lcores", "--coremask", "--main-lcore"],
        },
    ]
}

/// The cores for all that is not a worker: those that are left, or all when none is.
pub(super) fn others(config: &Config, available: &[u32]) -> Vec<u32> {
    let workers = config.cores();
    let is_left = |core: &u32| workers.iter().all(|worker| worker.number() != *core);
    let left: Vec<u32> = available.iter().copied().filter(is_left).collect();
    if left.is_empty() { available.to_vec() } else { left }
}

fn memory(config: &Config) -> Vec<Derived> {
    if config.memory.hugepages {
        let excluding = &["--no-huge", "--huge-dir", "--huge-unlink", "--legacy-mem", "--in-memory"];
        return vec![Derived { argument: "--in-memory".into(), yields_to: excluding }];
    }
    let excluding = &["--no-huge", "--in-memory", "--huge-dir", "--socket-mem", "--numa-mem"];
    let mib = memory_octets(config).div_ceil(MIB);
    vec![
        Derived { argument: "--no-huge".into(), yields_to: excluding },
        Derived {
            argument: format!("-m{mib}"),
            yields_to: &["-m", "--memory-size", "--in-memory", "--huge-dir", "--socket-mem", "--numa-mem"],
        },
    ]
}

/// Virtual devices are added one by one, so that each can say what is wrong with it; of the PCI bus only what is named
/// is looked at.
fn bus(config: &Config) -> Vec<Derived> {
    const EXCLUDING: &[&str] = &["-a", "--allow", "-b", "--block", "--no-pci"];
    let named: Vec<Derived> = config
        .devices()
        .filter(|device| matches!(device, Device::Pci { .. }))
        .map(|device| Derived {
            argument: format!("--allow={device}"),
            yields_to: &["-b", "--block", "--no-pci"],
        })
        .collect();
    if named.is_empty() {
        return vec![Derived { argument: "--no-pci".into(), yields_to: EXCLUDING }];
    }
    named
}

/// `device`, a port of `pair`, as its driver gets it: net_af_packet's own rings lose thousands of frames in one burst of
/// TCP, its own frames hold no packet of more than 1,964 octets, and it has one queue unless it is told.
pub(super) fn device(device: &Device, pair: &Pair, machine: &Machine) -> String {
    let mut text = device.to_string();
    if !device.is(AF_PACKET) {
        return text;
    }
    let longer = machine.ring_frames.map(|frames| [("blocksz", RING_BLOCK_OCTETS), ("framecnt", frames)]);
    let octets = buffer_octets(pair.mtu);
    let wider = (octets > SMALL_BUFFER_OCTETS).then_some(("framesz", u32::from(octets)));
    let more = u32::try_from(pair.cores.len()).ok().filter(|workers| *workers > 1);
    let more = more.map(|workers| ("qpairs", workers));
    for (key, value) in longer.into_iter().flatten().chain(wider).chain(more) {
        if !device.args().has(key) {
            text += &format!(",{key}={value}");
        }
    }
    text
}

/// Octets of a buffer that holds an IPv6 packet of `mtu` octets and what comes with it. A power of two, as the frames of
/// net_af_packet are, which must not be larger than a buffer.
pub(super) fn buffer_octets(mtu: Mtu) -> u16 {
    let octets = mtu.octets().saturating_add(LINK_OCTETS).checked_next_power_of_two();
    octets.map_or(u16::MAX - dpdk::HEADROOM, |octets| octets.max(SMALL_BUFFER_OCTETS))
}

/// The most frames, up to 4096, that every net_af_packet ring of `config` can have with what this process may lock into
/// memory. `can_lock` tries an amount of octets.
pub(super) fn ring_frames(config: &Config, can_lock: impl Fn(usize) -> bool) -> Option<u32> {
    let ports =
        |pair: &Pair| [&pair.host, &pair.wire].into_iter().filter(|device| device.is(AF_PACKET)).count();
    // A frame for each queue and direction.
    let frames = |pair: &Pair| ports(pair) * pair.cores.len() * 2;
    let octets: usize =
        config.pairs.iter().map(|pair| frames(pair) * usize::from(buffer_octets(pair.mtu))).sum();
    [4096, 2048, 1024].into_iter().find(|&frames| octets > 0 && can_lock(frames as usize * octets))
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

    fn on(cores: &[u32]) -> Machine {
        Machine { cores: cores.to_vec(), ring_frames: Some(4096) }
    }

    #[test]
    fn the_command_line_follows_from_the_configuration() {
        let virtual_pair = ("net_null0", "net_null1", 1);
        let second_pair = ("net_null2", "net_null3", 0);
        let pci_pair = ("0000:03:00.0", "0000:03:00.1,a=b", 2);
        let one = "--lcores=0@(0),1@1 --main-lcore=0";
        let table: [(&[_], bool, &[u32], &str, String); 13] = [
            (&[virtual_pair], true, &[0, 1], "", format!("{one} --in-memory --no-pci")),
            (
                &[virtual_pair],
                true,
                &[0, 1, 2],
                "",
                "--lcores=0@(0,2),1@1 --main-lcore=0 --in-memory --no-pci".into(),
            ),
            (
                &[virtual_pair],
                true,
                &[1],
                "",
                "--lcores=0@(1),1@1 --main-lcore=0 --in-memory --no-pci".into(),
            ),
            (
                &[virtual_pair, second_pair],
                true,
                &[0, 1],
                "",
                "--lcores=2@(0,1),1@1,0@0 --main-lcore=2 --in-memory --no-pci".into(),
            ),
            (&[virtual_pair], false, &[0, 1], "", format!("{one} --no-huge -m129 --no-pci")),
            (
                &[pci_pair],
                true,
                &[0, 2],
                "",
                "--lcores=0@(0),2@2 --main-lcore=0 --in-memory --allow=0000:03:00.0 --allow=0000:03:00.1,a=b"
                    .into(),
            ),
            (&[virtual_pair], false, &[0, 1], "-m 512", format!("{one} --no-huge --no-pci -m 512")),
            (&[virtual_pair], false, &[0, 1], "--in-memory", format!("{one} --no-pci --in-memory")),
            (&[virtual_pair], true, &[0, 1], "-l0,1", "--in-memory --no-pci -l0,1".into()),
            (&[virtual_pair], true, &[0, 1], "-a 0000:05:00.0", format!("{one} --in-memory -a 0000:05:00.0")),
            (
                &[virtual_pair],
                true,
                &[0, 1],
                "--main-lcore=1",
                "--lcores=0@(0),1@1 --in-memory --no-pci --main-lcore=1".into(),
            ),
            (
                &[virtual_pair],
                false,
                &[0, 1],
                "--coremask=3 --memory-size 512",
                "--no-huge --no-pci --coremask=3 --memory-size 512".into(),
            ),
            (&[virtual_pair], false, &[0, 1], "--numa-mem 512", format!("{one} --no-pci --numa-mem 512")),
        ];
        for (pairs, hugepages, cores, user, expected) in table {
            let user: Vec<String> = user.split_whitespace().map(Into::into).collect();
            let config = config(pairs, hugepages);
            let arguments = arguments(&config, &Crew::of(&config), &on(cores), &user);
            assert_eq!(arguments.join(" "), format!("--file-prefix=edge-a {expected}"));
        }
        let config = config(&[virtual_pair], true);
        let arguments = arguments(&config, &Crew::of(&config), &on(&[0, 1]), &["--file-prefix=x".into()]);
        assert_eq!(arguments.join(" "), format!("{one} --in-memory --no-pci --file-prefix=x"));
    }

    #[test]
    fn rings_of_af_packet_are_long_unless_the_user_says_otherwise() {
        let table = [
            ("net_af_packet0,iface=a", Some(4096), "net_af_packet0,iface=a,blocksz=65536,framecnt=4096"),
            (
                "net_af_packet0,iface=a,framecnt=512",
                Some(4096),
                "net_af_packet0,iface=a,framecnt=512,blocksz=65536",
            ),
            ("net_af_packet0,iface=a", None, "net_af_packet0,iface=a"),
            ("net_null0", Some(4096), "net_null0"),
            ("net_pcap0,rx_pcap=a,rx_pcap=b", Some(4096), "net_pcap0,rx_pcap=a,rx_pcap=b"),
        ];
        for (written, ring_frames, expected) in table {
            let pair = config(&[(written, "net_null9", 0)], true).pairs.remove(0);
            let machine = Machine { cores: vec![0], ring_frames };
            assert_eq!(device(&pair.host, &pair, &machine), expected);
        }
    }

    #[test]
    fn af_packet_gets_a_queue_for_each_worker_unless_the_user_says_otherwise() {
        let device = |written: &str| {
            let text = format!(
                "instance = 'a'\n[[pair]]\nhost = '{written}'\nwire = 'net_null0'\nmtu = 1500\ncores = [0, 1]"
            );
            let pair = Config::parse(&text).unwrap().pairs.remove(0);
            device(&pair.host, &pair, &Machine { cores: vec![0, 1], ring_frames: None })
        };
        assert_eq!(device("net_af_packet0,iface=a"), "net_af_packet0,iface=a,qpairs=2");
        assert_eq!(device("net_af_packet0,iface=a,qpairs=1"), "net_af_packet0,iface=a,qpairs=1");
        assert_eq!(device("net_pcap0,rx_pcap=a"), "net_pcap0,rx_pcap=a");
    }

    #[test]
    fn long_packets_get_long_buffers_and_frames() {
        let text = "instance = 'a'\n[[pair]]\nhost = 'net_af_packet0,iface=a'\nwire = 'net_null0'\ncores = [0]\nmtu = ";
        for (mtu, octets) in [(1964, 2048), (1965, 4096), (9000, 16_384), (65_535, 65_407)] {
            let pair = Config::parse(&format!("{text}{mtu}")).unwrap().pairs.remove(0);
            assert_eq!(buffer_octets(pair.mtu), octets);
            let frames = device(&pair.host, &pair, &Machine { cores: vec![0], ring_frames: None });
            let wider = if octets > 2048 { format!(",framesz={octets}") } else { String::new() };
            assert_eq!(frames, format!("net_af_packet0,iface=a{wider}"));
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
