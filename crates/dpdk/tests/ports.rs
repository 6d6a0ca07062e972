//! Pools, packets, ports and workers on drivers that need no hardware, in one EAL: a process has only one.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(unsafe_code, reason = "the accessors are compared with DPDK's functions")]

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dataplane::{BURST, Burst, LONGEST, NoHeadroom, Packet, Receive, Transmit};
use dpdk::{
    Eal, Error, HEADROOM, Joint, Mbuf, Pool, PoolConfig, Port, PortConfig, Spread, SpreadHash, Stats, cores,
    free, joined,
};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// Buffers of each test's own pool.
const BUFFERS: u32 = 511;

#[test]
fn one_eal() {
    let cores = cores::usable().unwrap();
    let (first, last) = (cores[0], cores[cores.len() - 1]);
    let lcores = format!("--lcores=0@{first},1@{last},2@{last}");
    let prefix = format!("--file-prefix=pdmline-ports-{}", std::process::id());
    let eal = Eal::init(&["--no-huge", "-m", "256", "--no-pci", &lcores, &prefix]).unwrap();

    assert_eq!(cores::usable().unwrap(), cores, "EAL pinned this thread");
    a_second_eal_is_refused();
    pools_refuse_what_does_not_fit(&eal);
    a_burst_is_filled_at_once_or_not_at_all(&eal);
    accessors_agree_with_dpdk(&eal);
    shared_buffers_do_not_grow(&eal);
    packets_cross_byte_for_byte_and_are_counted(&eal);
    a_full_ring_leaves_the_rest(&eal);
    what_is_on_the_way_returns_to_its_pool(&eal);
    queues_outlive_their_port(&eal);
    null_gives_and_takes(&eal);
    a_driver_that_can_hashes_both_directions_alike(&eal);
    captures_are_read_and_written(&eal);
    a_queue_by_argument_is_opened_whoever_wants_it(&eal);
    devices_that_cannot_be_used_say_why(&eal);
    memory_can_be_near_a_core(&eal, [first, last]);
    workers_borrow_return_and_panic(&eal);
    two_workers_share_a_processor(&eal, last);
}

fn pool<'eal>(eal: &'eal Eal, name: &str) -> Pool<'eal> {
    Pool::new(eal, name, PoolConfig { buffers: BUFFERS, ..PoolConfig::default() }).unwrap()
}

/// Frame number `number`: of a length and content of its own.
fn frame(number: u8) -> Vec<u8> {
    (0..60 + number).map(|octet| octet ^ number).collect()
}

fn frames<'eal>(pool: &Pool<'eal>, numbers: impl IntoIterator<Item = u8>) -> Burst<Mbuf<'eal>> {
    numbers.into_iter().map(|number| pool.packet(&frame(number)).unwrap()).collect()
}

