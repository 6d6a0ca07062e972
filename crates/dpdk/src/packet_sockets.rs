//! The kernel's sockets below net_af_packet: what the driver does not do with them. It keeps them to itself, so they are
//! looked for among this process's open files.

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_uint, socklen_t, tpacket_versions};
use nix::sys::socket::{LinkAddr, MsgFlags, SockaddrStorage, getsockname, send};

use crate::{Error, Interface};

/// Those of one port.
#[derive(Default)]
pub(crate) struct PacketSockets {
    sockets: Vec<OwnedFd>,
    /// Frames that the kernel dropped before the driver saw them: it forgets what it has told.
    told: AtomicU64,
}

impl PacketSockets {
    /// Those of the port on `interface`.
    pub(crate) fn on(interface: &Interface) -> Result<Self, Error> {
        let files = fs::read_dir("/proc/self/fd").map_err(unlisted)?;
        let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok());
        // Only packet sockets are duplicated: closing the duplicate of a locked file would unlock it.
        let bound = numbers.filter(|&number| is_bound_to(number, interface)).map(duplicate);
        let mut sockets =
            bound.collect::<Result<Vec<_>, _>>().map_err(Error::system("duplicate a socket"))?;
        sockets.retain(has_ring);
        Ok(Self { sockets, told: AtomicU64::new(0) })
    }

    /// Has the kernel send what lies in the send rings; tells whether nothing did. The driver asks for that once a burst
    /// and takes all of it for sent, but the kernel stops where the interface is behind: where a socket's send buffer is
    /// full (by itself it holds some hundred frames), or where a frame had to be dropped. What it left would lie there
    /// until the driver has another frame to send.
    pub(crate) fn send(&self) -> bool {
        let nothing_left = |socket: &OwnedFd| send(socket.as_raw_fd(), &[], MsgFlags::MSG_DONTWAIT) == Ok(0);
        self.sockets.iter().fold(true, |all, socket| all & nothing_left(socket))
    }

    /// Splits what the port's driver counted as missed into that, and what the kernel dropped. The kernel tells a drop
    /// once, to whoever asks first: the driver, where it asks (from 25.03 on), or else us. It misses no frames beside those.
    pub(crate) fn part(&self, missed: u64) -> Result<(u64, u64), Error> {
        if self.sockets.is_empty() { Ok((missed, 0)) } else { Ok((0, missed + self.count()?)) }
    }

    /// Frames dropped since the sockets were opened, but for those that the driver was told of.
    fn count(&self) -> Result<u64, Error> {
        for socket in &self.sockets {
            // The layouts of all versions begin so.
            let [_packets, drops] = options(socket, libc::PACKET_STATISTICS)
                .map_err(Error::system("read what the kernel dropped"))?;
            self.told.fetch_add(drops.into(), Ordering::Relaxed);
        }
        Ok(self.told.load(Ordering::Relaxed))
    }
}

fn unlisted(reason: io::Error) -> Error {
    Error::system("list /proc/self/fd")(Errno::try_from(reason).unwrap_or(Errno::UnknownErrno))
}

/// Whether the file is a packet socket on `interface`.
fn is_bound_to(file: RawFd, interface: &Interface) -> bool {
    // Not as a `LinkAddr` at once: nix wants its whole length, and the kernel fills in less.
    getsockname::<SockaddrStorage>(file).is_ok_and(|address| {
        let index = address.as_link_addr().map(LinkAddr::ifindex);
        index.is_some_and(|index| u32::try_from(index) == Ok(interface.index()))
    })
}

/// Whether the socket is the driver's. Rings come with a newer version of their frames; our own sockets have none.
fn has_ring(socket: &OwnedFd) -> bool {
    let first = tpacket_versions::TPACKET_V1 as c_uint;
    options(socket, libc::PACKET_VERSION).is_ok_and(|[version]| version != first)
}

/// Another number for the file, which stays valid when the driver closes its own.
fn duplicate(file: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: takes three numbers; one that is no open file is refused.
    let number = Errno::result(unsafe { libc::fcntl(file, libc::F_DUPFD_CLOEXEC, 0) })?;
    // SAFETY: a number just made, which is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The first `N` numbers of what the packet socket says of `option`.
fn options<const N: usize>(socket: &OwnedFd, option: c_int) -> Result<[c_uint; N], Errno> {
    let mut value = [0; N];
    #[expect(clippy::cast_possible_truncation, reason = "a few octets")]
    let mut size = mem::size_of_val(&value) as socklen_t;
    // SAFETY: value and size live through the call, which writes no more octets than the size tells.
    let code = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, (&raw mut value).cast(), &raw mut size)
    };
    Errno::result(code).map(|_| value)
}
