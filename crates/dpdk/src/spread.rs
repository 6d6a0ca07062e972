//! How received packets are spread over a port's queues: asked of the driver so that both directions of a flow go the
//! same way, and read back, since drivers do what they can.

use std::fmt;
use std::mem;

use dpdk_sys::{rte_eth_conf, rte_eth_dev_info, rte_eth_rss_conf};

use crate::device::{self, Device};

/// How received packets come to the queues of a port, by what the driver says once the port runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// There is one queue.
    OneQueue,
    /// By a hash that is the same for both directions of a flow.
    Symmetric {
        /// Receive queues.
        queues: u16,
        /// What is hashed.
        hash: SpreadHash,
    },
    /// By a hash that differs between the directions of a flow.
    Asymmetric {
        /// Receive queues.
        queues: u16,
        /// What is hashed.
        hash: SpreadHash,
    },
    /// In a way that the driver does not tell.
    Unknown {
        /// Receive queues.
        queues: u16,
    },
}

/// What decides about an IPv6 packet's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpreadHash {
    /// The device hashes addresses.
    Addresses,
    /// The device hashes addresses and, for TCP and UDP, ports.
    AddressesAndPorts,
    /// The kernel, below net_af_packet, hashes addresses and ports, for ESP addresses and SPI.
    Kernel,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneQueue => f.write_str("1 queue"),
            Self::Symmetric { queues, hash } => write!(f, "{queues} queues, {hash}, both directions alike"),
            Self::Asymmetric { queues, hash } => {
                write!(f, "{queues} queues, {hash}, each direction by itself")
            }
            Self::Unknown { queues } => {
                write!(f, "{queues} queues, spread in a way the driver does not tell")
            }
        }
    }
}

impl fmt::Display for SpreadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addresses => "RSS on addresses",
            Self::AddressesAndPorts => "RSS on addresses and ports",
            Self::Kernel => "the kernel's hash of addresses and ports (of the SPI with ESP)",
        })
    }
}

/// A key that repeats every 16 bits. Addresses and ports lie whole multiples of that apart, so source and destination
/// meet the same bits of the key, and the Toeplitz hash, a sum, comes out the same when they are exchanged. DPDK has a
/// hash function made for this, `symmetric_toeplitz`, but 22.11 offers no setting of a port's that chooses it.
///
/// Static, since drivers keep the pointer; as long as a key can be, since its length is eight bits.
static KEY: [[u8; 2]; 128] = [[0x6d, 0x5a]; 128];

/// The length of a key where the driver tells none.
const USUAL_KEY: u8 = 40;

/// What to hash, as far as the driver can.
const FIELDS: u32 = dpdk_sys::RTE_ETH_RSS_IP
    | dpdk_sys::RTE_ETH_RSS_TCP
    | dpdk_sys::RTE_ETH_RSS_UDP
    | dpdk_sys::RTE_ETH_RSS_SCTP;

/// What a driver says that hashes ports of IPv6 packets.
const PORTS: u32 = dpdk_sys::RTE_ETH_RSS_NONFRAG_IPV6_TCP | dpdk_sys::RTE_ETH_RSS_NONFRAG_IPV6_UDP;

/// What a driver says that hashes addresses of IPv6 packets at least.
const ADDRESSES: u32 = dpdk_sys::RTE_ETH_RSS_IPV6 | dpdk_sys::RTE_ETH_RSS_NONFRAG_IPV6_OTHER | PORTS;

/// What to ask of a driver that can hash.
fn wanted(info: &rte_eth_dev_info) -> rte_eth_rss_conf {
    // SAFETY: a structure of numbers, and of a pointer that may be null.
    let mut wanted: rte_eth_rss_conf = unsafe { mem::zeroed() };
    wanted.rss_hf = info.flow_type_rss_offloads & u64::from(FIELDS);
    wanted.rss_key = KEY.as_ptr().cast_mut().cast(); // to be read only: configurations are passed as const
    wanted.rss_key_len = if info.hash_key_size == 0 { USUAL_KEY } else { info.hash_key_size };
    wanted
}

/// Makes a port with several queues spread packets, as far as it can.
pub(crate) fn ask(conf: &mut rte_eth_conf, info: &rte_eth_dev_info) {
    let mut wanted = wanted(info);
    if wanted.rss_hf == 0 {
        return;
    }
    if info.hash_key_size == 0 {
        wanted.rss_key = std::ptr::null_mut(); // newer versions refuse a key of a length that was not told
        wanted.rss_key_len = 0;
    }
    conf.rxmode.mq_mode = dpdk_sys::RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf = wanted;
}

