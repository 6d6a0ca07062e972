//! Commands of ours on DPDK's telemetry socket, asked as `dpdk-telemetry.py` does.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dpdk::{Dictionary, Eal, Error, Telemetry};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};
use serde_json::{Value, json};

/// What `dpdk-telemetry.py` reads at once, as the greeting tells it.
const OUTPUT_LEN: usize = 16_384;
/// What a dictionary may have of it.
const ROOM: usize = OUTPUT_LEN - 64;

#[test]
fn commands_are_answered() {
    let prefix = format!("pdmline-telemetry-{}", std::process::id());
    let eal = Eal::init(&["--no-huge", "-m", "64", "--no-pci", &format!("--file-prefix={prefix}")]).unwrap();
    let client = Client::of(&prefix);
    let mut telemetry = Telemetry::new(&eal);
    answers_are_made_when_asked_for(&mut telemetry, &client);
    names_and_texts_are_made_to_fit(&mut telemetry, &client);
    what_has_room_arrives(&mut telemetry, &client);
    a_panic_answers_nothing(&mut telemetry, &client);
    commands_that_dpdk_does_not_take_are_refused(&mut telemetry);
    drop(telemetry);
    assert_eq!(client.ask("/test/count"), json!({"/test/count": null}));
}

struct Client(OwnedFd);

impl Client {
    /// Connects to the socket of the process with this file prefix, and is greeted.
    fn of(prefix: &str) -> Self {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap();
        let end = format!("/{prefix}/dpdk_telemetry.v2");
        let path =
            sockets.lines().filter_map(|line| line.split(' ').next_back()).find(|path| path.ends_with(&end));
        let client = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).unwrap();
        connect(client.as_raw_fd(), &UnixAddr::new(path.unwrap()).unwrap()).unwrap();
        let client = Self(client);
        assert_eq!(client.read()["max_output_len"], OUTPUT_LEN);
        client
    }

    fn ask(&self, question: &str) -> Value {
        send(self.0.as_raw_fd(), question.as_bytes(), MsgFlags::empty()).unwrap();
        self.read()
    }

    fn read(&self) -> Value {
        let mut octets = vec![0; OUTPUT_LEN];
        let length = recv(self.0.as_raw_fd(), &mut octets, MsgFlags::empty()).unwrap();
        serde_json::from_slice(&octets[..length]).unwrap()
    }
}

fn answers_are_made_when_asked_for(telemetry: &mut Telemetry<'_>, client: &Client) {
    let count = Arc::new(AtomicU64::new(1));
    let seen = Arc::clone(&count);
    let provider = move |page: &str| {
        let mut answer = Dictionary::default();
        assert!(answer.insert("packets", seen.load(Ordering::Relaxed)));
        assert!(answer.insert("page", page));
        answer
    };
    telemetry.register("/test/count", "Counts. Parameters: a page", provider).unwrap();
    assert_eq!(client.ask("/test/count"), json!({"/test/count": {"packets": 1, "page": ""}}));
    count.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(client.ask("/test/count,2,b"), json!({"/test/count": {"packets": u64::MAX, "page": "2,b"}}));

    assert!(client.ask("/")["/"].as_array().unwrap().contains(&json!("/test/count")));
    assert_eq!(
        client.ask("/help,/test/count")["/help"],
        json!({"/test/count": "Counts. Parameters: a page"})
    );
}

fn names_and_texts_are_made_to_fit(telemetry: &mut Telemetry<'_>, client: &Client) {
    let provider = |_: &str| {
        let mut answer = Dictionary::default();
        assert!(answer.insert("rule/the web-käse", "\"C:\\käse\"\n\0"));
        assert!(answer.insert(&"n".repeat(200), "t".repeat(200).as_str()));
        answer
    };
    telemetry.register("/test/texts", "Texts", provider).unwrap();
    let expected = json!({"rule/the_web_k_se": "\"C:\\k?se\"??", "n".repeat(127): "t".repeat(127)});
    assert_eq!(client.ask("/test/texts")["/test/texts"], expected);
}

/// Entries that are many, long, or full of what JSON escapes, until there is room for a shorter one, and then none to the
/// last octet: nothing is lost on the way.
fn what_has_room_arrives(telemetry: &mut Telemetry<'_>, client: &Client) {
    fn full(kind: &str) -> Dictionary {
        let (width, value) = match kind {
            "many" => (0, dpdk::Value::from(7)),
            "long" => (120, u64::MAX.into()),
            _ => (60, "\\".repeat(127).as_str().into()),
        };
        let mut answer = Dictionary::default();
        (0..).find(|number| !answer.insert(&format!("n{number:0width$}"), value.clone()));
        (1..width).rev().find(|&shorter| answer.insert(&"x".repeat(shorter), value.clone()));
        answer
    }
    let command = "/test/a_command_whose_name_is_as_long_as_dpdk_lets_them";
    telemetry.register(command, "As much as there is room for", full).unwrap();
    let arrived = |kind| client.ask(&format!("{command},{kind}"))[command].as_object().unwrap().len();
    assert_eq!(arrived("many"), 256);
    assert_eq!(arrived("long"), ROOM / (121 + 20 + 4) + 1);
    assert_eq!(arrived("escaped"), ROOM / (61 + 256 + 4) + 1);
}

fn a_panic_answers_nothing(telemetry: &mut Telemetry<'_>, client: &Client) {
    telemetry.register("/test/panic", "Fails", |_| panic!("on purpose")).unwrap();
    assert_eq!(client.ask("/test/panic"), json!({"/test/panic": null}));
    assert_eq!(client.ask("/test/count")["/test/count"]["packets"], u64::MAX, "the others go on");
}

fn commands_that_dpdk_does_not_take_are_refused(telemetry: &mut Telemetry<'_>) {
    let long = "h".repeat(128);
    for (command, help) in [("test", ""), ("/te-st", ""), ("/test/count", ""), ("/test/help", long.as_str())]
    {
        let refused = telemetry.register(command, help, |_| Dictionary::default()).unwrap_err();
        assert!(matches!(&refused, Error::Telemetry { command: named, .. } if named == command), "{refused}");
    }
    let zero = telemetry.register("/test\0", "", |_| Dictionary::default());
    assert!(matches!(zero, Err(Error::ZeroOctet(_))));
}
