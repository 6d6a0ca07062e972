//! From the file as written to the configuration as meant.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dataplane::{Action, Idle};
use flow::WhenFull;

use super::units::{duration, size, within};
use super::{Config, Core, Device, Export, Fault, Flows, Instance, Memory, Mtu, Pair, Rule, Target, raw};

/// The 16 octets an option needs alone, to what a header's length octet can say.
const DESTOPTS_LEN: std::ops::RangeInclusive<i64> = 16..=2048;
/// Workers of a pair: none is none, and EAL numbers no more than 128 threads in all.
const WORKERS: std::ops::RangeInclusive<usize> = 1..=32;
/// Fewer buffers than this leave a port's queues short; more than this is a slip.
const MBUFS: std::ops::RangeInclusive<i64> = 4_096..=4_194_304;
const FLOW_MEMORY: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;
const LIFETIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
/// As often as recorders come in; an hour keeps a histogram's counts from overflowing.
const EXPORT_INTERVAL: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60 * 60);
/// Fewer hide what is asked; more are series nobody can afford.
const BUCKETS_PER_DECADE: std::ops::RangeInclusive<i64> = 3..=30;
/// Longer ones would tell the hosts of one network apart.
const PREFIX_BITS: std::ops::RangeInclusive<i64> = 1..=64;
const SLEEP: std::ops::RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_millis(10);

pub(super) fn config(file: raw::File) -> Result<Config, Fault> {
    let pairs = pairs(file.pair)?;
    let rules = rules(file.rule)?;
    consented(file.consent.as_ref(), &rules)?;
    Ok(Config {
        instance: Instance::new(&file.instance)?,
        pairs,
        rules,
        flows: flows(&file.flows)?,
        memory: memory(&file.memory)?,
        idle: idle(&file.poll.idle)?,
        export: export(file.export)?,
    })
}

fn pairs(raw: Vec<raw::Pair>) -> Result<Vec<Pair>, Fault> {
    if raw.is_empty() {
        return Err(Fault::value("pair", "there is none; write a [[pair]] with its host and wire ports"));
    }
    let pairs: Vec<Pair> = raw
        .into_iter()
        .enumerate()
        .map(|(i, raw)| pair(&format!("pair[{i}]"), &raw))
        .collect::<Result<_, _>>()?;
    each_device_once(&pairs)?;
    Ok(pairs)
}

fn pair(key: &str, raw: &raw::Pair) -> Result<Pair, Fault> {
    let mtu = Mtu::new(&format!("{key}.mtu"), raw.mtu)?;
    let max_destopts_len = within(
        &format!("{key}.max_destopts_len"),
        raw.max_destopts_len,
        DESTOPTS_LEN,
        "octets of an options header",
    )?;
    Ok(Pair {
        host: Device::new(&format!("{key}.host"), &raw.host)?,
        wire: Device::new(&format!("{key}.wire"), &raw.wire)?,
        mtu,
        max_destopts_len,
        cores: cores(&format!("{key}.cores"), &raw.cores)?,
    })
}

fn cores(key: &str, raw: &[i64]) -> Result<Vec<Core>, Fault> {
    if !WORKERS.contains(&raw.len()) {
        let problem =
            format!("names {} cores; write {} to {}, such as [1]", raw.len(), WORKERS.start(), WORKERS.end());
        return Err(Fault::value(key, problem));
    }
    raw.iter().enumerate().map(|(i, core)| Core::new(&format!("{key}[{i}]"), *core)).collect()
}

/// A name can be given to one device only, and what a device takes can be taken once.
fn each_device_once(pairs: &[Pair]) -> Result<(), Fault> {
    let ports: Vec<(String, &Device)> = pairs
        .iter()
        .enumerate()
        .flat_map(|(i, pair)| {
            [(format!("pair[{i}].host"), &pair.host), (format!("pair[{i}].wire"), &pair.wire)]
        })
        .collect();
    for (i, (key, device)) in ports.iter().enumerate() {
        for (earlier, other) in &ports[..i] {
            let same_name = device.name() == other.name();
            let same_resource = device.resources().iter().any(|taken| other.resources().contains(taken));
            if same_name || same_resource {
                let what = if same_name { device.name().into() } else { format!("what {device} opens") };
                return Err(Fault::value(
                    key,
                    format!("{what} is already {earlier}; every port needs its own device"),
                ));
            }
        }
    }
    Ok(())
}

