//! Clients, an edge, the network, an edge and a server, stepped from one thread through simulated time.

use std::time::Duration;

use dpdk::{Eal, Joint, Pool, QueuePair, joined};
use indicatif::ProgressBar;
use ipnet::Ipv6Net;
use stats::Report;

use super::clock::SimulatedClock;
use super::edge::Edge;
use super::frame::{CLIENTS, SERVER};
use super::hosts::{Clients, Server, Socket};
use super::path::Path;
use super::scenario::Scenario;

/// Clients that ask.
const CLIENT_COUNT: u16 = 100;

/// How long a scenario lasts, in simulated nanoseconds.
pub(super) const LASTS: u64 = 120_000_000_000;

/// At both ends of a scenario nothing is lost: loss shows by a gap between two numbers, so each flow needs a first and
/// a last packet that arrive.
const LOSSLESS: u64 = 3_000_000_000;

/// Simulated nanoseconds between two moves of the progress bar.
const BAR_STEP: u64 = LASTS / 100;

/// What came out of a scenario.
pub(super) struct Outcome {
    /// What the clients' edge measured.
    pub(super) near: Report,
    /// What the server's edge measured.
    pub(super) far: Report,
    /// Requests answered.
    pub(super) answered: u64,
    /// Packets that came onto the path.
    pub(super) carried: u64,
    /// Packets lost on it.
    pub(super) lost: u64,
    /// Packets on the path without the option.
    pub(super) unmarked: u64,
    /// Frames that a host did not expect, such as marked ones.
    pub(super) surprises: u64,
}

/// Plays `scenario` over rings made in `eal`, and moves `bar` along by [`LASTS`].
pub(super) fn play(
    eal: &Eal,
    pool: &Pool<'_>,
    scenario: &Scenario,
    bar: &ProgressBar,
) -> anyhow::Result<Outcome> {
    let clock = SimulatedClock::default();
    let mut memory = [vec![0; Edge::memory()], vec![0; Edge::memory()]];
    let [near, far] = &mut memory;
    let (_ports, [clients, near_host, near_wire, left, right, far_wire, far_host, server]) =
        cables(eal, pool)?;
    let near = Edge::new(Ipv6Net::new(CLIENTS, 48)?, [near_host, near_wire], near, &clock)?;
    let far = Edge::new(Ipv6Net::new(SERVER, 48)?, [far_host, far_wire], far, &clock)?;
    let mut lab = Lab {
        clients: Clients::new(Socket::new(pool, clients), CLIENT_COUNT, 0),
        edges: [near, far],
        path: Path::new([left, right], scenario),
        server: Server::new(Socket::new(pool, server), scenario),
        clock: &clock,
    };
    lab.play(bar)?;
    Ok(lab.into_outcome())
}

type Ports<'e> = Vec<dpdk::Port<'e>>;

/// The four cables and their eight ends, from the clients to the server.
fn cables<'e>(eal: &'e Eal, pool: &Pool<'e>) -> anyhow::Result<(Ports<'e>, [QueuePair<'e>; 8])> {
    let mut ports = Vec::new();
    let mut ends = Vec::new();
    for cable in ["clients", "near", "far", "server"] {
        for (port, queues) in joined(eal, cable, Joint::default(), [pool, pool])? {
            ports.push(port);
            ends.extend(queues);
        }
    }
    let ends = ends.try_into().map_err(|_| anyhow::anyhow!("a cable has not exactly two ends"))?;
    Ok((ports, ends))
}

struct Lab<'e> {
    clients: Clients<'e>,
    edges: [Edge<'e>; 2],
    path: Path<'e>,
    server: Server<'e>,
    clock: &'e SimulatedClock,
}

impl Lab<'_> {
    /// From event to event until everything is over: at the end clients stop asking, and the rest arrives.
    fn play(&mut self, bar: &ProgressBar) -> anyhow::Result<()> {
        let mut shown = 0;
        while let Some(now) = self.next_due() {
            self.clock.move_to(now);
            if now >= LASTS {
                self.clients.stop();
            }
            self.path.set_lossy((LOSSLESS..LASTS - LOSSLESS).contains(&now));
            self.clients.act(now)?;
            self.server.act(now)?;
            self.path.act(now);
            self.settle(now);
            if now >= shown + BAR_STEP {
                bar.inc(now.min(LASTS) - shown);
                shown = now.min(LASTS);
            }
        }
        bar.inc(LASTS.saturating_sub(shown));
        Ok(())
    }

    fn next_due(&self) -> Option<u64> {
        [self.clients.next_due(), self.server.next_due(), self.path.next_due()].into_iter().flatten().min()
    }

    /// Lets every packet go as far as it gets without time passing.
    fn settle(&mut self, now: u64) {
        loop {
            let stepped: usize = self.edges.iter_mut().map(Edge::step).sum();
            let taken = self.clients.receive(now) + self.server.receive(now) + self.path.receive(now);
            if stepped + taken == 0 {
                return;
            }
        }
    }

    fn into_outcome(self) -> Outcome {
        let duration = Duration::from_nanos(self.clock.nanos());
        let [near, far] = self.edges.map(|edge| edge.into_report(duration));
        Outcome {
            near,
            far,
            answered: self.clients.answered,
            carried: self.path.carried(),
            lost: self.path.lost(),
            unmarked: self.path.unmarked,
            surprises: self.clients.socket.surprises + self.server.socket.surprises,
        }
    }
}
