//! `pdmline run`: the real program on DPDK's virtual devices, without hugepages and as any user. Packets go in and out
//! by captures, so that bytes can be compared; what is wrong is told in one line.

#![allow(clippy::unwrap_used, reason = "a helper of tests may fail them too")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pcap_file::pcap::PcapReader;
use serde_json::{Value, json};
use tempfile::TempDir;

#[allow(dead_code, reason = "every test program uses a part of it")]
mod support;

use support::{pdmline, vector};

/// Long enough for EAL on a busy machine; a program that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// An instance with a folder of its own, where it also remembers its rules.
struct Instance {
    name: String,
    folder: TempDir,
    /// Its configuration.
    toml: String,
}

impl Instance {
    /// An instance with one pair and one rule. No two tests may give it the same name, nor two runs of them at once.
    fn new(name: &str, host: &str, wire: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let core = dpdk::cores::usable().unwrap().last().copied().unwrap();
        let toml = format!(
            r#"
            instance = "{name}"
            [consent]
            statement = "a test's own packets"
            [[pair]]
            host = "{host}"
            wire = "{wire}"
            mtu = 1500
            cores = [{core}]
            [[rule]]
            name = "lab"
            local = ["2001:db8:a::/48"]
            remote = ["::/0"]
            action = "measure"
            [memory]
            hugepages = false
            mbufs = 4096
            [poll]
            idle = "sleep:50us"
            "#
        );
        let folder = tempfile::tempdir().unwrap();
        // A capture of nothing: only the header.
        fs::write(folder.path().join("empty.pcap"), &fs::read(vector("left-alone.in.pcap")).unwrap()[..24])
            .unwrap();
        Self { name, folder, toml }
    }

    /// An instance whose ports read the captures `host` and `wire`, and write `host.out.pcap` and `wire.out.pcap`.
    fn between(name: &str, host: &Path, wire: &Path) -> Self {
        let port = |number, side, input: &Path| {
            format!("net_pcap{number},rx_pcap={},tx_pcap={side}.out.pcap", input.display())
        };
        Self::new(name, &port(0, "host", host), &port(1, "wire", wire))
    }

    /// With a second pair, on the same core.
    fn and_between(self, host: &str, wire: &str) -> Self {
        let core = dpdk::cores::usable().unwrap().last().copied().unwrap();
        let pair =
            format!("[[pair]]\nhost = \"{host}\"\nwire = \"{wire}\"\nmtu = 1500\ncores = [{core}]\n[[rule]]");
        self.with("[[rule]]", &pair)
    }

