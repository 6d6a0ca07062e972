//! A path of a known delay between two interfaces, with known faults: every frame that comes in at one leaves at the
//! other when it is due, in order. It lies between the ends of the cut wire, or in the container `wire`.
//!
//! A thread for each direction sleeps until a frame comes or is due. On a machine that is busy it is woken late, so it
//! measures how long each frame really took; a test judges by that.

mod queue;

use std::io::{IoSliceMut, PipeReader, PipeWriter, pipe};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvmsg,
    send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::Pid;

pub use self::queue::{EVERY, Fault};
use self::queue::{Frame, Queue, carries_pdm};
use crate::network::{CUT, Network, WIRE_MTU};

const FRAME_LEN: usize = 14 + WIRE_MTU as usize;
/// Frames that are taken in before it is looked again whether any is due.
const BURST: usize = 32;
/// Frames of each direction whose delays are remembered: a test's are fewer, and a lab's wire runs for days.
const REMEMBERED: usize = 1 << 20;

/// A running delay line. It ends when it is dropped.
#[derive(Debug)]
pub struct DelayLine {
    /// Both threads end when this end of the pipe is closed.
    end: PipeWriter,
    ways: [JoinHandle<Result<Passed>>; 2],
}

/// What became of the frames of one direction.
#[derive(Debug, Default)]
pub struct Passed {
    /// Frames with PDM that arrived.
    pub marked: u64,
    /// Those of them that the fault befell.
    pub befallen: u64,
    /// How long the first of those took that carried PDM, from the kernel's receiving them to their being sent.
    delays: Vec<Duration>,
}

impl Passed {
    /// How long the frames with PDM took: the median, 0 without any.
    #[must_use]
    pub fn delay(&self) -> Duration {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays.get(delays.len() / 2).copied().unwrap_or_default()
    }
}

impl DelayLine {
    /// Cuts the wire and bridges the cut. It has to end before the network does.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub fn lay(network: &mut Network, delay: Duration, fault: Fault) -> Result<Self> {
        network.cut_the_wire()?.within(|| Self::between(CUT, delay, fault))
    }

    /// Joins two interfaces of this thread's namespace.
    ///
    /// # Errors
    ///
    /// If there are none of these names, or the kernel refuses.
    pub fn between(interfaces: [&str; 2], delay: Duration, fault: Fault) -> Result<Self> {
        let [a, b] = [open(interfaces[0])?, open(interfaces[1])?];
        let (watched, end) = pipe()?;
        let start = |from: &Arc<OwnedFd>, to: &Arc<OwnedFd>| -> Result<_> {
            let (from, to, end) = (Arc::clone(from), Arc::clone(to), watched.try_clone()?);
            let timer = TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_CLOEXEC)?;
            let way = Way { from, to, end, timer, queue: Queue::new(delay, fault), delays: Vec::new() };
            Ok(std::thread::spawn(|| way.run()))
        };
        let ways = [start(&a, &b)?, start(&b, &a)?];
        Ok(Self { end, ways })
    }

    /// Whether a direction ended by itself, which it does not unless it fails: [`DelayLine::stop`] tells why.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.ways.iter().any(JoinHandle::is_finished)
    }

    /// Ends it, and tells what became of the frames from A to B, and of those from B to A.
    ///
    /// # Errors
    ///
    /// If it could not do its work.
    pub fn stop(self) -> Result<[Passed; 2]> {
        drop(self.end);
        let [there, back] = self.ways.map(|way| {
            way.join().unwrap_or_else(|_| Err(anyhow!("the delay line panicked"))).context("the delay line")
        });
        Ok([there?, back?])
    }
}

/// A packet socket on an interface of this thread's namespace. The one for an interface both receives and sends there, for
/// a packet socket is given what others send, but not what it sent itself.
fn open(interface: &str) -> Result<Arc<OwnedFd>> {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    // Room for the bursts that come in while the thread waits for its core.
    setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    bind(socket.as_raw_fd(), &link_address(interface)?)?;
    Ok(Arc::new(socket))
}

/// Where an interface of this thread's namespace is, for a packet socket.
pub(crate) fn link_address(interface: &str) -> Result<LinkAddr> {
    let mut addresses = nix::ifaddrs::getifaddrs()?.filter(|found| found.interface_name == interface);
    let address = addresses.find_map(|found| found.address?.as_link_addr().copied());
    address.with_context(|| format!("no interface {interface}"))
}

/// One direction.
struct Way {
    from: Arc<OwnedFd>,
    to: Arc<OwnedFd>,
    end: PipeReader,
    /// Exact, where the kernel lets poll's own timeout be late by a part of it.
    timer: TimerFd,
    queue: Queue,
    delays: Vec<Duration>,
}

impl Way {
    fn run(mut self) -> Result<Passed> {
        keep_to_one_core()?;
        while self.wait()? {
            self.receive()?;
            self.send_what_is_due()?;
        }
        Ok(Passed { marked: self.queue.marked, befallen: self.queue.befallen, delays: self.delays })
    }

    /// Sleeps until something came or is due. Whether to go on then.
    fn wait(&self) -> Result<bool> {
        match self.queue.due() {
            Some(due) => {
                let due = Expiration::OneShot(due.duration_since(UNIX_EPOCH)?.into());
                self.timer.set(due, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => self.timer.unset()?,
        }
        let incoming = PollFd::new(self.from.as_fd(), PollFlags::POLLIN);
        let due = PollFd::new(self.timer.as_fd(), PollFlags::POLLIN);
        let end = PollFd::new(self.end.as_fd(), PollFlags::empty());
        let mut watched = [incoming, due, end];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(watched[2].any() != Some(true)),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) -> Result<()> {
        for _ in 0..BURST {
            let Some(frame) = receive(&self.from)? else { break };
            self.queue.push(frame);
        }
        Ok(())
    }

    fn send_what_is_due(&mut self) -> Result<()> {
        let mut now = SystemTime::now();
        while let Some(frame) = self.queue.pop(now) {
            send(self.to.as_raw_fd(), &frame.octets, MsgFlags::empty()).context("cannot send")?;
            if carries_pdm(&frame.octets) && self.delays.len() < REMEMBERED {
                self.delays.push(now.duration_since(frame.arrived).unwrap_or_default());
            }
            now = SystemTime::now();
        }
        Ok(())
    }
}

/// On the first core that we may use, for a rig's appliance works on core 1. On one, so that the kernel keeps the order.
fn keep_to_one_core() -> Result<()> {
    let usable = sched_getaffinity(Pid::from_raw(0))?;
    let first = (0..CpuSet::count()).find(|&core| usable.is_set(core).unwrap_or(false));
    let mut cores = CpuSet::new();
    cores.set(first.context("no core may be used")?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

/// A frame with the time at which the kernel had it, or nothing if none has come.
fn receive(socket: &OwnedFd) -> Result<Option<Frame>> {
    let mut octets = vec![0; FRAME_LEN];
    let mut stamp = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(&mut octets)];
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut stamp), MsgFlags::MSG_DONTWAIT);
    let message = match received {
        Err(Errno::EAGAIN) => return Ok(None),
        other => other.context("cannot receive")?,
    };
    let arrived = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(time) => Some(UNIX_EPOCH + Duration::from(time)),
        _ => None,
    });
    let arrived = arrived.context("a frame without a time")?;
    let len = message.bytes;
    octets.truncate(len);
    Ok(Some(Frame { octets, arrived }))
}
