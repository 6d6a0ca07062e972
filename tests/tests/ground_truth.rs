//! What pdmline reports, beside what is known: a path of known delay, a server that times itself, and faults that are
//! counted where they are made.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use pdmline_tests::delay_line::{DelayLine, EVERY, Fault, Passed};
use pdmline_tests::exchange::exchange;
use pdmline_tests::network::Network;
use pdmline_tests::require;
use pdmline_tests::requirement::Requirement::Namespaces;
use pdmline_tests::rig::{Middle, Rig, total};
use pdmline_tests::stream::stream;
use pdmline_tests::transfer::transfer;
use serde_json::Value;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What happened on a path, told by those who made it happen and by the appliance.
struct Outcome<T> {
    known: T,
    passed: [Passed; 2],
    reports: Vec<Value>,
}

/// Lets traffic of one protocol through a path with the same delay and faults each way.
fn over<T>(
    protocol: &str,
    delay: Duration,
    fault: Fault,
    traffic: impl FnOnce(&Network) -> Result<T>,
) -> Result<Outcome<T>> {
    let mut network = Network::create()?;
    let line = DelayLine::lay(&mut network, delay, fault)?;
    let rig = Rig::start_in(network, Middle::OneProcess, protocol)?;
    let known = traffic(&rig.network);
    // What is on its way yet, the acknowledgements of the end, arrives.
    std::thread::sleep(ms(200));
    // First, for when it failed, so did the traffic.
    let passed = line.stop()?;
    Ok(Outcome { known: known?, passed, reports: rig.stop()? })
}

mod delays {
    use super::*;

    const QUESTIONS: u32 = 60;
    const TOLERANCE: Duration = Duration::from_micros(300);
    const ATTEMPTS: u32 = 3;
    const HEADING: &str = "\
| path, each way | path, both ways as it went | network_rtt should be | network_rtt | server thinks | as it went | server_delay |
|---:|---:|---:|---:|---:|---:|---:|
";

    /// What was set, and medians of what came of it.
    struct Row {
        delay: Duration,
        think: Duration,
        /// Both ways, as the path measured itself.
        path: Duration,
        network_rtt: Duration,
        /// As the server measured itself.
        server: Duration,
        server_delay: Duration,
    }

    impl Row {
        fn measure(delay: Duration, think: Duration) -> Result<Self> {
            let ask = |Network { a, b, .. }: &Network| exchange(a, b, think, QUESTIONS);
            let outcome = over("udp", delay, Fault::None, ask)?;
            let median = |metric: &str| -> Result<Duration> {
                let metric = &outcome.reports[0]["metrics"][metric];
                assert_eq!(metric["count"], QUESTIONS, "{:?}", outcome.reports);
                Ok(Duration::from_nanos(metric["p50_ns"].as_u64().context("no median")?))
            };
            Ok(Self {
                delay,
                think,
                path: outcome.passed.iter().map(Passed::delay).sum(),
                network_rtt: median("network_rtt")?,
                server: outcome.known,
                server_delay: median("server_delay")?,
            })
        }

        /// What the network is to be: that of the rig without a delay, and what the path took more than there.
        fn expected(&self, without: &Self) -> Duration {
            without.network_rtt + self.path.saturating_sub(without.path)
        }

        fn agrees(&self, without: &Self) -> bool {
            self.network_rtt.abs_diff(self.expected(without)) <= TOLERANCE
                && self.server_delay.abs_diff(self.server) <= TOLERANCE
        }

        fn show(&self, without: &Self) -> String {
            let Self { delay, think, path, network_rtt, server, server_delay } = *self;
            [delay, path, self.expected(without), network_rtt, think, server, server_delay]
                .map(|time| format!("| {:.2} ms ", time.as_secs_f64() * 1e3))
                .concat()
                + "|\n"
        }
    }

    /// Measures until what comes out agrees, at most [`ATTEMPTS`] times: a busy machine spoils one now and then, a wrong
    /// program all.
    fn measure_until_it_agrees(delay: Duration, think: Duration, without: &Row) -> Result<Row> {
        let mut row = Row::measure(delay, think)?;
        for _ in 1..ATTEMPTS {
            if row.agrees(without) {
                break;
            }
            row = Row::measure(delay, think)?;
        }
        Ok(row)
    }

