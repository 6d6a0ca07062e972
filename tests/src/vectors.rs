//! The test vectors: an input capture each, the exact output, and the counters, as JSON that also holds the arguments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::program::{finish, pdmline};

/// The keys of a vector that say what to do; all others say what must come out.
const ARGUMENTS: [&str; 8] =
    ["about", "local", "initial_psn", "mtu", "max_destopts_len", "insert", "strip", "esp_tunnel"];
/// The metrics that a vector knows: what it does not name must have no sample.
const METRICS: [&str; 4] = ["total_rtt", "server_delay", "network_rtt", "local_delay"];

/// One vector.
#[derive(Debug)]
pub struct Vector {
    /// Its name, which the names of its files begin with.
    pub name: String,
    directory: PathBuf,
    json: Value,
}

/// What came of a vector's input.
#[derive(Debug)]
pub struct Replayed {
    /// The capture of what came out.
    pub output: PathBuf,
    /// The report, as JSON has it.
    pub report: Value,
}

/// Where the vectors lie: beside the checkout, in `../shared/vectors`, or where `PDMLINE_VECTORS` says.
#[must_use]
pub fn directory() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    std::env::var_os("PDMLINE_VECTORS").map_or(beside, PathBuf::from)
}

/// All vectors, by name.
///
/// # Errors
///
/// If there are none, or one cannot be read.
pub fn all() -> Result<Vec<Vector>> {
    let directory = directory();
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("no vectors in {}: set PDMLINE_VECTORS", directory.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut vectors = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| Vector::read(path).with_context(|| format!("cannot read {}", path.display())))
        .collect::<Result<Vec<_>>>()?;
    ensure!(!vectors.is_empty(), "no vector in {}", directory.display());
    vectors.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(vectors)
}

impl Vector {
    fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a strange name")?.to_owned();
        let directory = path.parent().context("no directory")?.to_owned();
        Ok(Self { name, directory, json: serde_json::from_str(&fs::read_to_string(path)?)? })
    }

    /// The input capture.
    #[must_use]
    pub fn input(&self) -> PathBuf {
        self.directory.join(format!("{}.in.pcap", self.name))
    }

    /// What must come out.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.directory.join(format!("{}.out.pcap", self.name))
    }

    /// What it says of `key`: null where it says nothing.
    #[must_use]
    pub fn says(&self, key: &str) -> &Value {
        &self.json[key]
    }

    /// The prefixes of the hosts.
    ///
    /// # Errors
    ///
    /// If the vector has none.
    pub fn local(&self) -> Result<Vec<&str>> {
        let prefixes = self.json["local"].as_array().context("no `local`")?;
        prefixes.iter().map(|prefix| prefix.as_str().context("`local` is no text")).collect()
    }

    /// Its setting `key`: `initial_psn`, `mtu` or `max_destopts_len`.
    ///
    /// # Errors
    ///
    /// If the vector does not say.
    pub fn number(&self, key: &str) -> Result<u16> {
        let number = self.json[key].as_u64().and_then(|number| u16::try_from(number).ok());
        number.with_context(|| format!("no `{key}`"))
    }

    /// Its setting `key`: `insert`, `strip` or `esp_tunnel`.
    ///
    /// # Errors
    ///
    /// If the vector does not say.
    pub fn flag(&self, key: &str) -> Result<bool> {
        self.json[key].as_bool().with_context(|| format!("no `{key}`"))
    }

    /// Runs `pdmline replay` on it, writing into `directory`.
    ///
    /// # Errors
    ///
    /// If it fails, or leaves no readable report.
    pub fn replay(&self, directory: &Path) -> Result<Replayed> {
        let output = directory.join(format!("{}.pcap", self.name));
        let report = directory.join(format!("{}.json", self.name));
        let mut command = Command::new(pdmline()?);
        command.arg("replay").arg(self.input()).arg(&output).arg("--report").arg(&report);
        finish(command.args(self.arguments()?))?;
        Ok(Replayed { output, report: serde_json::from_str(&fs::read_to_string(report)?)? })
    }

    fn arguments(&self) -> Result<Vec<String>> {
        let mut arguments = Vec::new();
        for prefix in self.local()? {
            arguments.extend(["--local".to_owned(), prefix.to_owned()]);
        }
        for (key, option) in
            [("initial_psn", "--initial-psn"), ("mtu", "--mtu"), ("max_destopts_len", "--max-destopts-len")]
        {
            arguments.extend([option.to_owned(), self.number(key)?.to_string()]);
        }
        for (key, usual, option) in [
            ("insert", true, "--no-insert"),
            ("strip", true, "--no-strip"),
            ("esp_tunnel", false, "--esp-tunnel"),
        ] {
            arguments.extend((self.flag(key)? != usual).then(|| option.to_owned()));
        }
        Ok(arguments)
    }

    /// Everything in which the outcome differs from what the vector says, a line each.
    ///
    /// # Errors
    ///
    /// If a capture cannot be read.
    pub fn differences(&self, replayed: &Replayed) -> Result<Vec<String>> {
        let mut differences: Vec<String> = self.differing_bytes(replayed)?.into_iter().collect();
        let expected = self.json.as_object().context("a vector is an object")?;
        for (key, expected) in expected {
            let found = &replayed.report[key];
            if !ARGUMENTS.contains(&key.as_str()) && key != "metrics" && found != expected {
                differences.push(format!("{key}: {found}, not {expected}"));
            }
        }
        for metric in METRICS {
            let (found, expected) = (&replayed.report["metrics"][metric], &self.json["metrics"][metric]);
            if !agrees(found, expected) {
                differences.push(format!("{metric}: {found}, not {expected}"));
            }
        }
        Ok(differences)
    }

    fn differing_bytes(&self, replayed: &Replayed) -> Result<Option<String>> {
        let (found, expected) = (fs::read(&replayed.output)?, fs::read(self.output())?);
        if found == expected {
            return Ok(None);
        }
        let at = found.iter().zip(&expected).take_while(|(one, other)| one == other).count();
        Ok(Some(format!(
            "the output, of {} octets, differs from octet {at} on; {} octets are expected",
            found.len(),
            expected.len()
        )))
    }
}

/// A metric without a sample is absent; the extremes of one with samples may be 1 % off, or the recorder's 1 ns.
fn agrees(found: &Value, expected: &Value) -> bool {
    if expected.is_null() || found.is_null() {
        return found == expected;
    }
    let close = |key: &str| match (found[key].as_f64(), expected[key].as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= (expected * 0.01).max(1.0),
        _ => false,
    };
    found["count"] == expected["count"] && close("min_ns") && close("max_ns")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics_agree_within_a_percent() {
        let expected = json!({"count": 2, "min_ns": 0.0, "max_ns": 1000.0});
        assert!(agrees(&json!({"count": 2, "min_ns": 1, "max_ns": 1010}), &expected));
        assert!(!agrees(&json!({"count": 2, "min_ns": 1, "max_ns": 1011}), &expected));
        assert!(!agrees(&json!({"count": 2, "min_ns": 2, "max_ns": 1000}), &expected));
        assert!(!agrees(&json!({"count": 3, "min_ns": 0, "max_ns": 1000}), &expected));
        assert!(!agrees(&json!({"count": 2}), &expected));
    }

    #[test]
    fn a_metric_without_samples_must_be_absent() {
        assert!(agrees(&Value::Null, &Value::Null));
        assert!(!agrees(&json!({"count": 1, "min_ns": 0, "max_ns": 0}), &Value::Null));
        assert!(!agrees(&Value::Null, &json!({"count": 1, "min_ns": 0, "max_ns": 0})));
    }
}
