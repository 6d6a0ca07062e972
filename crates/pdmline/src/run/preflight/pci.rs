//! Devices on the PCI bus, and who drives them.

use std::path::Path;

use super::PreflightError;
use crate::config::PciAddress;

const DEVICES: &str = "/sys/bus/pci/devices";

/// Kernel drivers that leave a device to DPDK, or share it.
const USABLE: [&str; 6] = ["vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core", "mana"];

pub(super) fn check(address: &PciAddress) -> Result<(), PreflightError> {
    judge(Path::new(DEVICES), address)
}

fn judge(devices: &Path, address: &PciAddress) -> Result<(), PreflightError> {
    let device = devices.join(address.to_string());
    if !device.exists() {
        return Err(PreflightError::NoPciDevice { address: address.clone() });
    }
    let driver = std::fs::read_link(device.join("driver"));
    let driver = driver.as_ref().ok().and_then(|link| link.file_name()).map(|name| name.to_string_lossy());
    match driver {
        Some(driver) if USABLE.contains(&driver.as_ref()) => Ok(()),
        driver => Err(PreflightError::PciNotBound {
            address: address.clone(),
            driver: driver.map_or_else(|| "no driver".into(), |driver| driver.into_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Device};

    #[test]
    fn a_device_is_there_and_left_to_dpdk() {
        let config =
            "instance = 'a'\n[[pair]]\nhost = '03:00.0'\nwire = 'net_null0'\nmtu = 1500\ncores = [0]";
        let Device::Pci { address, .. } = Config::parse(config).unwrap().pairs.remove(0).host else {
            panic!()
        };
        let dir = tempfile::tempdir().unwrap();
        let message = || judge(dir.path(), &address).unwrap_err().to_string();
        assert!(message().starts_with("there is no PCI device 0000:03:00.0"), "{}", message());
        let device = dir.path().join("0000:03:00.0");
        std::fs::create_dir(&device).unwrap();
        assert!(message().starts_with("the PCI device 0000:03:00.0 is bound to no driver"), "{}", message());
        std::os::unix::fs::symlink("../../drivers/ixgbe", device.join("driver")).unwrap();
        assert!(
            message().contains("is bound to ixgbe") && message().contains("--bind=vfio-pci"),
            "{}",
            message()
        );
        std::fs::remove_file(device.join("driver")).unwrap();
        std::os::unix::fs::symlink("../../drivers/vfio-pci", device.join("driver")).unwrap();
        assert!(judge(dir.path(), &address).is_ok());
    }
}
