//! The network of the rig: two hosts with kernel stacks, and between them the place where the appliances stand.
//!
//! ```text
//! namespace a          namespace middle                          namespace b
//! host ─────────────── host-a  [appliance]  wire-a ══ wire-b  [appliance]  host-b ─────────────── host
//! ```
//!
//! With the wire cut, its ends lead into one more namespace, for something that stands between:
//!
//! ```text
//! middle               namespace path       middle
//! wire-a ───────────── end-a    end-b ───── wire-b
//! ```

use std::fs::File;
use std::net::Ipv6Addr;

use anyhow::{Context, Result};

use crate::namespace::{Namespace, remove_leftovers};
use crate::program::finish;

/// The interface of a host, inside its namespace.
pub const HOST_INTERFACE: &str = "host";
/// The four interfaces in the middle: host and wire side of the pair near A, and of the pair near B.
pub const MIDDLE: [Pair; 2] =
    [Pair { host: "host-a", wire: "wire-a" }, Pair { host: "host-b", wire: "wire-b" }];

/// The ends of the cut wire: towards A, and towards B.
pub const CUT: [&str; 2] = ["end-a", "end-b"];

/// The local prefix of host A.
pub const PREFIX_A: &str = "2001:db8:a::/64";
/// The local prefix of host B.
pub const PREFIX_B: &str = "2001:db8:b::/64";

/// What hosts send.
const HOST_MTU: u16 = 1500;
/// What the wire carries: full segments with the option in them, too.
pub const WIRE_MTU: u16 = 1600;

/// After how long without an acknowledgement a host takes a segment for lost, at the least. The kernel's own 200 ms are
/// less than a busy machine may take a core away for, and what it then sends again was never lost. A loss is told by the
/// acknowledgements of what came after it, as always.
const RETRANSMISSION_TIMEOUT: &str = "2s";

/// The two interfaces between which one appliance stands.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Towards the host.
    pub host: &'static str,
    /// Towards the other pair.
    pub wire: &'static str,
}

/// A machine at one end: a namespace with one interface and a kernel stack.
#[derive(Debug)]
pub struct Host {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its address, in a /64 of its own.
    pub address: Ipv6Addr,
}

/// Everything, until it is dropped.
#[derive(Debug)]
pub struct Network {
    /// The host at one end, 2001:db8:a::1.
    pub a: Host,
    /// The host at the other, 2001:db8:b::1.
    pub b: Host,
    /// Where the appliances run; its own stack is silent.
    pub middle: Namespace,
    /// Where the wire is cut, if it is.
    path: Option<Namespace>,
    // Dropped last: the next rig may start when the namespaces are gone.
    _lock: File,
}

impl Network {
    /// Makes it, once no other rig of this machine is at work.
    ///
    /// # Errors
    ///
    /// If namespaces or veth are refused, or a tool is missing.
    pub fn create() -> Result<Self> {
        let lock = lock()?;
        remove_leftovers()?;
        let middle = Namespace::create("middle")?;
        let a = Namespace::create("a")?;
        let b = Namespace::create("b")?;
        for (host, pair) in [(&a, MIDDLE[0]), (&b, MIDDLE[1])] {
            veth((host, HOST_INTERFACE), (&middle, pair.host), HOST_MTU)?;
        }
        veth((&middle, MIDDLE[0].wire), (&middle, MIDDLE[1].wire), WIRE_MTU)?;
        silence(&middle)?;
        for pair in MIDDLE {
            middle.ip(&format!("link set {} up", pair.host))?;
            middle.ip(&format!("link set {} up", pair.wire))?;
        }
        let a = host(a, PREFIX_A, PREFIX_B)?;
        let b = host(b, PREFIX_B, PREFIX_A)?;
        for namespace in [&a.namespace, &b.namespace, &middle] {
            receive_on_one_cpu(namespace)?;
        }
        Ok(Self { a, b, middle, path: None, _lock: lock })
    }

    /// Cuts the wire, and returns the namespace where its ends, [`CUT`], now are. Nothing passes until somebody carries it
    /// from one to the other.
    ///
    /// # Errors
    ///
    /// If namespaces or veth are refused.
    pub fn cut_the_wire(&mut self) -> Result<&Namespace> {
        let path = Namespace::create("path")?;
        silence(&path)?;
        // The other end goes with it.
        self.middle.ip(&format!("link del {}", MIDDLE[0].wire))?;
        for (pair, end) in MIDDLE.into_iter().zip(CUT) {
            veth((&self.middle, pair.wire), (&path, end), WIRE_MTU)?;
            self.middle.ip(&format!("link set {} up", pair.wire))?;
            path.ip(&format!("link set {end} up"))?;
        }
        for namespace in [&self.middle, &path] {
            receive_on_one_cpu(namespace)?;
        }
        Ok(self.path.insert(path))
    }

