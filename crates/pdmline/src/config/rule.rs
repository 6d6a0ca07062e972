//! What is selected, and what is done with it.

use std::ops::RangeInclusive;
use std::time::Duration;

use dataplane::{Action, Protocol};
use ipnet::Ipv6Net;

use super::Fault;
use super::raw::{self, NumberOrText};
use super::units::{duration, within};

/// A rule as the operator wrote it; when it ends is [`crate::run::activation`]'s to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// Prefixes of the host side.
    pub(crate) local: Vec<Ipv6Net>,
    pub(crate) remote: Vec<Ipv6Net>,
    pub(crate) protocol: Protocol,
    /// Empty is all.
    pub(crate) local_ports: Vec<RangeInclusive<u16>>,
    /// Empty is all.
    pub(crate) remote_ports: Vec<RangeInclusive<u16>>,
    pub(crate) action: Action,
    pub(crate) active_for: ActiveFor,
    /// ESP between these prefixes is a tunnel, whose outer header may carry an option of its own.
    pub(crate) esp_tunnel: bool,
}

/// How long a rule acts after its activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActiveFor {
    Time(Duration),
    Forever,
}

const SECOND: Duration = Duration::from_secs(1);
/// As `1y` is read: 365.25 days.
const YEAR: Duration = Duration::from_secs(31_557_600);
/// A name is a label in reports and metrics.
const MAX_NAME_LEN: usize = 64;

impl Rule {
    /// `key` is where the rule stands, such as `rule[0]`.
    pub(super) fn new(key: &str, raw: raw::Rule) -> Result<Self, Fault> {
        Ok(Self {
            name: name(key, raw.name)?,
            local: prefixes(&format!("{key}.local"), &raw.local)?,
            remote: prefixes(&format!("{key}.remote"), &raw.remote)?,
            protocol: protocol(key, &raw.protocol)?,
            local_ports: ports(&format!("{key}.local_ports"), &raw.local_ports)?,
            remote_ports: ports(&format!("{key}.remote_ports"), &raw.remote_ports)?,
            action: action(key, &raw.action)?,
            active_for: active_for(key, &raw.active_for)?,
            esp_tunnel: raw.esp_tunnel,
        })
    }
}

fn name(key: &str, name: String) -> Result<String, Fault> {
    let plain = !name.is_empty() && name.len() <= MAX_NAME_LEN && !name.contains(char::is_control);
    if plain && name.trim() == name {
        return Ok(name);
    }
    Err(Fault::value(
        format!("{key}.name"),
        format!("{name:?} is no name; write 1 to {MAX_NAME_LEN} printable octets without space around them"),
    ))
}

fn prefixes(key: &str, texts: &[String]) -> Result<Vec<Ipv6Net>, Fault> {
    if texts.is_empty() {
        return Err(Fault::value(key, "selects nothing; write prefixes, or [\"::/0\"] for all"));
    }
    texts.iter().enumerate().map(|(i, text)| prefix(&format!("{key}[{i}]"), text)).collect()
}

/// A prefix with bits beyond its length is more likely a slip than meant.
fn prefix(key: &str, text: &str) -> Result<Ipv6Net, Fault> {
    let net: Ipv6Net = text.parse().map_err(|_| {
        Fault::value(key, format!("{text:?} is no IPv6 prefix; write one such as \"2001:db8:a::/48\""))
    })?;
    if net == net.trunc() {
        return Ok(net);
    }
    Err(Fault::value(key, format!("{text:?} has bits beyond its length; write \"{}\"", net.trunc())))
}

fn protocol(key: &str, raw: &NumberOrText) -> Result<Protocol, Fault> {
    let key = format!("{key}.protocol");
    let text = match raw {
        NumberOrText::Number(number) => {
            return within(&key, *number, 0..=255, "an upper-layer protocol's number").map(Protocol::Number);
        }
        NumberOrText::Text(text) => text,
    };
    Protocol::by_name(text).ok_or_else(|| {
        let problem = format!(
            "{text:?} is no protocol; write \"any\", \"tcp\", \"udp\", \"sctp\", \"icmpv6\", \"esp\" or a number"
        );
        Fault::value(key, problem)
    })
}

fn ports(key: &str, raw: &[NumberOrText]) -> Result<Vec<RangeInclusive<u16>>, Fault> {
    raw.iter().enumerate().map(|(i, raw)| port_range(&format!("{key}[{i}]"), raw)).collect()
}

fn port_range(key: &str, raw: &NumberOrText) -> Result<RangeInclusive<u16>, Fault> {
    let text = match raw {
        NumberOrText::Number(number) => {
            let port = within(key, *number, 0..=u16::MAX.into(), "a port or a range such as \"8000-8999\"")?;
            return Ok(port..=port);
        }
        NumberOrText::Text(text) => text,
    };
    let wrong =
        || Fault::value(key, format!("{text:?} is no range of ports; write one such as \"8000-8999\""));
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let port = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong());
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(Fault::value(key, format!("{text:?} runs backwards; write \"{last}-{first}\"")));
    }
    Ok(first..=last)
}

fn action(key: &str, text: &str) -> Result<Action, Fault> {
    match text {
        "measure" => Ok(Action::MEASURE),
        "observe" => Ok(Action::OBSERVE),
        _ => Err(Fault::value(
            format!("{key}.action"),
            format!(
                "{text:?} is no action; write \"measure\" (insert, read, strip) or \"observe\" (read only)"
            ),
        )),
    }
}

fn active_for(key: &str, text: &str) -> Result<ActiveFor, Fault> {
    match text {
        "forever" => Ok(ActiveFor::Forever),
        _ => duration(&format!("{key}.active_for"), text, SECOND..=YEAR).map(ActiveFor::Time),
    }
}