fn rules(raw: Vec<raw::Rule>) -> Result<Vec<Rule>, Fault> {
    let mut names = HashSet::new();
    let mut rules = Vec::with_capacity(raw.len());
    for (i, raw) in raw.into_iter().enumerate() {
        let key = format!("rule[{i}]");
        let rule = Rule::new(&key, raw)?;
        if !names.insert(rule.name.clone()) {
            let problem = format!("{:?} is the name of an earlier rule; give each its own", rule.name);
            return Err(Fault::value(format!("{key}.name"), problem));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// RFC 8250, section 4.4: measuring other people's traffic needs their agreement.
fn consented(consent: Option<&raw::Consent>, rules: &[Rule]) -> Result<(), Fault> {
    if consent.is_some_and(|consent| !consent.statement.trim().is_empty()) {
        return Ok(());
    }
    match rules.iter().find(|rule| rule.action == Action::MEASURE) {
        None => Ok(()),
        Some(rule) => Err(Fault::value(
            "consent.statement",
            format!(
                "rule {:?} would insert measurements into users' packets, and nothing is inserted without it; write \
                 who agreed to what, or make the rule's action \"observe\"",
                rule.name
            ),
        )),
    }
}

fn flows(raw: &raw::Flows) -> Result<Flows, Fault> {
    Ok(Flows {
        memory_bytes: size("flows.memory", &raw.memory, FLOW_MEMORY)?,
        lifetime: duration("flows.lifetime", &raw.lifetime, LIFETIME)?,
        when_full: when_full(&raw.when_full)?,
    })
}

fn when_full(text: &str) -> Result<WhenFull, Fault> {
    match text {
        "refuse" => Ok(WhenFull::Refuse),
        "evict" => Ok(WhenFull::Evict),
        _ => Err(Fault::value("flows.when_full", format!("{text:?} is neither \"refuse\" nor \"evict\""))),
    }
}

fn export(raw: raw::Export) -> Result<Export, Fault> {
    let per_decade = within(
        "export.buckets_per_decade",
        raw.buckets_per_decade,
        BUCKETS_PER_DECADE,
        "buckets of a histogram in a decade",
    )?;
    let prefixes = raw.prefixes.map(|bits| within("export.prefixes", bits, PREFIX_BITS, "bits of a prefix"));
    Ok(Export {
        interval: duration("export.interval", &raw.interval, EXPORT_INTERVAL)?,
        openmetrics: raw.openmetrics.map(|address| socket(&address)).transpose()?,
        buckets_per_decade: per_decade,
        prefixes: prefixes.transpose()?,
        hlog: raw.hlog,
        json: raw.json.map(|path| if path == Path::new("-") { Target::Stdout } else { Target::File(path) }),
    })
}

fn socket(address: &str) -> Result<SocketAddr, Fault> {
    let problem =
        || format!("{address:?} is not an address and port; write \"127.0.0.1:9464\" or \"[::1]:9464\"");
    address.parse().map_err(|_| Fault::value("export.openmetrics", problem()))
}

fn memory(raw: &raw::Memory) -> Result<Memory, Fault> {
    let mbufs = within("memory.mbufs", raw.mbufs, MBUFS, "packet buffers per port")?;
    Ok(Memory { hugepages: raw.hugepages, mbufs })
}

fn idle(text: &str) -> Result<Idle, Fault> {
    match (text, text.strip_prefix("sleep:")) {
        ("spin", _) => Ok(Idle::Spin),
        ("yield", _) => Ok(Idle::Yield),
        (_, Some(time)) => duration("poll.idle", time, SLEEP).map(Idle::Sleep),
        _ => Err(Fault::value(
            "poll.idle",
            format!("{text:?} is no way to wait; write \"spin\", \"yield\" or \"sleep:50us\""),
        )),
    }
}
