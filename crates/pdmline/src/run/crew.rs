//! Which workers there are, where they run, and which pairs they serve.

use std::sync::Arc;

use dataplane::WorkerId;

use crate::config::{Config, Core};

/// Where a worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) core: Core,
    /// What EAL calls it: the core's number, or for further workers on a core one that is no core's.
    pub(super) lcore: u32,
}

/// All workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crew {
    seats: Vec<Seat>,
    /// For each pair the workers that serve it, in the order of its cores.
    pairs: Vec<Arc<[WorkerId]>>,
    main_lcore: u32,
}

impl Crew {
    /// The workers that `config` asks for: one for each core that a pair names, more where it names the core again. Pairs
    /// that name the same core share its worker.
    pub(super) fn of(config: &Config) -> Self {
        let mut free = (0..).filter(|number| config.cores().iter().all(|core| core.number() != *number));
        let main_lcore = free.next().unwrap_or_default();
        let (mut places, mut seats) = (Vec::new(), Vec::new());
        let mut worker = |place @ (core, nth): (Core, usize)| {
            let known = places.iter().position(|other| *other == place);
            let index = known.unwrap_or_else(|| {
                let own = if nth == 0 { Some(core.number()) } else { free.next() };
                seats.push(Seat { core, lcore: own.unwrap_or_default() });
                places.push(place);
                seats.len() - 1
            });
            WorkerId::new(u16::try_from(index).unwrap_or(u16::MAX))
        };
        let pairs =
            config.pairs.iter().map(|pair| places_of(&pair.cores).map(&mut worker).collect()).collect();
        Self { seats, pairs, main_lcore }
    }

    /// Each worker's seat.
    pub(super) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// The workers that serve the pair at `index`.
    pub(super) fn of_pair(&self, index: usize) -> &Arc<[WorkerId]> {
        &self.pairs[index]
    }

    /// The seats of the workers that serve the pair at `index`.
    pub(super) fn seats_of(&self, index: usize) -> impl Iterator<Item = &Seat> {
        self.pairs[index].iter().map(|worker| &self.seats[worker.index()])
    }

    /// What EAL calls the thread that is none of theirs.
    pub(super) const fn main_lcore(&self) -> u32 {
        self.main_lcore
    }
}

/// Each core with how often it was named before.
fn places_of(cores: &[Core]) -> impl Iterator<Item = (Core, usize)> {
    let before = |index: usize, core: &Core| cores[..index].iter().filter(|other| *other == core).count();
    cores.iter().enumerate().map(move |(index, core)| (*core, before(index, core)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(cores: &[&str]) -> (Vec<(u32, u32)>, Vec<Vec<usize>>, u32) {
        let mut text = String::from("instance = 'a'\n");
        for (index, cores) in cores.iter().enumerate() {
            let (host, wire) = (2 * index, 2 * index + 1);
            text += &format!(
                "[[pair]]\nhost = 'net_null{host}'\nwire = 'net_null{wire}'\nmtu = 1500\ncores = {cores}\n"
            );
        }
        let crew = Crew::of(&Config::parse(&text).unwrap());
        let seats = crew.seats().iter().map(|seat| (seat.core.number(), seat.lcore)).collect();
        let pairs = (0..cores.len()).map(|pair| crew.of_pair(pair).iter().map(|id| id.index()).collect());
        (seats, pairs.collect(), crew.main_lcore())
    }

    #[test]
    fn a_core_that_several_pairs_name_has_one_worker_and_one_that_a_pair_repeats_has_more() {
        assert_eq!(crew(&["[1]"]), (vec![(1, 1)], vec![vec![0]], 0));
        assert_eq!(crew(&["[1, 2]", "[2]"]), (vec![(1, 1), (2, 2)], vec![vec![0, 1], vec![1]], 0));
        let repeated = vec![(1, 1), (1, 3), (0, 0), (1, 4)];
        assert_eq!(crew(&["[1, 1]", "[0, 1, 1, 1]"]), (repeated, vec![vec![0, 1], vec![2, 0, 1, 3]], 2));
    }
}
