//! The memory of flow tables: mapped once, zeroed, in large pages where there are any, on the node of who uses it.

use std::io;
use std::thread;

use memmap2::{Advice, MmapMut, MmapOptions};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::config::Core;

/// A huge page: 2^21 octets.
const HUGE_BITS: u8 = 21;

/// A region of at least `octets` octets for the shard of a worker on `core`; from the huge pages that are set aside, if
/// `huge` says so and enough are left.
pub(super) fn region(octets: usize, huge: bool, core: Core) -> io::Result<MmapMut> {
    let set_aside = huge.then(|| set_aside(octets)).transpose().ok().flatten();
    let mut region = set_aside.map_or_else(|| advised(octets), Ok)?;
    // Touched now, so that no packet waits for the kernel to find a page, and from there, for it takes pages of the node
    // of who touches them first.
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut own = CpuSet::new();
            // Where the thread may not go there, the pages are farther away, and nothing is wrong.
            let _ = usize::try_from(core.number())
                .map(|core| own.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &own)));
            region.fill(0);
        });
    });
    Ok(region)
}

/// From the huge pages that the administrator has set aside.
fn set_aside(octets: usize) -> io::Result<MmapMut> {
    let whole = octets.next_multiple_of(1 << HUGE_BITS);
    MmapOptions::new().len(whole).huge(Some(HUGE_BITS)).map_anon()
}

/// From all memory, in huge pages if the kernel finds some.
fn advised(octets: usize) -> io::Result<MmapMut> {
    let region = MmapMut::map_anon(octets)?;
    // Advice only: kernels without transparent huge pages refuse, and small pages are slower, not wrong.
    let _ = region.advise(Advice::HugePage);
    Ok(region)
}

/// Whether `octets` can be locked into memory now. Limits, capabilities and user namespaces all have a say: trying is
/// simpler than asking each of them.
pub(super) fn can_lock(octets: usize) -> bool {
    MmapMut::map_anon(octets).is_ok_and(|region| region.lock().is_ok())
}
