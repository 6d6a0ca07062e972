//! What this program is, for people: its own version, and DPDK's.

use std::sync::LazyLock;

use dpdk::Version;

/// Our version, the DPDK that we were built with, and the one that we run with.
pub(crate) fn of_all() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (ours, built_with, running) =
            (env!("CARGO_PKG_VERSION"), Version::BUILT_WITH, Version::running());
        format!("{ours}, built with {built_with}, running with {running}")
    });
    &VERSION
}
