//! Which packets are measured, and how.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use flow::{Instant, Key};
use ipnet::Ipv6Net;
use pdm::{Look, protocol};
use stats::RuleId;

/// What is done to the packets of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// Insert the option into packets from the hosts.
    pub insert: bool,
    /// Strip it from packets to them.
    pub strip: bool,
}

impl Action {
    /// Insert, read, strip.
    pub const MEASURE: Self = Self { insert: true, strip: true };
    /// Read only.
    pub const OBSERVE: Self = Self { insert: false, strip: false };
}

/// Which upper-layer protocols a rule selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// All.
    Any,
    /// The one with this number.
    Number(u8),
    /// ESP in all its shapes: plain, wrapped, and in UDP.
    Esp,
}

impl Protocol {
    fn selects(self, look: &Look) -> bool {
        match self {
            Self::Any => true,
            Self::Number(number) => look.protocol == number,
            Self::Esp => look.is_esp(),
        }
    }

    /// A protocol by the name that configurations use for it.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "any" => Some(Self::Any),
            "tcp" => Some(Self::Number(protocol::TCP)),
            "udp" => Some(Self::Number(protocol::UDP)),
            "sctp" => Some(Self::Number(protocol::SCTP)),
            "icmpv6" => Some(Self::Number(protocol::ICMPV6)),
            "esp" => Some(Self::Esp),
            _ => None,
        }
    }
}

/// An IPv6 prefix, kept so that a match is one comparison, in the order of this machine's octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    network: u128,
    mask: u128,
}

impl Prefix {
    #[inline]
    fn contains(&self, address: Ipv6Addr) -> bool {
        u128::from_ne_bytes(address.octets()) & self.mask == self.network
    }
}

impl From<Ipv6Net> for Prefix {
    fn from(net: Ipv6Net) -> Self {
        let [network, mask] =
            [net.network(), net.netmask()].map(|address| u128::from_ne_bytes(address.octets()));
        Self { network, mask }
    }
}

/// A rule: what it selects, and what is done to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What reports call it.
    pub name: String,
    /// Addresses on the host side.
    pub local: Vec<Prefix>,
    /// Addresses on the wire side.
    pub remote: Vec<Prefix>,
    /// Upper-layer protocol.
    pub protocol: Protocol,
    /// Ports on the host side; empty for all.
    pub local_ports: Vec<RangeInclusive<u16>>,
    /// Ports on the wire side; empty for all.
    pub remote_ports: Vec<RangeInclusive<u16>>,
    /// What is done.
    pub action: Action,
    /// The operator says that selected ESP is in tunnel mode: its outer header may carry PDM (RFC 8250, section 3.4.2).
    pub esp_tunnel: bool,
    /// When the rule ends by itself (RFC 8250, section 4.4); `None` for never.
    pub until: Option<Instant>,
}

impl Rule {
    /// The rule `name`, which does `action` to whatever passes between `hosts` and anybody, and never ends. ESP is left alone.
    #[must_use]
    pub fn of_hosts(name: &str, hosts: impl IntoIterator<Item = Ipv6Net>, action: Action) -> Self {
        Self {
            name: name.into(),
            local: hosts.into_iter().map(Prefix::from).collect(),
            remote: vec![Ipv6Net::default().into()],
            protocol: Protocol::Any,
            local_ports: Vec::new(),
            remote_ports: Vec::new(),
            action,
            esp_tunnel: false,
            until: None,
        }
    }

    #[inline]
    fn selects(&self, key: &Key, look: &Look) -> bool {
        any_contains(&self.local, key.local())
            && any_contains(&self.remote, key.remote())
            && self.protocol.selects(look)
            && allows(&self.local_ports, key.local_port())
            && allows(&self.remote_ports, key.remote_port())
            // Without a tunnel the option would have to stand inside the encryption (RFC 8250, section 3.4.1).
            && (self.esp_tunnel || !look.is_esp())
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

fn any_contains(prefixes: &[Prefix], address: Ipv6Addr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(address))
}

fn allows(ports: &[RangeInclusive<u16>], port: u16) -> bool {
    ports.is_empty() || ports.iter().any(|range| range.contains(&port))
}

/// What the rules say of a packet that one of them selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) rule: RuleId,
    pub(crate) action: Action,
    /// The rule has ended: its flows' options are still stripped, and nothing else is done.
    pub(crate) over: bool,
}

/// All rules. Of those that select a packet the first one that has not ended counts.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// These rules, in their order.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The place after the last rule, which stands for what none selects.
    pub(crate) fn after_last(&self) -> RuleId {
        self.rules().last().map_or(RuleId::default(), |(last, _)| last.next())
    }

    fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0..).map(RuleId::new).zip(&self.0)
    }

    /// What is to be done to the packet of `key` and `look` at `now`; `None` when no rule selects it.
    #[inline(always)]
    pub(crate) fn select(&self, key: &Key, look: &Look, now: Instant) -> Option<Selection> {
        let mut ended = None;
        for (id, rule) in self.rules().filter(|(_, rule)| rule.selects(key, look)) {
            let selection = Selection { rule: id, action: rule.action, over: rule.is_over(now) };
            if !selection.over {
                return Some(selection);
            }
            ended.get_or_insert(selection);
        }
        ended
    }
}
