//! net_af_packet on veth pairs in a network namespace of this test's own: what it leaves of the kernel's interfaces,
//! and how two processes come by different fan-out groups. Without libtest, whose threads would be in the way.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used, reason = "a test")]

mod namespace;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio, exit};
use std::time::{Duration, Instant};

use dataplane::{Burst, Packet, Receive, Transmit};
use dpdk::fanout::{Groups, Settled, settle};
use dpdk::{Eal, Error, HEADROOM, Interface, Pool, PoolConfig, Port, PortConfig, Spread, SpreadHash, cores};
use namespace::ip;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{getpid, getppid};

/// What a process of this test is there for: the test itself, a neighbour that holds a fan-out group, or, given two
/// interfaces, an instance that opens both.
const ROLE: &str = "PDMLINE_TEST_ROLE";

/// The number of the interface under test: any that the kernel does not hand out by itself.
const NUMBER: u32 = 0x4000;

fn main() {
    match std::env::var(ROLE).as_deref() {
        Ok("neighbour") => neighbour(),
        Ok(interfaces) if interfaces.contains(',') => instance(interfaces),
        Ok(_) => in_the_namespace(),
        Err(_) => exit(namespace::run_again(ROLE)),
    }
}

fn in_the_namespace() {
    ip(&format!("link add name left index {NUMBER} mtu 1600 type veth peer name right mtu 1600"));
    let left = Interface::named("left").unwrap();
    an_interface_that_is_down_is_named(&left);
    ip("link set left up");
    ip("link set right up");

    assert_eq!(Interface::below("net_af_packet0,iface=left,qpairs=1").unwrap().as_ref(), Some(&left));
    assert_eq!(Interface::below("net_null0").unwrap(), None);
    let missing = Interface::below("net_af_packet0,iface=nosuch0").unwrap_err();
    assert!(missing.to_string().contains("no interface `nosuch0`"), "{missing}");

    let groups = Groups::reserve(std::slice::from_ref(&left)).unwrap();
    drop(groups);
    let mut neighbour = start_neighbour();
    the_group_is_taken(&left);
    a_child_goes_on_and_its_exit_status_comes_back(&left);
    signals_reach_the_child(&left);

    two_instances_come_up_every_time();
    a_killed_instance_leaves_no_promiscuity();

    // From here on this process has EAL's threads.
    let cores = cores::usable().unwrap();
    let prefix = format!("--file-prefix=pdmline-interfaces-{}", std::process::id());
    let eal =
        Eal::init(&["--no-huge", "-m", "128", "--no-pci", "-l", &cores[0].to_string(), &prefix]).unwrap();
    let pool = Pool::new(&eal, "pool", PoolConfig { buffers: 4095, ..PoolConfig::default() }).unwrap();
    the_driver_fails_on_a_taken_group(&eal, &pool);
    a_process_with_threads_stays_where_it_is(&left);
    drop(neighbour.stdin.take());
    assert!(neighbour.wait().unwrap().success());

    let Settled::Here(groups) = settle(&[left]).unwrap() else { panic!("the group was free") };
    frames_pass_and_nothing_is_left_changed(&eal, &pool, groups);
    both_directions_of_a_flow_come_by_one_queue(&eal, &pool);
    an_operators_promiscuous_flag_stays(&eal, &pool);
    assert_eq!(pool.in_use(), 0);
    println!("net_af_packet: frames, promiscuity and fan-out groups are in order");
}

/// How many want the interface promiscuous, and whether the operator does.
fn promiscuity(interface: &str) -> (String, bool) {
    let shown = ip(&format!("-d -o link show dev {interface}"));
    let mut words = shown.split_whitespace().skip_while(|word| *word != "promiscuity");
    (words.nth(1).unwrap().to_owned(), shown.contains("PROMISC"))
}

fn an_interface_that_is_down_is_named(left: &Interface) {
    let down = Groups::reserve(std::slice::from_ref(left)).err().unwrap();
    assert_eq!(down.to_string(), "the interface `left` is down: bring it up with `ip link set left up`");
}

/// Another process on another interface, whose numbers were chosen so that both ask for one fan-out group.
fn start_neighbour() -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, "neighbour")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let number = (std::process::id() ^ child.id() ^ NUMBER) & 0xffff;
    ip(&format!("link add name taken index {number} type veth peer name taken-peer"));
    ip("link set taken up");
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_eq!(first_line(&mut child), "held\n");
    child
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn neighbour() {
    let mut lines = std::io::stdin().lines();
    lines.next().unwrap().unwrap();
    let groups = Groups::reserve(&[Interface::named("taken").unwrap()]).unwrap();
    println!("held");
    assert!(lines.next().is_none());
    drop(groups);
}

