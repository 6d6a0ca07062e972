//! A network interface of the kernel's, as far as a port on top of it has to care.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_void, ifreq, packet_mreq, sockaddr_ll, socklen_t};
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::Error;

// The kernel's constants, in the types of its structures.
#[expect(clippy::cast_possible_truncation, reason = "small constants")]
const PROMISCUOUS: u16 = libc::PACKET_MR_PROMISC as u16;
#[expect(clippy::cast_possible_truncation, reason = "small constants")]
const PACKET_FAMILY: u16 = libc::AF_PACKET as u16;

/// An interface of this network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    name: String,
    index: u32,
}

impl Interface {
    /// The interface called `name`.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`].
    pub fn named(name: &str) -> Result<Self, Error> {
        let index = if_nametoindex(name).map_err(|_| Error::NoSuchInterface { name: name.to_owned() })?;
        Ok(Self { name: name.to_owned(), index })
    }

    pub(crate) fn numbered(index: u32) -> Result<Self, Error> {
        let name = if_indextoname(index).map_err(Error::system("name an interface by its number"))?;
        Ok(Self { name: name.to_string_lossy().into_owned(), index })
    }

    /// The interface below a net_af_packet device, from its `iface=`; none for other devices.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`].
    pub fn below(device: &str) -> Result<Option<Self>, Error> {
        let mut words = device.split(',');
        let driver = words.next().unwrap_or_default();
        if !driver.starts_with("net_af_packet") && !driver.starts_with("eth_af_packet") {
            return Ok(None);
        }
        words.find_map(|word| word.strip_prefix("iface=")).map(Self::named).transpose()
    }

    /// The interface's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's number.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// The largest packet it carries, in octets, without the Ethernet header.
    ///
    /// # Errors
    /// [`Error::Interface`] if it is gone.
    pub fn mtu(&self) -> Result<u32, Error> {
        let answer = self.request("read the MTU", libc::SIOCGIFMTU, self.ifreq())?;
        // SAFETY: this request's answer is the MTU.
        Ok(unsafe { answer.ifr_ifru.ifru_mtu }.unsigned_abs())
    }

    /// Whether it is up.
    ///
    /// # Errors
    /// [`Error::Interface`] if it is gone.
    pub fn is_up(&self) -> Result<bool, Error> {
        Ok(self.flags()? & libc::IFF_UP != 0)
    }

    /// Whether the operator made it promiscuous, which is not to say that no program does.
    ///
    /// # Errors
    /// [`Error::Interface`] if it is gone.
    pub fn is_promiscuous(&self) -> Result<bool, Error> {
        Ok(self.flags()? & libc::IFF_PROMISC != 0)
    }

    /// Sets the operator's flag again.
    pub(crate) fn flag_promiscuous(&self) -> Result<(), Error> {
        let mut request = self.ifreq();
        #[expect(clippy::cast_possible_truncation, reason = "the kernel's flags here are 16 bits")]
        let flags = (self.flags()? | libc::IFF_PROMISC) as i16;
        request.ifr_ifru.ifru_flags = flags;
        self.request("set the promiscuous flag", libc::SIOCSIFFLAGS, request).map(drop)
    }

    /// Makes it promiscuous for as long as the socket lives: the kernel counts who wants it, and forgets the dead.
    pub(crate) fn hold_promiscuous(&self) -> Result<OwnedFd, Error> {
        let step = "take every frame";
        let socket = self.packet_socket(0)?;
        let request = packet_mreq {
            mr_ifindex: self.index.cast_signed(),
            mr_type: PROMISCUOUS,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set_option(&socket, step, libc::PACKET_ADD_MEMBERSHIP, &request)?;
        Ok(socket)
    }

    /// A packet socket on this interface. Protocol 0 receives nothing.
    pub(crate) fn packet_socket(&self, protocol: u16) -> Result<OwnedFd, Error> {
        // SAFETY: takes three numbers. Created with no protocol, the socket receives nothing from elsewhere.
        let number = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        self.done("open a packet socket", number)?;
        // SAFETY: a socket just opened, which is ours.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        // SAFETY: a structure of numbers.
        let mut address: sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = PACKET_FAMILY;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = self.index.cast_signed();
        // SAFETY: the address lives through the call, and its size is told.
        let code = unsafe { libc::bind(number, (&raw const address).cast(), size_of(&address)) };
        self.done("bind a packet socket", code)?;
        Ok(socket)
    }

    pub(crate) fn set_option<T>(
        &self,
        socket: &OwnedFd,
        step: &'static str,
        option: c_int,
        value: &T,
    ) -> Result<(), Error> {
        let pointer: *const c_void = (&raw const *value).cast();
        // SAFETY: the value lives through the call, and its size is told.
        let code = unsafe {
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, pointer, size_of(value))
        };
        self.done(step, code)
    }

    fn flags(&self) -> Result<c_int, Error> {
        let answer = self.request("read the flags", libc::SIOCGIFFLAGS, self.ifreq())?;
        // SAFETY: this request's answer is the flags.
        Ok(c_int::from(unsafe { answer.ifr_ifru.ifru_flags }))
    }

    fn ifreq(&self) -> ifreq {
        // SAFETY: a structure of numbers.
        let mut request: ifreq = unsafe { std::mem::zeroed() };
        // The name came from the kernel, or was found there: it fits, with a zero behind it.
        for (to, from) in request.ifr_name.iter_mut().zip(self.name.bytes()) {
            *to = from.cast_signed();
        }
        request
    }

    fn request(&self, step: &'static str, number: libc::Ioctl, mut request: ifreq) -> Result<ifreq, Error> {
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|reason| self.refused(step, reason))?;
        // SAFETY: the requests above read and write one ifreq.
        let code = unsafe { libc::ioctl(socket.as_raw_fd(), number, &raw mut request) };
        self.done(step, code).map(|()| request)
    }

    fn done(&self, step: &'static str, code: c_int) -> Result<(), Error> {
        Errno::result(code).map(drop).map_err(|reason| self.refused(step, reason))
    }

    fn refused(&self, step: &'static str, reason: Errno) -> Error {
        Error::Interface { name: self.name.clone(), step, reason }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few octets")]
const fn size_of<T>(_: &T) -> socklen_t {
    std::mem::size_of::<T>() as socklen_t
}
