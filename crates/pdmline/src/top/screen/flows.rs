//! The flows that stand out.

use flow::WorstBy;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::widgets::{Cell, Row, Table, Widget};

use super::text::talk;
use super::{HEAD, NETWORK, SERVER, called, right};
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

const fn column(
    head: &'static str,
    width: u16,
    from: u16,
    colour: Color,
    text: fn(&FlowObject) -> String,
) -> Column {
    Column { head, width, from, colour, text }
}

const GAP: u16 = 1;

const COLUMNS: [Column; 8] = [
    column("network", 8, 40, NETWORK, |flow| recent(flow.network_rtt)),
    column("max", 8, 108, NETWORK, |flow| longest(flow.network_rtt)),
    column("server", 8, 50, SERVER, |flow| recent(flow.server_delay)),
    column("max", 8, 108, SERVER, |flow| longest(flow.server_delay)),
    column("lost", 7, 60, Color::Reset, |flow| human::number(flow.lost.into())),
    column("sent", 7, 125, Color::Reset, |flow| human::number(flow.sent.into())),
    column("received", 8, 125, Color::Reset, |flow| human::number(flow.received.into())),
    column("idle", 6, 70, Color::Reset, |flow| format!("{:.0}s", flow.idle_s)),
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
