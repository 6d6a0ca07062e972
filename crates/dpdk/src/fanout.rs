//! net_af_packet's fan-out groups, and how two instances never get in each other's way over them.
//!
//! The driver puts its sockets into a fan-out group called `(pid ^ interface number) & 0xffff`, and no argument changes
//! that. Groups belong to a network namespace, and one lives on one interface. So when the process ids and interface
//! numbers of two processes happen to give the same name, for example neighbours on neighbouring interfaces, the
//! kernel refuses the second (`EINVAL`, "could not set PACKET_FANOUT"), and its port does not come up. Trying again
//! gives the same name, unless under another process id. From 25.03 on the driver does so only for several queues; which
//! process id it has does not matter to one that has one queue, so nothing here depends on that.
//!
//! [`settle`] finds such a process id before EAL starts. It joins, exactly as the driver will, the groups of all
//! interfaces at once: whoever comes first has them, the kernel is the lock, nothing is left to chance afterwards.
//! The driver's own sockets then join the same groups, and [`Groups`] is dropped.
//!
//! ```no_run
//! # fn run(_: impl FnOnce()) -> u8 { 0 }
//! # fn main() -> Result<(), dpdk::Error> {
//! // First thing, while the process has one thread and has printed nothing.
//! let interfaces = [dpdk::Interface::named("veth-h")?, dpdk::Interface::named("veth-w")?];
//! let code = match dpdk::fanout::settle(&interfaces)? {
//!     dpdk::fanout::Settled::Here(groups) => run(move || {
//!         // Start EAL, open all ports; then
//!         drop(groups); // or flows that the kernel gives to these sockets would never arrive
//!     }),
//!     dpdk::fanout::Settled::Elsewhere(code) => code, // it ran, and ended
//! };
//! std::process::exit(i32::from(code));
//! # }
//! ```

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getppid, pipe};

use crate::{Error, Interface};

/// Process ids that are tried. One in 65,536 is taken for each interface of a neighbour; in a row, a few.
const TRIES: u32 = 64;

/// The fan-out groups net_af_packet will ask for, held for it. To be dropped once all ports are open.
pub struct Groups(#[expect(dead_code, reason = "held")] Vec<OwnedFd>);

/// Where the program goes on.
pub enum Settled {
    /// In this process, whose fan-out groups are its own. It may be a child of the one that called.
    Here(Groups),
    /// It went on in a child, which has ended with this exit status (128 and the signal's number, if by a signal).
    /// Signals that would have ended this process reached the child.
    Elsewhere(u8),
}

/// Finds a process id under which net_af_packet can open all of `interfaces`: this one's, or else a child's, which
/// goes on in place of this process. This process then waits for it, passes on SIGINT, SIGTERM, SIGHUP and SIGQUIT,
/// and the child gets a SIGTERM should this process be killed.
///
/// To be called before files are locked (a lock taken with `fcntl` stays with the parent), output is buffered, or a
/// thread is started.
///
/// # Errors
/// [`Error::InterfaceDown`], [`Error::Interface`]; [`Error::FanoutTaken`] when many process ids were tried in vain;
/// [`Error::Threads`] when a child is needed, but this process has threads; [`Error::System`].
pub fn settle(interfaces: &[Interface]) -> Result<Settled, Error> {
    let mut taken = match Groups::reserve(interfaces) {
        Err(taken @ Error::FanoutTaken { .. }) => taken,
        settled => return settled.map(Settled::Here),
    };
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(Error::Threads);
    }
    for _ in 0..TRIES {
        taken = match in_a_child(interfaces) {
            Err(taken @ Error::FanoutTaken { .. }) => taken,
            settled => return settled,
        };
    }
    Err(taken)
}

impl Groups {
    /// Joins the groups this process's net_af_packet ports will ask for.
    ///
    /// # Errors
    /// [`Error::FanoutTaken`] when another process has one of them; [`Error::InterfaceDown`]; [`Error::Interface`].
    pub fn reserve(interfaces: &[Interface]) -> Result<Self, Error> {
        interfaces.iter().map(join).collect::<Result<_, _>>().map(Self)
    }
}

