//! The file as it is written: keys and types of TOML, nothing judged. A key that is not here is refused.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) instance: String,
    pub(super) consent: Option<Consent>,
    #[serde(default)]
    pub(super) pair: Vec<Pair>,
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
    #[serde(default)]
    pub(super) flows: Flows,
    #[serde(default)]
    pub(super) memory: Memory,
    #[serde(default)]
    pub(super) poll: Poll,
    #[serde(default)]
    pub(super) export: Export,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consent {
    pub(super) statement: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) host: String,
    pub(super) wire: String,
    pub(super) mtu: i64,
    #[serde(default = "defaults::max_destopts_len")]
    pub(super) max_destopts_len: i64,
    pub(super) cores: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) local: Vec<String>,
    pub(super) remote: Vec<String>,
    #[serde(default = "defaults::protocol")]
    pub(super) protocol: NumberOrText,
    #[serde(default)]
    pub(super) local_ports: Vec<NumberOrText>,
    #[serde(default)]
    pub(super) remote_ports: Vec<NumberOrText>,
    pub(super) action: String,
    #[serde(default = "defaults::active_for")]
    pub(super) active_for: String,
    #[serde(default)]
    pub(super) esp_tunnel: bool,
}

/// A port, a range of them, or a protocol.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, or text in quotes")]
pub(super) enum NumberOrText {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Flows {
    pub(super) memory: String,
    pub(super) lifetime: String,
    pub(super) when_full: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Memory {
    pub(super) hugepages: bool,
    pub(super) mbufs: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Poll {
    pub(super) idle: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Export {
    pub(super) interval: String,
    pub(super) openmetrics: Option<String>,
    pub(super) buckets_per_decade: i64,
    pub(super) prefixes: Option<i64>,
    pub(super) hlog: Option<PathBuf>,
    pub(super) json: Option<PathBuf>,
}

impl Default for Export {
    fn default() -> Self {
        Self {
            interval: "1s".into(),
            openmetrics: None,
            buckets_per_decade: 3,
            prefixes: None,
            hlog: None,
            json: None,
        }
    }
}

impl Default for Flows {
    fn default() -> Self {
        Self { memory: "64MiB".into(), lifetime: "60s".into(), when_full: "refuse".into() }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { hugepages: true, mbufs: 16_384 }
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self { idle: "spin".into() }
    }
}

mod defaults {
    use super::NumberOrText;

    pub(super) fn max_destopts_len() -> i64 {
        40
    }

    pub(super) fn protocol() -> NumberOrText {
        NumberOrText::Text("any".into())
    }

    pub(super) fn active_for() -> String {
        "1h".into()
    }
}
