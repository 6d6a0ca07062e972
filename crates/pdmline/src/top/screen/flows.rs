//! The flows that stand out.

use flow::WorstBy;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::widgets::{Cell, Row, Table, Widget};

use super::text::talk;
use super::{HEAD, NETWORK, SERVER, called, right, span};
use crate::flow_object::{DelayObject, FlowObject};
use crate::frame::Frame;
use crate::human;

/// What is shown of a flow, beside who talks.
struct Column {
    head: &'static str,
    width: u16,
    /// The narrowest screen that has room for it.
    from: u16,
    colour: Color,
    text: fn(&FlowObject) -> String,
}

const GAP: u16 = 1;

const COLUMNS: [Column; 8] = [
    Column { head: "network", width: 8, from: 40, colour: NETWORK, text: |flow| recent(flow.network_rtt) },
    Column { head: "max", width: 8, from: 108, colour: NETWORK, text: |flow| longest(flow.network_rtt) },
    Column { head: "server", width: 8, from: 50, colour: SERVER, text: |flow| recent(flow.server_delay) },
    Column { head: "max", width: 8, from: 108, colour: SERVER, text: |flow| longest(flow.server_delay) },
    Column {
        head: "lost",
        width: 7,
        from: 60,
        colour: Color::Reset,
        text: |flow| human::number(flow.lost.into()),
    },
    Column {
        head: "sent",
        width: 7,
        from: 125,
        colour: Color::Reset,
        text: |flow| human::number(flow.sent.into()),
    },
    Column {
        head: "received",
        width: 8,
        from: 125,
        colour: Color::Reset,
        text: |flow| human::number(flow.received.into()),
    },
    Column { head: "idle", width: 8, from: 90, colour: Color::Reset, text: |flow| span(flow.idle_s) },
];

/// Shows the flows that stand out by `by`, as many as there is room for.
pub(super) fn render(frame: &Frame, by: WorstBy, area: Rect, buffer: &mut Buffer) {
    let columns = COLUMNS.into_iter().filter(|column| column.from <= area.width).collect::<Vec<_>>();
    let others: u16 = columns.iter().map(|column| GAP + column.width).sum();
    let talk_width = area.width - others;

    let head = format!("worst flows by {}", called(by));
    let heads = columns.iter().map(|column| right(column.head));
    let row = |flow: &FlowObject| {
        let cell = |column: &Column| right((column.text)(flow)).style(column.colour);
        let talk = Cell::from(talk(flow, talk_width.into()));
        Row::new([talk].into_iter().chain(columns.iter().map(cell)))
    };
    let widths = [talk_width].into_iter().chain(columns.iter().map(|column| column.width));
    Table::new(frame.worst(by).iter().map(row), widths)
        .header(Row::new([Cell::from(head)].into_iter().chain(heads)).style(HEAD))
        .column_spacing(GAP)
        .render(area, buffer);
}

fn recent(delay: Option<DelayObject>) -> String {
    delay.map_or_else(|| "-".to_owned(), |delay| human::nanos(delay.recent_ns))
}

fn longest(delay: Option<DelayObject>) -> String {
    delay.map_or_else(|| "-".to_owned(), |delay| human::nanos(delay.max_ns))
}
