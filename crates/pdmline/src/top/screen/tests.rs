use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::*;
use crate::frame::Count;

fn count(interval: u64, total: u64) -> Value {
    json!({"interval": interval, "total": total})
}

fn summary(p50_ns: u64) -> Value {
    let [p90_ns, p99_ns, max_ns] = [40, 10, 5].map(|share| p50_ns + p50_ns / share);
    json!({"count": 100, "min_ns": 1, "p50_ns": p50_ns, "p90_ns": p90_ns, "p99_ns": p99_ns, "max_ns": max_ns})
}

/// A rule whose network was slow half of the time, and had no sample in one interval.
fn rule(name: &str) -> Value {
    let network: Vec<_> =
        (0..60).map(|i| (i != 50).then_some(if i % 20 < 10 { 2_000_000 } else { 40_000_000 })).collect();
    let server: Vec<_> = (0..60).map(|i| 500_000 * i).collect();
    json!({
        "name": name,
        "delays": {"network_rtt": summary(40_000_000), "server_delay": summary(30_000_000)},
        "medians": {"network_rtt": network, "server_delay": server},
    })
}

fn flow(local: &str, network_ns: Option<u64>, lost: u32) -> Value {
    let delay = |recent_ns| json!({"recent_ns": recent_ns, "max_ns": 2 * recent_ns});
    json!({
        "pair": 0, "protocol": "tcp", "local": local, "local_port": 4711, "remote": "2001:db8:b::1",
        "remote_port": 443, "sent": 12_345, "received": 678, "lost": lost, "network_rtt": network_ns.map(delay),
        "server_delay": network_ns.map(|_| delay(500_000)), "duration_s": 60.0, "idle_s": 1.5,
    })
}

fn frame() -> Frame {
    let by_network = [
        flow("2001:db8:a::1", Some(40_000_000), 0),
        flow("2001:db8:a:1:aaaa:bbbb:cccc:2", Some(2_000_000), 3),
    ];
    let by_loss = [flow("2001:db8:a::3", None, 70_000)];
    serde_json::from_value(json!({
        "instance": "edge-a", "version": "0.1.0", "dpdk_version": "DPDK 22.11.11",
        "uptime_s": 3723.4, "interval_s": 2.0, "clock_error_ppb": 120,
        "workers": [{"core": 1, "alive": true}, {"core": 2, "alive": true}],
        "flows_live": 812,
        "counts": {
            "packets": count(24_691_358, 5_000_000_000), "inserted": count(20_000, 70_000),
            "observed": count(4, 70_000), "stripped": count(3, 70_000), "plain": count(0, 9),
            "lost": count(2, 30), "duplicated": count(0, 0), "reordered": count(0, 4),
        },
        "skipped": {"esp": count(0, 12), "not_ipv6": count(7, 45), "not_selected": count(99, 123_456)},
        "dropped": {"transmit_full": count(0, 5)},
        "ports": [
            {"pair": 0, "side": "host", "device": "net_null0", "dropped": {}},
            {"pair": 0, "side": "wire", "device": "net_null1", "dropped": {"kernel_dropped": count(3, 9)}},
        ],
        "rules": [rule("lab"), {"name": "silent", "delays": {}, "medians": {"network_rtt": [null]}}],
        "worst": {"network_rtt": by_network, "server_delay": [], "loss": by_loss},
    }))
    .unwrap()
}

/// The screen of a terminal of this size.
fn screen(frame: Frame, by: WorstBy, columns: u16, height: u16) -> Vec<String> {
    let screen = Screen { frame: Some(frame), by, ..Screen::new("edge-a".into()) };
    let mut terminal = Terminal::new(TestBackend::new(columns, height)).unwrap();
    terminal.draw(|frame| frame.render_widget(&screen, frame.area())).unwrap();
    lines(terminal.backend().buffer())
}

