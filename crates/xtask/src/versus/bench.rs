//! Running the contestants of a case, round by round.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::capture::Capture;
use super::case::{Case, Contestant, Work};
use super::hugepages::HugePages;
use super::outcome::Measured;
use super::wiring::Wiring;
use super::{pdmline, testpmd};

/// A share of time without its cores from which on a program is measured again, so many times in all at the most.
const DISTURBED: f64 = 0.1;
const TRIES: u32 = 6;

/// How long a program runs before it is measured, and for how long it then is.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub(super) warm_up: Duration,
    pub(super) time: Duration,
}

/// What programs are run with.
pub(super) struct Bench {
    pub(super) pdmline: PathBuf,
    pub(super) hugepages: bool,
    pub(super) timing: Timing,
    /// For captures, and what programs write.
    pub(super) folder: TempDir,
}

impl Bench {
    /// What each contestant of `case` does in each of `rounds` rounds. `step` hears which is next, and may end it.
    pub(super) fn measure(
        &self,
        case: &Case,
        rounds: u16,
        step: impl Fn(String) -> Result<()>,
    ) -> Result<Vec<Vec<Measured>>> {
        let sources = case.contestants.iter().map(|contestant| contestant.cores().workers().len()).max();
        let captures = (0..u32::try_from(sources.unwrap_or_default())?)
            .map(|number| Capture::write(case.traffic, number, self.folder.path()))
            .collect::<Result<Vec<_>>>()?;
        let wired: Vec<_> =
            case.contestants.iter().map(|&c| (c, Wiring::new(c.cores(), &captures))).collect();
        let mut pages = self.hugepages.then(HugePages::none).transpose()?;
        let mut one = |round, contestant: Contestant, wiring: &Wiring| {
            step(format!("{}, round {round} of {rounds}, {}", case.name, contestant.name()))?;
            let octets = self.octets(contestant, case, wiring);
            pages.as_mut().map_or(Ok(()), |pages| pages.set_aside(octets))?;
            self.run_undisturbed(contestant, case, wiring)
        };
        (1..=rounds)
            .map(|round| wired.iter().map(|(contestant, wiring)| one(round, *contestant, wiring)).collect())
            .collect()
    }

    /// Runs it again, a few times, while others have its cores.
    fn run_undisturbed(&self, contestant: Contestant, case: &Case, wiring: &Wiring) -> Result<Measured> {
        let mut measured = self.run(contestant, case, wiring)?;
        for _ in 1..TRIES {
            if measured.waited < DISTURBED {
                break;
            }
            measured = self.run(contestant, case, wiring)?;
        }
        Ok(measured)
    }

    fn run(&self, contestant: Contestant, case: &Case, wiring: &Wiring) -> Result<Measured> {
        match contestant {
            Contestant::Pdmline(work, _) => {
                self.setup(work, case).measure(wiring, self.timing, self.folder.path())
            }
            Contestant::Testpmd(mode, _) => {
                testpmd::measure(mode, wiring, self.hugepages, self.timing, self.folder.path())
            }
        }
    }

    fn setup(&self, work: Work, case: &Case) -> pdmline::Setup<'_> {
        let (program, flows) = (self.pdmline.as_path(), case.traffic.flows);
        pdmline::Setup { program, work, flows, hugepages: self.hugepages }
    }

    /// Octets of huge pages that a contestant takes.
    fn octets(&self, contestant: Contestant, case: &Case, wiring: &Wiring) -> u64 {
        wiring.memory_octets(self.hugepages)
            + match contestant {
                Contestant::Pdmline(work, _) => self.setup(work, case).table_octets(wiring),
                Contestant::Testpmd(..) => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use pdmline_tests::requirement::Requirement::{Program, TwoCores};

    use super::super::case::CASES;
    use super::*;

    #[test]
    fn both_programs_forward_the_same_packets() -> Result<()> {
        pdmline_tests::require!(Program("dpdk-testpmd"), TwoCores);
        let bench = Bench {
            pdmline: pdmline_tests::program::pdmline()?.to_owned(),
            hugepages: false,
            // Long enough to have a core for a moment on a machine that is busy with more urgent things.
            timing: Timing { warm_up: Duration::from_millis(100), time: Duration::from_secs(1) },
            folder: tempfile::tempdir()?,
        };
        let case = CASES.iter().find(|case| case.name == "insert-1k").unwrap();
        let captures = [Capture::write(case.traffic, 0, bench.folder.path())?];
        for contestant in case.contestants {
            let measured = bench.run(*contestant, case, &Wiring::new(contestant.cores(), &captures))?;
            assert!(measured.pps > 0.0, "{measured:?}");
        }
        Ok(())
    }

    #[test]
    fn whoever_is_interrupted_measures_nothing_more() {
        let bench = Bench {
            pdmline: "none".into(),
            hugepages: false,
            timing: Timing { warm_up: Duration::ZERO, time: Duration::ZERO },
            folder: tempfile::tempdir().unwrap(),
        };
        let ended = bench.measure(&CASES[0], 1, |step| Err(anyhow::anyhow!("interrupted before {step}")));
        assert_eq!(ended.unwrap_err().to_string(), "interrupted before pass-1k, round 1 of 1, pdmline");
    }
}
