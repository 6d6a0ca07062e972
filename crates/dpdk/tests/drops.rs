//! Frames between net_af_packet and the kernel: none is missing between those received and those that the kernel dropped,
//! and none of those to be sent stays behind. On a veth pair in a network namespace of this test's own.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used, reason = "a test")]

mod namespace;

use std::process::exit;
use std::time::{Duration, Instant};

use dataplane::{Burst, Receive, Transmit};
use dpdk::fanout::Groups;
use dpdk::{Eal, Interface, Pool, PoolConfig, Port, PortConfig, RxQueue, Stats, TxQueue, cores};
use namespace::{ip, tc};

/// Set in the process that is in the namespace.
const ROLE: &str = "PDMLINE_TEST_DROPS";

/// Frames of one flood: several times what the driver's ring holds, which is 512.
const FLOOD: u64 = 6400;

fn main() {
    if std::env::var_os(ROLE).is_none() {
        exit(namespace::run_again(ROLE));
    }
    ip("link add name left type veth peer name right");
    for interface in ["left", "right"] {
        // Nobody but us sends.
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"), "1").unwrap();
        ip(&format!("link set {interface} up"));
    }
    let core = cores::usable().unwrap()[0].to_string();
    let prefix = format!("--file-prefix=pdmline-drops-{}", std::process::id());
    let eal = Eal::init(&["--no-huge", "-m", "64", "--no-pci", "-l", &core, &prefix]).unwrap();
    let pool = Pool::new(&eal, "pool", PoolConfig { buffers: 4095, ..PoolConfig::default() }).unwrap();
    received_and_dropped_are_all(&eal, &pool);
    a_slow_interface_sends_all_that_the_ring_took(&eal, &pool);
    assert_eq!(pool.in_use(), 0);
    println!("net_af_packet: what the kernel drops is counted, and what it takes leaves");
}

fn received_and_dropped_are_all<'eal>(eal: &'eal Eal, pool: &Pool<'eal>) {
    // Held while the port is opened, as a program does. Taken for the port's, it would live on and take frames away.
    let groups = Groups::reserve(&[Interface::named("left").unwrap()]).unwrap();
    let open = |device| Port::open(eal, device, PortConfig::default(), pool).unwrap();
    let (left, mut left_queues) = open("net_af_packet0,iface=left");
    drop(groups);
    let (right, mut right_queues) = open("net_af_packet1,iface=right");
    assert_eq!(left.stats().unwrap(), Stats::default());

    // Never polled.
    flood(pool, &mut right_queues.tx[0]);
    assert_eq!(arrived(), FLOOD);
    let sender = right.stats().unwrap();
    assert_eq!((sender.opackets, sender.kernel_dropped), (FLOOD, 0), "another port's drops");
    let full = left.stats().unwrap();
    assert_eq!(full.ipackets, 0);
    assert!(full.kernel_dropped > FLOOD / 2, "{full:?}");
    assert_eq!(left.stats().unwrap(), full, "told twice is counted once");

    // Polled too late.
    drain(&mut left_queues.rx[0]);
    let drained = left.stats().unwrap();
    assert_eq!((drained.kernel_dropped, drained.imissed), (full.kernel_dropped, 0));
    assert_eq!(drained.ipackets + drained.kernel_dropped, FLOOD, "{drained:?}");

    // And again: the count goes on from there.
    flood(pool, &mut right_queues.tx[0]);
    drain(&mut left_queues.rx[0]);
    let again = left.stats().unwrap();
    assert_eq!(again.ipackets + again.kernel_dropped, 2 * FLOOD, "{again:?}");
    assert!(again.kernel_dropped > full.kernel_dropped, "{again:?}");
}

/// The driver asks the kernel once to send what lies in its ring, and does not look what became of that: the rest lies
/// there until the queue is asked to flush.
fn a_slow_interface_sends_all_that_the_ring_took<'eal>(eal: &'eal Eal, pool: &Pool<'eal>) {
    // Full frames, more than a socket's send buffer holds by itself and fewer than the ring does.
    const FRAMES: u64 = 384;
    let full = [frame(0), vec![0; 1440]].concat();
    ip("link set right mtu 1600");
    tc("qdisc add dev right root tbf rate 200mbit burst 4kb limit 4mb");
    let device = "net_af_packet1,iface=right,qdisc_bypass=0";
    let (_right, mut queues) = Port::open(eal, device, PortConfig::default(), pool).unwrap();

    let before = arrived();
    for _ in 0..FRAMES / 32 {
        let mut burst: Burst<_> = (0..32).map(|_| pool.packet(&full).unwrap()).collect();
        queues.tx[0].transmit(&mut burst);
        assert!(burst.is_empty());
    }
    wait_until_arrived(before + FRAMES, || queues.tx[0].flush());
    assert_eq!(arrived() - before, FRAMES);
}

/// Sends frames of many flows from `right`, which go to all sockets of a fan-out group, and waits until they are gone.
fn flood<'eal>(pool: &Pool<'eal>, right: &mut TxQueue<'eal>) {
    let before = arrived();
    let mut burst = Burst::new();
    for number in 0..FLOOD {
        burst.push(pool.packet(&frame(number)).unwrap());
        right.transmit(&mut burst);
        assert!(burst.is_empty());
    }
    wait_until_arrived(before + FLOOD, || right.flush());
}

/// Waits, asking for it again and again, but gives up after some seconds.
fn wait_until_arrived(frames: u64, mut ask: impl FnMut()) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while arrived() < frames && Instant::now() < deadline {
        ask();
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// UDP over IPv6, from a port of its number.
fn frame(number: u64) -> Vec<u8> {
    let [.., high, low] = number.to_be_bytes();
    let mut frame = [&[2; 12][..], &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64]].concat();
    frame.extend([0xfd; 32]);
    frame.extend([high, low, 0, 9, 0, 8, 0, 0]);
    frame
}

/// Frames that `left` was handed, by the kernel's own count.
fn arrived() -> u64 {
    let shown = ip("-s link show dev left");
    let mut lines = shown.lines().skip_while(|line| !line.trim_start().starts_with("RX:"));
    lines.nth(1).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Takes all frames that lie in the ring.
fn drain(rx: &mut RxQueue<'_>) {
    let mut burst = Burst::new();
    loop {
        rx.receive(&mut burst);
        if burst.is_empty() {
            return;
        }
        burst.clear();
    }
}
