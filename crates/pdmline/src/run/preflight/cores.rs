//! Cores this process may run on.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::PreflightError;
use crate::config::Core;

/// The numbers of the cores that are online and that this process may use, ascending.
pub(in crate::run) fn available() -> Vec<usize> {
    // It fails for no process that asks about itself with a whole mask; without an answer no core is there.
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect()
}

pub(super) fn check(cores: &[Core]) -> Result<(), PreflightError> {
    let available = available();
    match cores.iter().find(|core| !available.contains(&core.number())) {
        None => Ok(()),
        Some(&core) => {
            let available = available.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(PreflightError::NoCore { core, available })
        }
    }
}
