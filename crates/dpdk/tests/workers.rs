//! Two workers on ports made of rings, with two queues each and everything arriving wherever it likes: nothing is lost, and
//! each flow's packets leave in their order with numbers that have no gap.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use dataplane::{
    Action, BURST, Burst, Engine, Idle, Mailbox, Outlet, Owners, Packet, Pair, Receive, Rule, Rules, Telling,
    Transmit, Way, Worker, WorkerId, mailboxes,
};
use dpdk::{
    Calibrator, Eal, Joint, Mbuf, Pool, PoolConfig, QueuePair, RxQueue, TscClock, TxQueue, cores, joined,
};
use flow::{KeyHasher, PairId, PsnStart, Settings, Shard, Side, Span};
use ipnet::Ipv6Net;
use pdm::{Limits, PdmOption, Psn, find_pdm};
use stats::Counters;

const FLOWS: u16 = 50;
const PACKETS: u16 = 20_000;

/// Packets on their way at the most: fewer than any ring holds, so that whoever loses one is at fault.
const IN_FLIGHT: u16 = 512;

const IP: usize = 14;

/// Packet `number`: UDP, each flow in turn, with the number as payload.
fn frame(number: u16) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 10, 17, 64]);
    for network in [0x0a, 0x0b] {
        frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
    frame.extend([number % FLOWS, 80, 10, 0, number].iter().flat_map(|field| field.to_be_bytes()));
    frame
}

type RingWorker<'a> = Worker<'a, RxQueue<'a>, TxQueue<'a>, TscClock>;

fn worker<'a>(
    memory: &'a mut [u8],
    [host, wire]: [QueuePair<'a>; 2],
    mailbox: Mailbox<Mbuf<'a>>,
    clock: &TscClock,
    counters: &Arc<Counters>,
) -> RingWorker<'a> {
    let settings = Settings::new(KeyHasher::new([1, 2, 3, 4]), PsnStart::At(Psn::new(65_000)));
    let shard = Shard::new(memory, settings).unwrap();
    let rule = Rule::of_hosts("all", [Ipv6Net::default()], Action::MEASURE);
    let engine = Engine::new(shard, Rules::new(vec![rule]), Arc::clone(counters));
    let pair = Pair { id: PairId::default(), limits: Limits::default() };
    let owners = Arc::new(Owners::by_key(&[0, 1].map(WorkerId::new)));
    let way = |from, receive, transmit| Way {
        pair,
        from,
        inlets: vec![receive],
        outlet: Outlet::Queue(transmit),
        owners: Arc::clone(&owners),
    };
    let ways = vec![way(Side::Host, host.rx, wire.tx), way(Side::Wire, wire.rx, host.tx)];
    let (telling, _) = Telling::of(&engine, Span::from_ticks(u64::MAX));
    Worker::new(engine, ways, mailbox, clock.clone(), telling)
}

/// A flow's port, and the numbers of its packets with the PSNTP of each, in their order.
type Flows = BTreeMap<u16, Vec<(u16, Psn)>>;

/// Takes what has come out of `wire`, and returns how much.
fn take(wire: &mut [QueuePair<'_>], flows: &mut Flows) -> u16 {
    let mut taken = 0;
    for queue in wire {
        let mut burst = Burst::new();
        queue.rx.receive(&mut burst);
        for packet in &burst {
            let frame = packet.bytes();
            let marked = find_pdm(frame, frame.len(), IP).unwrap();
            let number = u16::from_be_bytes(*frame.last_chunk().unwrap());
            let psn = PdmOption::read(frame, &marked.pdm).psntp;
            flows.entry(marked.ports.source()).or_default().push((number, psn));
            taken += 1;
        }
    }
    taken
}

/// Sends all packets into `host`, each flow by both queues in turn, at the pace at which they come out of `wire`.
fn pump<'a>(pool: &Pool<'a>, host: &mut [QueuePair<'a>], wire: &mut [QueuePair<'a>]) -> Flows {
    let (mut flows, mut sent, mut taken) = (Flows::new(), 0, 0);
    while taken < PACKETS {
        if sent < PACKETS && sent - taken < IN_FLIGHT {
            // A flow's packets in one queue at a time: between two queues no order is promised.
            let mut burst: Burst<_> =
                (sent..PACKETS).take(BURST).map(|number| pool.packet(&frame(number)).unwrap()).collect();
            sent += u16::try_from(burst.len()).unwrap();
            let (even, odd): (Vec<_>, Vec<_>) =
                burst.drain(..).partition(|packet| packet.bytes()[IP + 41] % 2 == 0);
            for (queue, packets) in host.iter_mut().zip([even, odd]) {
                let mut packets: Burst<_> = packets.into_iter().collect();
                queue.tx.transmit(&mut packets);
                assert!(packets.is_empty(), "the ring has room");
            }
        }
        taken += take(wire, &mut flows);
        std::thread::yield_now();
    }
    flows
}

#[test]
fn two_workers_on_rings_lose_nothing_and_keep_the_order() {
    let core = *cores::usable().unwrap().last().unwrap();
    let lcores = format!("--lcores=0@0,1@{core},2@{core}");
    let prefix = format!("--file-prefix=pdmline-workers-{}", std::process::id());
    let eal = Eal::init(&["--no-huge", "-m", "256", "--no-pci", &lcores, &prefix]).unwrap();
    let pool = Pool::new(&eal, "workers", PoolConfig { buffers: 4095, ..PoolConfig::default() }).unwrap();
    let joint = Joint { queues: 2, capacity: 1024 };
    let [(_a, mut hosts), (_b, ours)] = joined(&eal, "host", joint, [&pool, &pool]).unwrap();
    let [(_c, theirs), (_d, mut network)] = joined(&eal, "wire", joint, [&pool, &pool]).unwrap();
    let clock = Calibrator::start().unwrap().clock();
    let counters = [(); 2].map(|()| Arc::new(Counters::default()));
    let mut memories = [(); 2].map(|()| vec![0; Shard::memory_for(100, Settings::LOG_PACKETS)]);
    let queues = ours.into_iter().zip(theirs).map(|(host, wire)| [host, wire]);
    let parts = queues.zip(mailboxes(2, 1024)).zip(memories.iter_mut().zip(&counters));
    let workers: Vec<_> = parts
        .map(|((queues, mailbox), (memory, counters))| worker(memory, queues, mailbox, &clock, counters))
        .collect();

    let stop = AtomicBool::new(false);
    let stopping = &stop;
    let flows = eal.scope(|scope| {
        let launched: Vec<_> = (1..)
            .zip(workers)
            .map(|(lcore, mut worker)| {
                scope.launch(lcore, move || worker.run(Idle::Yield, stopping)).unwrap()
            })
            .collect();
        let flows = pump(&pool, &mut hosts, &mut network);
        stop.store(true, Relaxed);
        launched.into_iter().for_each(|worker| worker.join().unwrap());
        flows
    });

    let mut counts = counters[0].now();
    counts += counters[1].now();
    assert_eq!((counts.packets, counts.inserted), (PACKETS.into(), PACKETS.into()), "{counts:?}");
    assert_eq!((counts.flows_live, counts.dropped), (FLOWS.into(), [0; 2]), "{counts:?}");
    assert!(counts.handed_over > 0 && counts.handed_over == counts.taken_over, "{counts:?}");
    for (port, packets) in flows {
        let numbers: Vec<u16> = packets.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (port..PACKETS).step_by(FLOWS.into()).collect::<Vec<_>>(), "port {port}");
        assert!(packets.windows(2).all(|two| two[1].1 == two[0].1.next()), "port {port}: {packets:?}");
    }
}
