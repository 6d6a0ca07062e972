//! Counting by valgrind's callgrind.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Counts;

/// Counting begins and ends with this function of the program.
const COUNTED: &str = "--toggle-collect=*counted*";

/// The C library copies and fills by what the processor offers; every one that is meant offers what is left then.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3";

/// What each case of `program`, which names them when it is asked nothing, takes.
pub(super) fn count(program: &Path) -> Result<Counts> {
    let folder = tempfile::tempdir().context("cannot make a folder for what callgrind writes")?;
    let names = said(&mut Command::new(program))?;
    let count = |case: &str| Ok((case.to_owned(), count_case(program, case, &folder.path().join(case))?));
    names.lines().map(count).collect()
}

fn count_case(program: &Path, case: &str, written: &Path) -> Result<u64> {
    let mut command = Command::new("valgrind");
    // Nobody's settings but ours, neither valgrind's nor the C library's.
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
    command.env("GLIBC_TUNABLES", TUNABLES);
    command.args(["--tool=callgrind", "--collect-atstart=no", COUNTED]);
    command.arg(format!("--callgrind-out-file={}", written.display())).arg(program).arg(case);
    said(&mut command)?;
    let total = total(&fs::read_to_string(written)?);
    total.filter(|&count| count > 0).with_context(|| format!("callgrind has counted nothing of {case}"))
}

/// What a command that succeeds says on standard output.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {complaint}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// The sum in what callgrind has written.
fn total(written: &str) -> Option<u64> {
    written.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_among_all_that_callgrind_writes() {
        let written = "# callgrind format\nevents: Ir\nsummary: 17\n\nfn=(1) main\n0 5\n\ntotals: 413709\n";
        assert_eq!(total(written), Some(413_709));
        assert_eq!(total("events: Ir\n"), None);
    }
}
