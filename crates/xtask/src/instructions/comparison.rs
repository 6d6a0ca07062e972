//! What was counted beside what is committed.

use std::collections::BTreeSet;
use std::fmt;

use super::Counts;

/// Per cent of the committed count by which another may differ.
const TOLERANCE: u64 = 3;

/// All cases.
pub(super) struct Comparison {
    cases: Vec<Case>,
}

/// One case: the committed count and the present one, as far as there are both.
struct Case {
    name: String,
    committed: Option<u64>,
    now: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    Grew,
    /// What was won is to be committed too, or it is lost again by and by.
    Shrank,
    New,
    Gone,
}

impl Comparison {
    pub(super) fn new(committed: &Counts, now: &Counts) -> Self {
        let names: BTreeSet<_> = committed.keys().chain(now.keys()).collect();
        let case = |name: &String| Case {
            name: name.clone(),
            committed: committed.get(name).copied(),
            now: now.get(name).copied(),
        };
        Self { cases: names.into_iter().map(case).collect() }
    }

    /// Whether all is as it was committed.
    pub(super) fn holds(&self) -> bool {
        self.cases.iter().all(|case| case.verdict() == Verdict::Kept)
    }

    /// The present counts.
    pub(super) fn now(&self) -> Counts {
        self.cases.iter().filter_map(|case| Some((case.name.clone(), case.now?))).collect()
    }
}

impl Case {
    fn verdict(&self) -> Verdict {
        match (self.committed, self.now) {
            (_, None) => Verdict::Gone,
            (None, _) => Verdict::New,
            (Some(committed), Some(now)) if now.abs_diff(committed) * 100 <= committed * TOLERANCE => {
                Verdict::Kept
            }
            (Some(committed), Some(now)) if now > committed => Verdict::Grew,
            _ => Verdict::Shrank,
        }
    }

    /// By how many per cent it grew.
    fn change(&self) -> Option<f64> {
        let (committed, now) = self.committed.zip(self.now)?;
        Some((now as f64 / committed as f64 - 1.0) * 100.0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>12} {:>12} {:>9}", "case", "committed", "now", "change")?;
        self.cases.iter().try_for_each(|case| writeln!(f, "{case}"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let change = self.change().map_or("-".to_owned(), |change| format!("{change:+.2} %"));
        let (committed, now) = (count(self.committed), count(self.now));
        write!(f, "{:<16} {committed:>12} {now:>12} {change:>9}  {}", self.name, self.verdict())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Grew => "grew",
            Self::Shrank => "shrank",
            Self::New => "not committed",
            Self::Gone => "not counted any more",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<const N: usize>(counts: [(&str, u64); N]) -> Counts {
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    }

    fn verdict(committed: u64, now: u64) -> Verdict {
        Case { name: "a".into(), committed: Some(committed), now: Some(now) }.verdict()
    }

    #[test]
    fn three_per_cent_are_tolerated_either_way_and_not_one_instruction_more() {
        assert_eq!(verdict(1000, 1000), Verdict::Kept);
        assert_eq!(verdict(1000, 1030), Verdict::Kept);
        assert_eq!(verdict(1000, 1031), Verdict::Grew);
        assert_eq!(verdict(1000, 970), Verdict::Kept);
        assert_eq!(verdict(1000, 969), Verdict::Shrank);
        assert_eq!(verdict(0, 1), Verdict::Grew);
    }

    #[test]
    fn one_case_that_differs_is_enough() {
        let committed = counts([("a", 1000), ("b", 1000)]);
        let holds = |now| Comparison::new(&committed, &now).holds();
        assert!(holds(counts([("a", 1001), ("b", 999)])));
        assert!(!holds(counts([("a", 1001), ("b", 1100)])), "grew");
        assert!(!holds(counts([("a", 900), ("b", 1000)])), "shrank");
        assert!(!holds(counts([("a", 1000)])), "gone");
        assert!(!holds(counts([("a", 1000), ("b", 1000), ("c", 1)])), "new");
    }

    #[test]
    fn the_table_tells_what_happened_and_what_there_is_now() {
        let committed = counts([("a", 1000), ("b", 1000), ("c", 1000)]);
        let now = counts([("a", 1040), ("b", 900), ("d", 7)]);
        let comparison = Comparison::new(&committed, &now);
        let table = comparison.to_string();
        let lines: Vec<_> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "case committed now change",
                "a 1000 1040 +4.00 % grew",
                "b 1000 900 -10.00 % shrank",
                "c 1000 - - not counted any more",
                "d - 7 - not committed",
            ]
        );
        assert_eq!(comparison.now(), now);
    }
}
