//! When rules end. A rule acts for `active_for` from its first activation, which is remembered outside the program:
//! neither a restart nor another configuration moves it. Only [`Activations::restart`] does.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::{ActiveFor, Instance, Rule};
use crate::files;

/// When each rule was first activated, by its name, as the state file holds it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Activations(BTreeMap<String, SystemTime>);

/// What is left of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remaining {
    /// It acts so long, until the given time of day.
    Until(Duration, SystemTime),
    Forever,
    /// It ended then.
    Ended(SystemTime),
}

impl Activations {
    /// Reads `file`; one that is not there remembers nothing.
    ///
    /// # Errors
    /// A file that cannot be read or understood: guessing would let a rule act for longer than it may.
    pub(super) fn load(file: &Path) -> Result<Self, ActivationError> {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                Self::from_text(&text).ok_or_else(|| ActivationError::Damaged { file: file.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(reason) => Err(ActivationError::Unreadable { file: file.to_owned(), reason }),
        }
    }

    /// Writes `file`, whole or not at all, and its folder.
    ///
    /// # Errors
    /// When it cannot be written: then the next start would let the rules act anew.
    pub(super) fn save(&self, file: &Path) -> Result<(), ActivationError> {
        let written = file
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| files::write_atomically(file, self.to_text().as_bytes()));
        written.map_err(|reason| ActivationError::Unwritable { file: file.to_owned(), reason })
    }

    /// Forgets when `rules` were activated.
    pub(super) fn restart(&mut self, rules: &[Rule]) {
        for rule in rules {
            self.0.remove(&rule.name);
        }
    }

    /// Activates the rules that never were. A clock that was ahead when a rule was activated gives it no more time.
    pub(super) fn activate(&mut self, rules: &[Rule], now: SystemTime) {
        let now = whole_seconds(now);
        for rule in rules {
            let activated = self.0.entry(rule.name.clone()).or_insert(now);
            *activated = now.min(*activated);
        }
    }

    /// What is left of `rule` at `now`; one that was never activated has all its time.
    pub(super) fn remaining(&self, rule: &Rule, now: SystemTime) -> Remaining {
        let ActiveFor::Time(active_for) = rule.active_for else { return Remaining::Forever };
        let activated = self.0.get(&rule.name).copied().unwrap_or(now);
        let end = activated + active_for;
        match end.duration_since(now) {
            Ok(left) if !left.is_zero() => Remaining::Until(left, end),
            _ => Remaining::Ended(end),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let times: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        times
            .into_iter()
            .map(|(rule, time)| Some((rule, humantime::parse_rfc3339(&time).ok()?)))
            .collect::<Option<_>>()
            .map(Self)
    }

    fn to_text(&self) -> String {
        let times: serde_json::Map<_, _> = self
            .0
            .iter()
            .map(|(rule, time)| (rule.clone(), humantime::format_rfc3339_seconds(*time).to_string().into()))
            .collect();
        format!("{:#}\n", serde_json::Value::Object(times))
    }
}

/// What the state file can hold. Rounded down: a second less rather than more.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// Where `instance` remembers its activations.
pub(super) fn state_file(instance: &Instance) -> PathBuf {
    files::state_dir().join(instance.as_str()).join("activations.json")
}

/// Why the rules' ends are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActivationError {
    #[error("cannot read {file}, which remembers when the rules were activated: {reason}", file = .file.display())]
    Unreadable { file: PathBuf, reason: io::Error },
    #[error(
        "{file}, which remembers when the rules were activated, is damaged; remove it, and the rules act for their \
         whole time again",
        file = .file.display()
    )]
    Damaged { file: PathBuf },
    #[error(
        "cannot write {file}, which remembers when the rules were activated: {reason}; make its folder writable, or \
         name another in STATE_DIRECTORY",
        file = .file.display()
    )]
    Unwritable { file: PathBuf, reason: io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn rule(name: &str, active_for: &str) -> Rule {
        let text = format!(
            "instance = 'a'\n[[pair]]\nhost = 'net_null0'\nwire = 'net_null1'\nmtu = 1500\ncores = [0]\n[[rule]]\n\
             name = '{name}'\nlocal = ['::/0']\nremote = ['::/0']\naction = 'observe'\nactive_for = '{active_for}'"
        );
        crate::config::Config::parse(&text).unwrap().rules.remove(0)
    }

    fn at(hours: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + HOUR * hours
    }

    #[test]
    fn a_restart_of_the_program_gives_no_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("edge/activations.json");
        let rules = [rule("lab", "3h")];
        let start = |now| {
            let mut activations = Activations::load(&file).unwrap();
            activations.activate(&rules, now);
            activations.save(&file).unwrap();
            activations.remaining(&rules[0], now)
        };
        assert_eq!(start(at(0)), Remaining::Until(HOUR * 3, at(3)));
        assert_eq!(start(at(2)), Remaining::Until(HOUR, at(3)));
        assert_eq!(start(at(3)), Remaining::Ended(at(3)));
        assert_eq!(start(at(99)), Remaining::Ended(at(3)));
    }

    #[test]
    fn another_active_for_counts_from_the_activation() {
        let mut activations = Activations::default();
        activations.activate(&[rule("lab", "1h")], at(0));
        assert_eq!(activations.remaining(&rule("lab", "4h"), at(2)), Remaining::Until(HOUR * 2, at(4)));
        assert_eq!(activations.remaining(&rule("lab", "1h"), at(2)), Remaining::Ended(at(1)));
    }

    #[test]
    fn forever_is_remembered_too() {
        let mut activations = Activations::default();
        let forever = rule("lab", "forever");
        activations.activate(std::slice::from_ref(&forever), at(0));
        assert_eq!(activations.remaining(&forever, at(9)), Remaining::Forever);
        assert_eq!(activations.remaining(&rule("lab", "1h"), at(9)), Remaining::Ended(at(1)));
    }

    #[test]
    fn only_an_explicit_restart_starts_anew() {
        let (lab, other) = (rule("lab", "1h"), rule("other", "1h"));
        let mut activations = Activations::default();
        activations.activate(&[lab.clone(), other.clone()], at(0));
        activations.restart(std::slice::from_ref(&lab));
        activations.activate(&[lab.clone(), other.clone()], at(5));
        assert_eq!(activations.remaining(&lab, at(5)), Remaining::Until(HOUR, at(6)));
        assert_eq!(activations.remaining(&other, at(5)), Remaining::Ended(at(1)));
    }

    #[test]
    fn a_rule_that_comes_back_is_still_the_same() {
        let lab = rule("lab", "1h");
        let mut activations = Activations::default();
        activations.activate(std::slice::from_ref(&lab), at(0));
        activations.activate(&[], at(1));
        activations.activate(std::slice::from_ref(&lab), at(2));
        assert_eq!(activations.remaining(&lab, at(2)), Remaining::Ended(at(1)));
    }

    #[test]
    fn a_clock_that_was_ahead_gives_no_time() {
        let lab = rule("lab", "1h");
        let mut activations = Activations::default();
        activations.activate(std::slice::from_ref(&lab), at(50));
        activations.activate(std::slice::from_ref(&lab), at(0));
        assert_eq!(activations.remaining(&lab, at(0)), Remaining::Until(HOUR, at(1)));
    }

    #[test]
    fn a_damaged_file_is_not_guessed_at() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("activations.json");
        for text in ["", "{\"lab\": 3}", "{\"lab\": \"yesterday\"}"] {
            std::fs::write(&file, text).unwrap();
            let message = Activations::load(&file).unwrap_err().to_string();
            assert!(message.contains("is damaged; remove it"), "{message}");
        }
    }
}
