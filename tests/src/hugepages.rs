//! Huge pages of the machine's usual size, set aside for as long as a test needs them.

use std::fs;

use anyhow::{Context, Result, ensure};

const COUNT: &str = "/proc/sys/vm/nr_hugepages";

/// Pages set aside beside those there were. They are given back when this is dropped.
#[derive(Debug)]
pub struct HugePages {
    added: u64,
}

impl HugePages {
    /// Sets so many more pages aside.
    ///
    /// # Errors
    ///
    /// If we may not, or the machine has no more memory in one piece.
    pub fn set_aside(pages: u64) -> Result<Self> {
        let before = total()?;
        fs::write(COUNT, (before + pages).to_string()).with_context(|| format!("cannot write {COUNT}"))?;
        let aside = Self { added: total()?.saturating_sub(before) };
        ensure!(aside.added == pages, "the machine found {} of {pages} huge pages", aside.added);
        Ok(aside)
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        // Only ours go; there is nobody to tell if they cannot.
        if let Ok(total) = total() {
            let _ = fs::write(COUNT, total.saturating_sub(self.added).to_string());
        }
    }
}

/// How many are in use, by whomever.
///
/// # Errors
///
/// If this kernel has none.
pub fn used() -> Result<u64> {
    Ok(total()?.saturating_sub(count("HugePages_Free")?))
}

fn total() -> Result<u64> {
    count("HugePages_Total")
}

fn count(name: &str) -> Result<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let line =
        meminfo.lines().find(|line| line.starts_with(name)).context("this kernel has no huge pages")?;
    let count = line.split_whitespace().nth(1).context("a line of /proc/meminfo without a number")?;
    Ok(count.parse()?)
}