fn assert_frames(burst: &[Mbuf<'_>], numbers: impl IntoIterator<Item = u8>) {
    let expected: Vec<_> = numbers.into_iter().map(frame).collect();
    let found: Vec<_> = burst.iter().map(|packet| packet.bytes().to_vec()).collect();
    assert_eq!(found, expected);
}

fn a_second_eal_is_refused() {
    let Err(refused) = Eal::init(&["--no-huge"]) else { panic!("a second EAL") };
    assert!(matches!(refused, Error::SecondEal), "{refused}");
    assert!(refused.to_string().contains("once per process"), "{refused}");
}

fn pools_refuse_what_does_not_fit(eal: &Eal) {
    let small = Pool::new(eal, "small", PoolConfig { buffers: 3, data_room: 100, socket: None }).unwrap();
    let three: Vec<_> = (0..3).map(|number| small.packet(&frame(number)).unwrap()).collect();
    assert!(matches!(small.packet(&[0]), Err(Error::PoolEmpty)));
    assert_eq!(small.in_use(), 3);
    drop(three);
    assert_eq!(small.in_use(), 0);
    assert!(matches!(small.packet(&[0; 101]), Err(Error::PacketTooLong { octets: 101, room: 100 })));
    assert_eq!(small.in_use(), 0);
    assert_eq!(small.packet(&[7; 100]).unwrap().bytes(), [7; 100]);

    let again = Pool::new(eal, "small", PoolConfig::default()).err().unwrap().to_string();
    assert!(again.starts_with("no pool `small` of 16383 buffers: "), "{again}");
    let huge = PoolConfig { buffers: 10_000_000, ..PoolConfig::default() };
    let huge = Pool::new(eal, "huge", huge).err().unwrap().to_string();
    assert!(huge.contains("give DPDK more memory (-m)"), "{huge}");
}

fn a_burst_is_filled_at_once_or_not_at_all(eal: &Eal) {
    let pool = Pool::new(eal, "fill", PoolConfig { buffers: 95, data_room: 100, socket: None }).unwrap();
    let mut burst = frames(&pool, 0..2);
    pool.fill(&mut burst, &frame(9)).unwrap();
    assert_frames(&burst, [0, 1].into_iter().chain([9; BURST - 2]));
    assert_eq!(burst[BURST - 1].headroom(), HEADROOM);
    pool.fill(&mut burst, &frame(8)).unwrap(); // a full burst stays as it is
    assert_eq!((burst.len(), pool.in_use()), (BURST, 32));

    let mut other = frames(&pool, 0..1);
    assert!(matches!(pool.fill(&mut other, &[0; 101]), Err(Error::PacketTooLong { octets: 101, room: 100 })));
    assert_eq!((other.len(), pool.in_use()), (1, 33), "what did not fit was given back");
    pool.fill(&mut other, &frame(9)).unwrap();
    let mut third = frames(&pool, 0..1);
    assert!(matches!(pool.fill(&mut third, &frame(9)), Err(Error::PoolEmpty)), "30 are left, and 31 wanted");
    assert_eq!((third.len(), pool.in_use()), (1, 65));
    drop((burst, other, third));
    assert_eq!(pool.in_use(), 0);
}

/// The same walk through growing and shrinking, once with ours and once with DPDK's functions.
fn accessors_agree_with_dpdk(eal: &Eal) {
    let pool = pool(eal, "accessors");
    let mut ours = pool.packet(&frame(9)).unwrap();
    let theirs = pool.packet(&frame(9)).unwrap();
    let agree = |ours: &Mbuf<'_>| {
        // SAFETY: both packets are alive, and read only.
        let (m, t) = unsafe { (&*ours.as_ptr(), &*theirs.as_ptr()) };
        let (headroom, tailroom) =
            // SAFETY: as above.
            unsafe { (dpdk_sys::rte_pktmbuf_headroom(m), dpdk_sys::rte_pktmbuf_tailroom(m)) };
        // SAFETY: as above.
        assert_eq!((headroom, tailroom), unsafe {
            (dpdk_sys::rte_pktmbuf_headroom(t), dpdk_sys::rte_pktmbuf_tailroom(t))
        });
        assert_eq!(ours.headroom(), headroom);
        assert_eq!((ours.bytes(), ours.wire_len()), (theirs.bytes(), theirs.wire_len()));
    };
    agree(&ours);
    assert_eq!(ours.headroom(), HEADROOM);
    for step in [16_u16, 24, 8, 1, 79] {
        ours.grow_front(usize::from(step)).unwrap();
        // SAFETY: `theirs` is alive and ours alone; the call checks for room.
        let start = unsafe { dpdk_sys::rte_pktmbuf_prepend(theirs.as_ptr(), step) };
        // SAFETY: the octets were just added to the packet.
        unsafe { start.write_bytes(0xa5, usize::from(step)) };
        ours.bytes_mut()[..usize::from(step)].fill(0xa5);
        agree(&ours);
    }
    assert_eq!(ours.headroom(), 0);
    assert_eq!(ours.grow_front(1), Err(NoHeadroom));
    assert_eq!(ours.grow_front(70_000), Err(NoHeadroom));
    agree(&ours);
    for step in [1_u16, 16, 0, 120] {
        ours.shrink_front(usize::from(step));
        // SAFETY: `theirs` is alive and ours alone; the call checks the length.
        assert!(!unsafe { dpdk_sys::rte_pktmbuf_adj(theirs.as_ptr(), step) }.is_null());
        agree(&ours);
    }
    assert_eq!(ours.bytes(), &frame(9)[9..]);
}

fn shared_buffers_do_not_grow(eal: &Eal) {
    let pool = pool(eal, "shared");
    let mut packet = pool.packet(&frame(1)).unwrap();
    // SAFETY: the packet and its pool are alive; the clone is freed below.
    let clone = unsafe { dpdk_sys::rte_pktmbuf_clone(packet.as_ptr(), (*packet.as_ptr()).pool) };
    assert!(!clone.is_null());
    assert_eq!(packet.grow_front(16), Err(NoHeadroom));
    assert_eq!(packet.bytes(), frame(1));
    // SAFETY: the clone is ours.
    unsafe { dpdk_sys::rte_pktmbuf_free(clone) };
    packet.grow_front(16).unwrap();
    drop(packet);
    assert_eq!(pool.in_use(), 0);
}

