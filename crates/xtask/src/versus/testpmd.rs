//! dpdk-testpmd as a contestant: its command line, and the rates that it prints.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::bench::Timing;
use super::outcome::Measured;
use super::process::{Process, important};
use super::wiring::Wiring;
use crate::dpdk;

const PROGRAM: &str = "dpdk-testpmd";
/// As pdmline has it: packets of a burst, and buffers that each core keeps to itself.
const BURST: u32 = 32;
const CACHE: u32 = 256;
const MIB: u64 = 1 << 20;

/// Its prompt, with a hand on its keyboard.
struct Prompt {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    ports: usize,
}

/// Runs it on `wiring` in forwarding mode `mode`, and measures it.
pub(super) fn measure(
    mode: &str,
    wiring: &Wiring,
    hugepages: bool,
    timing: Timing,
    folder: &Path,
) -> Result<Measured> {
    let mut command = important(&program());
    let mut process = Process::start(PROGRAM, command.args(arguments(mode, wiring, hugepages)), folder)?;
    let (input, output) = process.streams()?;
    let prompt = Prompt { input, output, ports: wiring.pairs.as_flattened().len() };
    let asked = ask(&process, prompt, timing);
    process.finish()?;
    let (rates, waited) = asked?;
    ensure!(rates.iter().any(|rate| *rate > 0), "{PROGRAM} sent nothing");
    let workers = wiring.cores.workers().len() as f64;
    Ok(Measured {
        pps: rates.iter().sum::<u64>() as f64,
        handed_over: 0.0,
        dropped: 0.0,
        waited: waited.as_secs_f64() / (timing.time.as_secs_f64() * workers),
    })
}

/// The one that belongs to the DPDK that pdmline is built with.
fn program() -> PathBuf {
    dpdk::chosen().map_or_else(|| PROGRAM.into(), |folder| folder.join("bin").join(PROGRAM))
}

/// The rates of the ports of `process`, and how long it waits for its cores meanwhile.
fn ask(process: &Process, mut prompt: Prompt, timing: Timing) -> Result<(Vec<u64>, Duration)> {
    prompt.rates()?; // it answers when it forwards
    thread::sleep(timing.warm_up);
    prompt.rates()?;
    let waited = process.waited()?;
    thread::sleep(timing.time);
    let rates = prompt.rates()?;
    let waited = process.waited()?.saturating_sub(waited);
    prompt.quit()?;
    Ok((rates, waited))
}

impl Prompt {
    /// Packets that each port sent in a second since it was last asked, by testpmd's own clock.
    fn rates(&mut self) -> Result<Vec<u64>> {
        self.input.write_all(b"show port stats all\n")?;
        rates(&mut self.output, self.ports)
    }

    /// Ends it, and hears it out.
    fn quit(mut self) -> Result<()> {
        self.input.write_all(b"quit\n")?;
        io::copy(&mut self.output, &mut io::sink())?;
        Ok(())
    }
}

/// The rates of the next `ports` ports that `lines` tell of.
fn rates(lines: &mut impl BufRead, ports: usize) -> Result<Vec<u64>> {
    let mut rates = Vec::new();
    let mut line = String::new();
    while rates.len() < ports {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "the rates of {} ports are missing", ports - rates.len());
        rates.extend(rate(&line));
    }
    Ok(rates)
}

/// `  Tx-pps:     17963241          Tx-bps:            0`
fn rate(line: &str) -> Option<u64> {
    line.trim_start().strip_prefix("Tx-pps:")?.split_whitespace().next()?.parse().ok()
}

/// What comes before `--` is EAL's, and as pdmline has it too.
fn arguments(mode: &str, wiring: &Wiring, hugepages: bool) -> Vec<String> {
    let workers = wiring.cores.workers();
    let (lcores, main) = match workers {
        [1] => ("0@(0),1@1", 0),
        _ => ("2@(0,1),0@0,1@1", 2),
    };
    let memory = if hugepages {
        vec!["--in-memory".to_owned()]
    } else {
        vec!["--no-huge".to_owned(), format!("-m{}", wiring.memory_octets(false).div_ceil(MIB))]
    };
    let devices = wiring.pairs.as_flattened().iter().map(|device| format!("--vdev={device}"));
    let queues = wiring.cores.queues();
    // Of ours each port has buffers of its own; here all share one pool.
    let buffers = u64::from(wiring.buffers) * wiring.pairs.len() as u64;

    let mut arguments = vec![
        format!("--lcores={lcores}"),
        format!("--main-lcore={main}"),
        "--no-pci".to_owned(),
        "--file-prefix=versus-testpmd".to_owned(),
    ];
    arguments.extend(memory.into_iter().chain(devices));
    arguments.extend(
        ["--", "--interactive", "--auto-start", "--no-numa", "--disable-link-check"].map(str::to_owned),
    );
    arguments.extend([
        format!("--forward-mode={mode}"),
        format!("--nb-cores={}", workers.len()),
        format!("--rxq={queues}"),
        format!("--txq={queues}"),
        format!("--burst={BURST}"),
        format!("--mbcache={CACHE}"),
        format!("--total-num-mbufs={buffers}"),
    ]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::super::capture::Capture;
    use super::super::wiring::Cores;
    use super::*;

    const TOLD: &str = "\
testpmd> show port stats all\r

  ######################## NIC statistics for port 0  ########################
  RX-packets: 59428800   RX-missed: 0          RX-bytes:  4635446400
  RX-nombuf:  0         \n  TX-packets: 0          TX-errors: 0          TX-bytes:  0

  Throughput (since last show)
  Rx-pps:     17963239          Rx-bps:  11209061248
  Tx-pps:            0          Tx-bps:            0
  ############################################################################

  ######################## NIC statistics for port 1  ########################

  Throughput (since last show)
  Rx-pps:            0          Rx-bps:            0
  Tx-pps:     17963241          Tx-bps:            0
";

    #[test]
    fn every_port_s_rate_is_read() {
        assert_eq!(rates(&mut TOLD.as_bytes(), 2).unwrap(), [0, 17_963_241]);
        assert_eq!(
            rates(&mut TOLD.as_bytes(), 4).unwrap_err().to_string(),
            "the rates of 2 ports are missing"
        );
    }

    #[test]
    fn two_cores_have_two_pairs_or_share_one() {
        let captures = ["a", "b"].map(|path| Capture { path: path.into(), frames: 1024 });
        let arguments = |cores| arguments("csum", &Wiring::new(cores, &captures), true).join(" ");
        let (two, shared) = (arguments(Cores::Two), arguments(Cores::Shared));
        for part in ["--lcores=2@(0,1),0@0,1@1 --main-lcore=2", "net_pcap1,rx_pcap=b", "--nb-cores=2 --rxq=1"]
        {
            assert!(two.contains(part), "{two}");
        }
        for part in ["net_pcap0,rx_pcap=a,rx_pcap=b", "--nb-cores=2 --rxq=2 --txq=2"] {
            assert!(shared.contains(part), "{shared}");
        }
    }
}
