//! The memory of flow tables: mapped once, zeroed, in large pages where the kernel has some left.

use std::io;

use memmap2::{Advice, MmapMut};

/// A region for one worker's shard.
pub(super) fn region(octets: usize) -> io::Result<MmapMut> {
    let mut region = MmapMut::map_anon(octets)?;
    // Advice only: kernels without transparent hugepages refuse, and small pages are slower, not wrong.
    let _ = region.advise(Advice::HugePage);
    // Touched now, so that no packet waits for the kernel to find a page.
    region.fill(0);
    Ok(region)
}

/// Whether `octets` can be locked into memory now. Limits, capabilities and user namespaces all have a say: trying is
/// simpler than asking each of them.
pub(super) fn can_lock(octets: usize) -> bool {
    MmapMut::map_anon(octets).is_ok_and(|region| region.lock().is_ok())
}
