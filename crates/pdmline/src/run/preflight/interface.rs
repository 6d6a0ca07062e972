//! Kernel interfaces, asked over rtnetlink: unlike `/sys/class/net`, that answers for the network namespace the process
//! is in.

use std::io;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::PreflightError;
use crate::config::Mtu;

/// Whether `name` is there, up, and carries packets of `mtu` octets if it has to.
pub(super) fn check(name: &str, mtu: Option<Mtu>) -> Result<(), PreflightError> {
    let index = index(name)?;
    let unknown = |source| PreflightError::InterfaceUnknown { name: name.into(), source };
    judge(name, &link(index).map_err(unknown)?, mtu)
}

/// The kernel's number of the interface `name` in this network namespace.
pub(super) fn index(name: &str) -> Result<u32, PreflightError> {
    nix::net::if_::if_nametoindex(name).map_err(|_| PreflightError::NoInterface { name: name.into() })
}

fn judge(name: &str, link: &LinkMessage, mtu: Option<Mtu>) -> Result<(), PreflightError> {
    let name = name.to_owned();
    if !link.header.flags.contains(LinkFlags::Up) {
        return Err(PreflightError::InterfaceDown { name });
    }
    let has = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(octets) => Some(*octets),
        _ => None,
    });
    match (has, mtu.map(Mtu::octets)) {
        (Some(has), Some(needs)) if has < needs.into() => Err(PreflightError::SmallMtu { name, has, needs }),
        _ => Ok(()),
    }
}

fn link(index: u32) -> io::Result<LinkMessage> {
    let mut request = LinkMessage::default();
    request.header.index = index;
    let mut request = NetlinkMessage::new(
        NetlinkHeader::default(),
        NetlinkPayload::from(RouteNetlinkMessage::GetLink(request)),
    );
    request.header.flags = NLM_F_REQUEST;
    request.finalize();
    let mut octets = vec![0; request.buffer_len()];
    request.serialize(&mut octets);

    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.send_to(&octets, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(link),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::Error::other("an answer to another question")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let message = index("no-such-if0").unwrap_err().to_string();
        assert_eq!(
            message,
            "the interface no-such-if0 is not there; `ip link` shows those of this network namespace"
        );
    }

    #[test]
    fn the_kernel_knows_the_loopback() {
        let link = link(index("lo").unwrap()).unwrap();
        assert!(link.attributes.contains(&LinkAttribute::IfName("lo".into())));
        assert!(link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::Mtu(_))));
    }

    #[test]
    fn down_and_narrow_interfaces_are_refused_with_the_command_that_helps() {
        let mtu = crate::config::Config::parse(
            "instance = 'a'\n[[pair]]\nhost = 'net_null0'\nwire = 'net_null1'\nmtu = 1600\ncores = [0]",
        )
        .unwrap()
        .pairs[0]
            .mtu;
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::Mtu(1599));
        let message = |link: &LinkMessage| judge("veth-w", link, Some(mtu)).unwrap_err().to_string();
        assert_eq!(message(&link), "the interface veth-w is down; `ip link set veth-w up`");
        link.header.flags = LinkFlags::Up;
        assert_eq!(
            message(&link),
            "the interface veth-w has an MTU of 1599, less than the pair's mtu = 1600; `ip link set veth-w mtu 1600`, \
             or write a smaller one"
        );
        assert!(judge("veth-h", &link, None).is_ok());
        link.attributes = vec![LinkAttribute::Mtu(1600)];
        assert!(judge("veth-w", &link, Some(mtu)).is_ok());
    }
}
