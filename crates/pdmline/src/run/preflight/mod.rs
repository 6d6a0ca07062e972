//! What must be true of the machine before EAL is touched: EAL's own words for these are hard to read, or missing.
//! Every refusal is one message that says what to do.

mod cores;
mod hugepages;
mod interface;
mod lock;
mod pci;

pub(super) use cores::available as available_cores;
pub(super) use lock::{Lock, LockError};

use crate::config::{Config, Core, Device, Mtu, PciAddress, Resource};
use crate::files;

/// Looks at everything `config` needs, and takes the locks that keep other instances away while they are held.
///
/// # Errors
/// The first thing that is missing.
pub(super) fn check(config: &Config, hugepage_octets: u64) -> Result<Vec<Lock>, PreflightError> {
    cores::check(&config.cores())?;
    for pair in &config.pairs {
        for device in [&pair.host, &pair.wire] {
            check_device(device, pair.mtu)?;
        }
    }
    let locks = lock::take_all(config, &files::lock_dir())?;
    if config.memory.hugepages {
        hugepages::check(hugepage_octets)?;
    }
    Ok(locks)
}

fn check_device(device: &Device, mtu: Mtu) -> Result<(), PreflightError> {
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
    #[error("the interface {name} is not there; `ip link` shows those of this network namespace")]
    NoInterface { name: String },
    #[error("the interface {name} is down; `ip link set {name} up`")]
    InterfaceDown { name: String },
    #[error(
        "the interface {name} has an MTU of {has}, less than the pair's mtu = {needs}; \
         `ip link set {name} mtu {needs}`, or write a smaller one"
    )]
    SmallMtu { name: String, has: u32, needs: u16 },
    #[error("the kernel does not tell about the interface {name}: {source}")]
    InterfaceUnknown { name: String, source: std::io::Error },
    #[error("there is no PCI device {address}; `dpdk-devbind.py --status-dev net` shows which are")]
    NoPciDevice { address: PciAddress },
    #[error(
        "the PCI device {address} is bound to {driver}, and DPDK cannot use it there; \
         `dpdk-devbind.py --bind=vfio-pci {address}` takes it from the kernel"
    )]
    PciNotBound { address: PciAddress, driver: String },
    #[error(transparent)]
    Lock(#[from] LockError),
}
