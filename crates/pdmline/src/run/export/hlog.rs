//! The histogram log: all delays, for HdrHistogram's tools.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use stats::{HistogramLog, Snapshot};

use super::file::LineFile;
use super::writer::{Lines, Writer};
use crate::config::Target;

/// Opens the log at `path` of what is measured from `start` on. What is there already stays, and this comes behind.
///
/// # Errors
/// When it cannot be written.
pub(super) fn open(path: PathBuf, start: SystemTime) -> anyhow::Result<Writer> {
    let log = HistogramLog::new(start);
    let mut header = Vec::new();
    log.write_header(&mut header)?;
    Writer::start(LineFile::open("histogram log", Target::File(path), header)?, log)
}

impl Lines for HistogramLog {
    fn interval(&mut self, snapshot: &Snapshot, now: SystemTime, out: &mut Vec<u8>) -> io::Result<()> {
        self.write_interval(snapshot, now, out)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::run::export::testing::snapshot;

    /// What a file holds, without the histograms themselves.
    fn heads(path: &std::path::Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        let head = |line: &str| line.split(",HIST").next().unwrap_or_default().to_owned();
        text.lines().filter(|line| line.starts_with("#[Start") || !line.starts_with('#')).map(head).collect()
    }

    #[test]
    fn every_file_of_a_rotated_log_is_one_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut log = open(path.clone(), start).unwrap();
        for second in 1..=3 {
            let uptime = Duration::from_secs(second);
            assert_eq!(log.export(&Arc::new(snapshot(uptime)), start + uptime), None);
            if second == 2 {
                fs::rename(&path, &old).unwrap();
                log.reopen();
            }
        }
        assert_eq!(log.finish(), None);
        let header = "#[StartTime: 1700000000.000 (seconds since epoch)]";
        let line = |began: u64| format!("Tag=lab.network_rtt,{began}.000,1.000,100.000");
        assert_eq!(heads(&old), [header, &line(1_700_000_000), &line(1_700_000_001)]);
        assert_eq!(heads(&path), [header, &line(1_700_000_002)]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_one_message() {
        let error = open("/nowhere/log".into(), UNIX_EPOCH).err().unwrap();
        let said = "cannot write the histogram log to /nowhere/log: No such file or directory (os error 2)";
        assert_eq!(format!("{error:#}"), said);
    }
}
