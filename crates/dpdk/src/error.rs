//! What can go wrong, and what to do about it.

use std::ffi::CStr;

use nix::errno::Errno;

use crate::Version;

/// Why DPDK, or the system beneath it, refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// [`crate::Eal::init`] was called before.
    #[error("DPDK can be started once per process, and was: run a second instance as a process of its own")]
    SecondEal,
    /// The libraries found at run time are not those of the release that the program was built with.
    #[error(
        "built with {built_with}, this program cannot work with the libraries of {running} that it finds here: build \
         it anew on this machine, or give it those (LD_LIBRARY_PATH)"
    )]
    OtherRelease {
        /// What it was built with.
        built_with: Version,
        /// What it finds.
        running: Version,
    },
    /// EAL did not start.
    #[error("DPDK did not start: {said}; it was given `{arguments}`, check those after `--`")]
    Eal {
        /// What EAL was given.
        arguments: String,
        /// What EAL said.
        said: String,
    },
    /// An argument, a name or a device holds a zero octet.
    #[error("`{0}` holds a zero octet: remove it")]
    ZeroOctet(String),
    /// No such device, or its driver refused it.
    #[error(
        "the device `{device}` cannot be used: {said}; check its spelling (`ip link` lists interfaces, \
         `dpdk-devbind.py -s` PCI addresses), and that a PCI device is bound to vfio-pci"
    )]
    NoSuchDevice {
        /// The device as it was asked for.
        device: String,
        /// What the driver said.
        said: String,
    },
    /// The port is open already.
    #[error("the device `{device}` is open already: name it for one port only")]
    PortInUse {
        /// The device.
        device: String,
    },
    /// A step of a port's setup failed.
    #[error("the device `{device}` refused to {step}: {said}")]
    Port {
        /// The device.
        device: String,
        /// What was tried.
        step: &'static str,
        /// What the driver said.
        said: String,
    },
    /// A pool of buffers could not be made.
    #[error(
        "no pool `{name}` of {buffers} buffers: {said}; give DPDK more memory (-m), or ask for fewer buffers"
    )]
    Pool {
        /// The pool's name.
        name: String,
        /// Buffers asked for.
        buffers: u32,
        /// What DPDK said.
        said: String,
    },
    /// All buffers are in use.
    #[error("the pool has no free buffer: make it larger, or free packets sooner")]
    PoolEmpty,
    /// A packet does not fit a buffer.
    #[error("a packet of {octets} octets does not fit a buffer of {room}: make the pool's data room larger")]
    PacketTooLong {
        /// The packet's octets.
        octets: usize,
        /// The buffer's.
        room: u16,
    },
    /// A ring could not be made.
    #[error("no ring `{name}` of {capacity} packets: {said}")]
    Ring {
        /// The ring's name.
        name: String,
        /// Packets it was to hold.
        capacity: u32,
        /// What DPDK said.
        said: String,
    },
    /// The core has no worker: EAL was not started with it, or it is EAL's main core.
    #[error("core {core} takes no worker: name it in EAL's list of cores (-l), besides the main core {main}")]
    NoWorkerCore {
        /// The core.
        core: u32,
        /// EAL's main core.
        main: u32,
    },
    /// The core runs something already.
    #[error("core {core} is busy: one worker per core")]
    CoreBusy {
        /// The core.
        core: u32,
    },
    /// There is no such network interface.
    #[error("there is no interface `{name}` in this network namespace: `ip link` lists them")]
    NoSuchInterface {
        /// The interface.
        name: String,
    },
    /// The interface is down, and not every kernel lets net_af_packet open one that is.
    #[error("the interface `{name}` is down: bring it up with `ip link set {name} up`")]
    InterfaceDown {
        /// The interface.
        name: String,
    },
    /// The system refused.
    #[error("cannot {step} on the interface `{name}`: {reason} (NET_RAW and NET_ADMIN are needed)")]
    Interface {
        /// The interface.
        name: String,
        /// What was tried.
        step: &'static str,
        /// Why not.
        reason: Errno,
    },
    /// Another process has the fan-out group that the driver would ask for.
    #[error("the fan-out group of `{name}` belongs to another process: start again under another process id")]
    FanoutTaken {
        /// The interface.
        name: String,
    },
    /// [`crate::fanout::settle`] was called with threads running.
    #[error("a process that has threads cannot move to another process id: settle before any is started")]
    Threads,
    /// A telemetry command cannot be had.
    #[error(
        "no telemetry command `{command}`: {said}; it begins with /, is made of up to 55 letters, digits, _ and /, is \
         registered once, and is explained in up to 127 octets"
    )]
    Telemetry {
        /// The command.
        command: String,
        /// What DPDK said.
        said: String,
    },
    /// The system refused.
    #[error("cannot {step}: {reason}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why not.
        reason: Errno,
    },
    /// The time stamp counter is no clock here.
    #[error(
        "the time stamp counter stands still or runs slower than 233 MHz or faster than 10 GHz: pdmline needs a \
         machine with an invariant one (constant_tsc and nonstop_tsc in /proc/cpuinfo)"
    )]
    NoClock,
}

impl Error {
    /// For `map_err`: what `step` failed with.
    pub(crate) fn system(step: &'static str) -> impl FnOnce(Errno) -> Self {
        move |reason| Self::System { step, reason }
    }
}

/// What DPDK calls the error `code`, of either sign.
pub(crate) fn describe(code: i32) -> String {
    // SAFETY: rte_strerror takes any number and returns a string of static or thread-local storage, copied at once.
    unsafe { CStr::from_ptr(dpdk_sys::rte_strerror(code.abs())) }.to_string_lossy().into_owned()
}

/// The calling thread's last DPDK error, in words.
pub(crate) fn last_error() -> String {
    // SAFETY: reads a thread-local integer.
    describe(unsafe { dpdk_sys::dpdk_errno() })
}
