//! Which queue a packet comes to, where that can be computed from its addresses and ports: read from the device.

use dpdk_sys::{rte_eth_dev_info, rte_eth_rss_reta_entry64};

use crate::device::Device;
use crate::{Spread, SpreadHash};

/// How a device picks a packet's queue: by Toeplitz's hash with a key of 6D5A throughout, whose low bits choose an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    /// The queue of each entry; a power of two of them.
    pub table: Vec<u16>,
    /// Whether ports are hashed beside addresses.
    pub ports: bool,
}

/// Entries that one structure of the driver's holds.
const GROUP: usize = dpdk_sys::RTE_ETH_RETA_GROUP_SIZE as usize;

impl Steering {
    /// What the running port does, whose spread is `spread`; nothing where it is not known in full.
    pub(crate) fn of(device: &Device<'_>, info: &rte_eth_dev_info, spread: Spread) -> Option<Self> {
        let Spread::Symmetric { hash, .. } = spread else { return None };
        let ports = match hash {
            SpreadHash::Kernel => return None,
            SpreadHash::Addresses => false,
            SpreadHash::AddressesAndPorts => true,
        };
        let entries = info.reta_size;
        if !entries.is_power_of_two() {
            return None;
        }
        let groups = usize::from(entries).div_ceil(GROUP);
        let mut read = vec![rte_eth_rss_reta_entry64 { mask: u64::MAX, reta: [0; GROUP] }; groups];
        // SAFETY: the port runs, and there is room for as many entries as are asked for.
        let query = |id| unsafe { dpdk_sys::rte_eth_dev_rss_reta_query(id, read.as_mut_ptr(), entries) };
        device.try_to("tell its indirection table", query).ok()?;
        let table = read.iter().flat_map(|group| group.reta).take(entries.into()).collect();
        Some(Self { table, ports })
    }
}
