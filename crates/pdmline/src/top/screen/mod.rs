//! What is on the screen, apart from the terminal: frames become lines here, in as much room as there is.

mod counts;
mod flows;
mod rules;
mod text;

use std::time::Duration;

use flow::WorstBy;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, Widget};

use crate::frame::Frame;
use crate::human;

const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const NETWORK: Color = Color::Cyan;
const SERVER: Color = Color::Yellow;
const BAD: Color = Color::Red;

/// The whole screen.
#[derive(Debug)]
pub(super) struct Screen {
    instance: String,
    /// What was told last.
    pub(super) frame: Option<Frame>,
    /// What flows are shown by.
    pub(super) by: WorstBy,
}

impl Screen {
    /// A screen for an instance of which nothing is known yet.
    pub(super) fn new(instance: String) -> Self {
        Self { instance, frame: None, by: WorstBy::NetworkRtt }
    }
}

impl Widget for &Screen {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let [body, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
        match &self.frame {
            Some(frame) => Body { frame, by: self.by }.render(body, buffer),
            None => waiting(&self.instance).render(body, buffer),
        }
        self.keys().render(keys, buffer);
    }
}

/// What there is to say before anything is known.
fn waiting(instance: &str) -> Text<'static> {
    Text::from_iter([
        format!("waiting for {instance}"),
        "It tells at the end of each interval, and four watchers at a time.".to_owned(),
    ])
}

impl Screen {
    /// The keys, with the chosen one.
    fn keys(&self) -> Line<'static> {
        let choice = |(key, by): (&'static str, WorstBy)| {
            let style =
                if by == self.by { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
            [Span::styled(format!(" {key} {} ", called(by)), style), Span::from(" ")]
        };
        let choices = [("n", WorstBy::NetworkRtt), ("s", WorstBy::ServerDelay), ("l", WorstBy::Loss)];
        choices.into_iter().flat_map(choice).chain([" q quit ".into()]).collect()
    }
}

/// What flows stand out by, in words.
const fn called(by: WorstBy) -> &'static str {
    match by {
        WorstBy::NetworkRtt => "network delay",
        WorstBy::ServerDelay => "server delay",
        WorstBy::Loss => "loss",
    }
}

/// A frame, and nothing that is of use only while it is live.
pub(super) struct Body<'a> {
    pub(super) frame: &'a Frame,
    /// What flows are shown by.
    pub(super) by: WorstBy,
}

/// Lines that are always there: headings, numbers, and what separates them.
const OTHER_LINES: usize = 11;

impl Body<'_> {
    /// Everything, `columns` wide, with neither colours nor space at the ends of lines.
    pub(super) fn text(&self, columns: u16) -> String {
        let height = OTHER_LINES + self.rule_lines() + self.flow_lines();
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, u16::try_from(height).unwrap_or(u16::MAX)));
        self.render(buffer.area, &mut buffer);
        lines(&buffer).join("\n")
    }

    /// Lines that all rules take.
    fn rule_lines(&self) -> usize {
        self.frame.rules.len() * rules::LINES
    }

    /// Lines that all flows take.
    fn flow_lines(&self) -> usize {
        self.frame.worst(self.by).len()
    }

    /// The lines of `height` that are for rules: flows get half of what there is for both, if they need it.
    fn share_for_rules(&self, height: u16) -> u16 {
        let both = usize::from(height).saturating_sub(OTHER_LINES);
        let share = both.saturating_sub(self.flow_lines()).max(both / 2).max(rules::LINES);
        let share = share - share % rules::LINES;
        u16::try_from(share.min(self.rule_lines())).unwrap_or(u16::MAX)
    }
}

impl Widget for &Body<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let Body { frame, by } = self;
        let mut rest = area;
        counts::title(frame, area.width).render(take(&mut rest, 1), buffer);
        counts::render_rates(frame, take(&mut rest, 2), buffer);
        take(&mut rest, 1);
        rules::render(frame, take(&mut rest, 1 + self.share_for_rules(area.height)), buffer);
        take(&mut rest, 1);
        for line in counts::losses(frame, area.width) {
            line.render(take(&mut rest, 1), buffer);
        }
        take(&mut rest, 1);
        flows::render(frame, *by, rest, buffer);
    }
}

/// Takes `lines` off the top of `area`, or what there is.
fn take(area: &mut Rect, lines: u16) -> Rect {
    let taken = Rect { height: lines.min(area.height), ..*area };
    (area.y, area.height) = (taken.bottom(), area.height - taken.height);
    taken
}

/// The lines of `buffer` as text.
fn lines(buffer: &Buffer) -> Vec<String> {
    let columns = usize::from(buffer.area.width.max(1));
    let line = |cells: &[ratatui::buffer::Cell]| {
        let mut text = String::new();
        let mut hidden = 0;
        for cell in cells {
            // A wide character hides what is behind it.
            if hidden == 0 {
                text.push_str(cell.symbol());
            }
            hidden = hidden.max(text::width(cell.symbol())).saturating_sub(1);
        }
        text.trim_end().to_owned()
    };
    buffer.content.chunks(columns).map(line).collect()
}

/// Takes the colours out of `buffer`, and leaves what is bold.
pub(super) fn without_colours(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
    }
}

/// A cell whose text stands at its right.
fn right<'a>(text: impl Into<Line<'a>>) -> Cell<'a> {
    Cell::from(text.into().right_aligned())
}

/// A time in seconds, as people read it.
fn span(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    human::nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
