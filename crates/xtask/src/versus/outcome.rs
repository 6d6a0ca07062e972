//! What came out: rates, and the ratios that count.

use std::fmt;

use serde::Serialize;

use super::case::{Case, Comparison};

/// What one program did in one round. Shares are of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Measured {
    /// Packets that left, in a second.
    pub(super) pps: f64,
    /// Packets that were handed to another worker.
    pub(super) handed_over: f64,
    /// Packets that did not leave.
    pub(super) dropped: f64,
    /// Time that it waited for its cores, which others had.
    pub(super) waited: f64,
}

/// A case's outcome.
#[derive(Serialize)]
pub(super) struct Outcome {
    pub(super) case: &'static str,
    about: &'static str,
    contestants: Vec<Series>,
    pub(super) ratios: Vec<Ratio>,
}

/// A contestant in every round.
#[derive(Serialize)]
struct Series {
    name: String,
    median_pps: f64,
    rounds: Vec<Measured>,
}

/// A comparison in every round. Speed drifts from round to round and hits all who take part in one.
#[derive(Serialize)]
pub(super) struct Ratio {
    #[serde(flatten)]
    pub(super) comparison: &'static Comparison,
    pub(super) median: f64,
    pub(super) rounds: Vec<f64>,
}

/// A share of waiting, handing over or dropping that is worth a word.
const WORTH_TELLING: f64 = 0.005;

impl Outcome {
    /// The outcome of `case` from what each of its contestants did in each round: at least one round.
    pub(super) fn new(case: &'static Case, rounds: &[Vec<Measured>]) -> Self {
        let series = case.contestants.iter().enumerate().map(|(place, contestant)| {
            let rounds: Vec<Measured> = rounds.iter().map(|round| round[place]).collect();
            let median_pps = median(rounds.iter().map(|round| round.pps));
            Series { name: contestant.name(), median_pps, rounds }
        });
        let ratios = case.comparisons.iter().map(|comparison| {
            let rounds: Vec<f64> = rounds.iter().map(|round| ratio(comparison, round)).collect();
            Ratio { comparison, median: median(rounds.iter().copied()), rounds }
        });
        Self { case: case.name, about: case.about, contestants: series.collect(), ratios: ratios.collect() }
    }
}

fn ratio(comparison: &Comparison, round: &[Measured]) -> f64 {
    let product = |places: &[usize]| places.iter().map(|place| round[*place].pps).product::<f64>();
    product(comparison.over) / product(comparison.under)
}

/// The middle one, or what is between the two in the middle.
fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle((sorted.len() - 1) / 2), middle(sorted.len() / 2))
}

impl Ratio {
    /// The smallest and the largest.
    pub(super) fn range(&self) -> (f64, f64) {
        self.rounds
            .iter()
            .fold((f64::INFINITY, 0.0), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.case, self.about)?;
        self.contestants.iter().try_for_each(|series| write!(f, "{series}"))?;
        self.ratios.iter().try_for_each(|ratio| write!(f, "{ratio}"))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:<32} {:>8.2} Mpps", self.name, self.median_pps / 1e6)?;
        let share = |of: fn(&Measured) -> f64| median(self.rounds.iter().map(of));
        let shares = [
            ("handed over", share(|round| round.handed_over)),
            ("dropped", share(|round| round.dropped)),
            ("waiting for a core", share(|round| round.waited)),
        ];
        for (name, share) in shares.into_iter().filter(|(_, share)| *share > WORTH_TELLING) {
            write!(f, ", {:.1} % {name}", share * 100.0)?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.range();
        write!(f, "  {:<32} {:>8.3}  ({low:.3} to {high:.3})", self.comparison.name, self.median)?;
        match self.comparison.aim {
            Some(aim) if self.median < aim => writeln!(f, ", below {aim}"),
            Some(aim) => writeln!(f, ", at least {aim}"),
            None => writeln!(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::{Contestant, Traffic, Work};
    use super::super::wiring::Cores;
    use super::*;

    static CASE: Case = Case {
        name: "scaling",
        about: "a test",
        quick: false,
        traffic: Traffic { flows: 1, lengths: &[78], marked: false },
        contestants: &[
            Contestant::Pdmline(Work::Insert, Cores::One),
            Contestant::Testpmd("csum", Cores::One),
            Contestant::Pdmline(Work::Insert, Cores::Two),
            Contestant::Testpmd("csum", Cores::Two),
        ],
        comparisons: &[
            Comparison { name: "pdmline / csum", over: &[0], under: &[1], aim: Some(0.85) },
            Comparison { name: "scaling", over: &[2, 1], under: &[0, 3], aim: Some(0.95) },
            Comparison { name: "csum, two / one", over: &[3], under: &[1], aim: None },
        ],
    };

    fn round(mpps: [f64; 4]) -> Vec<Measured> {
        mpps.map(|mpps| Measured { pps: mpps * 1e6, handed_over: 0.0, dropped: 0.0, waited: 0.0 }).to_vec()
    }

    #[test]
    fn ratios_are_made_round_by_round() {
        // The machine is half as fast in the second round, which changes no ratio.
        let outcome = Outcome::new(
            &CASE,
            &[round([9.0, 10.0, 18.0, 16.0]), round([4.5, 5.0, 9.0, 8.0]), round([10.0, 10.0, 15.0, 20.0])],
        );
        let ratios: Vec<_> =
            outcome.ratios.iter().map(|ratio| (ratio.rounds.clone(), ratio.median)).collect();
        assert_eq!(
            ratios,
            [(vec![0.9, 0.9, 1.0], 0.9), (vec![1.25, 1.25, 0.75], 1.25), (vec![1.6, 1.6, 2.0], 1.6)]
        );
        assert_eq!(outcome.ratios[1].range(), (0.75, 1.25));
        assert_eq!(outcome.contestants[0].median_pps, 9e6);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        assert_eq!(median([3.0, 1.0, 2.0, 9.0].into_iter()), 2.5);
        assert_eq!(median([3.0].into_iter()), 3.0);
    }

    #[test]
    fn people_read_what_was_measured_and_what_is_below() {
        let mut busy = round([8.0, 10.0, 16.0, 20.0]);
        busy[0].waited = 0.031;
        busy[2].handed_over = 0.5;
        assert_eq!(
            Outcome::new(&CASE, &[busy]).to_string(),
            "scaling: a test
  pdmline                              8.00 Mpps, 3.1 % waiting for a core
  testpmd csum                        10.00 Mpps
  pdmline, two cores                  16.00 Mpps, 50.0 % handed over
  testpmd csum, two cores             20.00 Mpps
  pdmline / csum                      0.800  (0.800 to 0.800), below 0.85
  scaling                             1.000  (1.000 to 1.000), at least 0.95
  csum, two / one                     2.000  (2.000 to 2.000)
"
        );
    }

    #[test]
    fn programs_read_the_same() {
        let outcome = Outcome::new(&CASE, &[round([8.0, 10.0, 16.0, 20.0])]);
        let json = serde_json::to_value(&outcome).unwrap();
        assert_eq!(json["contestants"][1]["name"], "testpmd csum");
        assert_eq!(json["contestants"][1]["rounds"][0]["pps"], 1e7);
        assert_eq!(
            json["ratios"][0],
            serde_json::json!({"name": "pdmline / csum", "aim": 0.85, "median": 0.8, "rounds": [0.8]})
        );
    }
}