fn the_group_is_taken(left: &Interface) {
    let taken = Groups::reserve(std::slice::from_ref(left)).err().unwrap();
    assert!(matches!(&taken, Error::FanoutTaken { name } if name == "left"), "{taken}");
}

fn a_child_goes_on_and_its_exit_status_comes_back(left: &Interface) {
    let parent = getpid();
    match settle(std::slice::from_ref(left)).unwrap() {
        Settled::Here(groups) => {
            assert!(getpid() != parent && getppid() == parent);
            drop(groups);
            exit(7)
        }
        Settled::Elsewhere(code) => assert_eq!(code, 7),
    }
}

fn signals_reach_the_child(left: &Interface) {
    match settle(std::slice::from_ref(left)).unwrap() {
        Settled::Here(_groups) => {
            kill(getppid(), Signal::SIGTERM).unwrap();
            std::thread::sleep(Duration::from_secs(60));
            exit(1) // it should not have slept through
        }
        Settled::Elsewhere(code) => assert_eq!(code, 128 + 15),
    }
}

/// Process ids that differ by one, on interfaces whose numbers do, often ask for the same groups.
fn two_instances_come_up_every_time() {
    for number in 0..4 {
        ip(&format!("link add name i{number} index {} type veth peer name i{number}-peer", 0x5000 + number));
        ip(&format!("link set i{number} up"));
    }
    let mut moved = 0;
    for round in 0..20 {
        let mut instances = ["i0,i2", "i1,i3"].map(start_instance);
        for instance in &mut instances {
            let line = first_line(instance);
            assert!(["up\n", "up, moved\n"].contains(&line.as_str()), "round {round}: {line}");
            moved += u32::from(line.contains("moved"));
        }
        for mut instance in instances {
            drop(instance.stdin.take());
            assert!(instance.wait().unwrap().success());
        }
    }
    println!("40 instances came up, {moved} of them under another process id");
}

fn start_instance(interfaces: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, interfaces).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn a_killed_instance_leaves_no_promiscuity() {
    let mut killed = start_instance("i0,i2");
    assert!(first_line(&mut killed).starts_with("up"));
    assert_eq!(promiscuity("i0"), ("1".into(), false));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10); // a child that it moved to ends a little later
    while promiscuity("i0") != ("0".into(), false) {
        assert!(Instant::now() < deadline, "still promiscuous");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn instance(interfaces: &str) {
    let started = getpid();
    let interfaces: Vec<_> = interfaces.split(',').map(|name| Interface::named(name).unwrap()).collect();
    let groups = match settle(&interfaces).unwrap() {
        Settled::Here(groups) => groups,
        Settled::Elsewhere(code) => exit(code.into()),
    };
    let core = cores::usable().unwrap()[0].to_string();
    let prefix = format!("--file-prefix=pdmline-{}", interfaces[0].name());
    let eal = Eal::init(&["--no-huge", "-m", "64", "--no-pci", "-l", &core, &prefix]).unwrap();
    let pool = Pool::new(&eal, "pool", PoolConfig { buffers: 1023, ..PoolConfig::default() }).unwrap();
    let open = |(number, interface): (usize, &Interface)| {
        let device = format!("net_af_packet{number},iface={}", interface.name());
        Port::open(&eal, &device, PortConfig::default(), &pool).unwrap()
    };
    let ports: Vec<_> = interfaces.iter().enumerate().map(open).collect();
    drop(groups);
    println!("{}", if getpid() == started { "up" } else { "up, moved" });
    assert!(std::io::stdin().lines().next().is_none());
    drop(ports);
    assert_eq!(pool.in_use(), 0);
}

fn the_driver_fails_on_a_taken_group<'eal>(eal: &'eal Eal, pool: &Pool<'eal>) {
    // From 25.03 on it takes no group for one queue.
    let refused = Port::open(eal, "net_af_packet0,iface=left,qpairs=2", PortConfig::default(), pool);
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("could not set PACKET_FANOUT"), "{refused}");
    let missing = Port::open(eal, "net_af_packet0,iface=nosuch0", PortConfig::default(), pool);
    let missing = missing.err().unwrap().to_string();
    assert!(missing.contains("SIOCGIFINDEX"), "{missing}");
}

fn a_process_with_threads_stays_where_it_is(left: &Interface) {
    assert!(fs::read_dir("/proc/self/task").unwrap().count() > 1);
    assert!(matches!(settle(std::slice::from_ref(left)), Err(Error::Threads)));
}

