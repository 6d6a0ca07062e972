//! What this process may do beyond its user's rights, by the capabilities of its file.

use rustix::io;
use rustix::thread::{capabilities, set_capabilities};

/// Takes up all capabilities that this thread is permitted, and the threads it starts with it.
///
/// A file whose capabilities are permitted but not yet effective (`setcap cap_net_admin,cap_net_raw=p`) also starts where
/// some of them are not to be had: what needs none of them runs there all the same.
///
/// # Errors
/// Never on Linux, as far as is known: what is permitted may be taken up.
pub(super) fn take_up() -> io::Result<()> {
    let mut own = capabilities(None)?;
    own.effective = own.permitted;
    set_capabilities(None, own)
}
