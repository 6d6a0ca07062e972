//! Huge pages, set aside while they are needed.

use std::fs;

use anyhow::{Context, Result, ensure};

const COUNT: &str = "/proc/sys/vm/nr_hugepages";
const MEMINFO: &str = "/proc/meminfo";

/// Huge pages that are set aside beside those there were. They are given back when this is dropped.
pub(super) struct HugePages {
    /// Pages there were before.
    before: u64,
    added: u64,
}

/// The machine's huge pages of the usual size.
struct Pool {
    octets: u64,
    total: u64,
    free: u64,
}

impl HugePages {
    /// None yet.
    pub(super) fn none() -> Result<Self> {
        Ok(Self { before: Pool::read()?.total, added: 0 })
    }

    /// Sees to it that `octets` octets are free in huge pages. Others may take some, or give some back, at any time.
    ///
    /// # Errors
    ///
    /// If the machine has no more memory in one piece, or we may not ask for it.
    pub(super) fn set_aside(&mut self, octets: u64) -> Result<()> {
        let pool = Pool::read()?;
        let missing = pool.missing(octets);
        if missing == 0 {
            return Ok(());
        }
        let wanted = pool.total + missing;
        fs::write(COUNT, wanted.to_string()).with_context(|| {
            format!("{missing} huge pages are missing: `sysctl vm.nr_hugepages={wanted}` as root, or use --no-huge")
        })?;
        let now = Pool::read()?;
        self.added += now.total.saturating_sub(pool.total);
        ensure!(
            now.missing(octets) == 0,
            "the machine found {} of {missing} huge pages: end what takes memory, or leave out cases of many flows",
            now.total.saturating_sub(pool.total)
        );
        Ok(())
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        if self.added > 0
            && let Ok(pool) = Pool::read()
        {
            // Others may have changed the number meanwhile: only ours go. There is nobody to tell if they cannot.
            let left = pool.total.saturating_sub(self.added).max(self.before);
            let _ = fs::write(COUNT, left.to_string());
        }
    }
}

impl Pool {
    fn read() -> Result<Self> {
        let meminfo = fs::read_to_string(MEMINFO)?;
        Self::parse(&meminfo).context("this kernel has no huge pages: use --no-huge")
    }

    fn parse(meminfo: &str) -> Option<Self> {
        let number = |name| {
            let (_, value) =
                meminfo.lines().filter_map(|line| line.split_once(':')).find(|line| line.0 == name)?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        };
        let free = number("HugePages_Free")?.saturating_sub(number("HugePages_Rsvd")?);
        Some(Self { octets: number("Hugepagesize")? << 10, total: number("HugePages_Total")?, free })
    }

    /// Pages beyond the free ones that `octets` octets take.
    fn missing(&self, octets: u64) -> u64 {
        octets.div_ceil(self.octets).saturating_sub(self.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_pages_that_others_were_promised_do_not_count() {
        let meminfo = "MemTotal: 24000000 kB\nHugePages_Total:     320\nHugePages_Free:      169\n\
                       HugePages_Rsvd:        9\nHugepagesize:       2048 kB\n";
        let pool = Pool::parse(meminfo).unwrap();
        assert_eq!((pool.octets, pool.total, pool.free), (2 << 20, 320, 160));
        assert_eq!(pool.missing(320 << 20), 0);
        assert_eq!(pool.missing((320 << 20) + 1), 1);
        assert!(Pool::parse("MemTotal: 24000000 kB\n").is_none());
    }
}
