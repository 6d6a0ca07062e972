//! The machine's memory as a whole: asking for more of it would have the kernel end the program.

use nix::sys::sysinfo::sysinfo;

use super::PreflightError;

const MIB: u64 = 1 << 20;

/// Whether the machine has `octets`. When it does not say, it is not asked again.
pub(super) fn check(octets: u64) -> Result<(), PreflightError> {
    sysinfo().map_or(Ok(()), |machine| judge(octets, machine.ram_total()))
}

fn judge(needs: u64, has: u64) -> Result<(), PreflightError> {
    if needs <= has {
        return Ok(());
    }
    Err(PreflightError::LittleMemory { need_mib: needs.div_ceil(MIB), has_mib: has / MIB })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(judge(8 * MIB, 8 * MIB).is_ok());
        assert_eq!(
            judge(8 * MIB + 1, 8 * MIB).unwrap_err().to_string(),
            "9 MiB of memory are needed and the machine has 8 MiB; write less in flows.memory or memory.mbufs"
        );
    }
}
