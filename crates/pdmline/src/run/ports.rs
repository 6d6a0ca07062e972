//! The ports: opened, given to the workers as ways, counted, and closed with every buffer accounted for.

use std::mem;
use std::sync::Arc;

use dataplane::{Outlet, Owners, Way, WorkerId};
use dpdk::{Eal, Pool, PoolConfig, Port, PortConfig, Queues, RxQueue, TxQueue};
use flow::{PairId, Side};
use pdm::Limits;
use stats::{PortSnapshot, Report};

use super::crew::{Crew, Seat};
use super::eal::{self, Machine};
use super::say;
use crate::config::Config;

/// One direction through a pair.
pub(super) type PortWay<'eal> = Way<RxQueue<'eal>, TxQueue<'eal>>;

/// All ports of the appliance, while they run.
pub(super) struct Ports<'eal>(Vec<Opened<'eal>>);

/// A port, its place in the configuration, and the pool that its receive queue draws from.
struct Opened<'eal> {
    pair: usize,
    side: &'static str,
    port: Port<'eal>,
    pool: Pool<'eal>,
}

/// Opens the ports of `config` for `crew`. Returns the ways through all pairs as each worker has them.
pub(super) fn open<'eal>(
    eal: &'eal Eal,
    config: &Config,
    crew: &Crew,
    machine: &Machine,
) -> anyhow::Result<(Ports<'eal>, Vec<Vec<PortWay<'eal>>>)> {
    let mut ports = Ports(Vec::new());
    let mut ways: Vec<_> = crew.seats().iter().map(|_| Vec::new()).collect();
    for (index, pair) in config.pairs.iter().enumerate() {
        let host = ports.open(eal, config, crew, index, Side::Host, machine)?;
        let wire = ports.open(eal, config, crew, index, Side::Wire, machine)?;
        let limits = Limits { mtu: pair.mtu.octets(), max_destopts_len: pair.max_destopts_len };
        let through = dataplane::Pair { id: PairId::new(u8::try_from(index)?), limits };
        let members = crew.of_pair(index);
        let owners = Arc::new(ports.owners(members));
        let to_wire = Through { pair: through, from: Side::Host, owners: Arc::clone(&owners) };
        let to_host = Through { pair: through, from: Side::Wire, owners };
        share_out(&mut ways, &to_wire, members, host.rx, wire.tx);
        share_out(&mut ways, &to_host, members, wire.rx, host.tx);
    }
    Ok((ports, ways))
}

/// One direction through a pair, as far as it is the same for all workers.
struct Through {
    pair: dataplane::Pair,
    from: Side,
    owners: Arc<Owners>,
}

/// Adds the direction `through` to the `ways` of every worker, and shares its queues out to the pair's `members`. With fewer
/// transmit queues than members the rest sends by theirs.
fn share_out<R, T>(
    ways: &mut [Vec<Way<R, T>>],
    through: &Through,
    members: &[WorkerId],
    receive: Vec<R>,
    transmit: Vec<T>,
) {
    let senders = transmit.len();
    let mut parts: Vec<(Vec<R>, Option<T>)> = members.iter().map(|_| Default::default()).collect();
    for (number, queue) in receive.into_iter().enumerate() {
        parts[number % members.len()].0.push(queue);
    }
    for ((_, own), queue) in parts.iter_mut().zip(transmit) {
        *own = Some(queue);
    }
    for (worker, ways) in ways.iter_mut().enumerate() {
        let place = members.iter().position(|member| member.index() == worker);
        let (inlets, queue) = place.map(|place| mem::take(&mut parts[place])).unwrap_or_default();
        let others = Outlet::Worker(members[place.unwrap_or_default() % senders]);
        let outlet = queue.map_or(others, Outlet::Queue);
        let Through { pair, from, owners } = through;
        ways.push(Way { pair: *pair, from: *from, inlets, outlet, owners: Arc::clone(owners) });
    }
}

impl<'eal> Ports<'eal> {
    fn open(
        &mut self,
        eal: &'eal Eal,
        config: &Config,
        crew: &Crew,
        index: usize,
        side: Side,
        machine: &Machine,
    ) -> anyhow::Result<Queues<'eal>> {
        let pair = &config.pairs[index];
        let (side, device) = match side {
            Side::Host => ("host", &pair.host),
            Side::Wire => ("wire", &pair.wire),
        };
        let room = PoolConfig {
            buffers: config.memory.mbufs,
            data_room: eal::buffer_octets(pair.mtu),
            socket: crew.seats_of(index).find_map(|seat| eal.socket_of(seat.lcore)),
        };
        let pool = Pool::new(eal, &format!("port{}", self.0.len()), room)?;
        let device = eal::device(device, pair, machine);
        let wanted = PortConfig { workers: u16::try_from(pair.cores.len())?, ..PortConfig::default() };
        let (port, queues) = Port::open(eal, &device, wanted, &pool)?;
        if wanted.workers > 1 {
            // What was obtained, which no configuration can promise.
            say(&format!("{}: {}", port.name(), port.spread()));
        }
        for seat in crew.seats_of(index) {
            far_away(port.name(), port.socket(), seat, eal.socket_of(seat.lcore))
                .iter()
                .for_each(|line| say(line));
        }
        self.0.push(Opened { pair: index, side, port, pool });
        Ok(queues)
    }

    /// Who of `members` owns which flow of the pair that was opened last: by RSS where both ports steer alike, so that packets
    /// come to their owner at once, else by the keyed hash.
    fn owners(&self, members: &[WorkerId]) -> Owners {
        let steering = |port: &Opened<'_>| port.port.steering().cloned();
        match self.0.last_chunk().map(|pair: &[_; 2]| pair.each_ref().map(steering)) {
            Some([Some(host), Some(wire)]) if host == wire => {
                let member = |queue: &u16| members[usize::from(*queue) % members.len()];
                let entries: Vec<_> = host.table.iter().map(member).collect();
                Owners::by_rss(&entries, host.ports)
            }
            _ => Owners::by_key(members),
        }
    }

    /// What each port has counted, a pair's host port before its wire port.
    pub(super) fn snapshots(&self) -> Result<Vec<PortSnapshot>, dpdk::Error> {
        self.0.iter().map(Opened::snapshot).collect()
    }

    /// Stops the ports, whose queues are gone, and sees that every buffer is back in its pool. What never reached a
    /// worker is added to `report`.
    pub(super) fn close(self, report: &mut Report) -> anyhow::Result<()> {
        for port in self.snapshots()? {
            count_losses(&port, report);
        }
        // All ports first: one may hold buffers of another's pool.
        let pools: Vec<_> =
            self.0.into_iter().map(|Opened { port, pool, .. }| (port.name().to_owned(), pool)).collect();
        for (port, pool) in pools {
            let missing = pool.in_use();
            anyhow::ensure!(
                missing == 0,
                "{missing} buffers of {port} are not back in its pool: please report this"
            );
        }
        Ok(())
    }
}

