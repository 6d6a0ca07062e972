//! How far a long read has got, for whoever watches a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Octets that are read before anybody looks up: shorter inputs show nothing.
const WORTH_SHOWING: u64 = 64 << 20;

/// A bar on standard error over `octets` octets of input; hidden when that is not a terminal, or the input is short.
/// It goes away when it is dropped.
pub(crate) fn bar(octets: u64) -> ProgressBar {
    if octets < WORTH_SHOWING {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(octets), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
