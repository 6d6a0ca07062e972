//! Texts that have to fit.

use std::borrow::Cow;

use ratatui::text::{Line, Span};
use unicode_truncate::UnicodeTruncateStr;

use crate::flow_object::FlowObject;

/// What separates two things in a line.
const GAP: &str = "  ";
/// What tells that some do not fit takes no more than this.
const MORE_WIDTH: usize = "  +99 more".len();

/// The columns that `text` takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// `text` in at most `columns`: where it is longer, its ends, which names differ in.
pub(super) fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let ends = columns.saturating_sub(1);
    let (start, _) = text.unicode_truncate(ends.div_ceil(2));
    let (end, _) = text.unicode_truncate_start(ends / 2);
    if columns == 0 { "".into() } else { format!("{start}…{end}").into() }
}

/// Who talks, in at most `columns`. Both ends keep their ports as long as possible.
pub(super) fn talk(flow: &FlowObject, columns: usize) -> String {
    let [local, remote] = flow.ends();
    let room = columns.saturating_sub(flow.protocol.len() + "  > ".len());
    // Half for each, and what one of them does not need for the other.
    let for_local = room.saturating_sub(remote.len()).max(room / 2);
    let for_remote = room - local.len().min(for_local);
    format!("{} {} > {}", flow.protocol, shorten(&local, for_local), shorten(&remote, for_remote))
}

/// How many of the first of `widths` fit side by side into `columns`, `gap` apart.
pub(super) fn fitting(widths: impl IntoIterator<Item = usize>, gap: usize, columns: usize) -> usize {
    let ends = widths.into_iter().scan(0, |used, width| {
        let end = *used + width;
        *used = end + gap;
        Some(end)
    });
    ends.take_while(|end| *end <= columns).count()
}

/// `head` and as many of `items` as fit into `columns`; how many do not is said.
pub(super) fn line<'a>(head: Span<'a>, items: Vec<Span<'a>>, columns: u16) -> Line<'a> {
    let fit = |columns| {
        let widths = [&head].into_iter().chain(&items).map(Span::width);
        fitting(widths, GAP.len(), columns).saturating_sub(1)
    };
    let columns = usize::from(columns);
    let all_fit = fit(columns) == items.len();
    let shown = if all_fit { items.len() } else { fit(columns.saturating_sub(MORE_WIDTH)) };
    let left_out = items.len() - shown;
    let mut line = Line::from(head);
    line.extend(items.into_iter().take(shown).flat_map(|item| [GAP.into(), item]));
    if left_out > 0 {
        line.push_span(format!("{GAP}+{left_out} more"));
    }
    line
}

#[cfg(test)]
mod tests {
    use flow::TickRate;

    use super::*;
    use crate::flow_object::tests::record;

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(shorten("customer-west-1", 15), "customer-west-1");
        assert_eq!(shorten("customer-west-1", 10), "custo…st-1");
        assert_eq!(shorten("customer-west-1", 2), "c…");
        assert_eq!(shorten("customer-west-1", 1), "…");
        assert_eq!(shorten("customer-west-1", 0), "");
        assert_eq!(shorten("名前がとても長い", 9), "名前…長い", "wide ones are not cut in halves");
    }

    #[test]
    fn a_flow_in_little_room_keeps_its_ports() {
        let mut flow = FlowObject::new(&record(), TickRate::NANOSECONDS);
        (flow.protocol, flow.local_port, flow.remote_port) = ("tcp".into(), 4711, 80);
        flow.local = "2001:db8:a:1:aaaa:bbbb:cccc:1".parse().unwrap();
        flow.remote = "2001:db8::2".parse().unwrap();
        let whole = "tcp [2001:db8:a:1:aaaa:bbbb:cccc:1]:4711 > [2001:db8::2]:80";
        assert_eq!(talk(&flow, 59), whole);
        assert_eq!(talk(&flow, 47), "tcp [2001:db8:a:…ccc:1]:4711 > [2001:db8::2]:80");
        assert_eq!(talk(&flow, 30), "tcp [2001…:4711 > [2001:…2]:80");
        assert_eq!(talk(&flow, 0), "tcp  > ");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let items = || vec!["one".into(), "two".into(), "three".into()];
        let text = |columns| line("all".into(), items(), columns).to_string();
        assert_eq!(text(20), "all  one  two  three");
        assert_eq!(text(19), "all  one  +2 more");
        assert_eq!(text(5), "all  +3 more");
        assert_eq!(line("none".into(), Vec::new(), 1).to_string(), "none");
    }
}
