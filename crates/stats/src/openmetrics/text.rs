//! Numbers and labels as both formats write them.

use std::fmt::{self, Display};

/// So many billionths, as an exact decimal number with a point.
pub(super) struct Billionths(pub(super) u128);

impl Display for Billionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ONE: u128 = 1_000_000_000;
        let fraction = format!("{:09}", self.0 % ONE);
        let (first, rest) = fraction.split_at(1);
        write!(f, "{}.{first}{}", self.0 / ONE, rest.trim_end_matches('0'))
    }
}

/// A text as it stands in a label's value.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(['\\', '"', '\n']) {
            match part.char_indices().next_back() {
                Some((end, '\n')) => write!(f, "{}\\n", &part[..end])?,
                Some((end, special @ ('\\' | '"'))) => write!(f, "{}\\{special}", &part[..end])?,
                _ => f.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        for (text, escaped) in [
            ("plain", "plain"),
            ("", ""),
            ("a\\b\"c\nd", "a\\\\b\\\"c\\nd"),
            ("\"\"", "\\\"\\\""),
            ("ü\\", "ü\\\\"),
        ] {
            assert_eq!(Escaped(text).to_string(), escaped);
        }
    }

    #[test]
    fn decimals_are_exact() {
        for (billionths, text) in [
            (0, "0.0"),
            (1, "0.000000001"),
            (1_000, "0.000001"),
            (2_150_000, "0.00215"),
            (60_000_000_000, "60.0"),
        ] {
            assert_eq!(Billionths(billionths).to_string(), text);
        }
    }
}
