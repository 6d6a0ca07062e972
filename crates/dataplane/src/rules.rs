//! Which packets are measured, and how.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use flow::{Ends, Instant, in_register};
use ipnet::Ipv6Net;
use pdm::{Look, Ports, protocol};
use stats::RuleId;
use wide::u64x4;

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
    fn selects(self, protocol: u8, is_esp: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Number(number) => protocol == number,
            Self::Esp => is_esp,
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

/// An IPv6 prefix, with its mask worked out, as it is held against packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    network: Ipv6Addr,
    mask: Ipv6Addr,
}

impl Prefix {
    fn contains(&self, address: Ipv6Addr) -> bool {
        address & self.mask == self.network
    }
}

impl From<Ipv6Net> for Prefix {
    fn from(net: Ipv6Net) -> Self {
        Self { network: net.network(), mask: net.netmask() }
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
}

/// A rule as packets are held against it.
#[derive(Debug, Clone)]
pub(crate) struct Criteria {
    pub(crate) choice: Choice,
    esp_tunnel: bool,
    until: Instant,
    prefixes: Prefixes,
    /// `None` for whatever there is. Apart, so that one comparison tells.
    upper: Option<Box<Upper>>,
}

/// Prefixes of both ends.
#[derive(Debug, Clone)]
struct Prefixes {
    /// The first ones.
    first: PrefixPair,
    /// All of them, if there is more than one of an end.
    all: Option<Box<[Vec<Prefix>; 2]>>,
}

/// Prefixes of the local and the remote end, kept so that a match is one comparison.
#[derive(Debug, Clone, Copy)]
struct PrefixPair {
    network: u64x4,
    mask: u64x4,
}

/// Which upper layers a rule selects.
#[derive(Debug, Clone)]
struct Upper {
    protocol: Protocol,
    local_ports: Vec<RangeInclusive<u16>>,
    remote_ports: Vec<RangeInclusive<u16>>,
}

impl Criteria {
    /// Those of `rule`; `None` if nothing can fulfil them, since there is no prefix of one kind.
    fn of(id: RuleId, rule: Rule) -> Option<Self> {
        let Rule { name: _, local, remote, protocol, local_ports, remote_ports, action, esp_tunnel, until } =
            rule;
        let takes_any = protocol == Protocol::Any && local_ports.is_empty() && remote_ports.is_empty();
        let upper = (!takes_any).then(|| Box::new(Upper { protocol, local_ports, remote_ports }));
        let until = until.unwrap_or(Instant::from_ticks(u64::MAX));
        let prefixes = Prefixes::of(local, remote)?;
        Some(Self { choice: Choice { rule: id, task: Task::of(action) }, esp_tunnel, until, prefixes, upper })
    }

    /// Whether the packet of `look` between `ends` fulfils them.
    #[inline(always)]
    pub(crate) fn select(&self, ends: &Ends<'_>, look: &Look) -> bool {
        self.prefixes.contain(ends)
            && self.upper.as_ref().is_none_or(|upper| upper.selects(look.protocol(), look.is_esp(), ends.ports))
            // Without a tunnel the option would have to stand inside the encryption (RFC 8250, section 3.4.1).
            && (!look.is_esp() || self.esp_tunnel)
    }
}

/// What is kept of the rule that selects a packet: four octets, which are moved as one.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(4))]
pub(crate) struct Choice {
    pub(crate) rule: RuleId,
    /// What is to be done.
    pub(crate) task: Task,
}

/// What is done to a packet that a rule selects, in one octet of what is kept of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task(u8);

/// An option is inserted.
const INSERT: u8 = 1;
/// It is stripped.
const STRIP: u8 = 1 << 1;
/// The rule has ended: its flows' options are still stripped, and nothing else is done.
const OVER: u8 = 1 << 2;

impl Task {
    const fn of(action: Action) -> Self {
        Self(if action.insert { INSERT } else { 0 } | if action.strip { STRIP } else { 0 })
    }

    /// The same after its rule's end.
    const fn at_the_end(self) -> Self {
        Self(self.0 & !INSERT | OVER)
    }

    #[inline]
    pub(crate) const fn inserts(self) -> bool {
        self.0 & INSERT != 0
    }

    #[inline]
    pub(crate) const fn strips(self) -> bool {
        self.0 & STRIP != 0
    }