    /// With `to` in place of `from` in its configuration.
    fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.toml.contains(from), "{from:?} is not in the configuration");
        self.toml = self.toml.replacen(from, to, 1);
        self
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn command(&self, args: &[&str]) -> Command {
        fs::write(self.path("pdmline.toml"), &self.toml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pdmline"));
        command.args(["run", "--config", "pdmline.toml"]).args(args);
        command.current_dir(&self.folder).env("STATE_DIRECTORY", self.path("state"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it for a second, and returns its report.
    fn report(&self) -> Value {
        let output = self.run(&["--duration", "1s", "--report", "report.json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        self.read_report()
    }

    fn read_report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("report.json")).unwrap()).unwrap()
    }

    /// Starts it, and returns when it runs.
    fn start(&self) -> Running {
        self.start_writing_to(Stdio::null())
    }

    /// As [`Instance::start`], with this standard output.
    fn start_writing_to(&self, stdout: impl Into<Stdio>) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.command(&["--report", "report.json", "--interval", "200ms"]);
        let mut running = Running(command.stdout(stdout).stderr(log).spawn().unwrap());
        wait_for(|| {
            assert!(running.0.try_wait().unwrap().is_none(), "{}", self.said());
            self.said().contains("running\n")
        });
        running
    }

    /// All that it has said since it was started.
    fn said(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// What it complains of, in one line, after starting in vain.
    fn complaint(&self, args: &[&str]) -> String {
        let output = self.run(&[&["--duration", "1s"], args].concat());
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
        stderr.strip_prefix("pdmline: ").unwrap().trim_end().to_owned()
    }

    /// Remembers that the rule was activated at `time`.
    fn activated_at(&self, time: &str) {
        fs::create_dir_all(self.path("state").join(&self.name)).unwrap();
        fs::write(self.activations(), json!({"lab": time}).to_string()).unwrap();
    }

    fn activations(&self) -> PathBuf {
        self.path("state").join(&self.name).join("activations.json")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // EAL leaves its folder behind, and this name never comes again.
        let user = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(|| "/tmp".into(), PathBuf::from);
        for folder in [Path::new("/var/run"), &user] {
            let _ = fs::remove_dir_all(folder.join("dpdk").join(&self.name));
        }
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The packets of a capture.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(fs::File::open(path).unwrap()).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet.unwrap().data.into_owned());
    }
    frames
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it takes too long");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A program that runs, and not beyond its test, whatever becomes of that.
struct Running(Child);

impl Running {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn end(mut running: Running, signal: Signal) -> Option<i32> {
    running.signal(signal);
    let mut status = None;
    wait_for(|| {
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().code()
}

fn nothing(instance: &str) -> Instance {
    Instance::new(instance, "net_null0,no-rx=1", "net_null1,no-rx=1")
}

/// What the report of `replay` for the vector `name` says of `keys`.
fn expected(name: &str, keys: &[&str]) -> Vec<Value> {
    let vector: Value = serde_json::from_slice(&fs::read(vector(name)).unwrap()).unwrap();
    keys.iter().map(|key| vector[key].clone()).collect()
}

fn told(report: &Value, keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| report[key].clone()).collect()
}

/// Whether both are equal but for the ten octets of one option's content: numbers are random, and times the clock's.
fn equal_but_for_the_option(one: &[u8], other: &[u8]) -> bool {
    let differing: Vec<usize> = (0..one.len()).filter(|&at| one.get(at) != other.get(at)).collect();
    let (Some(&first), Some(&last)) = (differing.first(), differing.last()) else {
        return one.len() == other.len();
    };
    let is_option = |at: &usize| one[*at..].starts_with(&[0x0f, 10]) && other[*at..].starts_with(&[0x0f, 10]);
    let content_holds_all = |at: usize| at + 2 <= first && last < at + 12;
    one.len() == other.len() && (0..first).filter(is_option).any(content_holds_all)
}

const COUNTERS: [&str; 7] = ["packets", "inserted", "observed", "stripped", "plain", "skipped", "flows"];

#[test]
fn options_go_where_the_vector_has_them() {
    let appliance = Instance::between("insert", &vector("insert-headers.in.pcap"), Path::new("empty.pcap"));
    let report = appliance.report();
    assert_eq!(told(&report, &COUNTERS), expected("insert-headers.json", &COUNTERS));
    assert_eq!(report["dropped"], json!({}));
    let (sent, expected) =
        (frames(&appliance.path("wire.out.pcap")), frames(&vector("insert-headers.out.pcap")));
    assert_eq!(sent.len(), expected.len());
    for (number, (sent, expected)) in sent.iter().zip(&expected).enumerate() {
        assert!(equal_but_for_the_option(sent, expected), "packet {}: {sent:02x?}", number + 1);
    }
    assert_eq!(frames(&appliance.path("host.out.pcap")).len(), 0);
}

#[test]
fn hosts_see_no_option() {
    let appliance = Instance::between("strip", Path::new("empty.pcap"), &vector("strip-headers.in.pcap"));
    let report = appliance.report();
    assert_eq!(told(&report, &COUNTERS), expected("strip-headers.json", &COUNTERS));
    assert_eq!(report["never_sent"], 7);
    assert_eq!(frames(&appliance.path("host.out.pcap")), frames(&vector("strip-headers.out.pcap")));
    assert_eq!(frames(&appliance.path("wire.out.pcap")).len(), 0);
}

#[test]
fn what_is_left_alone_leaves_byte_for_byte() {
    let input = vector("left-alone.in.pcap");
    let appliance = Instance::between("alone", &input, &input);
    let report = appliance.report();
    assert_eq!(report["packets"], 38);
    assert_eq!(report["skipped"]["malformed"], 8);
    assert_eq!((&report["inserted"], &report["stripped"]), (&json!(0), &json!(0)));
    assert_eq!(frames(&appliance.path("wire.out.pcap")), frames(&input));
    assert_eq!(frames(&appliance.path("host.out.pcap")), frames(&input));
}

#[test]
fn a_second_appliance_takes_out_what_the_first_put_in() {
    let first = Instance::between("near", &vector("insert-headers.in.pcap"), Path::new("empty.pcap"));
    assert_eq!(first.report()["inserted"], 18);
    let far = Instance::between("far", Path::new("empty.pcap"), &first.path("wire.out.pcap"))
        .with("2001:db8:a::/48", "::/0");
    assert_eq!(far.report()["stripped"], 18);
    let (came, sent) = (frames(&far.path("host.out.pcap")), frames(&vector("insert-headers.in.pcap")));
    assert_eq!(came.len(), sent.len());
    let changed: Vec<usize> = (0..sent.len()).filter(|&at| came[at] != sent[at]).collect();
    // One packet's own options header held nothing but padding, and goes with the option.
    assert_eq!(changed, [11]);
}

#[test]
fn one_worker_serves_all_pairs_of_its_core() {
    let one = Instance::between("pairs", &vector("insert-headers.in.pcap"), Path::new("empty.pcap"));
    let host = format!("net_pcap2,rx_pcap={},tx_pcap=host2.pcap", vector("insert-headers.in.pcap").display());
    let one = one.and_between(&host, "net_pcap3,rx_pcap=empty.pcap,tx_pcap=wire2.pcap");
    let report = one.report();
    assert_eq!(report["packets"], 40);
    assert_eq!(report["flows"], 10, "a pair's flows are its own");
    assert_eq!(frames(&one.path("wire2.pcap")).len(), 20);
}

#[test]
fn a_flood_leaves_no_buffer_behind() {
    let report = Instance::new("flood", "net_null0", "net_null1").report();
    assert!(report["packets"].as_u64().unwrap() > 1000, "{report}");
    assert_eq!(report["skipped"], json!({"not_ipv6": report["packets"]}));
    assert_eq!(report["metrics"]["residence"]["count"], report["packets"]);
}

#[test]
fn a_profile_tells_what_each_leg_of_a_packets_way_takes() {
    let appliance = Instance::new("profile", "net_null0", "net_null1");
    let output = appliance.run(&["--duration", "1s", "--profile", "--report", "report.json"]);
    let cycles = &appliance.read_report()["cycles_per_packet"];
    for leg in ["receive", "look", "find", "rewrite", "send"] {
        assert!(cycles[leg].as_f64().unwrap() > 0.0, "{cycles}");
    }
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("\ncycles per packet: receive "), "{told}");
}

#[test]
fn rings_are_ports_too() {
    let report = Instance::new("rings", "net_ring0", "net_ring1").report();
    assert_eq!((&report["packets"], &report["dropped"]), (&json!(0), &json!({})));
    assert!(report["duration_s"].as_f64().unwrap() >= 1.0);
}

#[test]
fn it_tells_while_it_runs_and_at_the_end() {
    let output = nothing("tells").run(&["--duration", "1s", "--interval", "200ms"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
    let versions = format!("0.1.0, built with {0}, running with {0}\n", dpdk::Version::BUILT_WITH);
    assert!(stderr.starts_with(&format!("pdmline {versions}")), "{stderr}");
    assert_eq!(support::pdmline(["--version"]).stdout, format!("pdmline {versions}"));
    assert!(stderr.contains("rule \"lab\" ends at 20"), "{stderr}");
    assert!(stderr.contains(" of 1s: packets 0/s, inserted 0/s, observed 0/s, flows 0\n"), "{stderr}");
    assert!(stdout.starts_with("0 packets and 0 flows in 1."), "{stdout}");
}

#[test]
fn signals_end_it_with_a_report() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let appliance = nothing("signal");
        assert_eq!(end(appliance.start(), signal), Some(0), "{signal}");
        assert_eq!(appliance.read_report()["packets"], 0);
    }
}

/// A port of this machine that nobody listens on, most likely.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a server on `port` answers, head and body.
fn get(port: u16, path: &str) -> String {
    let mut answer = String::new();
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    server
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\nAccept: text/plain\r\n\r\n").as_bytes())
        .unwrap();
    server.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn results_leave_each_interval_while_it_runs() {
    let port = free_port();
    let export = format!(
        "[export]\ninterval = \"100ms\"\nopenmetrics = \"127.0.0.1:{port}\"\nprefixes = 48\nhlog = \"delays.hlog\"\n\
         json = \"lines.jsonl\"\n[poll]"
    );
    let appliance = Instance::new("export", "net_null0", "net_null1").with("[poll]", &export);
    let running = appliance.start();
    let lines = || fs::read_to_string(appliance.path("lines.jsonl")).unwrap_or_default();
    wait_for(|| lines().lines().count() >= 3);

    assert!(get(port, "/healthz").starts_with("HTTP/1.1 200 "));
    let metrics = get(port, "/metrics");
    let packets = metrics.lines().find(|line| line.starts_with("pdmline_packets_total{")).unwrap();
    assert!(!packets.ends_with(" 0"), "{packets}");
    assert!(metrics.contains("dpdk_version=\"DPDK 2"), "{metrics}");
    assert!(metrics.contains("pdmline_residence_seconds_count"), "{metrics}");
    let other = "\npdmline_prefix_network_rtt_seconds_count{prefix=\"other\"} 0\n";
    assert!(metrics.contains(other), "{metrics}");

    let third: Value = serde_json::from_str(lines().lines().nth(2).unwrap()).unwrap();
    assert!(third["packets"].as_u64().unwrap() > 0, "{third}");
    assert!(third["skipped"]["not_ipv6"].as_u64().unwrap() > 0, "{third}");
    assert!(fs::read_to_string(appliance.path("delays.hlog")).unwrap().contains("Tag=residence,"));

    fs::rename(appliance.path("lines.jsonl"), appliance.path("lines.jsonl.1")).unwrap();
    running.signal(Signal::SIGHUP);
    wait_for(|| lines().lines().count() >= 1);
    assert_eq!(end(running, Signal::SIGTERM), Some(0));
    assert!(lines().ends_with('\n'));
}

/// An instance with packets without end, whose JSON lines go to standard output.
fn flood_into_standard_output(name: &str) -> Instance {
    let export = "[export]\ninterval = \"100ms\"\njson = \"-\"\n[poll]";
    Instance::new(name, "net_null0", "net_null1").with("[poll]", export)
}

/// A pipe that holds as little as it can: a few lines.
fn narrow_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    (reader, writer)
}

const LEFT_OUT: &str = "cannot write the JSON lines to standard output fast enough: lines are left out\n";

#[test]
fn a_reader_that_never_reads_keeps_nothing_waiting_but_its_lines() {
    let appliance = flood_into_standard_output("unread");
    let (_reader, writer) = narrow_pipe();
    let running = appliance.start_writing_to(writer);
    wait_for(|| appliance.said().contains(LEFT_OUT));
    let summaries = || appliance.said().matches("packets ").count();
    let before = summaries();
    wait_for(|| summaries() >= before + 3);
    assert_eq!(end(running, Signal::SIGTERM), Some(0));
    let said = appliance.said();
    assert_eq!(said.matches(LEFT_OUT).count(), 1, "{said}");
    let lost = "cannot write the JSON lines to standard output in time: the last lines are lost\n";
    assert!(said.ends_with(lost), "{said}");
    assert!(appliance.read_report()["packets"].as_u64().unwrap() > 1000);
}

/// Tests that the lines of `flows`, all of them still there at the end and none of a native host, tell what `report` does.
fn check_flows(flows: &[Value], report: &Value) {
    let sum = |count: &str| flows.iter().map(|flow| flow[count].as_u64().unwrap()).sum::<u64>();
    assert_eq!(report["flows"], flows.len());
    assert_eq!(report["inserted"], sum("sent"));
    assert_eq!(report["observed"].as_u64().unwrap() + report["plain"].as_u64().unwrap(), sum("received"));
    assert_eq!(report["loss"]["lost"], sum("lost"));
    assert!(flows.iter().all(|flow| flow["ending"] == "shutdown"), "{flows:?}");
}

/// Tests that the JSON lines of all intervals together tell what the report does.
fn check_sums(lines: &str, report: &Value) {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (flows, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line["type"] == "flow");
    check_flows(&flows, report);
    let report_of = |count: &str| if count == "flows_created" { &report["flows"] } else { &report[count] };
    for count in ["packets", "inserted", "observed", "stripped", "plain", "flows_created", "never_sent"] {
        let sum: u64 = lines.iter().map(|line| line[count].as_u64().unwrap()).sum();
        assert_eq!(report_of(count), sum, "{count}");
    }
    let mut skipped = BTreeMap::<&str, u64>::new();
    let mut samples = BTreeMap::<&str, u64>::new();
    for line in &lines {
        for (reason, count) in line["skipped"].as_object().unwrap() {
            *skipped.entry(reason).or_default() += count.as_u64().unwrap();
        }
        let rules = line["rules"].as_object().unwrap().values().chain([&line["unselected"]]);
        for (metric, summary) in rules.flat_map(|delays| delays.as_object().unwrap()) {
            *samples.entry(metric).or_default() += summary["count"].as_u64().unwrap();
        }
    }
    assert_eq!(report["skipped"], json!(skipped));
    let metrics = report["metrics"].as_object().unwrap().iter();
    let counts = metrics.map(|(metric, summary)| (metric.as_str(), summary["count"].as_u64().unwrap()));
    assert_eq!(samples, counts.collect());
}

#[test]
fn the_lines_of_all_intervals_add_up_to_the_report() {
    let appliance =
        Instance::between("sums", &vector("insert-headers.in.pcap"), &vector("strip-headers.in.pcap"))
            .and_between("net_null0", "net_null1")
            .with("[poll]", "[export]\ninterval = \"300ms\"\njson = \"lines.jsonl\"\n[poll]");
    let running = appliance.start();
    let lines = || fs::read_to_string(appliance.path("lines.jsonl")).unwrap();
    wait_for(|| lines().lines().count() >= 3);
    assert_eq!(end(running, Signal::SIGTERM), Some(0));
    let report = appliance.read_report();
    assert_eq!((&report["inserted"], &report["never_sent"]), (&json!(18), &json!(7)));
    check_sums(&lines(), &report);
}

#[test]
fn a_reader_that_rests_misses_lines_and_no_packets() {
    let appliance = flood_into_standard_output("rests");
    let (mut reader, writer) = narrow_pipe();
    let running = appliance.start_writing_to(writer);
    wait_for(|| appliance.said().contains(LEFT_OUT));
    let rested = thread::spawn(move || {
        let mut lines = String::new();
        reader.read_to_string(&mut lines).map(|_| lines)
    });
    assert_eq!(end(running, Signal::SIGTERM), Some(0));
    check_sums(&rested.join().unwrap().unwrap(), &appliance.read_report());
}

#[test]
fn a_port_and_a_name_have_one_holder() {
    let port = "net_pcap0,rx_pcap=empty.pcap,tx_pcap=out.pcap";
    let first = Instance::new("first", port, "net_null1,no-rx=1");
    let running = first.start();
    let complaint = first.complaint(&[]);
    let name = &first.name;
    let holder = format!("is held by process {}, instance {name}; end that one first", running.id());
    assert!(complaint.starts_with(&format!("the instance {name} {holder}")), "{complaint}");

    let same_file =
        format!("net_pcap7,rx_pcap=empty.pcap,tx_pcap={}/out.pcap", first.folder.path().display());
    let second = Instance::new("second", &same_file, "net_null1,no-rx=1");
    let complaint = second.complaint(&[]);
    assert!(complaint.starts_with(&format!("the port {same_file} {holder}")), "{complaint}");

    assert_eq!(end(running, Signal::SIGTERM), Some(0), "the first one is not disturbed");
    second.report();
}

#[test]
fn what_a_killed_one_leaves_is_not_in_the_way() {
    let appliance =
        Instance::new("killed", "net_pcap0,rx_pcap=empty.pcap,tx_pcap=out.pcap", "net_null1,no-rx=1");
    assert_eq!(end(appliance.start(), Signal::SIGKILL), None);
    let said = pdmline(["top", "--once", &appliance.name]).stderr;
    let killed = format!("pdmline: the instance {} was killed and left /", appliance.name);
    assert!(said.starts_with(&killed), "{said}");

    let output = appliance.run(&["--duration", "1s"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    let removed = said.lines().find(|line| line.starts_with("removed the control socket /")).unwrap();
    let left = format!("/{}.sock, which a run that was killed left behind", appliance.name);
    assert!(removed.ends_with(&left), "{removed}");
    let said = stderr(&appliance.run(&["--duration", "1s"]));
    assert!(!said.contains("removed"), "one that ends takes its socket along: {said}");
}

#[test]
fn a_rule_that_has_ended_stays_so_until_it_is_restarted() {
    let appliance = Instance::between("ended", &vector("insert-headers.in.pcap"), Path::new("empty.pcap"));
    appliance.activated_at("2024-01-01T00:00:00Z");
    let output = appliance.run(&["--duration", "1s", "--report", "report.json"]);
    let said = stderr(&output);
    assert!(
        said.contains(
            "rule \"lab\" ended at 2024-01-01T01:00:00Z; `pdmline run --restart-rules` lets it act again\n"
        ),
        "{said}"
    );
    assert_eq!(appliance.read_report()["skipped"], json!({"not_selected": 20}));
    assert_eq!(frames(&appliance.path("wire.out.pcap")), frames(&vector("insert-headers.in.pcap")));

    appliance.run(&["--duration", "1s", "--report", "report.json", "--restart-rules"]);
    assert_eq!(appliance.read_report()["inserted"], 18);
    assert!(!fs::read_to_string(appliance.activations()).unwrap().contains("2024-01-01"));
}

#[test]
fn a_rule_ends_while_it_runs() {
    // Long enough for a busy machine to start in.
    let appliance = nothing("ends").with("action =", "active_for = \"4s\"\naction =");
    let output = appliance.run(&["--duration", "6s"]);
    let said = stderr(&output);
    let (ends, ended) =
        (said.find("rule \"lab\" ends at ").unwrap(), said.find("rule \"lab\" ended at ").unwrap());
    assert!(ends < ended, "{said}");
}

#[test]
fn forever_is_warned_of() {
    let appliance = nothing("forever").with("action =", "active_for = \"forever\"\naction =");
    let said = stderr(&appliance.run(&["--duration", "1s"]));
    assert!(
        said.contains("warning: rule \"lab\" never ends by itself: active_for = \"forever\"\n"),
        "{said}"
    );
}

#[test]
fn a_damaged_memory_of_activations_is_not_guessed_at() {
    let appliance = nothing("damaged");
    appliance.activated_at("yesterday");
    let complaint = appliance.complaint(&[]);
    assert!(complaint.contains("activations.json, which remembers"), "{complaint}");
    assert!(complaint.contains("is damaged; remove it"), "{complaint}");
    assert!(fs::read_to_string(appliance.activations()).unwrap().contains("yesterday"));
}

/// Each line: what is changed in the configuration, into what, EAL's arguments, and what the complaint must say.
#[test]
fn what_is_wrong_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = format!("[export]\nopenmetrics = \"{}\"\n[poll]", taken.local_addr().unwrap());
    let table: [(&str, &str, &[&str], &str); 18] = [
        ("[poll]", &metrics, &[], "the port is taken; end who has it"),
        (
            "[poll]",
            "[export]\njson = \"none/lines\"\n[poll]",
            &[],
            "cannot write the JSON lines to none/lines",
        ),
        ("[poll]", "[export]\nhlog = \".\"\n[poll]", &[], "cannot write the histogram log to ."),
        (
            "mtu = 1500",
            "mtu = 1500\nmut = 1",
            &[],
            "pdmline.toml: line 9: unknown field `mut`, expected one of `host`",
        ),
        (
            "name = \"lab\"",
            "name = \"lab\"\nactive_for = \"0s\"",
            &[],
            "pdmline.toml: rule[0].active_for: \"0s\"",
        ),
        (
            "cores = [",
            "cores = [1000] #",
            &[],
            "core 1000 is not there, or not this process's; write one of 0",
        ),
        ("hugepages = false", "hugepages = true", &["HUGE"], "`sysctl vm.nr_hugepages="),
        (
            "net_null0,no-rx=1",
            "net_af_packet0,iface=none0",
            &[],
            "the interface none0 is not there; `ip link`",
        ),
        ("net_null0,no-rx=1", "0000:ff:1f.7", &[], "there is no PCI device 0000:ff:1f.7; `dpdk-devbind.py"),
        ("net_null0,no-rx=1", "net_nothing0", &[], "the device `net_nothing0` cannot be used: "),
        ("net_null0,no-rx=1", "net_pcap0,rx_pcap=none.pcap", &[], "No such file or directory"),
        ("net_null0,no-rx=1", "net_null1", &[], "pair[0].wire: net_null1 is already pair[0].host"),
        (
            "idle = \"sleep:50us\"",
            "[flows]\nmemory = \"1TiB\"",
            &[],
            "MiB of memory are needed and the machine has ",
        ),
        ("idle = \"sleep:50us\"", "", &["--", "--no-such-option"], "DPDK did not start: "),
        (
            "idle = \"sleep:50us\"",
            "",
            &["--", "-m", "10"],
            "give DPDK more memory (-m), or ask for fewer buffers",
        ),
        (
            "idle = \"sleep:50us\"",
            "",
            &["--", "-l", "0"],
            "leave the choice of cores (-l, -c, --lcores) to pdmline",
        ),
        (
            "idle = \"sleep:50us\"",
            "",
            &["--report", "none/report.json"],
            "cannot write the report none/report.json",
        ),
        ("idle = \"sleep:50us\"", "", &["--report", "."], "cannot write the report ."),
    ];
    for (number, (from, to, args, says)) in table.into_iter().enumerate() {
        let mut wrong = nothing(&format!("wrong{number}")).with(from, to);
        if args == ["HUGE"] {
            // More than any machine has set aside.
            wrong = wrong.with("mbufs = 4096", "mbufs = 4194304");
        }
        let complaint = wrong.complaint(if args == ["HUGE"] { &[] } else { args });
        assert!(complaint.contains(says), "for {to:?}: {complaint}\nshould say {says}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_pdmline")).args(["run", "--config", "none.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "pdmline: cannot read the configuration none.toml: No such file or directory (os error 2)\n"
    );
}
