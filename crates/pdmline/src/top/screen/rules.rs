//! The rules: network against server, a line for each, and the course of both.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Color;
use ratatui::symbols::bar;
use ratatui::text::Line;
use ratatui::widgets::{Cell, RenderDirection, Row, Sparkline, Table, Widget};
use stats::Metric;

use super::text::{fitting, shorten, width};
use super::{HEAD, NETWORK, SERVER, right};
use crate::frame::{Frame, Rule};
use crate::human;

/// The lines of a rule: what they are about, and in which colour.
const DELAYS: [(Metric, &str, Color); 2] =
    [(Metric::NetworkRtt, "network", NETWORK), (Metric::ServerDelay, "server", SERVER)];
/// How many those are.
pub(super) const LINES: usize = DELAYS.len();

/// The width of `network`.
const DELAY: u16 = 7;
/// The width of a time.
const TIME: u16 = 8;
/// Between two columns.
const GAP: u16 = 2;
/// The width of the courses: as many medians as are remembered.
const COURSE: u16 = 60;

/// The smallest median is seen, unlike one that is not there.
const BARS: bar::Set<'_> = bar::Set { empty: bar::ONE_EIGHTH, ..bar::NINE_LEVELS };

/// Shows the first rules, as many as there is room for.
pub(super) fn render(frame: &Frame, area: Rect, buffer: &mut Buffer) {
    let all = frame.rules.len();
    let shown = all.min(usize::from(area.height.saturating_sub(1)) / LINES);
    let rules = &frame.rules[..shown];
    let head = if shown < all { format!("rule {shown}/{all}") } else { "rule".to_owned() };
    let longest = rules.iter().map(|rule| width(&rule.name)).fold(width(&head), usize::max);
    let name = u16::try_from(longest).unwrap_or(u16::MAX).min(area.width / 4);

    let widths = [name, DELAY, TIME, TIME, TIME];
    let widths = &widths[..fitting(widths.map(usize::from), GAP.into(), area.width.into())];
    let table_width = widths.iter().map(|width| width + GAP).sum();
    let [table, course] =
        Layout::horizontal([Constraint::Length(table_width), Constraint::Max(COURSE)]).areas(area);

    let heads = ["p50", "p99", "max"].map(right);
    let heads = [shortened(&head, name), "".into()].into_iter().chain(heads);
    Table::new(rules.iter().flat_map(|rule| rows(rule, name)), widths.iter().copied())
        .header(Row::new(heads).style(HEAD))
        .column_spacing(GAP)
        .render(table, buffer);
    Line::styled("p50 of the last intervals", HEAD).render(course, buffer);
    for (sparkline, line) in rules.iter().flat_map(courses).zip(course.rows().skip(1)) {
        sparkline.render(line, buffer);
    }
}

fn shortened(text: &str, columns: u16) -> Cell<'_> {
    shorten(text, columns.into()).into()
}

/// The delays of a rule, whose name stands before the first.
fn rows(rule: &Rule, name: u16) -> [Row<'_>; LINES] {
    DELAYS.map(|(metric, what, colour)| {
        let first = if metric == DELAYS[0].0 { shortened(&rule.name, name) } else { "".into() };
        let times = match rule.delays.get(metric.name()) {
            Some(delay) => [delay.p50_ns, delay.p99_ns, delay.max_ns].map(human::nanos),
            None => ["-"; 3].map(str::to_owned),
        };
        let what = Cell::from(what).style(colour);
        Row::new([first, what].into_iter().chain(times.map(right)))
    })
}

/// How the medians of a rule went, both on one scale; the newest is at the right.
fn courses(rule: &Rule) -> [Sparkline<'_>; LINES] {
    let highest = rule.medians.values().flatten().flatten().max().copied().unwrap_or_default();
    DELAYS.map(|(metric, _, colour)| {
        let medians = rule.medians.get(metric.name()).into_iter().flatten();
        Sparkline::default()
            .data(medians.rev().copied())
            .direction(RenderDirection::RightToLeft)
            .max(highest)
            .bar_set(BARS)
            .style(colour)
    })
}
