//! A DPDK device that is ours: found or plugged in, claimed, and given back when dropped.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use dpdk_sys::{rte_eth_dev_info, rte_eth_dev_owner};

use crate::eal::c_string;
use crate::error::describe;
use crate::ring::Ring;
use crate::{Error, log};

/// An Ethernet device of EAL's, claimed by its number until dropped.
pub(crate) struct Device<'eal> {
    id: u16,
    name: String,
    /// Who plugs a device in, unplugs it.
    plugged: bool,
    /// The rings a net_ring device is made of; the last of the two devices to go drains them.
    pub(crate) rings: Vec<Arc<Ring<'eal>>>,
    /// Keeps the kernel's interface promiscuous.
    pub(crate) promiscuous: Option<OwnedFd>,
    _eal: PhantomData<&'eal ()>,
}

impl Device<'_> {
    /// Finds the device, or plugs it in: a vdev with its arguments, or a PCI address.
    pub(crate) fn open(device: &str) -> Result<Self, Error> {
        let name = ethdev_name(device);
        if let Some(id) = find(&name)? {
            return Self::claim(id, name, false);
        }
        plug(device)?;
        let missing =
            || Error::NoSuchDevice { device: device.to_owned(), said: "it has no Ethernet port".into() };
        Self::claim(find(&name)?.ok_or_else(missing)?, name, true)
    }

    /// Makes this process's part that asks first the only one to use the port; ethdev keeps the list.
    pub(crate) fn claim(id: u16, name: String, plugged: bool) -> Result<Self, Error> {
        let mut owner = rte_eth_dev_owner { id: 0, name: [0; 64] };
        for (to, from) in owner.name.iter_mut().zip(b"pdmline") {
            *to = from.cast_signed();
        }
        // SAFETY: EAL runs, `owner` is written and read during the calls, its name ends with a zero, and a port number
        // that is none is refused.
        let refused = unsafe {
            dpdk_sys::rte_eth_dev_owner_new(&raw mut owner.id);
            dpdk_sys::rte_eth_dev_owner_set(id, &raw const owner)
        };
        match refused {
            0 => Ok(Self { id, name, plugged, rings: Vec::new(), promiscuous: None, _eal: PhantomData }),
            _ => Err(Error::PortInUse { device: name }),
        }
    }

    pub(crate) const fn id(&self) -> u16 {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the driver says of the device.
    pub(crate) fn info(&self) -> Result<rte_eth_dev_info, Error> {
        let mut info = MaybeUninit::zeroed();
        // SAFETY: EAL runs, and the structure is ours to be written.
        let code = unsafe { dpdk_sys::rte_eth_dev_info_get(self.id, info.as_mut_ptr()) };
        self.done("describe itself", code, String::new())?;
        // SAFETY: numbers and pointers, all zero or written by the call.
        Ok(unsafe { info.assume_init() })
    }

    /// The NUMA node the device is on. A virtual one is on none, though its driver names that of the core that plugged it
    /// in.
    pub(crate) fn socket(&self, info: &rte_eth_dev_info) -> Option<u32> {
        // SAFETY: EAL runs; the device is the one that `info` was read of, and the name of its bus a string constant.
        let (bus, socket) = unsafe {
            let bus = dpdk_sys::rte_bus_name(dpdk_sys::rte_dev_bus(info.device));
            (CStr::from_ptr(bus), dpdk_sys::rte_eth_dev_socket_id(self.id))
        };
        if bus == c"vdev" { None } else { u32::try_from(socket).ok() }
    }

    /// Runs a step of the setup that returns zero, or a negative error.
    pub(crate) fn try_to(&self, step: &'static str, call: impl FnOnce(u16) -> i32) -> Result<(), Error> {
        let (code, heard) = log::hear(|| call(self.id));
        self.done(step, code, heard)
    }

    fn done(&self, step: &'static str, code: i32, heard: String) -> Result<(), Error> {
        if code == 0 {
            return Ok(());
        }
        Err(Error::Port { device: self.name.clone(), step, said: log::or(heard, || describe(code)) })
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        let plugged = self.plugged.then(|| self.info().ok()).flatten();
        // SAFETY: the port is ours alone, its queues hold this device and so are gone, and the device pointer is
        // ethdev's own, alive until it is unplugged here. What fails on the way out has nobody to be told.
        unsafe {
            dpdk_sys::rte_eth_promiscuous_disable(self.id);
            dpdk_sys::rte_eth_dev_stop(self.id);
            dpdk_sys::rte_eth_dev_close(self.id);
            if let Some(info) = plugged {
                dpdk_sys::rte_dev_remove(info.device);
            }
        }
    }
}

/// The driver's name for itself.
pub(crate) fn driver(info: &rte_eth_dev_info) -> &'static CStr {
    if info.driver_name.is_null() {
        return c"";
    }
    // SAFETY: drivers name themselves by string constants, mapped as long as EAL.
    unsafe { CStr::from_ptr(info.driver_name) }
}

/// What ethdev calls the device: the vdev without its arguments, or the PCI address with its domain.
fn ethdev_name(device: &str) -> String {
    let name = device.split(',').next().unwrap_or_default();
    let short_pci = name.len() == "01:00.0".len() && name.as_bytes()[2] == b':' && name.as_bytes()[5] == b'.';
    if short_pci { format!("0000:{name}") } else { name.to_owned() }
}

fn find(name: &str) -> Result<Option<u16>, Error> {
    let c_name = c_string(name)?;
    let mut id = 0;
    // SAFETY: EAL runs; the string and the number live through the call.
    let missing = unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(c_name.as_ptr(), &raw mut id) };
    Ok((missing == 0).then_some(id))
}

fn plug(device: &str) -> Result<(), Error> {
    let c_device = c_string(device)?;
    // SAFETY: EAL runs, and copies the string.
    let (code, heard) = log::hear(|| unsafe { dpdk_sys::rte_dev_probe(c_device.as_ptr()) });
    if code == 0 {
        return Ok(());
    }
    Err(Error::NoSuchDevice { device: device.to_owned(), said: log::or(heard, || describe(code)) })
}

#[cfg(test)]
mod tests {
    use super::ethdev_name;

    #[test]
    fn ethdev_drops_arguments_and_adds_the_pci_domain() {
        assert_eq!(ethdev_name("net_af_packet0,iface=veth-h"), "net_af_packet0");
        assert_eq!(ethdev_name("01:00.0"), "0000:01:00.0");
        assert_eq!(ethdev_name("0000:3b:00.1,arg=1"), "0000:3b:00.1");
        assert_eq!(ethdev_name(""), "");
    }
}
