//! What a port is made of: a PCI device, or one of DPDK's virtual devices.

use std::fmt;
use std::path::PathBuf;

use super::Fault;

/// A port's device as EAL takes it. What the text says beyond its name is the driver's affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Device {
    /// A device on the PCI bus, with the driver's arguments if there are any.
    Pci { address: PciAddress, args: Args },
    /// A virtual device: its name, which begins with the driver's, and its arguments.
    Virtual { name: String, args: Args },
}

/// `key=value` by `key=value`, as written; a key may come more than once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Args(Vec<(String, String)>);

/// Domain, bus, device and function, in full and in lower case: `0000:03:00.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PciAddress(String);

/// What outside this program a device takes for itself, and two instances must not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Interface(&'a str),
    Pci(&'a PciAddress),
    /// A socket, or a capture that is written.
    File(PathBuf),
}

/// Virtual devices that take something of the kernel's: driver, argument, and whether that argument names an
/// interface (or else a file).
const TAKEN: [(&str, &str, bool); 8] = [
    ("net_af_packet", "iface", true),
    ("net_af_xdp", "iface", true),
    ("net_pcap", "iface", true),
    ("net_pcap", "rx_iface", true),
    ("net_pcap", "tx_iface", true),
    ("net_pcap", "tx_pcap", false),
    ("net_vhost", "iface", false),
    ("net_virtio_user", "path", false),
];

impl Device {
    /// The longest name EAL keeps whole.
    const MAX_NAME_LEN: usize = 63;

    pub(super) fn new(key: &str, text: &str) -> Result<Self, Fault> {
        let (name, args) = text.split_once(',').unwrap_or((text, ""));
        let args = Args::new(key, args)?;
        if let Some(address) = PciAddress::new(name) {
            return Ok(Self::Pci { address, args });
        }
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if name.starts_with("net_") && plain && name.len() <= Self::MAX_NAME_LEN {
            return Ok(Self::Virtual { name: name.into(), args });
        }
        Err(Fault::value(
            key,
            format!(
                "{text:?} is no device; write a PCI address such as \"0000:03:00.0\", or a DPDK virtual device: \
                 the kernel's interface eth1 is \"net_af_packet0,iface=eth1\""
            ),
        ))
    }

    /// The name by which DPDK knows the port.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Pci { address, .. } => &address.0,
            Self::Virtual { name, .. } => name,
        }
    }

    /// Name and arguments.
    pub(crate) fn args(&self) -> &Args {
        match self {
            Self::Pci { args, .. } | Self::Virtual { args, .. } => args,
        }
    }

    /// Whether `driver` drives it: its name is the driver's and a number or a word.
    pub(crate) fn is(&self, driver: &str) -> bool {
        matches!(self, Self::Virtual { name, .. }
            if name.strip_prefix(driver).is_some_and(|rest| !rest.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())))
    }

    /// What it takes for itself.
    pub(crate) fn resources(&self) -> Vec<Resource<'_>> {
        match self {
            Self::Pci { address, .. } => vec![Resource::Pci(address)],
            Self::Virtual { args, .. } => args
                .0
                .iter()
                .filter_map(|(key, value)| {
                    let (.., interface) =
                        TAKEN.iter().find(|(driver, argument, _)| self.is(driver) && key == argument)?;
                    Some(if *interface { Resource::Interface(value) } else { Resource::File(value.into()) })
                })
                .collect(),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name(), self.args())
    }
}

impl Args {
    fn new(key: &str, text: &str) -> Result<Self, Fault> {
        text.split(',')
            .filter(|arg| !arg.is_empty())
            .map(|arg| match arg.split_once('=') {
                Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.into(), value.into())),
                _ => Err(Fault::value(key, format!("{arg:?} is no argument of a device; write key=value"))),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `key` was given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, value)| write!(f, ",{key}={value}"))
    }
}

impl PciAddress {
    /// `text` in full, if it is an address; the domain may be left out.
    fn new(text: &str) -> Option<Self> {
        let (rest, function) = text.rsplit_once('.')?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (domain, bus, device) = match parts[..] {
            [bus, device] => ("0000", bus, device),
            [domain, bus, device] => (domain, bus, device),
            _ => return None,
        };
        let hex = |part: &str, digits| part.len() == digits && part.chars().all(|c| c.is_ascii_hexdigit());
        let whole =
            hex(domain, 4) && hex(bus, 2) && hex(device, 2) && matches!(function.as_bytes(), [b'0'..=b'7']);
        whole.then(|| Self(format!("{domain}:{bus}:{device}.{function}").to_ascii_lowercase()))
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
