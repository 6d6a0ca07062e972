//! Two kernel hosts talk through pdmline, on veth and net_af_packet: they notice nothing, and the wire carries PDM.
//!
//! With one process that serves both pairs, and with a process for each. What the hosts must not notice is also tested
//! with bridges in pdmline's place, which tells a fault of the rig or the machine from one of ours.

use std::time::Duration;

use anyhow::{Context, Result};
use pdmline_tests::capture::Capture;
use pdmline_tests::exchange::exchange;
use pdmline_tests::network::{HOST_INTERFACE, MIDDLE, Network};
use pdmline_tests::require;
use pdmline_tests::requirement::Requirement::{Namespaces, Program};
use pdmline_tests::rig::{Middle, Rig, ping, retransmissions, total};
use pdmline_tests::stream::stream;
use pdmline_tests::transfer::transfer;
use pdmline_tests::tshark::count;

mod through_bridges {
    use super::*;

    #[test]
    fn hosts_talk() -> Result<()> {
        require!(Namespaces);
        let rig = Rig::start(Middle::Bridges, "any")?;
        hosts_talk_through(&rig.network)
    }
}

mod through_one_process {
    use super::*;

    #[test]
    fn hosts_talk() -> Result<()> {
        require!(Namespaces);
        bulk(Middle::OneProcess)
    }

    #[test]
    fn server_delay_is_what_the_server_took() -> Result<()> {
        require!(Namespaces);
        server_delay(Middle::OneProcess)
    }

    #[test]
    fn the_wire_carries_pdm_and_the_hosts_see_none() -> Result<()> {
        require!(Namespaces, Program("tshark"));
        captures(Middle::OneProcess)
    }
}

mod through_two_workers {
    use super::*;

    /// At a pace: what overruns one of net_af_packet's rings comes by another's, and between two queues no order is kept.
    /// Most packets come by a queue of a worker that does not own their flow.
    #[test]
    fn many_flows_lose_nothing_and_keep_their_order() -> Result<()> {
        const PACKETS: usize = 6_400;
        require!(Namespaces);
        let rig = Rig::start(Middle::TwoWorkers, "udp")?;
        assert_eq!(stream(&rig.network.a, &rig.network.b, 64, PACKETS)?, PACKETS);
        let reports = rig.stop()?;
        // Both ways, and through both pairs.
        assert_eq!(total(&reports, "/inserted"), 2 * PACKETS as u64, "{reports:?}");
        assert_eq!(total(&reports, "/observed"), 2 * PACKETS as u64, "{reports:?}");
        for outcome in ["/loss/lost", "/loss/duplicated", "/loss/reordered", "/loss/restarts"] {
            assert_eq!(total(&reports, outcome), 0, "{outcome}: {reports:?}");
        }
        assert!(total(&reports, "/handed_over") > PACKETS as u64 / 2, "{reports:?}");
        Ok(())
    }
}

mod through_two_processes {
    use super::*;

    #[test]
    fn hosts_talk() -> Result<()> {
        require!(Namespaces);
        bulk(Middle::TwoProcesses)
    }

    #[test]
    fn server_delay_is_what_the_server_took() -> Result<()> {
        require!(Namespaces);
        server_delay(Middle::TwoProcesses)
    }

    #[test]
    fn the_wire_carries_pdm_and_the_hosts_see_none() -> Result<()> {
        require!(Namespaces, Program("tshark"));
        captures(Middle::TwoProcesses)
    }

    /// net_af_packet may give two processes the same fan-out group, and EAL then goes on without the port.
    #[test]
    fn started_together_they_come_up_every_time() -> Result<()> {
        require!(Namespaces);
        for round in 1..=20 {
            let come_up_and_end = || Rig::start(Middle::TwoProcesses, "any")?.stop();
            come_up_and_end().with_context(|| format!("round {round} of 20"))?;
        }
        Ok(())
    }
}

/// Pings and 200 MB of TCP, both ways, without a retransmission.
fn hosts_talk_through(Network { a, b, .. }: &Network) -> Result<()> {
    const LEN: usize = 200_000_000;
    for (from, to) in [(a, b), (b, a)] {
        ping(from, to, 10)?;
        transfer(from, to, LEN)?;
    }
    assert_eq!((retransmissions(a)?, retransmissions(b)?), (0, 0), "segments sent again by A and B");
    Ok(())
}