fn packets_cross_byte_for_byte_and_are_counted(eal: &Eal) {
    let pool = pool(eal, "cross");
    let joint = Joint { queues: 2, capacity: 64 };
    let [(port_a, mut a), (port_b, mut b)] = joined(eal, "cross", joint, [&pool, &pool]).unwrap();
    assert_eq!((a.len(), b.len(), port_a.name()), (2, 2, "net_ring_cross-a"));
    assert!(port_a.link_is_up());
    assert_eq!(port_a.socket(), None);
    assert_eq!(port_a.spread(), Spread::Unknown { queues: 2 });

    let mut burst = frames(&pool, 0..3);
    a[0].tx.transmit(&mut burst);
    assert!(burst.is_empty());
    let mut there = frames(&pool, 100..101); // what a burst holds already stays in front
    b[0].rx.receive(&mut there);
    assert_frames(&there, [100, 0, 1, 2]);
    b[1].rx.receive(&mut there);
    assert_eq!(there.len(), 4, "queues are apart");

    b[1].tx.transmit(&mut there);
    a[1].rx.receive(&mut burst);
    assert_frames(&burst, [100, 0, 1, 2]);
    assert_eq!(pool.in_use(), 4);
    free(&mut burst);
    assert!(burst.is_empty());
    assert_eq!(pool.in_use(), 0);

    let counted = |ipackets, opackets| Stats { ipackets, opackets, ..Stats::default() };
    assert_eq!(port_a.stats().unwrap(), counted(4, 3));
    assert_eq!(port_b.stats().unwrap(), counted(3, 4));
}

fn a_full_ring_leaves_the_rest(eal: &Eal) {
    let pool = pool(eal, "full");
    let [(port, mut a), (_b, mut b)] =
        joined(eal, "full", Joint { queues: 1, capacity: 8 }, [&pool, &pool]).unwrap();
    let mut burst = frames(&pool, 0..20);
    a[0].tx.transmit(&mut burst);
    assert_frames(&burst, 8..20);
    a[0].tx.transmit(&mut burst);
    assert_frames(&burst, 8..20);
    let mut there = Burst::new();
    b[0].rx.receive(&mut there);
    assert_frames(&there, 0..8);
    a[0].tx.transmit(&mut burst);
    assert_frames(&burst, 16..20);
    assert_eq!(port.stats().unwrap().opackets, 16);

    // A burst with little room takes no more than it has room for.
    let mut nearly_full = frames(&pool, 0..61);
    b[0].rx.receive(&mut nearly_full);
    assert_eq!(nearly_full.len(), LONGEST);
    assert_frames(&nearly_full[61..], 8..11);
}

fn what_is_on_the_way_returns_to_its_pool(eal: &Eal) {
    let pool = pool(eal, "whole");
    let [(port_a, mut a), (port_b, mut b)] = joined(eal, "whole", Joint::default(), [&pool, &pool]).unwrap();
    a[0].tx.transmit(&mut frames(&pool, 0..20));
    b[0].tx.transmit(&mut frames(&pool, 0..10));
    assert_eq!(pool.in_use(), 30);
    drop((port_a, a));
    assert_eq!(pool.in_use(), 30, "the other end may still receive");
    let mut there = Burst::new();
    b[0].rx.receive(&mut there);
    assert_frames(&there, 0..20);
    drop(there);
    drop((port_b, b));
    assert_eq!(pool.in_use(), 0);
    drop(joined(eal, "whole", Joint::default(), [&pool, &pool]).unwrap()); // the names are free again
}

fn queues_outlive_their_port(eal: &Eal) {
    let pool = pool(eal, "outlive");
    let (port, mut queues) = Port::open(eal, "net_null_outlive", PortConfig::default(), &pool).unwrap();
    drop(port);
    let mut burst = Burst::new();
    queues.rx[0].receive(&mut burst);
    assert_eq!(burst.len(), BURST);
    let mut moved = queues.tx.remove(0);
    std::thread::scope(|scope| scope.spawn(move || moved.transmit(&mut burst)).join().unwrap());
    drop(queues);
    assert_eq!(pool.in_use(), 0);
}

