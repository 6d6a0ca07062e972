//! Ports: opened by device, running until the port and all its queues are dropped.

use std::ffi::CStr;
use std::mem;
use std::ptr;
use std::sync::Arc;

use dpdk_sys::{rte_eth_conf, rte_eth_dev_info, rte_eth_stats};

use crate::device::{self, Device};
use crate::interface::Interface;
use crate::packet_sockets::PacketSockets;
use crate::{Eal, Error, Pool, Queues, Spread, Steering, spread};

/// How a port is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortConfig {
    /// Workers that want a receive and a transmit queue of their own, at least 1.
    pub workers: u16,
    /// Packets a queue holds until they are received; the driver's nearest number is taken.
    pub rx_descriptors: u16,
    /// Packets a queue holds until they are sent; the driver's nearest number is taken.
    pub tx_descriptors: u16,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self { workers: 1, rx_descriptors: 1024, tx_descriptors: 1024 }
    }
}

/// What was counted since the port was opened, by the driver but for the last number. Not every driver counts all of
/// it: net_af_packet knows of no `imissed` (whose newer releases call the last number so), and takes a frame that a full
/// send ring drops for sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Packets received.
    pub ipackets: u64,
    /// Packets sent.
    pub opackets: u64,
    /// Packets dropped because no receive queue had room.
    pub imissed: u64,
    /// Broken packets received.
    pub ierrors: u64,
    /// Packets that could not be sent.
    pub oerrors: u64,
    /// Packets dropped because the pool was empty.
    pub rx_nombuf: u64,
    /// Packets the kernel dropped because net_af_packet's receive ring was full; 0 for other drivers.
    pub kernel_dropped: u64,
}

/// A running port, for the thread that watches it; its queues are the workers'. It stops when both are dropped.
pub struct Port<'eal> {
    device: Arc<Device<'eal>>,
    packet_sockets: Arc<PacketSockets>,
    socket: Option<u32>,
    spread: Spread,
    steering: Option<Steering>,
}

impl<'eal> Port<'eal> {
    /// Opens `device` (a vdev with its arguments, such as `net_af_packet0,iface=veth-h`, or a PCI address), sets it up
    /// to fill buffers of `pool`, and starts it. A device that EAL does not have yet is plugged in, so vdevs need not
    /// be among EAL's arguments; PCI devices have to (`-a`).
    ///
    /// The port takes every frame, whatever its destination. The kernel interface below net_af_packet and net_af_xdp
    /// is promiscuous as long as the port runs, and no longer even if this process is killed; the flag an operator
    /// may have set there stays as it was. No MTU is changed.
    ///
    /// There may be fewer queues than workers, and more receive queues: a device whose arguments say how many it has
    /// gets packets on all of them.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`], [`Error::PortInUse`]; [`Error::Port`] with what the driver said; [`Error::Interface`];
    /// [`Error::System`].
    pub fn open(
        _eal: &'eal Eal,
        device: &str,
        config: PortConfig,
        pool: &Pool<'eal>,
    ) -> Result<(Self, Queues<'eal>), Error> {
        Self::start(Device::open(device)?, config, pool)
    }

    pub(crate) fn start(
        mut device: Device<'eal>,
        config: PortConfig,
        pool: &Pool<'eal>,
    ) -> Result<(Self, Queues<'eal>), Error> {
        let info = device.info()?;
        let workers = config.workers.max(1);
        let (rx, tx) = queues_to_open(&info, workers);
        configure(&device, &info, rx, tx)?;
        set_up_queues(&device, rx, tx, config, pool)?;
        let interface = kernel_interface(&info)?;
        take_every_frame(&mut device, interface.as_ref())?;
        let packet_sockets = interface.as_ref().map(PacketSockets::on).transpose()?.unwrap_or_default();
        let (socket, spread) = (device.socket(&info), Spread::of(&device, &info, rx));
        let steering = Steering::of(&device, &info, spread);
        let (device, packet_sockets) = (Arc::new(device), Arc::new(packet_sockets));
        let queues = Queues::of(&device, &packet_sockets, rx, tx.min(workers));
        Ok((Self { device, packet_sockets, socket, spread, steering }, queues))
    }