    /// Puts a plain kernel bridge where each appliance would stand: what the rig itself can do.
    ///
    /// # Errors
    ///
    /// If the kernel has no bridge.
    pub fn bridge_the_middle(&self) -> Result<()> {
        for (bridge, pair) in ["bridge-a", "bridge-b"].into_iter().zip(MIDDLE) {
            self.middle.ip(&format!("link add {bridge} type bridge mcast_snooping 0"))?;
            self.middle.ip(&format!("link set {} master {bridge}", pair.host))?;
            self.middle.ip(&format!("link set {} master {bridge}", pair.wire))?;
            self.middle.ip(&format!("link set {bridge} up"))?;
        }
        Ok(())
    }
}

/// Whether this machine lets us make what a rig is made of.
///
/// # Errors
///
/// What it refused.
pub(crate) fn probe() -> Result<()> {
    let _lock = lock()?;
    remove_leftovers()?;
    let namespace = Namespace::create("probe")?;
    namespace.ip("link add one type veth peer name two")
}

/// One rig at a time, whoever runs the tests: two would disturb each other's timing.
fn lock() -> Result<File> {
    let path = "/run/pdmline-rig.lock";
    let file = File::create(path).with_context(|| format!("cannot make {path}"))?;
    file.lock().with_context(|| format!("cannot lock {path}"))?;
    Ok(file)
}

fn veth(one: (&Namespace, &str), other: (&Namespace, &str), mtu: u16) -> Result<()> {
    let (namespace, interface) = one;
    let (other_namespace, other_interface) = other;
    namespace.ip(&format!(
        "link add {interface} mtu {mtu} type veth peer name {other_interface} mtu {mtu} netns {}",
        other_namespace.name()
    ))?;
    for (namespace, interface) in [one, other] {
        // A veth hands over packets whose checksum is still to be filled in, and segments still to be cut, which only
        // another kernel stack can finish.
        finish(namespace.command("ethtool").args(["-K", interface, "tx", "off"]))?;
    }
    Ok(())
}

/// A host whose route to the other's prefix is on-link: what stands between them is transparent.
fn host(namespace: Namespace, own: &str, other: &str) -> Result<Host> {
    // Addresses work at once, and no router is sought: captures show the hosts' packets and little else.
    namespace.set("ipv6/conf/all/accept_dad", "0")?;
    namespace.set(&format!("ipv6/conf/{HOST_INTERFACE}/accept_dad"), "0")?;
    namespace.set(&format!("ipv6/conf/{HOST_INTERFACE}/router_solicitations"), "0")?;
    // A tail loss probe repeats a segment because its acknowledgement is two round trips late, which here is half a
    // millisecond: a busy machine's scheduling, not a lost packet. Without probes only what was lost is sent again.
    namespace.set("ipv4/tcp_early_retrans", "0")?;
    let address = own.replace("/64", "1");
    namespace.ip(&format!("link set {HOST_INTERFACE} up"))?;
    namespace.ip(&format!("addr add {address}/64 dev {HOST_INTERFACE} nodad"))?;
    namespace.ip(&format!("route add {other} dev {HOST_INTERFACE} rto_min {RETRANSMISSION_TIMEOUT}"))?;
    Ok(Host { namespace, address: address.parse()? })
}

/// What is only passed through has no stack of its own: no addresses, no neighbour discovery.
fn silence(namespace: &Namespace) -> Result<()> {
    namespace.set("ipv6/conf/all/disable_ipv6", "1")?;
    namespace.set("ipv6/conf/default/disable_ipv6", "1")
}

/// Without it the kernel spreads a flow over its CPUs and reorders it all by itself.
fn receive_on_one_cpu(namespace: &Namespace) -> Result<()> {
    let script = "for cpus in /sys/class/net/*/queues/rx-*/rps_cpus; do echo 1 >$cpus || exit 1; done";
    finish(namespace.command("sh").args(["-c", script])).map(drop)
}
