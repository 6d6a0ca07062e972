//! Our session before the others: where Linux groups processes by session, being nice within one does not help another.

use std::fs;

const OURS: &str = "/proc/self/autogroup";
/// As important as a session can be: twenty times and more what others are.
const HIGHEST: &str = "-20";

/// Puts the session first until it is dropped, as far as we may.
pub(super) struct Priority {
    before: Option<String>,
}

impl Priority {
    pub(super) fn raise() -> Self {
        let before = fs::read_to_string(OURS).ok().and_then(|told| nice(&told));
        set(HIGHEST);
        Self { before }
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        self.before.as_deref().into_iter().for_each(set);
    }
}

/// Without root's rights, or without groups, everything is as important as it was, and results say how long programs waited.
fn set(nice: &str) {
    let _ = fs::write(OURS, nice);
}

/// `/autogroup-35 nice 0`
fn nice(told: &str) -> Option<String> {
    told.split_whitespace().nth(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_s_niceness_is_read() {
        assert_eq!(nice("/autogroup-35 nice -5\n").as_deref(), Some("-5"));
        assert_eq!(nice(""), None);
    }
}
