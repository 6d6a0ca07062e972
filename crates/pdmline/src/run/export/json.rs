//! JSON lines: what happened, an object at a time.

use std::time::SystemTime;

use stats::{Intervals, Snapshot};

use super::file::LineFile;
use crate::config::Target;

/// JSON lines in a file or on standard output.
#[derive(Debug)]
pub(crate) struct JsonLines {
    intervals: Intervals,
    file: LineFile,
}

impl JsonLines {
    /// Opens `target`. What is there already stays, and lines come behind.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn create(target: Target) -> anyhow::Result<Self> {
        let file = LineFile::open("JSON lines", target, Vec::new())?;
        Ok(Self { intervals: Intervals::default(), file })
    }

    /// Writes the interval that `snapshot` ends at `now`. If the lines have to stop here what to say is returned, once.
    #[must_use]
    pub(crate) fn export(&mut self, snapshot: &Snapshot, now: SystemTime) -> Option<String> {
        self.file.append(|out| {
            serde_json::to_writer(&mut *out, &self.intervals.ended(snapshot, now))?;
            out.push(b'\n');
            Ok(())
        })
    }

    /// Opens the file again after it was renamed, or stopped. What to say is returned if that fails.
    #[must_use]
    pub(crate) fn reopen(&mut self) -> Option<String> {
        self.file.reopen()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::Value;

    use super::*;
    use crate::run::export::testing::snapshot;

    #[test]
    fn each_interval_is_one_line_and_a_rotation_costs_none() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut lines = JsonLines::create(Target::File(path.clone())).unwrap();
        for millis in [1000, 2000, 3500] {
            let uptime = Duration::from_millis(millis);
            assert_eq!(lines.export(&snapshot(uptime), UNIX_EPOCH + uptime), None);
            if millis == 2000 {
                fs::rename(&path, &old).unwrap();
                assert_eq!(lines.reopen(), None);
            }
        }
        let told = |path| {
            let text = fs::read_to_string(path).unwrap();
            let line = |line: &str| {
                let object: Value = serde_json::from_str(line).unwrap();
                (object["time"].clone(), object["interval_s"].clone(), object["packets"].clone())
            };
            text.lines().map(line).collect::<Vec<_>>()
        };
        let line = |time: &str, length: f64, packets: u64| (time.into(), length.into(), packets.into());
        assert_eq!(
            told(&old),
            [line("1970-01-01T00:00:01.000Z", 1.0, 1000), line("1970-01-01T00:00:02.000Z", 1.0, 1000)]
        );
        assert_eq!(told(&path), [line("1970-01-01T00:00:03.500Z", 1.5, 1500)]);
    }

    #[test]
    fn lines_after_a_full_device_tell_of_their_interval_only() {
        let mut lines = JsonLines::create(Target::File("/dev/full".into())).unwrap();
        let mut export = |millis| lines.export(&snapshot(Duration::from_millis(millis)), UNIX_EPOCH);
        assert!(
            export(1000).unwrap().starts_with("stopped writing the JSON lines to /dev/full: No space left")
        );
        assert_eq!(export(2000), None);
        let snapshot = snapshot(Duration::from_secs(3));
        let next = serde_json::to_value(lines.intervals.ended(&snapshot, UNIX_EPOCH)).unwrap();
        assert_eq!((&next["packets"], &next["interval_s"]), (&1000.into(), &1.0.into()));
    }
}
