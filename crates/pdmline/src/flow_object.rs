//! One flow as JSON has it, wherever single flows are told of.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddrV6};

use flow::{Delay, FlowRecord, Span, TickRate};
use serde::{Deserialize, Serialize};

use crate::human;

/// A flow. Ports that the protocol does not have are 0; an echo's identifier stands for both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FlowObject {
    /// The port pair's place in the configuration.
    pub(crate) pair: usize,
    pub(crate) protocol: Cow<'static, str>,
    pub(crate) local: Ipv6Addr,
    pub(crate) local_port: u16,
    pub(crate) remote: Ipv6Addr,
    pub(crate) remote_port: u16,
    /// Packets that left with an option.
    pub(crate) sent: u32,
    /// Packets that arrived.
    pub(crate) received: u32,
    /// Packets towards us that never arrived.
    pub(crate) lost: u32,
    pub(crate) network_rtt: Option<DelayObject>,
    pub(crate) server_delay: Option<DelayObject>,
    /// From the first packet to the last; the clock behind it has steps of some milliseconds.
    pub(crate) duration_s: f64,
    /// Since the last.
    pub(crate) idle_s: f64,
}

/// A flow's delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DelayObject {
    /// Smoothed, as it was lately.
    pub(crate) recent_ns: u64,
    pub(crate) max_ns: u64,
}

impl FlowObject {
    /// `flow`, as the worker whose clock ticks at `rate` knew it.
    pub(crate) fn new(flow: &FlowRecord, rate: TickRate) -> Self {
        let key = &flow.key;
        Self {
            pair: key.pair().index(),
            protocol: human::protocol(key.protocol()),
            local: key.local(),
            local_port: key.local_port(),
            remote: key.remote(),
            remote_port: key.remote_port(),
            sent: flow.sent,
            received: flow.received,
            lost: flow.lost,
            network_rtt: flow.network_rtt.map(DelayObject::from),
            server_delay: flow.server_delay.map(DelayObject::from),
            duration_s: seconds(flow.age, rate) - seconds(flow.idle, rate),
            idle_s: seconds(flow.idle, rate),
        }
    }

    /// Our end and the other, with their ports where there are any.
    pub(crate) fn ends(&self) -> [String; 2] {
        let with_ports = (self.local_port, self.remote_port) != (0, 0);
        [(self.local, self.local_port), (self.remote, self.remote_port)].map(|(address, port)| {
            if with_ports { SocketAddrV6::new(address, port, 0, 0).to_string() } else { address.to_string() }
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of some days at the most")]
fn seconds(span: Span, rate: TickRate) -> f64 {
    rate.attos(span).nanos() as f64 / 1e9
}

impl From<Delay> for DelayObject {
    fn from(Delay { recent_ns, longest_ns }: Delay) -> Self {
        Self { recent_ns, max_ns: longest_ns }
    }
}

impl fmt::Display for FlowObject {
    /// Who talks: `tcp [2001:db8::1]:4711 > [2001:db8::2]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [local, remote] = self.ends();
        write!(f, "{} {local} > {remote}", self.protocol)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use flow::Key;
    use serde_json::json;

    use super::*;

    /// A flow between no addresses.
    pub(crate) fn record() -> FlowRecord {
        FlowRecord {
            key: Key::default(),
            age: Span::from_ticks(3_000_000_000),
            idle: Span::from_ticks(1_000_000_000),
            sent: 5,
            received: 4,
            lost: 1,
            network_rtt: Some(Delay { recent_ns: 64, longest_ns: 128 }),
            server_delay: None,
        }
    }

    #[test]
    fn an_object_tells_all_and_is_read_again() {
        let object = FlowObject::new(&record(), TickRate::NANOSECONDS);
        let json = serde_json::to_value(&object).unwrap();
        let expected = json!({
            "pair": 0, "protocol": "0", "local": "::", "local_port": 0, "remote": "::", "remote_port": 0,
            "sent": 5, "received": 4, "lost": 1,
            "network_rtt": {"recent_ns": 64, "max_ns": 128}, "server_delay": null,
            "duration_s": 2.0, "idle_s": 1.0,
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<FlowObject>(json).unwrap(), object);
    }

    #[test]
    fn ports_are_shown_where_there_are_any() {
        let mut object = FlowObject::new(&record(), TickRate::NANOSECONDS);
        assert_eq!(object.to_string(), "0 :: > ::");
        (object.protocol, object.local_port, object.remote_port) = ("tcp".into(), 4711, 80);
        assert_eq!(object.to_string(), "tcp [::]:4711 > [::]:80");
    }
}