#[test]
fn everything_is_on_a_usual_terminal() {
    let expected = [
        "edge-a  up 1h 2m 3s  every 2.000 s  2 of 2 workers alive  clock within 120 ppb",
        " packets/s  inserted/s  observed/s  stripped/s     plain/s       flows",
        "   12.35 M     10.00 k           2           2           0         812",
        "",
        "rule                  p50       p99       max  p50 of the last intervals",
        "lab     network  40.00 ms  44.00 ms  48.00 ms  ▁▁▁██████████▁▁▁▁▁▁▁▁▁▁ █████████",
        "        server   30.00 ms  33.00 ms  36.00 ms  ▂▂▂▃▃▃▃▃▃▃▃▃▃▄▄▄▄▄▄▄▄▄▄▅▅▅▅▅▅▅▅▅▅",
        "silent  network         -         -         -",
        "        server          -         -         -",
        "",
        "skipped  not_selected 123.5 k (+99)  not_ipv6 45 (+7)  esp 12",
        "dropped  wire 0 kernel_dropped 9 (+3)  transmit_full 5",
        "loss     lost 30 (+2)  reordered 4",
        "",
        "worst flows by network delay                     network   server    lost   idle",
        "tcp [2001:db8:a::1]:4711 > [2001:db8:b::1]:443  40.00 ms 500.0 us       0     2s",
        "tcp [2001:db8:…cc:2]:4711 > [2001:db8:b::1]:443 2.000 ms 500.0 us       3     2s",
        "",
        "",
        "",
        "",
        "",
        "",
        " n network delay   s server delay   l loss   q quit",
    ];
    assert_eq!(screen(frame(), WorstBy::NetworkRtt, 80, 24), expected);
}

#[test]
fn a_small_terminal_shows_what_fits() {
    let expected = [
        "edge-a  up 1h 2m 3s  +3 more",
        " packets/s  inserted/s  observed/s",
        "   12.35 M     10.00 k           2",
        "",
        "rule 1/2                p50       p99  p",
        "lab       network  40.00 ms  44.00 ms  █",
        "          server   30.00 ms  33.00 ms  ▅",
        "",
        "skipped  +3 more",
        " n network delay   s server delay   l lo",
    ];
    assert_eq!(screen(frame(), WorstBy::NetworkRtt, 40, 10), expected);
    assert_eq!(screen(frame(), WorstBy::NetworkRtt, 1, 1), [""]);
    assert_eq!(screen(frame(), WorstBy::NetworkRtt, 2, 2), ["ed", " n"]);
}

#[test]
fn a_large_terminal_shows_more() {
    let screen = screen(frame(), WorstBy::Loss, 200, 60);
    let medians = screen[5].rsplit_once("  ").unwrap().1;
    assert_eq!(medians.chars().count(), 60);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words(&screen[14]), "worst flows by loss network max server max lost sent received idle");
    assert_eq!(
        words(&screen[15]),
        "tcp [2001:db8:a::3]:4711 > [2001:db8:b::1]:443 - - - - 70.00 k 12.35 k 678 2s"
    );
    assert_eq!(screen[14].len(), 200);
}

#[test]
fn a_text_is_as_long_as_what_there_is_to_tell() {
    let text = Body { frame: &frame(), by: WorstBy::NetworkRtt }.text(80);
    let screen = screen(frame(), WorstBy::NetworkRtt, 80, 24);
    assert_eq!(text.lines().collect::<Vec<_>>(), screen[..17]);
}

