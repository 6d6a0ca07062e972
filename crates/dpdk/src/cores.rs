//! Which cores there are, asked before EAL is: it answers a wrong list of cores with its whole usage text.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::Error;

/// The cores the calling thread may run on and EAL can number, in ascending order.
///
/// # Errors
/// [`Error::System`] if the system does not say.
pub fn usable() -> Result<Vec<u32>, Error> {
    let allowed =
        sched_getaffinity(Pid::from_raw(0)).map_err(Error::system("read the cores of this process"))?;
    let last = dpdk_sys::RTE_MAX_LCORE;
    Ok((0..last).filter(|core| is_set(&allowed, *core)).collect())
}

fn is_set(set: &CpuSet, core: u32) -> bool {
    usize::try_from(core).is_ok_and(|core| set.is_set(core) == Ok(true))
}
