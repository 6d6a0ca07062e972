//! Packets of flows that nobody has seen before, each of another one.

use flow::Side;
use pdm::PdmOption;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::ring::Buffer;
use crate::{FRAME, PORTS, SOURCE, frame, reply_to};

/// Whose flows they say they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guise {
    /// Anybody's: random addresses and ports.
    Random,
    /// Established ones', all but the ports: nobody can come closer to their buckets without the key of the hash.
    Alike,
}

/// How a burst of them comes.
const KINDS: [(Side, bool); 3] = [(Side::Host, false), (Side::Wire, false), (Side::Wire, true)];

/// A flood.
#[derive(Debug)]
pub struct Strangers {
    guise: Guise,
    random: SmallRng,
    /// How many there were.
    count: u32,
    bursts: usize,
}

impl Strangers {
    /// A flood of those.
    #[must_use]
    pub fn new(guise: Guise) -> Self {
        Self { guise, random: SmallRng::seed_from_u64(2), count: 0, bursts: 0 }
    }

    /// How many packets there were.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Fills `burst`, and says by which side it comes: from the hosts, from the wire, and from the wire with options, by
    /// turns.
    pub fn come(&mut self, burst: &mut [Buffer]) -> Side {
        let (side, marked) = KINDS[self.bursts % KINDS.len()];
        self.bursts += 1;
        for buffer in burst {
            let frame = self.next();
            buffer.fill(&if side == Side::Host { frame } else { reply_to(frame) });
            if marked {
                buffer.mark(&PdmOption::default());
            }
        }
        side
    }

    /// A frame of the next one, from the host's side.
    fn next(&mut self) -> [u8; FRAME] {
        let count = self.count;
        self.count += 1;
        match self.guise {
            Guise::Random => self.random_but(count),
            Guise::Alike => between(frame(0), count >> EPHEMERAL_BITS, count),
        }
    }

    /// A frame between ports and addresses that are random, but for the prefix and a part that is `count`.
    fn random_but(&mut self, count: u32) -> [u8; FRAME] {
        let mut frame = frame(0);
        self.random.fill_bytes(&mut frame[SOURCE + 6..SOURCE + 12]);
        frame[SOURCE + 12..SOURCE + 16].copy_from_slice(&count.to_be_bytes());
        self.random.fill_bytes(&mut frame[SOURCE + 22..SOURCE + 32]);
        between(frame, self.random.random(), self.random.random())
    }
}

/// Ephemeral ports are the highest 2^14 ones. No established flow has one at the far end.
const EPHEMERAL_BITS: u32 = 14;

/// `frame` between the ephemeral ports that the low bits of `local` and `remote` say.
fn between(mut frame: [u8; FRAME], local: u32, remote: u32) -> [u8; FRAME] {
    for (at, port) in [(PORTS, local), (PORTS + 2, remote)] {
        let [.., high, low] = port.to_be_bytes();
        frame[at..at + 2].copy_from_slice(&[high | 0xc0, low]);
    }
    frame
}