/// The hosts talk, and everything that got the option on one side lost it on the other, full segments too.
fn bulk(middle: Middle) -> Result<()> {
    let rig = Rig::start(middle, "any")?;
    hosts_talk_through(&rig.network)?;
    let reports = rig.stop()?;
    assert!(total(&reports, "/inserted") > 2 * 200_000_000 / 1500, "too few insertions: {reports:?}");
    assert_eq!(total(&reports, "/inserted"), total(&reports, "/stripped"), "{reports:?}");
    for outcome in ["/skipped/oversize", "/loss/lost", "/loss/duplicated", "/loss/reordered", "/nonsense"] {
        assert_eq!(total(&reports, outcome), 0, "{outcome}: {reports:?}");
    }
    Ok(())
}

/// A's appliance says how long B's server takes, as the server itself does.
fn server_delay(middle: Middle) -> Result<()> {
    const QUESTIONS: u32 = 100;
    let rig = Rig::start(middle, "udp")?;
    let Network { a, b, .. } = &rig.network;
    let truth = exchange(a, b, Duration::from_millis(20), QUESTIONS)?;
    let reports = rig.stop()?;
    let measured = &reports[0]["metrics"]["server_delay"];
    assert_eq!(measured["count"], QUESTIONS, "{reports:?}");
    let median = Duration::from_secs_f64(measured["p50_ns"].as_f64().context("no median")? / 1e9);
    let error = median.abs_diff(truth);
    assert!(error < Duration::from_millis(1), "{median:?} measured, {truth:?} true");
    Ok(())
}

/// What section 6 of the specification does not leave alone, among what the rules select.
const ELIGIBLE: &str = "ipv6.src == 2001:db8::/32 && ipv6.dst == 2001:db8::/32 && !ipv6.fraghdr && !ah && !esp \
    && !(icmpv6.type in {0..127, 130..137, 141..143, 148, 149, 151..153})";

/// Everything eligible on the wire has the option, and nothing that a host sends or receives has any.
fn captures(middle: Middle) -> Result<()> {
    const LEN: usize = 5_000_000;
    // Of what passes there, the most by far in full segments, both ways.
    const ENOUGH: usize = LEN / 1500;
    let rig = Rig::start(middle, "any")?;
    let Network { a, b, middle, .. } = &rig.network;
    let capture = |namespace, interface, direction, name| {
        Capture::start(namespace, interface, direction, &rig.directory().join(name).with_extension("pcapng"))
    };
    // What pdmline sends need not show on the interface it leaves by, but does on the next.
    let [near_a, near_b] = MIDDLE;
    let wire = [
        capture(middle, near_a.wire, "inbound", "wire-a")?,
        capture(middle, near_b.wire, "inbound", "wire-b")?,
    ];
    let hosts =
        [capture(&a.namespace, HOST_INTERFACE, "", "a")?, capture(&b.namespace, HOST_INTERFACE, "", "b")?];
    for (from, to) in [(a, b), (b, a)] {
        ping(from, to, 10)?;
        exchange(from, to, Duration::from_millis(1), 10)?;
        transfer(from, to, LEN)?;
    }
    rig.wait_until_packets_rest()?;
    for capture in wire {
        let file = capture.stop()?;
        let eligible = count(&file, ELIGIBLE)?;
        assert!(eligible > ENOUGH / 2, "only {eligible} packets on the wire");
        let marked = count(&file, &format!("{ELIGIBLE} && ipv6.opt.pdm.psn_this_pkt"))?;
        assert_eq!(marked, eligible, "packets with the option, and all that should have it");
    }
    for capture in hosts {
        let file = capture.stop()?;
        let seen = count(&file, ELIGIBLE)?;
        assert!(seen > ENOUGH, "only {seen} packets at a host");
        assert_eq!(count(&file, "ipv6.dstopts")?, 0, "packets with options at a host");
    }
    rig.stop()?;
    Ok(())
}
