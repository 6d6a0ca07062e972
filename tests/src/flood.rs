//! More frames at once than anybody takes.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, send, socket};

use crate::delay_line::link_address;
use crate::namespace::Namespace;

/// For local experiments, which no kernel answers.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// A fourth of what the kernel's own queue holds.
const BURST: usize = 250;

/// An interface from which frames will be sent.
#[derive(Debug)]
pub struct Flood {
    socket: OwnedFd,
}

impl Flood {
    /// Sends nothing yet.
    ///
    /// # Errors
    ///
    /// If there is no such interface, or we may not send from it.
    pub fn from(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace.within(|| {
            // Of no protocol: it is given nothing.
            let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
            bind(socket.as_raw_fd(), &link_address(interface)?)?;
            Ok(Self { socket })
        })
    }

    /// Sends `count` frames. On a busy machine the kernel may lose some between the ends of a veth; those do not count as
    /// arrived at the other one.
    ///
    /// # Errors
    ///
    /// If they cannot be sent.
    pub fn send(&self, count: usize) -> Result<()> {
        let frame = [&[2; 12][..], &ETHERTYPE, &[0; 46]].concat();
        for number in 1..=count {
            match send(self.socket.as_raw_fd(), &frame, MsgFlags::empty()) {
                Ok(_) | Err(Errno::ENOBUFS) => {}
                Err(error) => return Err(error).context("cannot send"),
            }
            if number % BURST == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}
