//! Lines of numbers: about the instance, its packets, and what became of those that are missing.

use std::cmp::Reverse;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, Table, Widget};

use super::text::{fitting, line};
use super::{BAD, HEAD, right, span};
use crate::frame::{Count, Frame, Tally};
use crate::human;

/// What missing packets are counted as.
const LOSS: [&str; 5] = ["lost", "taken_back", "duplicated", "reordered", "restarts"];

/// The width of a rate, and the space behind it.
const RATE: u16 = 10;
const GAP: u16 = 2;

/// What there is to know of the instance itself.
pub(super) fn title(frame: &Frame, columns: u16) -> Line<'_> {
    let uptime = Duration::try_from_secs_f64(frame.uptime_s).unwrap_or_default();
    let uptime = humantime::format_duration(Duration::from_secs(uptime.as_secs()));
    let alive = frame.workers.iter().filter(|worker| worker.alive).count();
    let all = frame.workers.len();
    let workers = Span::from(format!("{alive} of {all} workers alive"));
    let items = vec![
        format!("up {uptime}").into(),
        format!("every {}", span(frame.interval_s)).into(),
        if alive < all { workers.fg(BAD) } else { workers },
        format!("clock within {} ppb", frame.clock_error_ppb).into(),
    ];
    line(Span::styled(&frame.instance, HEAD), items, columns)
}

/// Packets per second, and flows, below their names.
pub(super) fn render_rates(frame: &Frame, area: Rect, buffer: &mut Buffer) {
    let rate = |name| per_second(frame.count(name), frame.interval_s);
    let all = [
        ("packets/s", rate("packets")),
        ("inserted/s", rate("inserted")),
        ("observed/s", rate("observed")),
        ("stripped/s", rate("stripped")),
        ("plain/s", rate("plain")),
        ("flows", human::number(frame.flows_live)),
    ];
    let shown = fitting([RATE.into(); 6], GAP.into(), area.width.into());
    let (names, numbers): (Vec<_>, Vec<_>) = all.into_iter().take(shown).unzip();
    let widths = vec![Constraint::Length(RATE); names.len()];
    Table::new([Row::new(numbers.into_iter().map(right))], widths)
        .header(Row::new(names.into_iter().map(right)).style(HEAD))
        .column_spacing(GAP)
        .render(area, buffer);
}

fn per_second(count: Count, interval_s: f64) -> String {
    let nanos = Duration::try_from_secs_f64(interval_s).unwrap_or_default().as_nanos().max(1);
    let rate = (u128::from(count.interval) * 1_000_000_000 + nanos / 2) / nanos;
    human::number(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Packets that were left alone, dropped, and lost on the way to us.
pub(super) fn losses(frame: &Frame, columns: u16) -> [Line<'_>; 3] {
    let at_ports = frame.ports.iter().flat_map(|port| {
        named(&port.dropped)
            .map(move |(reason, count)| (format!("{} {} {reason}", port.side, port.pair), count))
    });
    let lost = LOSS.map(|name| (name.to_owned(), frame.count(name)));
    [
        reasons("skipped", named(&frame.skipped).collect(), Style::new(), columns),
        reasons("dropped", named(&frame.dropped).chain(at_ports).collect(), BAD.into(), columns),
        reasons("loss   ", lost.into(), BAD.into(), columns),
    ]
}

fn named(tally: &Tally) -> impl Iterator<Item = (String, Count)> {
    tally.iter().map(|(name, count)| (name.to_string(), *count))
}

/// What there was since the start, and in brackets how much of it in the interval; what goes on comes first, in `style`.
fn reasons(
    head: &'static str,
    mut counts: Vec<(String, Count)>,
    style: Style,
    columns: u16,
) -> Line<'static> {
    counts.retain(|(_, count)| count.total > 0);
    counts.sort_by_key(|(_, count)| Reverse((count.interval, count.total)));
    let item = |(name, Count { interval, total })| match (human::number(total), interval) {
        (total, 0) => Span::from(format!("{name} {total}")),
        (total, _) => Span::styled(format!("{name} {total} (+{})", human::number(interval)), style),
    };
    let mut items: Vec<_> = counts.into_iter().map(item).collect();
    if items.is_empty() {
        items.push("none".into());
    }
    line(Span::styled(head, HEAD), items, columns)
}