impl Opened<'_> {
    fn snapshot(&self) -> Result<PortSnapshot, dpdk::Error> {
        let stats = self.port.stats()?;
        Ok(PortSnapshot {
            pair: self.pair,
            side: self.side,
            device: self.port.name().to_owned(),
            received: stats.ipackets,
            sent: stats.opackets,
            missed: stats.imissed,
            receive_errors: stats.ierrors,
            transmit_errors: stats.oerrors,
            no_buffer: stats.rx_nombuf,
            kernel_dropped: stats.kernel_dropped,
        })
    }
}

/// What to say when `port`, which lies on NUMA node `its`, is far from a worker's `seat`, which lies on `ours` with all its
/// memory.
fn far_away(port: &str, its: Option<u32>, seat: &Seat, ours: Option<u32>) -> Option<String> {
    let ((Some(its), Some(ours)), core) = ((its, ours), seat.core) else { return None };
    (its != ours).then(|| {
        format!(
            "warning: {port} is on NUMA node {its}, and core {core} with its flows and buffers on node {ours}: every packet \
             goes from one to the other; choose cores of node {its}"
        )
    })
}

/// Packets that never reached a worker, by reason.
fn count_losses(port: &PortSnapshot, report: &mut Report) {
    let losses =
        [("receive_full", port.missed), ("no_buffer", port.no_buffer), ("kernel", port.kernel_dropped)];
    for (reason, count) in losses.into_iter().filter(|&(_, count)| count > 0) {
        *report.dropped.entry(reason).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What each of three workers has of a pair that the last two serve, with `receive` and `transmit` queues: its inlets,
    /// and its own outlet or whose.
    fn shared_out(receive: u8, transmit: u8) -> Vec<(Vec<u8>, Result<u8, usize>)> {
        let mut ways = vec![Vec::new(), Vec::new(), Vec::new()];
        let pair = dataplane::Pair { id: PairId::default(), limits: Limits::default() };
        let members = [1, 2].map(WorkerId::new);
        let through = Through { pair, from: Side::Host, owners: Owners::by_key(&members).into() };
        share_out(&mut ways, &through, &members, (0..receive).collect(), (0..transmit).collect());
        let outlet = |outlet| match outlet {
            Outlet::Queue(queue) => Ok(queue),
            Outlet::Worker(worker) => Err(worker.index()),
        };
        ways.into_iter().flatten().map(|way| (way.inlets, outlet(way.outlet))).collect()
    }

    #[test]
    fn queues_are_shared_out_among_those_who_serve_the_pair() {
        assert_eq!(shared_out(2, 2), [(vec![], Err(1)), (vec![0], Ok(0)), (vec![1], Ok(1))]);
        assert_eq!(shared_out(1, 1), [(vec![], Err(1)), (vec![0], Ok(0)), (vec![], Err(1))]);
        assert_eq!(shared_out(4, 4), [(vec![], Err(1)), (vec![0, 2], Ok(0)), (vec![1, 3], Ok(1))]);
    }

    #[test]
    fn a_port_on_another_node_is_warned_of() {
        let config =
            "instance = 'a'\n[[pair]]\nhost = 'net_null0'\nwire = 'net_null1'\nmtu = 1500\ncores = [3]";
        let crew = Crew::of(&Config::parse(config).unwrap());
        let warned = |its, ours| far_away("0000:03:00.0", its, &crew.seats()[0], ours);
        assert_eq!(
            [warned(None, Some(0)), warned(Some(1), None), warned(Some(1), Some(1))],
            [None, None, None]
        );
        let said = warned(Some(1), Some(0)).unwrap();
        assert!(
            said.starts_with("warning: 0000:03:00.0 is on NUMA node 1, and core 3 with its flows"),
            "{said}"
        );
    }

    #[test]
    fn losses_add_up_by_reason_and_zeroes_stay_out() {
        let mut report = Report::default();
        let full = PortSnapshot { missed: 2, kernel_dropped: 5, ..PortSnapshot::default() };
        let quiet = PortSnapshot { received: 9, sent: 9, ..PortSnapshot::default() };
        for port in [&full, &quiet, &full] {
            count_losses(port, &mut report);
        }
        assert_eq!(report.dropped, BTreeMap::from([("receive_full", 4), ("kernel", 10)]));
        count_losses(&PortSnapshot { no_buffer: 1, ..quiet }, &mut report);
        assert_eq!(report.dropped["no_buffer"], 1);
    }
}
