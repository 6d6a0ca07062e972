//! The rules as the packet path takes them: with the instant at which each ends.

use std::time::SystemTime;

use dataplane::{Clock, Prefix, Rules};
use flow::Instant;

use super::activation::{Activations, Remaining};
use crate::config::Rule;

/// `rules` as far as `activations` leave them at `today`, which is now on `clock`.
pub(super) fn of(rules: &[Rule], activations: &Activations, clock: &impl Clock, today: SystemTime) -> Rules {
    let now = clock.now();
    let until = |rule| match activations.remaining(rule, today) {
        Remaining::Until(left, _) => Some(now.saturating_add(clock.rate().span_of(left))),
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
