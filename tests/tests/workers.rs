//! Several workers on ports with several queues, in the real program: nothing is lost, and each flow's packets leave in their
//! order with numbers that have no gap.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapWriter};
use pdm::{PdmOption, Psn, find_pdm};
use pdmline_tests::program::{finish, pdmline};
use serde_json::{Value, json};

/// Flows in each capture.
const FLOWS: u16 = 30;
/// Packets in each: fewer than wait between two workers at the most, since net_pcap knows no pace.
const PACKETS: u16 = 900;

/// Where the fixed header of a frame starts.
const IP: usize = 14;

/// Packet `number` of a capture of host `host`: UDP, each flow in turn, with the number as payload.
fn frame(host: u8, number: u16) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 10, 17, 64]);
    frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let ports = [1024 + number % FLOWS, 80, 10, 0];
    frame.extend(ports.iter().chain([&number]).flat_map(|field| field.to_be_bytes()));
    frame
}

fn capture(path: &Path, frames: impl Iterator<Item = Vec<u8>>) -> Result<()> {
    let header = PcapHeader { datalink: DataLink::ETHERNET, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(File::create(path)?, header)?;
    for frame in frames {
        let length = u32::try_from(frame.len())?;
        writer.write_packet(&PcapPacket::new(std::time::Duration::ZERO, length, &frame))?;
    }
    Ok(())
}

/// What two workers and two queues on each port make of two captures, in a directory of its own.
fn run(directory: &Path) -> Result<Value> {
    let file = |name: &str| directory.join(name);
    for host in [1, 2] {
        capture(&file(&format!("in{host}")), (0..PACKETS).map(|number| frame(host, number)))?;
    }
    capture(&file("none"), std::iter::empty())?;
    let config = "instance = \"workers\"\n\
        [consent]\nstatement = \"a test on captures\"\n\
        [memory]\nhugepages = false\n[poll]\nidle = \"yield\"\n\
        [[pair]]\nmtu = 1500\ncores = [0, 0]\n\
        host = \"net_pcap0,rx_pcap=in1,rx_pcap=in2,tx_pcap=h1,tx_pcap=h2\"\n\
        wire = \"net_pcap1,rx_pcap=none,rx_pcap=none,tx_pcap=out1,tx_pcap=out2\"\n\
        [[rule]]\nname = \"all\"\nlocal = [\"2001:db8:a::/48\"]\nremote = [\"::/0\"]\naction = \"measure\"\n";
    fs::write(file("pdmline.toml"), config)?;
    let mut command = Command::new(pdmline()?);
    command.current_dir(directory).env("STATE_DIRECTORY", directory).env("RUNTIME_DIRECTORY", directory);
    command.args(["run", "--config", "pdmline.toml", "--duration", "3s", "--report", "report.json"]);
    finish(&mut command)?;
    serde_json::from_str(&fs::read_to_string(file("report.json"))?).context("the report is not JSON")
}

/// A flow by its host and port, and the numbers of its packets with the PSNTP of each, in their order.
type Flows = BTreeMap<(u8, u16), Vec<(u16, Psn)>>;

/// Adds the packets of a capture that the program wrote to `flows`.
fn read(path: &Path, flows: &mut Flows) -> Result<()> {
    let mut reader = PcapReader::new(File::open(path)?)?;
    while let Some(packet) = reader.next_packet() {
        let frame = packet?.data.into_owned();
        let marked = find_pdm(&frame, frame.len(), IP).context("a packet without an option")?;
        let number =
            frame.last_chunk().map(|octets| u16::from_be_bytes(*octets)).context("a short packet")?;
        let psn = PdmOption::read(&frame, &marked.pdm).psntp;
        flows.entry((marked.source[15], marked.ports.source())).or_default().push((number, psn));
    }
    Ok(())
}

#[test]
fn captures_of_several_queues_come_out_whole_and_in_order() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let report = run(directory.path())?;
    let packets = 2 * u64::from(PACKETS);
    assert_eq!((&report["packets"], &report["inserted"]), (&json!(packets), &json!(packets)), "{report}");
    assert_eq!((&report["dropped"], &report["flows"]), (&json!({}), &json!(2 * FLOWS)), "{report}");
    ensure!(report["handed_over"].as_u64() > Some(0), "{report}");

    let mut flows = Flows::new();
    for out in ["out1", "out2"] {
        read(&directory.path().join(out), &mut flows)?;
    }
    assert_eq!(flows.len(), usize::from(2 * FLOWS));
    for ((host, port), packets) in flows {
        let numbers: Vec<u16> = packets.iter().map(|(number, _)| *number).collect();
        let expected: Vec<u16> = (port - 1024..PACKETS).step_by(FLOWS.into()).collect();
        assert_eq!(numbers, expected, "host {host}, port {port}");
        let gap = packets.windows(2).find(|two| two[1].1 != two[0].1.next());
        assert_eq!(gap, None, "host {host}, port {port}");
    }
    Ok(())
}
