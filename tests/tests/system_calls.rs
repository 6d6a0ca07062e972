//! A worker that has packets makes no system call: strace, attached to it for a second, sees none.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pdmline_tests::program::pdmline;
use pdmline_tests::require;
use pdmline_tests::requirement::Requirement::{Tracing, TwoCores};
use pdmline_tests::strace::Trace;
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for EAL on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a worker is watched, at the least.
const WATCHED: Duration = Duration::from_secs(1);

/// Packets that it moves meanwhile, at the least, on a machine that has other things to do.
const MANY: u64 = 10_000;

const FLOWS: u16 = 1000;

/// Captures that are repeated without end, for two queues.
const BUSY: &str = "net_pcap0,rx_pcap=in1.pcap,rx_pcap=in2.pcap,infinite_rx=1";
const SILENT: &str = "net_null1,no-rx=1";

/// A pdmline that runs, and not beyond its test.
struct Running {
    child: Child,
    folder: TempDir,
}

impl Running {
    /// Starts it between `host` and a sink, under a name that no other test uses, and returns when it runs.
    fn start(name: &str, host: &str, idle: &str, cores: &[u32]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for queue in [1, 2] {
            write_capture(&folder.path().join(format!("in{queue}.pcap")), queue)?;
        }
        fs::write(folder.path().join("pdmline.toml"), config(name, host, idle, cores))?;
        let mut command = Command::new(pdmline()?);
        command.args(["run", "--config", "pdmline.toml"]).current_dir(&folder);
        // What it and EAL leave behind goes with the test.
        command.env("STATE_DIRECTORY", folder.path()).env("RUNTIME_DIRECTORY", folder.path());
        command.stdout(Stdio::null()).stderr(File::create(folder.path().join("log"))?);
        let mut running = Self { child: command.spawn()?, folder };
        let start = Instant::now();
        while !running.read("log").contains("running\n") {
            ensure!(running.child.try_wait()?.is_none(), "it ended, having said: {}", running.read("log"));
            ensure!(start.elapsed() < PATIENCE, "it does not start; it said: {}", running.read("log"));
            sleep(Duration::from_millis(10));
        }
        Ok(running)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }

    /// Its workers' threads, by the names that EAL gives them.
    fn workers(&self) -> Result<Vec<u32>> {
        let mut workers = Vec::new();
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let thread = thread?;
            if fs::read_to_string(thread.path().join("comm"))?.contains("-worker") {
                workers.push(thread.file_name().to_string_lossy().parse()?);
            }
        }
        Ok(workers)
    }

    /// What it has counted in each interval so far.
    fn intervals(&self) -> Vec<Value> {
        let lines = self.read("lines.jsonl");
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["type"] == "interval").collect()
    }

    /// The calls of its workers, and what it counted in the intervals that began and ended while they were watched.
    fn watch(&self) -> Result<(Vec<String>, Vec<Value>)> {
        let trace = Trace::of(&self.workers()?)?;
        let before = self.intervals().len();
        sleep(WATCHED);
        let intervals = self.intervals();
        let calls = trace.end()?;
        // The first one began before.
        Ok((calls, intervals.into_iter().skip(before + 1).collect()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(name: &str, host: &str, idle: &str, cores: &[u32]) -> String {
    format!(
        "instance = \"{name}\"\n\
         [consent]\nstatement = \"a test on captures\"\n\
         [memory]\nhugepages = false\n\
         [poll]\nidle = \"{idle}\"\n\
         [export]\ninterval = \"100ms\"\njson = \"lines.jsonl\"\n\
         [[pair]]\nmtu = 1500\ncores = {cores:?}\nhost = \"{host}\"\nwire = \"net_null0,no-rx=1\"\n\
         [[rule]]\nname = \"all\"\nlocal = [\"2001:db8:a::/48\"]\nremote = [\"::/0\"]\naction = \"measure\"\n"
    )
}

/// A capture of UDP packets of host `host`, each of another flow.
fn write_capture(path: &Path, host: u8) -> Result<()> {
    let header = PcapHeader { datalink: DataLink::ETHERNET, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(File::create(path)?, header)?;
    for flow in 0..FLOWS {
        let mut frame = vec![2; 12];
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64]);
        frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
        frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend([1024 + flow, 80, 8, 0].into_iter().flat_map(u16::to_be_bytes));
        writer.write_packet(&PcapPacket::new(Duration::ZERO, u32::try_from(frame.len())?, &frame))?;
    }
    Ok(())
}

/// What was counted under `name` in all of `intervals`.
fn sum(intervals: &[Value], name: &str) -> u64 {
    intervals.iter().filter_map(|interval| interval[name].as_u64()).sum()
}

#[test]
fn workers_under_load_make_no_system_call() -> Result<()> {
    require!(Tracing, TwoCores);
    for (cores, handed_over) in [(&[1][..], false), (&[0, 1], true)] {
        let running = Running::start("calls-busy", BUSY, "spin", cores)?;
        assert_eq!(running.workers()?.len(), cores.len());
        let (calls, intervals) = running.watch()?;
        assert_eq!(calls.first(), None, "on {cores:?}, the first of {} calls", calls.len());
        let inserted = sum(&intervals, "inserted");
        assert!(inserted > MANY, "on {cores:?}, in {} intervals: {inserted}", intervals.len());
        assert_eq!(sum(&intervals, "handed_over") > 0, handed_over, "on {cores:?}");
    }
    Ok(())
}

#[test]
fn a_worker_that_sleeps_is_seen_to() -> Result<()> {
    require!(Tracing, TwoCores);
    let (calls, intervals) = Running::start("calls-silent", SILENT, "sleep:50us", &[1])?.watch()?;
    assert_eq!(sum(&intervals, "packets"), 0);
    // The first one may be a sleep that strace interrupted, which the kernel calls restart_syscall.
    assert!(
        calls.iter().any(|call| call.contains("nanosleep")),
        "of {} calls: {:?}",
        calls.len(),
        calls.first()
    );
    Ok(())
}
