//! One packet with the PDM option, in words and in JSON.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, UNIX_EPOCH};

use pdm::{Marked, PdmOption, ScaledTime, find_pdm, protocol};
use serde::Serialize;

use crate::capture::Record;
use crate::human;

/// What is told of a packet. The option's fields have the RFC's names.
#[derive(Debug, Serialize)]
pub(super) struct MarkedPacket {
    packet: u64,
    time_ns: u64,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: Cow<'static, str>,
    #[serde(flatten)]
    conversation: Conversation,
    psntp: u16,
    psnlr: u16,
    scaledtlr: u8,
    deltatlr: u16,
    deltatlr_ns: f64,
    scaledtls: u8,
    deltatls: u16,
    deltatls_ns: f64,
    #[serde(skip)]
    since_received: ScaledTime,
    #[serde(skip)]
    since_sent: ScaledTime,
}

/// What tells conversations between two addresses apart.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Conversation {
    Ports { source_port: u16, destination_port: u16 },
    Echo { identifier: u16 },
    None {},
}

impl MarkedPacket {
    /// The packet in `record`, the capture's `number`th, if it carries exactly one option as RFC 8250 has it.
    pub(super) fn find(number: u64, record: &Record<Vec<u8>>) -> Option<Self> {
        let frame = record.data.as_slice();
        let ip = record.link.network_offset(frame).ok()?;
        let marked = find_pdm(frame, usize::try_from(record.original_len).ok()?, ip)?;
        let option = PdmOption::read(frame, &marked.pdm);
        Some(Self {
            packet: number,
            time_ns: record.time,
            source: Ipv6Addr::from(*marked.source),
            destination: Ipv6Addr::from(*marked.destination),
            protocol: human::protocol(marked.protocol),
            conversation: Conversation::of(&marked),
            psntp: option.psntp.get(),
            psnlr: option.psnlr.get(),
            scaledtlr: option.delta_tlr.scale,
            deltatlr: option.delta_tlr.mantissa,
            deltatlr_ns: nanos(option.delta_tlr),
            scaledtls: option.delta_tls.scale,
            deltatls: option.delta_tls.mantissa,
            deltatls_ns: nanos(option.delta_tls),
            since_received: option.delta_tlr,
            since_sent: option.delta_tls,
        })
    }
}

impl Conversation {
    fn of(marked: &Marked<'_>) -> Self {
        let ports = marked.ports;
        match marked.protocol {
            protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP | protocol::DCCP => {
                Self::Ports { source_port: ports.source(), destination_port: ports.destination() }
            }
            protocol::ICMPV6 => Self::Echo { identifier: ports.source() },
            _ => Self::None {},
        }
    }
}

impl fmt::Display for MarkedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(self.time_ns));
        write!(f, "{} {time} ", self.packet)?;
        match self.conversation {
            Conversation::Ports { source_port, destination_port } => {
                let source = SocketAddrV6::new(self.source, source_port, 0, 0);
                let destination = SocketAddrV6::new(self.destination, destination_port, 0, 0);
                write!(f, "{source} > {destination}")?;
            }
            Conversation::Echo { identifier } => {
                write!(f, "{} > {} id {identifier}", self.source, self.destination)?;
            }
            Conversation::None {} => write!(f, "{} > {}", self.source, self.destination)?,
        }
        let since_received = human::time(self.since_received.decode());
        let since_sent = human::time(self.since_sent.decode());
        write!(
            f,
            " {}  PSNTP {}  PSNLR {}  DELTATLR {since_received}  DELTATLS {since_sent}",
            self.protocol, self.psntp, self.psnlr
        )
    }
}

/// Nanoseconds, with their fraction: a mantissa of 16 bits loses nothing.
fn nanos(time: ScaledTime) -> f64 {
    f64::from(time.mantissa) * f64::from(time.scale).exp2() / 1e9
}
