//! `cargo xtask instructions`: how many instructions the packet path takes, beside how many it took when that was last
//! committed. Unlike times, they are the same on a busy machine.

mod callgrind;
mod comparison;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::{packages, release, workspace};
use comparison::Comparison;

/// Where the committed counts are, in the workspace.
const COMMITTED: &str = "benches/instructions.toml";

const HEAD: &str = "# Instructions for 1,024 packets, as `cargo xtask instructions --accept` counted them. CI holds them to 3 %.\n";

/// Instructions of each case.
type Counts = BTreeMap<String, u64>;

/// What becomes of the counts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Take what is counted now as what is to be kept, and write it to benches/instructions.toml
    #[arg(long)]
    accept: bool,
}

/// Counts, and fails if that is not what is committed.
pub(crate) fn run(args: &Args) -> Result<()> {
    packages::install(packages::BUILD, packages::INSTRUCTIONS)?;
    let program = release("pdmline-benches", "instructions")?;
    let committed = committed()?;
    let comparison = Comparison::new(&committed, &callgrind::count(&program)?);
    print!("{comparison}");
    if args.accept {
        return accept(&comparison.now());
    }
    ensure!(
        comparison.holds(),
        "{COMMITTED} says otherwise. Make cheaper what has become dearer for no good reason; for all else run \
         `cargo xtask instructions --accept`, commit what it writes, and say why"
    );
    Ok(())
}

fn path() -> PathBuf {
    workspace().join(COMMITTED)
}

fn committed() -> Result<Counts> {
    let text = fs::read_to_string(path()).with_context(|| format!("cannot read {COMMITTED}"))?;
    toml::from_str(&text).with_context(|| format!("{COMMITTED} is damaged"))
}

fn accept(counts: &Counts) -> Result<()> {
    let text = format!("{HEAD}{}", toml::to_string(counts)?);
    fs::write(path(), text).with_context(|| format!("cannot write {COMMITTED}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_as_it_was_accepted() {
        let text = format!("{HEAD}{}", toml::to_string(&committed().unwrap()).unwrap());
        assert_eq!(text, fs::read_to_string(path()).unwrap());
    }
}