#[test]
fn flows_and_rules_share_the_room() {
    let shown = |rules: usize, flows: usize, height| {
        let mut frame = frame();
        frame.rules = vec![frame.rules[0].clone(); rules];
        let one = frame.worst["loss"][0].clone();
        frame.worst.insert("loss".into(), vec![one; flows]);
        let screen = screen(frame, WorstBy::Loss, 80, height);
        let count = |what| screen.iter().filter(|line| line.contains(what)).count();
        (count("network  40.00"), count("tcp "), screen[4].split("  ").next().unwrap().to_owned())
    };
    assert_eq!(shown(30, 16, 24), (3, 6, "rule 3/30".to_owned()));
    assert_eq!(shown(30, 1, 24), (5, 1, "rule 5/30".to_owned()), "what flows do not need is for rules");
    assert_eq!(shown(1, 16, 24), (1, 10, "rule".to_owned()), "and the other way round");
    assert_eq!(shown(30, 16, 100), (30, 16, "rule".to_owned()));
    assert_eq!(shown(0, 0, 24), (0, 0, "rule".to_owned()));
}

#[test]
fn before_the_first_interval_ends_it_waits() {
    let mut terminal = Terminal::new(TestBackend::new(70, 4)).unwrap();
    terminal.draw(|frame| frame.render_widget(&Screen::new("edge-a".into()), frame.area())).unwrap();
    let expected = [
        "waiting for edge-a",
        "It tells at the end of each interval, and four watchers at a time.",
        "",
        " n network delay   s server delay   l loss   q quit",
    ];
    assert_eq!(lines(terminal.backend().buffer()), expected);
}

/// Numbers as large as they can be, and names made to break a screen.
fn hostile() -> Frame {
    let mut frame = frame();
    frame.instance = "\u{1b}[2J\r\n".repeat(20);
    (frame.uptime_s, frame.interval_s) = (f64::MAX, -1.0);
    frame.clock_error_ppb = u64::MAX;
    frame.counts.values_mut().for_each(|count| *count = Count { interval: u64::MAX, total: u64::MAX });
    for (rule, name) in frame.rules.iter_mut().zip(["名前\u{202e}".repeat(30), "\u{1b}]0;x\u{7}\n\t".into()])
    {
        rule.name = name;
        rule.delays.values_mut().for_each(|delay| delay.p50_ns = u64::MAX);
        rule.medians.values_mut().flatten().for_each(|median| *median = Some(u64::MAX));
    }
    let flow = &mut frame.worst.get_mut("network_rtt").unwrap()[0];
    (flow.protocol, flow.idle_s, flow.lost) = ("x".repeat(300).into(), f64::NAN, u32::MAX);
    frame
}

#[test]
fn nothing_breaks_it() {
    for (columns, height) in
        (0..130).flat_map(|columns| [0, 1, 5, 12, 23, 60].map(|height| (columns, height)))
    {
        for frame in [frame(), hostile()] {
            let screen = Screen { frame: Some(frame), ..Screen::new(String::new()) };
            let mut buffer = Buffer::empty(Rect::new(0, 0, columns, height));
            screen.render(buffer.area, &mut buffer);
            for line in lines(&buffer) {
                assert!(text::width(&line) <= columns.into(), "{line:?} in {columns} columns");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }
}

#[test]
fn colours_are_there_for_those_who_want_them() {
    let mut frame = frame();
    frame.workers[1].alive = false;
    let screen = Screen { frame: Some(frame), ..Screen::new(String::new()) };
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
    screen.render(buffer.area, &mut buffer);
    let colours = |buffer: &Buffer, line: u16| {
        let mut colours: Vec<Color> = (0..80).map(|column| buffer[(column, line)].fg).collect();
        colours.dedup();
        colours
    };
    assert_eq!(lines(&buffer)[0].find("1 of 2 workers alive"), Some(36));
    assert_eq!(colours(&buffer, 0), [Color::Reset, BAD, Color::Reset]);
    assert_eq!(colours(&buffer, 11), [Color::Reset, BAD, Color::Reset]);
    assert!(colours(&buffer, 5).contains(&NETWORK) && colours(&buffer, 6).contains(&SERVER));
    without_colours(&mut buffer);
    assert!((0..24).all(|line| colours(&buffer, line) == [Color::Reset]));
    assert!(buffer[(0, 0)].modifier.contains(Modifier::BOLD));
}
