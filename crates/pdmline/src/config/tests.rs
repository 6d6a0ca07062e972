use dataplane::{Action, Protocol};

use super::*;

const WHOLE: &str = r#"
instance = "edge-a"
[consent]
statement = "the users of 2001:db8:a::/48 agreed"
[[pair]]
host = "net_af_packet0,iface=veth-h"
wire = "03:00.1,cqe_comp_en=0"
mtu = 1500
cores = [1]
[[rule]]
name = "lab"
local = ["2001:db8:a::/48"]
remote = ["::/0"]
protocol = "udp"
local_ports = [53, "8000-8999"]
remote_ports = []
action = "measure"
active_for = "1h 30m"
[flows]
memory = "64MiB"
lifetime = "60s"
[memory]
hugepages = false
mbufs = 8192
[poll]
idle = "sleep:50us"
"#;

#[test]
fn a_whole_file_becomes_what_it_says() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.instance.as_str(), "edge-a");
    let pair = &config.pairs[0];
    assert_eq!(pair.host.to_string(), "net_af_packet0,iface=veth-h");
    assert_eq!(pair.wire.to_string(), "0000:03:00.1,cqe_comp_en=0", "an address is in full");
    assert_eq!((pair.mtu.octets(), pair.max_destopts_len, pair.cores[0].number()), (1500, 40, 1));
    let rule = &config.rules[0];
    assert_eq!(rule.protocol, Protocol::Number(17));
    assert_eq!(rule.local_ports, [53..=53, 8000..=8999]);
    assert!(rule.remote_ports.is_empty() && !rule.esp_tunnel);
    assert_eq!(rule.action, Action::MEASURE);
    assert_eq!(rule.active_for, ActiveFor::Time(Duration::from_secs(5400)));
    assert_eq!(
        config.flows,
        Flows { memory_bytes: 64 << 20, lifetime: Duration::from_secs(60), when_full: WhenFull::Refuse }
    );
    assert_eq!(config.memory, Memory { hugepages: false, mbufs: 8192 });
    assert_eq!(config.idle, Idle::Sleep(Duration::from_micros(50)));
}

#[test]
fn what_may_be_left_out_has_its_default() {
    let config = Config::parse(
        r#"
        instance = "a"
        [[pair]]
        host = "net_null0"
        wire = "net_null1"
        mtu = 1280
        cores = [0]
        [[rule]]
        name = "all"
        local = ["::/0"]
        remote = ["::/0"]
        action = "observe"
        "#,
    )
    .unwrap();
    let rule = &config.rules[0];
    assert_eq!((rule.protocol, rule.active_for), (Protocol::Any, ActiveFor::Time(Duration::from_secs(3600))));
    assert_eq!(
        config.flows,
        Flows { memory_bytes: 64 << 20, lifetime: Duration::from_secs(60), when_full: WhenFull::Refuse }
    );
    assert_eq!(config.memory, Memory { hugepages: true, mbufs: 16_384 });
    let nothing = WHOLE.replace("[flows]", "[export]\n[flows]");
    assert_eq!(config.export, Config::parse(&nothing).unwrap().export);
    assert_eq!(config.idle, Idle::Spin);
}

/// The example at the repository's root is documentation that has to stay true, and its values are the defaults.
#[test]
fn the_shipped_example_is_right() {
    let config = Config::parse(include_str!("../../../../pdmline.example.toml")).unwrap();
    assert_eq!(config.memory, Memory { hugepages: true, mbufs: 16_384 });
    let nothing = WHOLE.replace("[flows]", "[export]\n[flows]");
    assert_eq!(config.export, Config::parse(&nothing).unwrap().export);
    assert_eq!(config.rules[0].active_for, ActiveFor::Time(Duration::from_secs(3600)));
}

