//! The frames that the demo's hosts exchange: UDP over IPv6 over Ethernet, with an exchange's number in them.

use std::net::Ipv6Addr;

/// The clients' prefix; a client's number is the end of its address.
pub(super) const CLIENTS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0);
/// The server.
pub(super) const SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, 1);

const SERVER_PORT: u16 = 53;
const FIRST_CLIENT_PORT: u16 = 10_000;

const ETHERNET: usize = 14;
const NEXT_HEADER: usize = ETHERNET + 6;
const UDP: usize = ETHERNET + 40;
const PAYLOAD: usize = UDP + 8;
const LEN: usize = PAYLOAD + 8;

const NEXT_HEADER_UDP: u8 = 17;

/// A frame as it leaves a host.
pub(super) type Frame = [u8; LEN];

/// What a host reads in a frame that has reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    /// The client that asked, or is answered.
    pub(super) client: u16,
    /// The number of the client's request.
    pub(super) exchange: u64,
}

impl Message {
    /// The frame of the client's request.
    pub(super) fn request(self) -> Frame {
        self.frame(self.client_address(), SERVER, [self.client_port(), SERVER_PORT])
    }

    /// The frame of the server's answer.
    pub(super) fn answer(self) -> Frame {
        self.frame(SERVER, self.client_address(), [SERVER_PORT, self.client_port()])
    }

    /// What is in `frame`; `None` unless it is as a host that never heard of PDM knows it: no header between.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        let frame: &Frame = frame.try_into().ok()?;
        if frame[NEXT_HEADER] != NEXT_HEADER_UDP {
            return None;
        }
        let ports = [frame[UDP], frame[UDP + 1], frame[UDP + 2], frame[UDP + 3]];
        let [source, destination] = [[ports[0], ports[1]], [ports[2], ports[3]]].map(u16::from_be_bytes);
        let client = source.max(destination).checked_sub(FIRST_CLIENT_PORT)?;
        let exchange = u64::from_be_bytes(*frame[PAYLOAD..].first_chunk()?);
        Some(Self { client, exchange })
    }

    fn client_address(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(CLIENTS.to_bits() | (u128::from(self.client) + 1))
    }

    fn client_port(self) -> u16 {
        FIRST_CLIENT_PORT + self.client
    }

    fn frame(self, source: Ipv6Addr, destination: Ipv6Addr, ports: [u16; 2]) -> Frame {
        let mut frame = [0; LEN];
        frame[..ETHERNET].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd]);
        frame[ETHERNET] = 0x60;
        frame[ETHERNET + 5] = 16;
        frame[NEXT_HEADER] = NEXT_HEADER_UDP;
        frame[ETHERNET + 7] = 64;
        frame[ETHERNET + 8..ETHERNET + 24].copy_from_slice(&source.octets());
        frame[ETHERNET + 24..UDP].copy_from_slice(&destination.octets());
        frame[UDP..UDP + 4].copy_from_slice(ports.map(u16::to_be_bytes).as_flattened());
        frame[UDP + 5] = 16;
        frame[PAYLOAD..].copy_from_slice(&self.exchange.to_be_bytes());
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let message = Message { client: 3, exchange: 99 };
        assert_eq!(Message::read(&message.request()), Some(message));
        assert_eq!(Message::read(&message.answer()), Some(message));
        let mut marked = message.answer();
        marked[NEXT_HEADER] = 60;
        assert_eq!(Message::read(&marked), None);
    }
}
