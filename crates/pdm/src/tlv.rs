//! Options as they stand in an options header, and padding between them (RFC 8200, section 4.2).

/// Octets before an options header's first option: next header and length.
pub(crate) const FIRST_OPTION: usize = 2;

const PAD1: u8 = 0;
pub(crate) const PADN: u8 = 1;

/// One option, padding or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv {
    /// Option type.
    pub(crate) kind: u8,
    /// Offset from the start of the options header.
    pub(crate) start: usize,
    /// Octets of the whole option.
    pub(crate) len: usize,
}

impl Tlv {
    /// The option that starts at `start` of `header`; `None` when it runs past the header's end.
    #[inline]
    pub(crate) fn at(header: &[u8], start: usize) -> Option<Self> {
        let kind = *header.get(start)?;
        let len = if kind == PAD1 { 1 } else { 2 + usize::from(*header.get(start + 1)?) };
        (start + len <= header.len()).then_some(Self { kind, start, len })
    }

    /// Offset of what follows the option.
    pub(crate) fn end(&self) -> usize {
        self.start + self.len
    }

    /// Whether it is Pad1 or PadN.
    pub(crate) fn is_padding(&self) -> bool {
        matches!(self.kind, PAD1 | PADN)
    }
}

/// The options of `header` in order, up to the first one that runs past its end.
pub(crate) fn options(header: &[u8]) -> impl Iterator<Item = Tlv> {
    std::iter::successors(Tlv::at(header, FIRST_OPTION), |last| Tlv::at(header, last.end()))
}

/// Fills `gap` with one padding option; zeroes, so that Linux does not drop the packet. Nothing to do for an empty one.
pub(crate) fn pad(gap: &mut [u8]) {
    gap.fill(0);
    if let [kind, length, rest @ ..] = gap {
        *kind = PADN;
        // A gap between options is under 8 octets.
        *length = u8::try_from(rest.len()).unwrap_or(u8::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_pad1_or_zeroed_padn() {
        let mut gap = [9; 7];
        pad(&mut gap[..0]);
        assert_eq!(gap, [9; 7]);
        pad(&mut gap[..1]);
        assert_eq!(gap[..2], [0, 9]);
        pad(&mut gap);
        assert_eq!(gap, [1, 5, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn options_end_where_one_runs_past_the_header() {
        let header = [59, 0, 0, 5, 1, 0xaa, 1, 1];
        let starts: Vec<_> = options(&header).map(|option| (option.start, option.len)).collect();
        assert_eq!(starts, [(2, 1), (3, 3)]);
        assert_eq!(Tlv::at(&header, 6), None);
        assert_eq!(Tlv::at(&header, 8), None);
    }
}
