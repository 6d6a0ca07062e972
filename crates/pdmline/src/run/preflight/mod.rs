//! What must be true of the machine before EAL is touched: EAL's own words for these are hard to read, or missing.
//! Every refusal is one message that says what to do.

mod cores;
mod hugepages;
mod interface;
mod lock;
mod memory;
mod pci;

pub(super) use lock::{Lock, LockError};

use crate::config::{Config, Core, Device, Mtu, PciAddress, Resource};
use crate::files;

/// Looks at everything `config` needs of the machine, which has the cores `available`; EAL is to get `eal_octets`.
///
/// # Errors
/// The first thing that is missing.
pub(super) fn check(config: &Config, available: &[u32], eal_octets: u64) -> Result<(), PreflightError> {
    cores::check(&config.cores(), available)?;
    for pair in &config.pairs {
        // What is too long for the hosts is not sent to them, and their links may be narrower.
        check_device(&pair.host, None)?;
        check_device(&pair.wire, Some(pair.mtu))?;
    }
    let flow_octets = config.flows.memory_bytes as u64;
    if config.memory.hugepages {
        hugepages::check(eal_octets)?;
        memory::check(flow_octets)
    } else {
        memory::check(flow_octets.saturating_add(eal_octets))
    }
}

/// Takes the locks that keep other instances away from `config`'s name and ports while they are held.
///
/// # Errors
/// What another holds, and who.
pub(super) fn lock(config: &Config) -> Result<Vec<Lock>, PreflightError> {
    lock::take_all(config, &files::lock_dir())
}

fn check_device(device: &Device, mtu: Option<Mtu>) -> Result<(), PreflightError> {
    device.resources().iter().try_for_each(|resource| match resource {
        Resource::Interface(name) => interface::check(name, mtu),
        Resource::Pci(address) => pci::check(address),
        Resource::File(_) => Ok(()),
    })
}

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub(super) enum PreflightError {
    #[error("core {core} is not there, or not this process's; write one of {available} in the pair's cores")]
    NoCore { core: Core, available: String },
    #[error(
        "{need_mib} MiB of hugepages are needed and {free_mib} MiB are free; set more aside with \
         `sysctl vm.nr_hugepages={pages}`, or do without: hugepages = false in [memory]"
    )]
    FewHugepages { need_mib: u64, free_mib: u64, pages: u64 },
    #[error(
        "{need_mib} MiB of memory are needed and the machine has {has_mib} MiB; write less in flows.memory or \
         memory.mbufs"
    )]
    LittleMemory { need_mib: u64, has_mib: u64 },
    #[error("the interface {name} is not there; `ip link` shows those of this network namespace")]
    NoInterface { name: String },
    #[error("the interface {name} is down; `ip link set {name} up`")]
    InterfaceDown { name: String },
    #[error(
        "the interface {name} has an MTU of {has}, less than the pair's mtu = {needs}; \
         `ip link set {name} mtu {needs}`, or write a smaller one"
    )]
    SmallMtu { name: String, has: u32, needs: u16 },
    #[error("there is no PCI device {address}; `dpdk-devbind.py --status-dev net` shows which are")]
    NoPciDevice { address: PciAddress },
    #[error(
        "the PCI device {address} is bound to {driver}, and DPDK cannot use it there; \
         `dpdk-devbind.py --bind=vfio-pci {address}` takes it from the kernel"
    )]
    PciNotBound { address: PciAddress, driver: String },
    #[error(transparent)]
    Interface(#[from] dpdk::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
}
