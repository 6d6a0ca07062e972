//! The network between the two appliances: it delays every packet by the same time and loses some.

use std::collections::VecDeque;

use dataplane::{Burst, Packet, Receive, Transmit};
use dpdk::{Mbuf, QueuePair};
use pdm::{ethernet, find_pdm};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use super::scenario::Scenario;

/// Both directions, between two rings' ends.
pub(super) struct Path<'e> {
    directions: [Direction<'e>; 2],
    /// The appliances' ends: what comes from the first goes to the second, and back.
    ends: [QueuePair<'e>; 2],
    delay: u64,
    /// Packets lost in ten thousand, while there is to be loss.
    loss_per_myriad: u32,
    lossy: bool,
    dice: ChaCha12Rng,
    /// Packets without the option: the wire should see none.
    pub(super) unmarked: u64,
}

#[derive(Default)]
struct Direction<'e> {
    on_the_way: VecDeque<(u64, Mbuf<'e>)>,
    carried: u64,
    lost: u64,
}

/// The same dice at each run, so that it can be told again.
const SEED: u64 = 8250;

impl<'e> Path<'e> {
    pub(super) fn new(ends: [QueuePair<'e>; 2], scenario: &Scenario) -> Self {
        Self {
            directions: <[_; 2]>::default(),
            ends,
            delay: scenario.delay,
            loss_per_myriad: scenario.loss_per_myriad,
            lossy: false,
            dice: ChaCha12Rng::seed_from_u64(SEED),
            unmarked: 0,
        }
    }

    /// Whether packets are lost from now on.
    pub(super) fn set_lossy(&mut self, lossy: bool) {
        self.lossy = lossy;
    }

    /// Packets lost so far, both ways.
    pub(super) fn lost(&self) -> u64 {
        self.directions.iter().map(|direction| direction.lost).sum()
    }

    /// Packets that came onto the path so far, both ways.
    pub(super) fn carried(&self) -> u64 {
        self.directions.iter().map(|direction| direction.carried).sum()
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        let fronts = self.directions.iter().filter_map(|direction| direction.on_the_way.front());
        fronts.map(|&(due, _)| due).min()
    }

    /// Delivers the packets that are due at `now`.
    pub(super) fn act(&mut self, now: u64) {
        let [left, right] = &mut self.ends;
        for (direction, end) in self.directions.iter_mut().zip([right, left]) {
            while let Some((_, packet)) = direction.on_the_way.pop_front_if(|(due, _)| *due <= now) {
                let mut burst = Burst::new();
                burst.push(packet);
                end.tx.transmit(&mut burst);
            }
        }
    }

    /// Takes what the appliances have sent; returns how many packets that were.
    pub(super) fn receive(&mut self, now: u64) -> usize {
        (0..self.ends.len()).map(|end| self.receive_from(end, now)).sum()
    }

    fn receive_from(&mut self, end: usize, now: u64) -> usize {
        let mut burst = Burst::new();
        self.ends[end].rx.receive(&mut burst);
        let count = burst.len();
        for packet in burst {
            self.unmarked += u64::from(!is_marked(packet.bytes()));
            let lost = self.lossy && self.dice.random_range(0..10_000) < self.loss_per_myriad;
            let direction = &mut self.directions[end];
            direction.carried += 1;
            if lost {
                direction.lost += 1;
            } else {
                direction.on_the_way.push_back((now + self.delay, packet));
            }
        }
        count
    }
}

fn is_marked(frame: &[u8]) -> bool {
    ethernet::network_offset(frame).is_ok_and(|ip| find_pdm(frame, frame.len(), ip).is_some())
}