    /// The device's name, without arguments.
    #[must_use]
    pub fn name(&self) -> &str {
        self.device.name()
    }

    /// The NUMA node the device is on; none if it is virtual or the machine does not say.
    #[must_use]
    pub const fn socket(&self) -> Option<u32> {
        self.socket
    }

    /// Which queue a packet comes to, where that can be computed.
    #[must_use]
    pub const fn steering(&self) -> Option<&Steering> {
        self.steering.as_ref()
    }

    /// How received packets are spread over the queues.
    #[must_use]
    pub const fn spread(&self) -> Spread {
        self.spread
    }

    /// What was counted. Not for the packet path.
    ///
    /// # Errors
    /// [`Error::Port`] if the driver does not say; [`Error::System`] if the kernel does not.
    pub fn stats(&self) -> Result<Stats, Error> {
        // SAFETY: a structure of numbers.
        let mut stats: rte_eth_stats = unsafe { mem::zeroed() };
        // SAFETY: the port runs, and the structure is ours to be written.
        self.device.try_to("count", |id| unsafe { dpdk_sys::rte_eth_stats_get(id, &raw mut stats) })?;
        let rte_eth_stats { ipackets, opackets, imissed, ierrors, oerrors, rx_nombuf, .. } = stats;
        let (imissed, kernel_dropped) = self.packet_sockets.part(imissed)?;
        Ok(Stats { ipackets, opackets, imissed, ierrors, oerrors, rx_nombuf, kernel_dropped })
    }

    /// Whether the link is up, as far as the driver knows.
    #[must_use]
    pub fn link_is_up(&self) -> bool {
        // SAFETY: the port runs.
        unsafe { dpdk_sys::dpdk_link_is_up(self.device.id()) == 1 }
    }

    /// The largest IPv6 packet the port sends, in octets: the kernel interface's, where one lies below.
    ///
    /// # Errors
    /// [`Error::Interface`], [`Error::Port`].
    pub fn mtu(&self) -> Result<u32, Error> {
        if let Some(interface) = kernel_interface(&self.device.info()?)? {
            return interface.mtu();
        }
        let mut mtu = 0;
        // SAFETY: the port runs, and the number is ours to be written.
        let read = |id| unsafe { dpdk_sys::rte_eth_dev_get_mtu(id, &raw mut mtu) };
        self.device.try_to("tell its MTU", read)?;
        Ok(u32::from(mtu))
    }
}

/// Drivers whose queues are as many as the device's arguments say (`qpairs=`, `queue_count=`, one per `rx_pcap=`, the
/// list of rings, `queues=`). What is at the other end uses all of them, opened or not, so an unread one loses packets.
/// Any other device spreads what it receives over the queues that were opened.
const NUMBERED_BY_ARGUMENTS: [&CStr; 6] =
    [c"net_af_packet", c"net_af_xdp", c"net_pcap", c"net_ring", c"net_vhost", c"net_virtio_user"];

/// How many receive and transmit queues to open for `workers`. Drivers that insist on equal numbers (net_af_xdp,
/// net_tap) offer equal ones, and so they stay.
fn queues_to_open(info: &rte_eth_dev_info, workers: u16) -> (u16, u16) {
    let (rx, tx) = (info.max_rx_queues, info.max_tx_queues);
    if NUMBERED_BY_ARGUMENTS.contains(&device::driver(info)) {
        return (rx, tx);
    }
    (rx.min(workers), tx.min(workers))
}

