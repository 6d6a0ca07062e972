//! The table at the end of a test run, read from what `cargo test` prints.

use std::fmt;
use std::ops::Add;

/// The suites of a run, in the order in which they ran.
#[derive(Default)]
pub(crate) struct Summary {
    suites: Vec<Suite>,
}

struct Suite {
    name: String,
    /// None: it started and never reported. It crashed, or is not made of cargo's usual tests.
    result: Option<Counts>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            passed: self.passed + more.passed,
            failed: self.failed + more.failed,
            ignored: self.ignored + more.ignored,
        }
    }
}

impl Summary {
    /// Takes in the next line of output.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(name) = suite_name(line) {
            self.suites.push(Suite { name, result: None });
        } else if let Some(counts) = counts(line)
            && let Some(suite) = self.suites.last_mut()
        {
            // Doc tests that are to fail to compile report by themselves, after the others.
            suite.result = Some(suite.result.unwrap_or_default() + counts);
        }
    }

    /// How many tests passed.
    pub(crate) fn passed(&self) -> u32 {
        self.suites.iter().filter_map(|suite| suite.result).map(|counts| counts.passed).sum()
    }
}

/// `Running tests/vectors.rs (target/debug/deps/vectors-0f3a)` is `vectors: tests/vectors.rs`, `Doc-tests pdm` is
/// `pdm: documentation`.
fn suite_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(package) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{package}: documentation"));
    }
    let (source, binary) = line.strip_prefix("Running ")?.strip_suffix(')')?.split_once(" (")?;
    let (name, _hash) = binary.rsplit('/').next()?.rsplit_once('-')?;
    Some(format!("{name}: {}", source.trim_start_matches("unittests ")))
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; ...`
fn counts(line: &str) -> Option<Counts> {
    let (_verdict, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count_of = |what| {
        let (count, _) =
            counts.split("; ").filter_map(|part| part.split_once(' ')).find(|part| part.1 == what)?;
        count.parse().ok()
    };
    Some(Counts { passed: count_of("passed")?, failed: count_of("failed")?, ignored: count_of("ignored")? })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<44} {:>7} {:>7} {:>8}", "suite", "passed", "failed", "ignored")?;
        for Suite { name, result } in &self.suites {
            match result {
                // Cargo also starts suites without a test in them.
                Some(Counts { passed: 0, failed: 0, ignored: 0 }) => {}
                Some(Counts { passed, failed, ignored }) => {
                    writeln!(f, "{name:<44} {passed:>7} {failed:>7} {ignored:>8}")?;
                }
                None => writeln!(f, "{name:<44} ended without a result")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
   Compiling pdm v0.1.0
     Running unittests src/lib.rs (target/debug/deps/pdm-0f3a)
test option::decodes ... ok
test result: ok. 30 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
     Running tests/namespaces.rs (/tmp/t/debug/deps/namespaces-77aa)
     Running tests/vectors.rs (target/debug/deps/vectors-12)
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.10s
     Running unittests src/main.rs (target/debug/deps/xtask-12)
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests pdm
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

    fn summary() -> Summary {
        let mut summary = Summary::default();
        OUTPUT.lines().for_each(|line| summary.read(line));
        summary
    }

    #[test]
    fn every_suite_with_tests_has_a_line() {
        let table = summary().to_string();
        let lines: Vec<String> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "suite passed failed ignored",
                "pdm: src/lib.rs 30 0 1",
                "namespaces: tests/namespaces.rs ended without a result",
                "vectors: tests/vectors.rs 1 2 0",
                "pdm: documentation 5 0 0",
            ]
        );
    }

    #[test]
    fn passed_tests_are_summed() {
        assert_eq!(summary().passed(), 36);
    }
}