impl Spread {
    /// What the running port does.
    pub(crate) fn of(device: &Device<'_>, info: &rte_eth_dev_info, queues: u16) -> Self {
        if queues <= 1 {
            return Self::OneQueue;
        }
        if device::driver(info) == c"net_af_packet" {
            return Self::Symmetric { queues, hash: SpreadHash::Kernel };
        }
        let wanted = wanted(info);
        let mut told = read_back(device, wanted.rss_key_len);
        if matches!(told, Some((_, false))) {
            // Some drivers take a key only now. Others refuse, which the next reading shows.
            let mut update = wanted;
            let _ = device.try_to("take another key", |id| {
                // SAFETY: the port runs, and both structure and key outlive the call.
                unsafe { dpdk_sys::rte_eth_dev_rss_hash_update(id, &raw mut update) }
            });
            told = read_back(device, wanted.rss_key_len);
        }
        let Some((fields, ours)) = told else { return Self::Unknown { queues } };
        match hash_of(fields) {
            Some(hash) if ours => Self::Symmetric { queues, hash },
            Some(hash) => Self::Asymmetric { queues, hash },
            None => Self::Unknown { queues },
        }
    }
}

/// What is hashed, in the driver's words, and whether with our key; nothing if the driver does not say.
fn read_back(device: &Device<'_>, key_len: u8) -> Option<(u64, bool)> {
    let mut key = [0_u8; size_of_val(&KEY)];
    // SAFETY: a structure of numbers, and of a pointer that may be null.
    let mut told: rte_eth_rss_conf = unsafe { mem::zeroed() };
    told.rss_key = key.as_mut_ptr();
    told.rss_key_len = key_len;
    // SAFETY: the port runs, and structure and key, which has room for the longest, are ours to be written.
    let read = |id| unsafe { dpdk_sys::rte_eth_dev_rss_hash_conf_get(id, &raw mut told) };
    device.try_to("tell its hash", read).ok()?;
    let key_len = usize::from(key_len);
    Some((told.rss_hf, key[..key_len] == KEY.as_flattened()[..key_len]))
}

fn hash_of(fields: u64) -> Option<SpreadHash> {
    let (addresses, ports) = (fields & u64::from(ADDRESSES), fields & u64::from(PORTS));
    if ports == u64::from(PORTS) {
        return Some(SpreadHash::AddressesAndPorts);
    }
    (addresses != 0).then_some(SpreadHash::Addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Toeplitz hash as its definition has it.
    fn toeplitz(input: &[u8], key: &[u8]) -> u32 {
        let mut window = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
        let mut sum = 0;
        for bit in 0..input.len() * 8 {
            let is_set = |octets: &[u8], bit: usize| octets[bit / 8] & (0x80 >> (bit % 8)) != 0;
            if is_set(input, bit) {
                sum ^= window;
            }
            window = window << 1 | u32::from(is_set(key, bit + 32));
        }
        sum
    }

    /// Addresses and ports of an IPv6 packet, from `hosts[0]` to `hosts[1]`.
    fn tuple(hosts: [u8; 2], ports: [u16; 2]) -> Vec<u8> {
        let addresses = hosts.iter().flat_map(|&host| (0..16).map(move |octet| octet * host));
        addresses.chain(ports.iter().flat_map(|port| port.to_be_bytes())).collect()
    }

    #[test]
    fn the_key_makes_both_directions_alike_and_flows_differ() {
        let key = &KEY.as_flattened()[..usize::from(USUAL_KEY)];
        let hashes: std::collections::BTreeSet<_> = (1024..1280)
            .map(|port| {
                let hash = toeplitz(&tuple([3, 7], [port, 443]), key);
                assert_eq!(hash, toeplitz(&tuple([7, 3], [443, port]), key));
                hash
            })
            .collect();
        assert_eq!(hashes.len(), 256);
    }

    #[test]
    fn a_hash_is_told_by_what_it_covers_of_ipv6() {
        assert_eq!(hash_of(u64::from(FIELDS)), Some(SpreadHash::AddressesAndPorts));
        assert_eq!(hash_of(u64::from(dpdk_sys::RTE_ETH_RSS_IPV6)), Some(SpreadHash::Addresses));
        let tcp_only = u64::from(dpdk_sys::RTE_ETH_RSS_NONFRAG_IPV6_TCP);
        assert_eq!(hash_of(tcp_only), Some(SpreadHash::Addresses));
        assert_eq!(hash_of(0), None);
    }

    #[test]
    fn people_can_read_it() {
        let hash = SpreadHash::AddressesAndPorts;
        let shown = |spread: Spread| spread.to_string();
        assert_eq!(shown(Spread::OneQueue), "1 queue");
        assert_eq!(
            shown(Spread::Symmetric { queues: 4, hash }),
            "4 queues, RSS on addresses and ports, both directions alike"
        );
        assert_eq!(
            shown(Spread::Asymmetric { queues: 2, hash: SpreadHash::Addresses }),
            "2 queues, RSS on addresses, each direction by itself"
        );
        assert_eq!(
            shown(Spread::Symmetric { queues: 2, hash: SpreadHash::Kernel }),
            "2 queues, the kernel's hash of addresses and ports (of the SPI with ESP), both directions alike"
        );
        assert_eq!(
            shown(Spread::Unknown { queues: 3 }),
            "3 queues, spread in a way the driver does not tell"
        );
    }
}
