//! Hugepages that nobody has taken.

use std::fs;
use std::path::Path;

use super::PreflightError;

const POOLS: &str = "/sys/kernel/mm/hugepages";
const MIB: u64 = 1 << 20;

/// One size of hugepages.
struct Pool {
    page_octets: u64,
    pages: u64,
    free: u64,
}

pub(super) fn check(need_octets: u64) -> Result<(), PreflightError> {
    judge(&pools(Path::new(POOLS)), need_octets)
}

fn judge(pools: &[Pool], need_octets: u64) -> Result<(), PreflightError> {
    let free: u64 = pools.iter().map(|pool| pool.page_octets * pool.free).sum();
    if free >= need_octets {
        return Ok(());
    }
    // The sysctl is about the machine's usual size, the smallest.
    let usual = pools.iter().min_by_key(|pool| pool.page_octets);
    let (page_octets, pages) = usual.map_or((2 * MIB, 0), |pool| (pool.page_octets, pool.pages));
    Err(PreflightError::FewHugepages {
        need_mib: need_octets.div_ceil(MIB),
        free_mib: free / MIB,
        pages: pages + (need_octets - free).div_ceil(page_octets),
    })
}

/// What cannot be read is not there: some kernels have no hugepages at all.
fn pools(folder: &Path) -> Vec<Pool> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().filter_map(|entry| pool(&entry.path())).collect()
}

fn pool(folder: &Path) -> Option<Pool> {
    let name = folder.file_name()?.to_str()?;
    let kib: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    let number = |file| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
    Some(Pool { page_octets: kib << 10, pages: number("nr_hugepages")?, free: number("free_hugepages")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sizes_count() {
        let pools = [
            Pool { page_octets: 2 * MIB, pages: 64, free: 60 },
            Pool { page_octets: 1 << 30, pages: 1, free: 1 },
        ];
        assert!(judge(&pools, 1144 * MIB).is_ok());
        assert!(judge(&pools, 1145 * MIB).is_err());
    }

    #[test]
    fn the_message_names_a_number_that_is_enough() {
        let pools = [Pool { page_octets: 2 * MIB, pages: 64, free: 10 }];
        assert_eq!(
            judge(&pools, 201 * MIB).unwrap_err().to_string(),
            "201 MiB of hugepages are needed and 20 MiB are free; set more aside with `sysctl vm.nr_hugepages=155`, \
             or do without: hugepages = false in [memory]"
        );
        assert!(judge(&[], MIB).unwrap_err().to_string().contains("`sysctl vm.nr_hugepages=1`"));
    }

    #[test]
    fn the_kernels_folders_are_understood() {
        let dir = tempfile::tempdir().unwrap();
        let pool = dir.path().join("hugepages-2048kB");
        fs::create_dir(&pool).unwrap();
        fs::write(pool.join("nr_hugepages"), "7\n").unwrap();
        fs::write(pool.join("free_hugepages"), "5\n").unwrap();
        assert!(judge(&pools(dir.path()), 10 * MIB).is_ok());
        assert!(judge(&pools(dir.path()), 11 * MIB).is_err());
    }
}