/// The driver's own request, word for word: the kernel lets only equal ones share a group.
fn join(interface: &Interface) -> Result<OwnedFd, Error> {
    // Newer kernels would let it join; older ones refuse with the error that a taken group gives.
    if !interface.is_up()? {
        return Err(Error::InterfaceDown { name: interface.name().to_owned() });
    }
    let socket = interface.packet_socket(ALL_PROTOCOLS)?;
    let group = (std::process::id() ^ interface.index()) & 0xffff;
    let kind = libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG | libc::PACKET_FANOUT_FLAG_ROLLOVER;
    match interface.set_option(&socket, "join a fan-out group", libc::PACKET_FANOUT, &(group | kind << 16)) {
        Ok(()) => Ok(socket),
        Err(Error::Interface { reason: Errno::EINVAL, .. }) => {
            Err(Error::FanoutTaken { name: interface.name().to_owned() })
        }
        Err(refused) => Err(refused),
    }
}

const ALL_PROTOCOLS: u16 = 3; // ETH_P_ALL

/// Tries a child's process id. `Ok(Here)` is returned in the child, all else in the parent.
fn in_a_child(interfaces: &[Interface]) -> Result<Settled, Error> {
    let (answer, settled) = pipe().map_err(Error::system("make a pipe"))?;
    let mut relayed = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD] {
        relayed.add(signal);
    }
    // Blocked from before the fork, so that none is lost while it is not clear who gets it.
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&relayed), Some(&mut before))
        .map_err(Error::system("block signals"))?;
    let restore = || {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).map_err(Error::system("unblock signals"))
    };
    let parent = Pid::this();
    // SAFETY: this process has one thread, so the child's copy of it is whole.
    match unsafe { fork() }.map_err(Error::system("start a process")) {
        Ok(ForkResult::Parent { child }) => {
            drop(settled);
            let ended = follow(child, answer, &relayed, interfaces);
            restore()?;
            ended
        }
        Ok(ForkResult::Child) => {
            drop(answer);
            let here = child_of(parent, settled, interfaces);
            restore()?;
            here
        }
        Err(reason) => restore().and(Err(reason)),
    }
}

/// The child: goes on if its process id will do, and tells the parent, or else ends at once.
fn child_of(parent: Pid, settled: OwnedFd, interfaces: &[Interface]) -> Result<Settled, Error> {
    set_pdeathsig(Signal::SIGTERM).map_err(Error::system("follow the parent process"))?;
    let groups = Groups::reserve(interfaces);
    let orphan = getppid() != parent;
    if orphan || matches!(groups, Err(Error::FanoutTaken { .. })) {
        // SAFETY: ends this copy of the process without running what the original has yet to run at its end.
        unsafe { libc::_exit(1) };
    }
    File::from(settled)
        .write_all(b"!")
        .map_err(|_| Error::System { step: "tell the parent process", reason: Errno::EPIPE })?;
    groups.map(Settled::Here)
}

/// The parent: passes signals on until the child ends.
fn follow(child: Pid, answer: OwnedFd, relayed: &SigSet, interfaces: &[Interface]) -> Result<Settled, Error> {
    let failed = Error::system("wait for the child process");
    let signals = SignalFd::new(relayed).map_err(Error::system("receive signals"))?;
    let settled = File::from(answer).read(&mut [0]).is_ok_and(|read| read == 1);
    let status = if settled { relay(child, &signals) } else { waitpid(child, None) }.map_err(failed)?;
    if !settled {
        let name = interfaces.iter().map(Interface::name).collect::<Vec<_>>().join(", ");
        return Err(Error::FanoutTaken { name });
    }
    let code = match status {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        _ => 1,
    };
    Ok(Settled::Elsewhere(u8::try_from(code).unwrap_or(1)))
}

fn relay(child: Pid, signals: &SignalFd) -> Result<WaitStatus, Errno> {
    loop {
        let Some(signal) = signals.read_signal()? else { continue };
        let number = i32::try_from(signal.ssi_signo).map_err(|_| Errno::EINVAL)?;
        if number == libc::SIGCHLD {
            match waitpid(child, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::StillAlive => {}
                ended => return Ok(ended),
            }
        } else if signal.ssi_code != SI_KERNEL {
            // What the terminal sends goes to the child anyway; a child that has just ended needs no signal.
            let _ = kill(child, Signal::try_from(number)?);
        }
    }
}

/// `si_code` of signals the kernel sends by itself, such as a terminal's interrupt.
const SI_KERNEL: i32 = 0x80;