/// Each line: what is changed in [`WHOLE`], into what, and what the message must say.
#[test]
fn what_is_wrong_is_told_with_its_key_and_a_way_out() {
    let table = [
        ("mtu = 1500", "mtu = 1500\nmut = 1", "line 9: unknown field `mut`, expected one of `host`"),
        ("mtu = 1500\n", "", "line 5: missing field `mtu`"),
        ("mtu = 1500", "mtu = \"1500\"", "invalid type: string"),
        (
            "mtu = 1500",
            "mtu = 1279",
            "pair[0].mtu: 1279 is out of range; write octets of an IPv6 packet, 1280 to 65535",
        ),
        ("mtu = 1500", "mtu = 1500\nmax_destopts_len = 8", "pair[0].max_destopts_len: 8 is out of range"),
        ("cores = [1]", "cores = []", "pair[0].cores: names 0 cores; write 1 to 32, such as [1]"),
        ("cores = [1]", "cores = [-1]", "pair[0].cores[0]: -1 is out of range"),
        ("instance = \"edge-a\"", "instance = \"../edge\"", "instance: \"../edge\" cannot name files"),
        ("instance = \"edge-a\"", "instance = \"\"", "instance: \"\" cannot name files"),
        ("net_af_packet0,iface=veth-h", "veth-h", "pair[0].host: \"veth-h\" is no device"),
        (
            "net_af_packet0,iface=veth-h",
            "net_null0,copy",
            "pair[0].host: \"copy\" is no argument of a device",
        ),
        ("net_af_packet0,iface=veth-h", "0000:03:00.1", "pair[0].wire: 0000:03:00.1 is already pair[0].host"),
        (
            "\"2001:db8:a::/48\"",
            "\"2001:db8::/129\"",
            "rule[0].local[0]: \"2001:db8::/129\" is no IPv6 prefix",
        ),
        ("\"2001:db8:a::/48\"", "\"10.0.0.0/8\"", "rule[0].local[0]: \"10.0.0.0/8\" is no IPv6 prefix"),
        (
            "\"2001:db8:a::/48\"",
            "\"2001:db8:a::1/48\"",
            "has bits beyond its length; write \"2001:db8:a::/48\"",
        ),
        ("[\"::/0\"]", "[]", "rule[0].remote: selects nothing"),
        ("protocol = \"udp\"", "protocol = \"upd\"", "rule[0].protocol: \"upd\" is no protocol"),
        ("protocol = \"udp\"", "protocol = 256", "rule[0].protocol: 256 is out of range"),
        ("protocol = \"udp\"", "protocol = true", "expected a number, or text in quotes"),
        ("[53, ", "[70000, ", "rule[0].local_ports[0]: 70000 is out of range"),
        (
            "8000-8999",
            "8999-8000",
            "rule[0].local_ports[1]: \"8999-8000\" runs backwards; write \"8000-8999\"",
        ),
        ("8000-8999", "8000-", "rule[0].local_ports[1]: \"8000-\" is no range of ports"),
        ("action = \"measure\"", "action = \"mesure\"", "rule[0].action: \"mesure\" is no action"),
        (
            "active_for = \"1h 30m\"",
            "active_for = \"always\"",
            "rule[0].active_for: \"always\" is not a time",
        ),
        ("active_for = \"1h 30m\"", "active_for = \"0s\"", "rule[0].active_for: \"0s\" is out of range"),
        (
            "active_for = \"1h 30m\"",
            "active_for = \"3y\"",
            "rule[0].active_for: \"3y\" is out of range; write a time from 1s to 1year",
        ),
        ("name = \"lab\"", "name = \" \"", "rule[0].name: \" \" is no name"),
        (
            "statement = \"the users of 2001:db8:a::/48 agreed\"",
            "statement = \" \"",
            "consent.statement: rule \"lab\"",
        ),
        (
            "[consent]\nstatement = \"the users of 2001:db8:a::/48 agreed\"",
            "",
            "nothing is inserted without it",
        ),
        ("memory = \"64MiB\"", "memory = \"64 potatoes\"", "flows.memory: \"64 potatoes\" is not a size"),
        ("memory = \"64MiB\"", "memory = \"64\"", "flows.memory: \"64\" is out of range"),
        ("memory = \"64MiB\"", "memory = \"1EiB\"", "flows.memory: \"1EiB\" is out of range"),
        ("lifetime = \"60s\"", "lifetime = \"1ms\"", "flows.lifetime: \"1ms\" is out of range"),
        (
            "lifetime = \"60s\"",
            "when_full = \"drop\"",
            "flows.when_full: \"drop\" is neither \"refuse\" nor \"evict\"",
        ),
        (
            "[poll]",
            "[export]\nopenmetrics = \"9464\"\n[poll]",
            "export.openmetrics: \"9464\" is not an address and port",
        ),
        (
            "[poll]",
            "[export]\nbuckets_per_decade = 2\n[poll]",
            "export.buckets_per_decade: 2 is out of range",
        ),
        (
            "[poll]",
            "[export]\nprefixes = 0\n[poll]",
            "export.prefixes: 0 is out of range; write bits of a prefix, 1 to 64",
        ),
        ("[poll]", "[export]\nprefixes = 65\n[poll]", "export.prefixes: 65 is out of range"),
        ("[poll]", "[export]\ninterval = \"1ms\"\n[poll]", "export.interval: \"1ms\" is out of range"),
        ("mbufs = 8192", "mbufs = 1", "memory.mbufs: 1 is out of range"),
        ("sleep:50us", "nap", "poll.idle: \"nap\" is no way to wait"),
        ("sleep:50us", "sleep:1s", "poll.idle: \"1s\" is out of range"),
        ("[[pair]]", "[[pear]]", "unknown field `pear`"),
    ];
    for (from, to, says) in table {
        assert!(WHOLE.contains(from), "{from:?} is not in the file");
        let message = Config::parse(&WHOLE.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(message.contains(says), "for {to:?}:\n{message}\nshould say\n{says}");
    }
}

#[test]
fn prefixes_are_told_apart_on_request() {
    assert_eq!(Config::parse(WHOLE).unwrap().export.prefixes, None);
    for bits in [1, 48, 64] {
        let text = WHOLE.replace("[poll]", &format!("[export]\nprefixes = {bits}\n[poll]"));
        assert_eq!(Config::parse(&text).unwrap().export.prefixes, Some(bits));
    }
}

#[test]
fn a_rule_name_comes_once() {
    let rule = WHOLE.split("[[rule]]").nth(1).unwrap().split("[flows]").next().unwrap();
    let twice = WHOLE.replacen("[flows]", &format!("[[rule]]{rule}[flows]"), 1);
    let message = Config::parse(&twice).unwrap_err().to_string();
    assert_eq!(message, "rule[1].name: \"lab\" is the name of an earlier rule; give each its own");
}

#[test]
fn observing_needs_no_consent() {
    let text = WHOLE.replacen("measure", "observe", 1).replacen(
        "[consent]\nstatement = \"the users of 2001:db8:a::/48 agreed\"",
        "",
        1,
    );
    assert_eq!(Config::parse(&text).unwrap().rules[0].action, Action::OBSERVE);
}

#[test]
fn forever_has_to_be_written_out() {
    let text = WHOLE.replacen("1h 30m", "forever", 1);
    assert_eq!(Config::parse(&text).unwrap().rules[0].active_for, ActiveFor::Forever);
}

#[test]
fn an_interface_under_two_names_is_still_one() {
    let text = WHOLE.replacen("03:00.1,cqe_comp_en=0", "net_pcap0,rx_iface=veth-h", 1);
    let message = Config::parse(&text).unwrap_err().to_string();
    assert_eq!(
        message,
        "pair[0].wire: what net_pcap0,rx_iface=veth-h opens is already pair[0].host; every port needs its own device"
    );
}

#[test]
fn a_core_of_several_pairs_comes_once() {
    let pair = "[[pair]]\nhost = \"net_null0\"\nwire = \"net_null1\"\nmtu = 1500\ncores = [1]\n";
    let config = Config::parse(&WHOLE.replacen("[[rule]]", &format!("{pair}[[rule]]"), 1)).unwrap();
    assert_eq!(config.pairs.len(), 2);
    assert_eq!(config.cores(), config.pairs[0].cores[..]);
}

#[test]
fn devices_know_what_they_take() {
    let device = |text| Device::new("pair[0].host", text).unwrap();
    assert_eq!(device("net_af_packet0,iface=eth1").resources(), [Resource::Interface("eth1")]);
    assert_eq!(device("net_vhost0,iface=/run/a.sock").resources(), [Resource::File("/run/a.sock".into())]);
    assert_eq!(
        device("net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap").resources(),
        [Resource::File("out.pcap".into())]
    );
    assert_eq!(device("net_null0").resources(), []);
    assert!(!device("net_af_packet_x0,iface=eth1").is("net_af_packet"));
}