fn null_gives_and_takes(eal: &Eal) {
    let pool = pool(eal, "null");
    let config = PortConfig { workers: 3, ..PortConfig::default() };
    let (port, mut queues) = Port::open(eal, "net_null0,size=90", config, &pool).unwrap();
    let again = Port::open(eal, "net_null0", config, &pool).err().unwrap();
    assert_eq!(again.to_string(), "the device `net_null0` is open already: name it for one port only");
    assert_eq!((queues.rx.len(), queues.tx.len()), (3, 3));
    let mut burst = Burst::new();
    queues.rx[2].receive(&mut burst);
    assert!(burst.len() == BURST && burst.iter().all(|packet| packet.wire_len() == 90));
    assert_eq!(burst[0].headroom(), HEADROOM);
    burst.truncate(30);
    queues.tx[0].transmit(&mut burst);
    assert!(burst.is_empty());
    assert_eq!(port.mtu().unwrap(), 1500);
    assert_eq!(port.socket(), None, "net_null says that of the main core");
    let Stats { ipackets, opackets, .. } = port.stats().unwrap();
    assert_eq!((ipackets, opackets), (32, 30));
    drop((port, queues));
    assert_eq!(pool.in_use(), 0);
    drop(Port::open(eal, "net_null0,size=64", config, &pool).unwrap()); // plugged out, it can be plugged in again
}

fn a_driver_that_can_hashes_both_directions_alike(eal: &Eal) {
    let pool = pool(eal, "spread");
    let config = PortConfig { workers: 4, ..PortConfig::default() };
    let (port, queues) = Port::open(eal, "net_null_spread", config, &pool).unwrap();
    assert_eq!(port.spread(), Spread::Symmetric { queues: 4, hash: SpreadHash::AddressesAndPorts });
    let (mut number, mut key) = (0, [0_u8; 40]);
    // SAFETY: EAL runs, the name is a C string, and number and key are written during the calls; net_null's key has
    // 40 octets.
    let told = unsafe {
        assert_eq!(dpdk_sys::rte_eth_dev_get_port_by_name(c"net_null_spread".as_ptr(), &raw mut number), 0);
        let mut told: dpdk_sys::rte_eth_rss_conf = std::mem::zeroed();
        (told.rss_key, told.rss_key_len) = (key.as_mut_ptr(), 40);
        dpdk_sys::rte_eth_dev_rss_hash_conf_get(number, &raw mut told)
    };
    assert_eq!((told, key.as_slice()), (0, [0x6d, 0x5a].repeat(20).as_slice()));
    let steering = port.steering().unwrap();
    assert!(steering.ports && steering.table.len() == 128, "{steering:?}");
    assert!(steering.table.iter().all(|queue| *queue < 4), "{steering:?}");
    drop((port, queues));

    let (port, _queues) = Port::open(eal, "net_null_spread", PortConfig::default(), &pool).unwrap();
    assert_eq!((port.spread(), port.steering()), (Spread::OneQueue, None));
}

fn captures_are_read_and_written(eal: &Eal) {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.pcap", "out.pcap"].map(|name| folder.path().join(name));
    capture(&input, 0..5);
    let pool = pool(eal, "pcap");
    let device = format!("net_pcap0,rx_pcap={},tx_pcap={}", input.display(), output.display());
    let (port, mut queues) = Port::open(eal, &device, PortConfig::default(), &pool).unwrap();
    let mut burst = Burst::new();
    queues.rx[0].receive(&mut burst);
    assert_frames(&burst, 0..5);
    for packet in &mut burst {
        packet.grow_front(2).unwrap();
        packet.bytes_mut()[..2].copy_from_slice(&[0xaa, 0xbb]);
    }
    queues.tx[0].transmit(&mut burst);
    let Stats { ipackets, opackets, oerrors, .. } = port.stats().unwrap();
    assert_eq!((ipackets, opackets, oerrors), (5, 5, 0));
    drop((port, queues));
    assert_eq!(pool.in_use(), 0);

    let mut reader = PcapReader::new(File::open(&output).unwrap()).unwrap();
    for number in 0..5 {
        let written = reader.next_packet().unwrap().unwrap();
        assert_eq!(*written.data, [&[0xaa, 0xbb][..], &frame(number)].concat());
    }
    assert!(reader.next_packet().is_none());
}

/// Writes frames into a capture.
fn capture(path: &Path, numbers: Range<u8>) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    for number in numbers {
        let data = frame(number);
        let length = u32::try_from(data.len()).unwrap();
        writer.write_packet(&PcapPacket::new(Duration::ZERO, length, &data)).unwrap();
    }
}

