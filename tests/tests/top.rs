//! `pdmline top` and the control socket, with a running appliance: in a real terminal, as text and as JSON.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use pcap_file::pcap::{PcapPacket, PcapWriter};
use pdmline_tests::program::{finish, pdmline, signal, text_of};
use pdmline_tests::require;
use pdmline_tests::requirement::Requirement::Program;
use pdmline_tests::terminal::Terminal;
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for EAL on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients that talk to one server, a flow each at either end.
const CLIENTS: u16 = 6;

/// An appliance between hosts that talk all the time and a wire that is a ring: whatever leaves comes back, so that
/// clients and server, who are all on the host side, answer each other over it.
struct Appliance {
    child: Child,
    instance: String,
    _directory: TempDir,
}

impl Appliance {
    fn start(name: &str) -> Result<Self> {
        let instance = format!("{name}-{}", std::process::id());
        let directory = tempfile::tempdir()?;
        let path = |file| directory.path().join(file);
        write_talk(&path("talk.pcap"))?;
        fs::write(path("pdmline.toml"), configuration(&instance)?)?;
        let mut command = Command::new(pdmline()?);
        command.args(["run", "--config", "pdmline.toml"]).current_dir(&directory);
        command
            .env("STATE_DIRECTORY", directory.path())
            .stdout(Stdio::null())
            .stderr(File::create(path("log"))?);
        let mut child = command.spawn().context("cannot start pdmline")?;
        let start = Instant::now();
        loop {
            let said = fs::read_to_string(path("log"))?;
            if said.ends_with("running\n") {
                return Ok(Self { child, instance, _directory: directory });
            }
            ensure!(
                child.try_wait()?.is_none() && start.elapsed() < PATIENCE,
                "pdmline does not run:\n{said}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// `pdmline top` for it.
    fn top(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(pdmline()?);
        command.args(["top", &self.instance]).args(arguments);
        Ok(command)
    }
}

impl Drop for Appliance {
    /// Ends it as an operator would, if the test did not: one that is killed leaves its socket behind.
    fn drop(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && start.elapsed() < PATIENCE {
            let _ = signal(&self.child, Signal::SIGTERM);
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(instance: &str) -> Result<String> {
    let usable = sched_getaffinity(Pid::from_raw(0))?;
    let core = (0..CpuSet::count()).rfind(|core| usable.is_set(*core).unwrap_or(false)).context("no core")?;
    Ok(format!(
        "instance = \"{instance}\"\n\
         [consent]\nstatement = \"a test's own packets\"\n\
         [[pair]]\nhost = \"net_pcap0,rx_pcap=talk.pcap,infinite_rx=1\"\nwire = \"net_ring0\"\n\
         mtu = 1500\ncores = [{core}]\n\
         [[rule]]\nname = \"lab\"\nlocal = [\"2001:db8::/32\"]\nremote = [\"2001:db8::/32\"]\naction = \"measure\"\n\
         [memory]\nhugepages = false\nmbufs = 4096\n\
         [export]\ninterval = \"200ms\"\n"
    ))
}

/// A question from each client, and the answer to it.
fn write_talk(path: &Path) -> Result<()> {
    const CLIENT: &str = "2001:db8:a::1";
    const SERVER: &str = "2001:db8:b::1";
    let mut capture = PcapWriter::new(File::create(path)?)?;
    for port in (5000..).take(CLIENTS.into()) {
        for (from, to) in [((CLIENT, port), (SERVER, 80)), ((SERVER, 80), (CLIENT, port))] {
            let frame = datagram(from, to)?;
            let length = u32::try_from(frame.len())?;
            capture.write_packet(&PcapPacket::new(Duration::ZERO, length, &frame))?;
        }
    }
    Ok(())
}

/// An Ethernet frame with an empty UDP datagram.
fn datagram(from: (&str, u16), to: (&str, u16)) -> Result<Vec<u8>> {
    const LENGTH: [u8; 2] = [0, 8];
    let address = |end: (&str, u16)| Ok::<_, anyhow::Error>(end.0.parse::<std::net::Ipv6Addr>()?.octets());
    let ethernet = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &[0x86, 0xdd]].concat();
    let ipv6 = [&[0x60, 0, 0, 0][..], &LENGTH, &[17, 64], &address(from)?, &address(to)?].concat();
    let udp = [from.1.to_be_bytes(), to.1.to_be_bytes(), LENGTH, [0x12, 0x34]].concat();
    Ok([ethernet, ipv6, udp].concat())
}

fn measures(frame: &Value) -> bool {
    frame["rules"][0]["delays"]["network_rtt"]["count"].as_u64().is_some_and(|count| count > 0)
}

#[test]
fn programs_get_a_line_for_each_interval() -> Result<()> {
    let appliance = Appliance::start("json")?;
    let mut top = appliance.top(&["--json"])?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(top.stdout.take().context("no standard output")?).lines();
    let mut next = || -> Result<Value> { Ok(serde_json::from_str(&lines.next().context("it ended")??)?) };
    // The first interval may have ended before the first packet.
    let mut frame = next()?;
    while !measures(&frame) {
        frame = next()?;
    }
    assert_eq!(frame["instance"], *appliance.instance);
    assert_eq!(frame["flows_live"], 2 * CLIENTS);
    let (inserted, observed) = (&frame["counts"]["inserted"], &frame["counts"]["observed"]);
    assert!(inserted["interval"].as_u64() > Some(0) && observed["interval"].as_u64() > Some(0), "{frame}");
    assert_eq!(frame["rules"][0]["name"], "lab");
    assert!(next()?["uptime_s"].as_f64() > frame["uptime_s"].as_f64());

    let once = text_of(&mut appliance.top(&["--json", "--once"])?)?;
    assert_eq!(once.lines().count(), 1);
    let worst = &serde_json::from_str::<Value>(&once)?["worst"]["network_rtt"];
    assert_eq!(worst.as_array().context("no flows")?.len(), 2 * usize::from(CLIENTS));

    // Nobody reads on, as with `head`.
    drop(lines);
    let ended = top.wait_with_output()?;
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    Ok(())
}

#[test]
fn people_get_one_screen_as_text() -> Result<()> {
    let appliance = Appliance::start("text")?;
    let error = finish(&mut appliance.top(&[])?).unwrap_err().to_string();
    assert!(error.ends_with("pdmline: standard output is no terminal; take --once or --json"), "{error}");

    let start = Instant::now();
    loop {
        let text = text_of(&mut appliance.top(&["--once"])?)?;
        assert!(text.starts_with(&format!("{}  up ", appliance.instance)), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        if text.matches("udp [2001:db8:").count() == 2 * usize::from(CLIENTS) {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "not every flow is shown:\n{text}");
    }
}

#[test]
fn the_screen_works_in_a_terminal_of_80_columns_and_24_lines() -> Result<()> {
    require!(Program("tmux"));
    let mut appliance = Appliance::start("screen")?;
    let terminal = Terminal::open()?;
    let start = || {
        let top = format!("{} top {}", pdmline()?.display(), appliance.instance);
        terminal.type_line(&format!("clear; {top}; ended=$?; stty -g >after; echo \"ended with $ended\""))
    };
    let is_back = || -> Result<()> {
        terminal.wait_for(|screen| screen.contains("ended with 0"))?;
        assert!(terminal.is_the_shells()?);
        assert_eq!(fs::read_to_string(terminal.path("after"))?, fs::read_to_string(terminal.path("before"))?);
        Ok(())
    };
    terminal.type_line("stty -g >before")?;

    start()?;
    let screen = terminal.wait_for(|screen| {
        screen.contains("network delay   s server delay")
            && screen.contains('█')
            && screen.matches("udp [").count() > 8
    })?;
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines.len(), 24, "{screen}");
    assert!(lines[0].starts_with(&format!("{}  up ", appliance.instance)), "{screen}");
    assert!(lines[0].contains("1 of 1 workers alive"), "{screen}");
    assert!(lines[4].starts_with("rule "), "{screen}");
    let network: Vec<&str> = lines[5].split_whitespace().collect();
    assert_eq!(network[..2], ["lab", "network"], "{screen}");
    assert!(network[2].parse::<f64>()? > 0.0, "{screen}");
    assert!(lines[6].trim_start().starts_with("server "), "{screen}");
    for (key, by) in [("s", "server delay"), ("l", "loss"), ("n", "network delay")] {
        terminal.press(key)?;
        terminal.wait_for(|screen| screen.contains(&format!("worst flows by {by} ")))?;
    }
    for key in ["q", "C-c", "Escape"] {
        terminal.press(key)?;
        is_back()?;
        start()?;
        terminal.wait_for(|screen| screen.contains("q quit"))?;
    }

    signal(&appliance.child, Signal::SIGTERM)?;
    is_back()?;
    assert!(terminal.screen()?.contains(&format!("{} has ended", appliance.instance)));
    assert!(appliance.child.wait()?.success());
    Ok(())
}