fn frames_pass_and_nothing_is_left_changed<'eal>(eal: &'eal Eal, pool: &Pool<'eal>, groups: Groups) {
    assert_eq!(promiscuity("left"), ("0".into(), false));
    let open = |device| Port::open(eal, device, PortConfig::default(), pool).unwrap();
    let (left, mut left_queues) = open("net_af_packet0,iface=left");
    let (right, mut right_queues) = open("net_af_packet1,iface=right");
    drop(groups);
    assert_eq!(promiscuity("left"), ("1".into(), false));
    assert_eq!((left.mtu().unwrap(), right.mtu().unwrap()), (1600, 1600));

    let frame: Vec<_> = (0..=255).cycle().take(1614).collect();
    let mut burst: Burst<_> = (0..8).map(|_| pool.packet(&frame).unwrap()).collect();
    left_queues.tx[0].transmit(&mut burst);
    assert!(burst.is_empty());
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut arrived = 0;
    while arrived < 8 && Instant::now() < deadline {
        right_queues.rx[0].receive(&mut burst);
        for mut packet in burst.drain(..).filter(|packet| packet.bytes() == frame) {
            assert!(packet.headroom() >= HEADROOM);
            packet.grow_front(48).unwrap();
            arrived += 1;
        }
    }
    assert_eq!(arrived, 8);
    assert_eq!(left.stats().unwrap().opackets, 8);
    drop((left, right, left_queues, right_queues));
    assert_eq!(promiscuity("left"), ("0".into(), false));
    assert!(ip("link show dev left").contains("mtu 1600"));
}

/// Flows, each with as many frames of its own in one direction as in the other.
const FLOWS: u16 = 64;

fn both_directions_of_a_flow_come_by_one_queue<'eal>(eal: &'eal Eal, pool: &Pool<'eal>) {
    let open = |device| Port::open(eal, device, PortConfig::default(), pool).unwrap();
    let (left, mut left_queues) = open("net_af_packet0,iface=left,qpairs=2");
    let (_right, mut right_queues) = open("net_af_packet1,iface=right");
    assert_eq!((left_queues.rx.len(), left_queues.tx.len()), (2, 1), "one worker, all that it has to read");
    assert_eq!(left.spread(), Spread::Symmetric { queues: 2, hash: SpreadHash::Kernel });

    let mut burst = Burst::new();
    for flow in 0..FLOWS {
        burst.push(pool.packet(&udp([1, 2], [1000 + flow, 9])).unwrap());
        burst.push(pool.packet(&udp([2, 1], [9, 1000 + flow])).unwrap());
        right_queues.tx[0].transmit(&mut burst);
        assert!(burst.is_empty());
    }
    let frames = usize::from(2 * FLOWS);
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut flows = [Vec::new(), Vec::new()];
    while flows.iter().map(Vec::len).sum::<usize>() < frames && Instant::now() < deadline {
        for (queue, flows) in left_queues.rx.iter_mut().zip(&mut flows) {
            queue.receive(&mut burst);
            flows.extend(burst.drain(..).filter_map(|packet| flow_of(packet.bytes())));
        }
    }
    assert_eq!(flows.iter().map(Vec::len).sum::<usize>(), frames);
    let [first, second] = flows.map(BTreeSet::from_iter);
    assert!(!first.is_empty() && !second.is_empty(), "one queue has them all");
    assert_eq!(first.len() + second.len(), usize::from(FLOWS), "a flow came by both");
    drop((left, left_queues));
}

/// UDP over IPv6, from one of two hosts and ports to the other.
fn udp(hosts: [u8; 2], ports: [u16; 2]) -> Vec<u8> {
    let mut frame = [&[2; 12][..], &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64]].concat();
    for host in hosts {
        frame.extend([0xfd; 15]);
        frame.push(host);
    }
    frame.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    frame.extend([0, 8, 0, 0]);
    frame
}

/// The flow's own port, whichever way the frame goes; none for what the kernel sends by itself.
fn flow_of(frame: &[u8]) -> Option<u16> {
    let [source, destination] = [54, 56].map(|at| u16::from_be_bytes([frame[at], frame[at + 1]]));
    (frame[20] == 17).then_some(source.max(destination))
}

fn an_operators_promiscuous_flag_stays<'eal>(eal: &'eal Eal, pool: &Pool<'eal>) {
    ip("link set left promisc on");
    let opened = Port::open(eal, "net_af_packet0,iface=left", PortConfig::default(), pool).unwrap();
    assert_eq!(promiscuity("left"), ("2".into(), true));
    drop(opened);
    assert_eq!(promiscuity("left"), ("1".into(), true));
}
