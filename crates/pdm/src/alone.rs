//! The options header that nearly all packets get: the only extension header, and PDM alone in it.

use crate::ethernet::UNTAGGED;
use crate::look::{FIXED_HEADER, Layout, NEXT_HEADER, protocol};
use crate::option::PDM_ALONE;
use crate::splice::grow_plain;
use crate::{Limits, PdmOption};

/// Octets of it.
pub const LEN: usize = PDM_ALONE;

/// Whether a packet of `layout` has no extension header, and `limits` let it have this one.
#[must_use]
#[inline(always)]
pub fn suits(layout: &Layout, limits: &Limits) -> bool {
    let longest = usize::from(limits.mtu).checked_sub(FIXED_HEADER + LEN);
    layout.is_plain()
        && longest.is_some_and(|longest| usize::from(layout.payload_len()) <= longest)
        && LEN <= usize::from(limits.max_destopts_len)
}

/// Puts it, with `option` in it, into the packet in `buffer`, which was one of `layout` before it has grown at its
/// front by [`LEN`].
///
/// # Panics
/// If `buffer` is not that packet.
#[inline(always)]
pub fn insert(buffer: &mut [u8], layout: &Layout, option: &PdmOption) {
    let header = option.words_alone(layout.protocol());
    if layout.ip() == UNTAGGED {
        put(buffer, UNTAGGED, layout.payload_len(), header);
    } else {
        put_behind_tags(buffer, layout.ip(), layout.payload_len(), header);
    }
}

/// Where the fixed header is elsewhere: where it mostly is the compiler knows better what to do.
#[cold]
#[inline(never)]
fn put_behind_tags(buffer: &mut [u8], ip: usize, payload_len: u16, header: [u64; 2]) {
    put(buffer, ip, payload_len, header);
}

/// Puts `header` into the packet whose fixed header is at `ip`, once it has grown, and that had `payload_len` octets of payload.
#[inline(always)]
fn put(buffer: &mut [u8], ip: usize, payload_len: u16, header: [u64; 2]) {
    let packet = grow_plain(buffer, ip, payload_len);
    packet[NEXT_HEADER] = protocol::DESTINATION_OPTIONS;
    packet[FIXED_HEADER..].copy_from_slice(header.map(u64::to_be_bytes).as_flattened());
}