fn a_queue_by_argument_is_opened_whoever_wants_it(eal: &Eal) {
    let folder = tempfile::tempdir().unwrap();
    let [left, right] = ["left.pcap", "right.pcap"].map(|name| folder.path().join(name));
    capture(&left, 0..5);
    capture(&right, 5..9);
    let pool = pool(eal, "several");
    let device = format!("net_pcap_several,rx_pcap={},rx_pcap={}", left.display(), right.display());
    for (workers, tx) in [(1, 1), (2, 2), (3, 2)] {
        let config = PortConfig { workers, ..PortConfig::default() };
        let (port, mut queues) = Port::open(eal, &device, config, &pool).unwrap();
        assert_eq!((queues.rx.len(), queues.tx.len()), (2, tx), "for {workers} workers");
        let mut burst = Burst::new();
        for queue in &mut queues.rx {
            queue.receive(&mut burst);
        }
        assert_frames(&burst, 0..9);
        queues.tx[0].transmit(&mut burst);
        let Stats { ipackets, opackets, .. } = port.stats().unwrap();
        assert_eq!((ipackets, opackets), (9, 9));
    }
    assert_eq!(pool.in_use(), 0);
}

fn devices_that_cannot_be_used_say_why(eal: &Eal) {
    let pool = pool(eal, "refused");
    let refused = |device: &str| {
        let error = Port::open(eal, device, PortConfig::default(), &pool).err().unwrap();
        assert!(matches!(error, Error::NoSuchDevice { .. } | Error::ZeroOctet(_)), "{error:?}");
        error.to_string()
    };
    for device in ["net_nosuch0", "0000:ff:1f.7", "ff:1f.7", "", "net_af_packet7,iface=nosuch0"] {
        let message = refused(device);
        assert!(message.starts_with(&format!("the device `{device}` cannot be used: ")), "{message}");
        assert!(message.contains("`ip link` lists interfaces"), "{message}");
        assert!(!message.contains('\n') && !message.contains("Usage"), "{message}");
    }
    assert!(refused("net\0null").contains("zero octet"));
}

fn memory_can_be_near_a_core(eal: &Eal, processors: [u32; 2]) {
    for (core, processor) in (0_u8..).zip(processors) {
        let socket = eal.socket_of(core.into());
        assert_eq!(socket, Some(node_of(processor)));
        let near = PoolConfig { buffers: BUFFERS, socket, ..PoolConfig::default() };
        let near = Pool::new(eal, &format!("near{core}"), near).unwrap();
        assert_eq!(near.packet(&frame(core)).unwrap().bytes(), frame(core));
    }
    assert_eq!([3, 128, u32::MAX].map(|core| eal.socket_of(core)), [None; 3]);
}

/// The NUMA node of a processor, as the kernel has it; 0 if it has none.
fn node_of(processor: u32) -> u32 {
    let entries = std::fs::read_dir(format!("/sys/devices/system/cpu/cpu{processor}")).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.find_map(|name| name.strip_prefix("node")?.parse().ok()).unwrap_or(0)
}

/// The first cannot end before the second has begun.
fn two_workers_share_a_processor(eal: &Eal, processor: u32) {
    assert_eq!(eal.worker_cores(), [1, 2]);
    let both = Barrier::new(2);
    let ran_on = eal.scope(|scope| {
        let work = || {
            both.wait();
            cores::usable().unwrap()
        };
        [1, 2].map(|core| scope.launch(core, work).unwrap()).map(|worker| worker.join().unwrap())
    });
    assert_eq!(ran_on, [[processor], [processor]]);
}

fn workers_borrow_return_and_panic(eal: &Eal) {
    let (count, core) = (AtomicU32::new(0), 1);
    let sum = eal.scope(|scope| {
        let worker = scope.launch(core, || {
            while count.load(Ordering::Relaxed) == 0 {
                std::hint::spin_loop();
            }
            41
        });
        let worker = worker.unwrap();
        let busy = scope.launch(core, || ()).err().unwrap().to_string();
        assert_eq!(busy, "core 1 is busy: one worker per core");
        for wrong in [0, 3, 127, 128, u32::MAX] {
            let refused = scope.launch(wrong, || ()).err().unwrap();
            assert!(matches!(refused, Error::NoWorkerCore { main: 0, .. }), "{refused}");
        }
        count.store(1, Ordering::Relaxed);
        worker.join().unwrap() + 1
    });
    assert_eq!(sum, 42);

    let panicked = eal.scope(|scope| {
        let worker = scope.launch(core, || std::panic::resume_unwind(Box::new("quiet")));
        let worker: dpdk::Worker<'_, ()> = worker.unwrap();
        worker.join().unwrap_err()
    });
    assert_eq!(panicked.downcast_ref(), Some(&"quiet"));

    // A worker nobody joins is waited for all the same.
    let mut written = [0; 3];
    eal.scope(|scope| {
        drop(scope.launch(core, || {
            std::thread::sleep(Duration::from_millis(20));
            written = [1, 2, 3];
        }));
    });
    assert_eq!(written, [1, 2, 3]);
}
