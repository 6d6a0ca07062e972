//! Established flows that go on talking, and notice when one of them is not continued.

use pdm::{Attos, PdmOption, Psn, ScaledTime};

use crate::ring::Buffer;
use crate::{frame, reply_to};

/// One flow, as its two ends see it.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    /// The number of the host's last packet, once there was one.
    host: Option<Psn>,
    /// The number of the far end's next packet.
    remote: Psn,
}

/// Flows that take turns.
#[derive(Debug)]
pub struct Talk {
    flows: Vec<Ends>,
    /// Whose turn it is to ask, and to answer.
    asks: usize,
    answers: usize,
}

/// What a far end says that it took.
const SERVER_DELAY: Attos = Attos::new(1_000_000_000_000);

impl Talk {
    /// The talk on flows 0 to `flows`.
    #[must_use]
    pub fn on(flows: usize) -> Self {
        Self { flows: vec![Ends::default(); flows], asks: 0, answers: 0 }
    }

    /// Fills `buffers` with what the next hosts send.
    pub fn ask(&self, buffers: &mut [Buffer]) {
        for (flow, buffer) in self.turns(self.asks).zip(buffers) {
            buffer.fill(&frame(number(flow)));
        }
    }

    /// Reads what has become of the packets of [`Talk::ask`].
    ///
    /// # Panics
    /// If one has no option, or its number is not the one after its flow's last.
    pub fn asked(&mut self, buffers: &[Buffer]) {
        for buffer in buffers {
            let ends = &mut self.flows[self.asks];
            let psn = buffer.option().expect("an established flow's packet gets the option").psntp;
            assert!(ends.host.is_none_or(|last| last.next() == psn), "flow {} has a gap", self.asks);
            ends.host = Some(psn);
            self.asks = (self.asks + 1) % self.flows.len();
        }
    }

    /// Fills `buffers` with what the next far ends send, each an answer to the last packet of its host.
    ///
    /// # Panics
    /// If there was none.
    pub fn answer(&mut self, buffers: &mut [Buffer]) {
        for buffer in buffers {
            let ends = &mut self.flows[self.answers];
            let psnlr = ends.host.expect("hosts ask first");
            let delta_tlr = ScaledTime::encode(SERVER_DELAY);
            buffer.fill(&reply_to(frame(number(self.answers))));
            buffer.mark(&PdmOption { psntp: ends.remote, psnlr, delta_tlr, delta_tls: ScaledTime::ZERO });
            ends.remote = ends.remote.next();
            self.answers = (self.answers + 1) % self.flows.len();
        }
    }

    /// Whose turns follow, `from` on.
    fn turns(&self, from: usize) -> impl Iterator<Item = usize> {
        (0..self.flows.len()).cycle().skip(from)
    }
}

/// A flow as [`frame`] counts them.
fn number(flow: usize) -> u32 {
    u32::try_from(flow).expect("there are not so many flows")
}
