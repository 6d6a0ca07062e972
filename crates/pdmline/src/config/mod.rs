//! The configuration of `pdmline run`: TOML in, one typed and judged [`Config`] out.
//!
//! [`raw`] reads the file without judging; everything here is built from that, once, and is right by construction.
//! What is wrong is told with the file, the key's path and what to write instead. Nothing here looks at the machine:
//! whether a core or a device is there is [`crate::run`]'s to find out.

mod build;
mod device;
mod raw;
mod rule;
mod units;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dataplane::Idle;
use flow::WhenFull;

pub(crate) use device::{Device, PciAddress, Resource};
pub(crate) use rule::{ActiveFor, Rule};
pub(crate) use units::{Core, Instance, Mtu};

/// Everything `pdmline run` is told by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Names what must not be shared with another instance.
    pub(crate) instance: Instance,
    /// At least one.
    pub(crate) pairs: Vec<Pair>,
    /// In the file's order: the first that selects a packet decides. Names are unique.
    pub(crate) rules: Vec<Rule>,
    pub(crate) flows: Flows,
    pub(crate) memory: Memory,
    /// What a worker does when nothing came.
    pub(crate) idle: Idle,
    pub(crate) export: Export,
}

/// Two ports and the workers between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) host: Device,
    pub(crate) wire: Device,
    pub(crate) mtu: Mtu,
    /// Octets a destination options header may have after merging.
    pub(crate) max_destopts_len: u16,
    /// A worker for each; one that is repeated has several. At least one.
    pub(crate) cores: Vec<Core>,
}

/// The bounds of the flow tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flows {
    /// Octets for all workers together.
    pub(crate) memory_bytes: usize,
    /// How long a flow stays after its last packet.
    pub(crate) lifetime: Duration,
    /// What happens to a new flow when there is no room.
    pub(crate) when_full: WhenFull,
}

/// Where results go while the appliance runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    /// How often.
    pub(crate) interval: Duration,
    /// Where OpenMetrics are served.
    pub(crate) openmetrics: Option<SocketAddr>,
    /// Buckets of its histograms in a decade.
    pub(crate) buckets_per_decade: u8,
    /// Bits of the remote prefixes that it tells apart, if it does.
    pub(crate) prefixes: Option<u8>,
    /// The HdrHistogram log.
    pub(crate) hlog: Option<PathBuf>,
    pub(crate) json: Option<Target>,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    File(PathBuf),
    Stdout,
}

/// Where packet buffers live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) hugepages: bool,
    /// Packet buffers of each port.
    pub(crate) mbufs: u32,
}

impl Config {
    /// Reads and judges `path`.
    ///
    /// # Errors
    /// The first thing that is wrong, with what to do about it.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|reason| ConfigError::Unreadable { file: path.to_owned(), reason })?;
        Self::parse(&text).map_err(|fault| ConfigError::Wrong { file: path.to_owned(), fault })
    }

    /// Judges a configuration's text.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        build::config(toml::from_str(text).map_err(|error| Fault::syntax(text, &error))?)
    }

    /// Every device, host before wire, pair by pair.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Device> {
        self.pairs.iter().flat_map(|pair| [&pair.host, &pair.wire])
    }

    /// The cores that get workers, each once, in the order the pairs name them.
    pub(crate) fn cores(&self) -> Vec<Core> {
        let mut cores = Vec::new();
        for core in self.pairs.iter().flat_map(|pair| &pair.cores) {
            if !cores.contains(core) {
                cores.push(*core);
            }
        }
        cores
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration {file}: {reason}", file = .file.display())]
    Unreadable { file: PathBuf, reason: std::io::Error },
    #[error("{file}: {fault}", file = .file.display())]
    Wrong { file: PathBuf, fault: Fault },
}

/// What is wrong in a configuration's text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Not TOML, an unknown key, a missing one, or one of another type.
    #[error("line {line}: {problem}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        problem: String,
    },
    /// A value that cannot be meant.
    #[error("{key}: {problem}")]
    Value {
        /// Where it stands, such as `rule[0].remote[2]`; counted from 0.
        key: String,
        problem: String,
    },
}

impl Fault {
    fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        Self::Syntax { line: before.matches('\n').count() + 1, problem: error.message().trim_end().into() }
    }

    fn value(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value { key: key.into(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests;