    #[inline]
    pub(crate) const fn is_over(self) -> bool {
        self.0 & OVER != 0
    }
}

impl Prefixes {
    /// Those of the local and the remote end; `None` if there is none of one of them.
    fn of(local: Vec<Prefix>, remote: Vec<Prefix>) -> Option<Self> {
        let first = PrefixPair::of(local.first()?, remote.first()?);
        let all = (local.len() + remote.len() > 2).then(|| Box::new([local, remote]));
        Some(Self { first, all })
    }

    #[inline(always)]
    fn contain(&self, ends: &Ends<'_>) -> bool {
        self.first.contains(ends)
            || self.all.as_ref().is_some_and(|all| contain(all, ends.local, ends.remote))
    }
}

/// Whether one of the first prefixes contains `local`, and one of the second ones `remote`. Called cold for the reason that
/// [`Upper::selects`] is.
#[cold]
#[inline(never)]
fn contain([locals, remotes]: &[Vec<Prefix>; 2], local: &[u8; 16], remote: &[u8; 16]) -> bool {
    let any = |prefixes: &[Prefix], address: &[u8; 16]| {
        prefixes.iter().any(|prefix| prefix.contains(Ipv6Addr::from(*address)))
    };
    any(locals, local) && any(remotes, remote)
}

impl PrefixPair {
    fn of(local: &Prefix, remote: &Prefix) -> Self {
        let [network, mask] = [(local.network, remote.network), (local.mask, remote.mask)]
            .map(|(local, remote)| in_register(&local.octets(), &remote.octets()));
        Self { network, mask }
    }

    #[inline(always)]
    fn contains(&self, ends: &Ends<'_>) -> bool {
        ((in_register(ends.local, ends.remote) ^ self.network) & self.mask).simd_eq(u64x4::ZERO).all()
    }
}

impl Upper {
    /// Whether it selects what the host sends by `ports`. Not told by ends and a look, and called cold though it may be asked
    /// often: what is known of a packet would have to be in memory, of each packet, for the sake of this call.
    #[cold]
    #[inline(never)]
    fn selects(&self, protocol: u8, is_esp: bool, ports: Ports) -> bool {
        self.protocol.selects(protocol, is_esp)
            && allow(&self.local_ports, ports.source())
            && allow(&self.remote_ports, ports.destination())
    }
}

fn allow(ports: &[RangeInclusive<u16>], port: u16) -> bool {
    ports.is_empty() || ports.iter().any(|range| range.contains(&port))
}

/// All rules. Of those that select a packet the first one that has not ended counts.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    count: usize,
    /// Those that have ended come after the others.
    criteria: Vec<Criteria>,
    /// When the next one ends.
    next_end: Instant,
}

impl Rules {
    /// These rules, in their order.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        let count = rules.len();
        let criteria = ids().zip(rules).filter_map(|(id, rule)| Criteria::of(id, rule)).collect();
        Self { count, criteria, next_end: Instant::default() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The place after the last rule, which stands for what none selects.
    pub(crate) fn after_last(&self) -> RuleId {
        ids().nth(self.count).unwrap_or_default()
    }

    /// From here on it is `now` or later.
    #[inline(always)]
    pub(crate) fn advance(&mut self, now: Instant) {
        if now >= self.next_end {
            self.end(now);
        }
    }

    /// Ends those whose time is over at `now`.
    #[cold]
    fn end(&mut self, now: Instant) {
        let is_over = |criteria: &Criteria| now >= criteria.until;
        self.criteria.iter_mut().filter(|criteria| is_over(criteria)).for_each(|criteria| {
            criteria.choice.task = criteria.choice.task.at_the_end();
        });
        // In their order otherwise, and in place: nothing is allocated here.
        self.criteria.sort_unstable_by_key(|criteria| (is_over(criteria), criteria.choice.rule));
        let ends = self.criteria.iter().map(|criteria| criteria.until).filter(|&end| end > now);
        self.next_end = ends.min().unwrap_or(Instant::from_ticks(u64::MAX));
    }

    /// Those that could select a packet. The first one that does counts.
    #[inline]
    pub(crate) fn criteria(&self) -> &[Criteria] {
        &self.criteria
    }
}

/// Rules by their places.
fn ids() -> impl Iterator<Item = RuleId> {
    (0..).map(RuleId::new)
}
