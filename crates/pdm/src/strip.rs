//! Stripping: the option out, the rest as it would be without it.

use crate::insert::length_field;
use crate::look::{Layout, PdmHeader, Shape};
use crate::splice::{Splice, shrink_plain};
use crate::tlv::{self, FIRST_OPTION, Tlv};

/// Takes the option out of `packet`, which is one of `layout`, and returns how many octets the packet's front has to lose
/// now: none if there is no option.
///
/// If nothing but padding is left the options header goes too. Otherwise the other options stay in order, each at its
/// old offset modulo 8 (their alignment), with minimal padding between them.
///
/// # Panics
/// If `packet` is not the one that was looked at.
#[inline(always)]
pub fn strip(packet: &mut [u8], layout: &Layout) -> usize {
    match layout.shape() {
        Shape::Plain => 0,
        Shape::Alone => shrink_plain(packet, layout.ip(), layout.payload_len(), layout.protocol()),
        Shape::Other => strip_other(packet, layout),
    }
}

/// Takes the option out of a header that is not the only one, or holds others too.
#[cold]
fn strip_other(packet: &mut [u8], layout: &Layout) -> usize {
    let found = layout.headers(packet).and_then(|headers| headers.pdm);
    let Ok(Some(PdmHeader { option, start, len, named_at })) = found else { return 0 };
    let header = &mut packet[start..start + len];
    let rest = close_up(header, option - start);
    if rest == 0 {
        packet[named_at] = packet[start];
    } else {
        header[1] = length_field(rest);
    }
    let splice = Splice { start: start + rest, old: len - rest, new: 0 };
    splice.apply(packet, layout.ip());
    splice.shrinkage()
}

/// Moves the options of `header` together over the one at `gone` and pads; returns the octets the header has then, or 0
/// if it holds no option any more.
fn close_up(header: &mut [u8], gone: usize) -> usize {
    let mut end = FIRST_OPTION;
    let mut next = FIRST_OPTION;
    while let Some(option) = Tlv::at(header, next) {
        next = option.end();
        if option.is_padding() || option.start == gone {
            continue;
        }
        // Never past `option.start`: everything before it was moved forward or stayed.
        let start = end + (option.start - end) % 8;
        tlv::pad(&mut header[end..start]);
        header.copy_within(option.start..option.end(), start);
        end = start + option.len;
    }
    if end == FIRST_OPTION {
        return 0;
    }
    let len = end.next_multiple_of(8);
    tlv::pad(&mut header[end..len]);
    len
}
