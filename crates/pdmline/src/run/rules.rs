//! The rules as the packet path takes them: with the instant at which each ends.

use std::time::SystemTime;

use dataplane::{Prefix, Rules};
use flow::{Instant, TickRate};

use super::activation::{Activations, Remaining};
use crate::config::Rule;

/// `rules` as far as `activations` leave them, when the clock of `rate` reads `now` and the wall's `today`.
pub(super) fn of(
    rules: &[Rule],
    activations: &Activations,
    (now, rate): (Instant, TickRate),
    today: SystemTime,
) -> Rules {
    let until = |rule| match activations.remaining(rule, today) {
        Remaining::Until(left, _) => {
            let nanos = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
            Some(now.saturating_add(rate.span_of_nanos(nanos)))
        }
        Remaining::Ended(_) => Some(now),
        Remaining::Forever => None,
    };
    Rules::new(rules.iter().map(|rule| dataplane_rule(rule, until(rule))).collect())
}

fn dataplane_rule(rule: &Rule, until: Option<Instant>) -> dataplane::Rule {
    let prefixes = |nets: &[ipnet::Ipv6Net]| nets.iter().copied().map(Prefix::from).collect();
    dataplane::Rule {
        name: rule.name.clone(),
        local: prefixes(&rule.local),
        remote: prefixes(&rule.remote),
        protocol: rule.protocol,
        local_ports: rule.local_ports.clone(),
        remote_ports: rule.remote_ports.clone(),
        action: rule.action,
        esp_tunnel: rule.esp_tunnel,
        until,
    }
}