/// Asks for the queues, for packets of several segments, and for the hardware to spread flows where it can.
fn configure(device: &Device<'_>, info: &rte_eth_dev_info, rx: u16, tx: u16) -> Result<(), Error> {
    // SAFETY: a structure of numbers, and of pointers that may be null.
    let mut conf: rte_eth_conf = unsafe { mem::zeroed() };
    conf.txmode.offloads = info.tx_offload_capa & u64::from(dpdk_sys::RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
    if rx > 1 {
        spread::ask(&mut conf, info);
    }
    if tells_of_its_peer(info) {
        conf.intr_conf.set_lsc(1);
    }
    // SAFETY: the port is ours and stopped, and the configuration is copied.
    device
        .try_to("be configured", |id| unsafe { dpdk_sys::rte_eth_dev_configure(id, rx, tx, &raw const conf) })
}

/// Whether only the interrupt of the link tells the driver that its peer is gone, and that there is another: without it no
/// packet would pass any more after the process at the other end of the socket was started anew.
fn tells_of_its_peer(info: &rte_eth_dev_info) -> bool {
    let can = |flags: &u32| flags & dpdk_sys::RTE_ETH_DEV_INTR_LSC != 0;
    // SAFETY: null, or a number of ethdev's that lives as long as the device.
    let flags = unsafe { info.dev_flags.as_ref() };
    device::driver(info) == c"net_virtio_user" && flags.is_some_and(can)
}

fn set_up_queues(
    device: &Device<'_>,
    rx: u16,
    tx: u16,
    config: PortConfig,
    pool: &Pool<'_>,
) -> Result<(), Error> {
    let PortConfig { mut rx_descriptors, mut tx_descriptors, .. } = config;
    // SAFETY: the port is ours, and the numbers are ours to be written.
    device.try_to("adjust its queues", |id| unsafe {
        dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &raw mut rx_descriptors, &raw mut tx_descriptors)
    })?;
    // SAFETY: EAL runs.
    let socket = unsafe { dpdk_sys::rte_eth_dev_socket_id(device.id()) }.cast_unsigned();
    for queue in 0..rx {
        // SAFETY: the port is ours and stopped; null asks for the driver's defaults; pools live as long as EAL.
        device.try_to("set up a receive queue", |id| unsafe {
            dpdk_sys::rte_eth_rx_queue_setup(id, queue, rx_descriptors, socket, ptr::null(), pool.as_ptr())
        })?;
    }
    for queue in 0..tx {
        // SAFETY: as above.
        device.try_to("set up a transmit queue", |id| unsafe {
            dpdk_sys::rte_eth_tx_queue_setup(id, queue, tx_descriptors, socket, ptr::null())
        })?;
    }
    Ok(())
}

/// Starts the port and makes it promiscuous.
fn take_every_frame(device: &mut Device<'_>, interface: Option<&Interface>) -> Result<(), Error> {
    let flagged = interface.map(Interface::is_promiscuous).transpose()?;
    // SAFETY: the port is ours and set up.
    device.try_to("start", |id| unsafe { dpdk_sys::rte_eth_dev_start(id) })?;
    let Some(interface) = interface else {
        return device.try_to("be promiscuous", |id| {
            // SAFETY: the port is ours and runs.
            let code = unsafe { dpdk_sys::rte_eth_promiscuous_enable(id) };
            // A device that cannot filter has nothing to switch off.
            if code == -nix::libc::ENOTSUP { 0 } else { code }
        });
    };
    if flagged == Some(true) {
        interface.flag_promiscuous()?; // the start replayed ethdev's own idea, and cleared it
    }
    device.promiscuous = Some(interface.hold_promiscuous()?);
    Ok(())
}

/// The interface that stays the kernel's below a port: its drivers switch the operator's own flag, and leave it on.
fn kernel_interface(info: &rte_eth_dev_info) -> Result<Option<Interface>, Error> {
    let shared = [c"net_af_packet", c"net_af_xdp"].contains(&device::driver(info));
    shared.then(|| Interface::numbered(info.if_index)).transpose()
}