    /// The network's share and the server's are told apart, and both are what they are known to be.
    #[test]
    fn are_what_was_set() -> Result<()> {
        require!(Namespaces);
        let (mut table, mut all_agree) = (HEADING.to_owned(), true);
        for think in [0, 2, 20].map(ms) {
            let without = Row::measure(ms(0), think)?;
            let long = [1, 5, 20].map(|delay| measure_until_it_agrees(ms(delay), think, &without));
            table += &without.show(&without);
            for row in long {
                let row = row?;
                all_agree &= row.agrees(&without);
                table += &row.show(&without);
            }
        }
        println!("{table}");
        assert!(all_agree, "a row is off by more than {TOLERANCE:?}");
        Ok(())
    }
}

mod bulk {
    use super::*;

    /// 200 MB in all, over 5 ms each way.
    fn transfers(flows: usize) -> Result<()> {
        const LEN: usize = 200_000_000;
        let outcome = over("tcp", ms(5), Fault::None, |Network { a, b, .. }| {
            std::thread::scope(|scope| {
                let all: Vec<_> = (0..flows).map(|_| scope.spawn(|| transfer(a, b, LEN / flows))).collect();
                all.into_iter()
                    .try_for_each(|one| one.join().unwrap_or_else(|_| Err(anyhow!("a transfer panicked"))))
            })
        })?;
        let reports = &outcome.reports;
        // The first packet that a side sends after it received some answers the newest of them.
        let answers = total(reports, "/metrics/local_delay/count");
        // With or without a sample that makes sense.
        let found = total(reports, "/metrics/total_rtt/count") + total(reports, "/nonsense");
        let forgotten = total(reports, "/forgotten");
        assert!(answers > 500, "too few answers: {reports:?}");
        assert!(found * 100 >= answers * 99, "{found} of {answers} gave a sample: {reports:?}");
        assert!(forgotten * 100 < forgotten + found, "{forgotten} of {found}: {reports:?}");
        assert_eq!(total(reports, "/never_sent"), 0, "{reports:?}");
        Ok(())
    }

    #[test]
    fn answers_of_one_flow_find_their_packets() -> Result<()> {
        require!(Namespaces);
        transfers(1)
    }

    #[test]
    fn answers_of_a_hundred_flows_find_their_packets() -> Result<()> {
        require!(Namespaces);
        transfers(100)
    }
}

mod faults {
    use super::*;

    /// So many that no fault befalls the last packet of any flow, where nobody could tell: nothing comes after it.
    const PACKETS: usize = 7 * 1507;

    /// The loss counters of both edges after a stream with one fault, and how many packets it befell.
    fn counted(fault: Fault, flows: usize) -> Result<(Loss, u64)> {
        let outcome = over("udp", ms(1), fault, |Network { a, b, .. }| stream(a, b, flows, PACKETS))?;
        let [there, back] = &outcome.passed;
        assert_eq!(there.marked, PACKETS as u64, "questions on the path");
        assert_eq!(back.marked, outcome.known as u64, "answers on the path");
        for way in [there, back] {
            assert_eq!(way.befallen, if fault == Fault::None { 0 } else { way.marked / EVERY });
            assert!(way.marked % EVERY > flows as u64, "the end of a flow was hit: {}", way.marked);
        }
        let count = |counter| total(&outcome.reports, counter);
        let loss = Loss {
            lost: count("/loss/lost"),
            duplicated: count("/loss/duplicated"),
            reordered: count("/loss/reordered"),
            restarts: count("/loss/restarts"),
        };
        Ok((loss, there.befallen + back.befallen))
    }

    #[derive(Debug, Default, PartialEq)]
    struct Loss {
        lost: u64,
        duplicated: u64,
        reordered: u64,
        restarts: u64,
    }

    #[test]
    fn none_is_reported_as_none() -> Result<()> {
        require!(Namespaces);
        assert_eq!(counted(Fault::None, 7)?.0, Loss::default());
        Ok(())
    }

    #[test]
    fn each_lost_packet_is_counted() -> Result<()> {
        require!(Namespaces);
        let (loss, befallen) = counted(Fault::Loss, 7)?;
        assert_eq!(loss, Loss { lost: befallen, ..Loss::default() });
        Ok(())
    }

    #[test]
    fn each_duplicate_is_counted() -> Result<()> {
        require!(Namespaces);
        let (loss, befallen) = counted(Fault::Duplicate, 7)?;
        assert_eq!(loss, Loss { duplicated: befallen, ..Loss::default() });
        Ok(())
    }

    /// In one flow, where neighbours on the path are neighbours in the flow. What was counted lost when the other came
    /// first is taken back.
    #[test]
    fn each_swap_is_counted_and_nothing_lost() -> Result<()> {
        require!(Namespaces);
        let (loss, befallen) = counted(Fault::Swap, 1)?;
        assert_eq!(loss, Loss { reordered: befallen, ..Loss::default() });
        Ok(())
    }
}
