//! `pdmline decode`: exact lines for known captures, and how it ends.

#![allow(clippy::unwrap_used, reason = "a helper of tests may fail them too")]

use std::process::{Command, Stdio};

use support::{pdmline, vector};

mod support;

fn decode(name: &str, more: &[&str]) -> String {
    let file = vector(name);
    let ran = pdmline([&["decode", file.to_str().unwrap()], more].concat());
    assert_eq!((ran.stderr.as_str(), ran.status), ("", Some(0)));
    ran.stdout
}

#[test]
fn times_are_times() {
    assert_eq!(
        decode("rfc8250-c1.out.pcap", &[]),
        "1 1970-01-01T00:00:00.000000000Z [2001:db8:a::1]:5000 > [2001:db8:b::1]:80 udp  \
         PSNTP 25  PSNLR 0  DELTATLR 0 s  DELTATLS 0 s\n\
         3 1970-01-01T00:00:12.000000000Z [2001:db8:a::1]:5000 > [2001:db8:b::1]:80 udp  \
         PSNTP 26  PSNLR 12  DELTATLR 0 s  DELTATLS 12.00 s\n"
    );
}

#[test]
fn json_has_the_fields_of_the_wire_and_nanoseconds() {
    assert_eq!(
        decode("rfc8250-c1.in.pcap", &["--json"]),
        "{\"packet\":2,\"time_ns\":12000000000,\"source\":\"2001:db8:b::1\",\"destination\":\"2001:db8:a::1\",\
         \"protocol\":\"udp\",\"source_port\":80,\"destination_port\":5000,\"psntp\":12,\"psnlr\":25,\
         \"scaledtlr\":46,\"deltatlr\":56843,\"deltatlr_ns\":3999970525.2909546,\
         \"scaledtls\":0,\"deltatls\":0,\"deltatls_ns\":0.0}\n"
    );
}

#[test]
fn packets_without_ports() {
    let lines = decode("mixed-2000.in.pcap", &[]);
    let line = |number: &str| lines.lines().find(|line| line.starts_with(number)).unwrap();
    assert_eq!(
        line("4 "),
        "4 2023-11-14T22:13:34.000001018Z 2001:db8:b::3 > 2001:db8:a::5 esp  \
         PSNTP 27963  PSNLR 4  DELTATLR 0 s  DELTATLS 5.429 s"
    );
    let echo = lines.lines().find(|line| line.contains("icmpv6")).unwrap();
    assert!(echo.contains(" id ") && !echo.contains('['), "{echo}");
    let unnamed = lines.lines().filter(|line| line.contains(" 89  PSNTP ")).count();
    assert_eq!(unnamed, 11);
}

#[test]
fn a_capture_without_options_has_no_lines() {
    assert_eq!(decode("rfc8250-c2-1-one-way.in.pcap", &["--json"]), "");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pdmline"))
        .arg("decode")
        .arg(vector("deep-flight.out.pcap"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((String::from_utf8(output.stderr).unwrap().as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn a_full_disk_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_pdmline"))
        .arg("decode")
        .arg(vector("deep-flight.out.pcap"))
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "pdmline: cannot write to standard output: No space left on device (os error 28)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn usage_errors_are_claps() {
    let ran = pdmline(["decode"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("Usage: pdmline decode <FILE>"), "{}", ran.stderr);
    let version = pdmline(["--version"]);
    let (built_with, running) = (dpdk::Version::BUILT_WITH, dpdk::Version::running());
    let ours = env!("CARGO_PKG_VERSION");
    assert_eq!(version.stdout, format!("pdmline {ours}, built with {built_with}, running with {running}\n"));
}
