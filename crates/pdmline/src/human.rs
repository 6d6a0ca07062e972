//! Times, numbers and names as people read them.

use std::borrow::Cow;

use pdm::{Attos, protocol};

/// Units by what they stand for, the smallest first. Below that nothing is lost.
type Units = [(u128, &'static str); 6];
/// By their attoseconds.
const TIMES: Units = [
    (1_000, "fs"),
    (1_000_000, "ps"),
    (1_000_000_000, "ns"),
    (1_000_000_000_000, "us"),
    (1_000_000_000_000_000, "ms"),
    (SECOND, "s"),
];
const SECOND: u128 = 1_000_000_000_000_000_000;
const MULTIPLES: Units = [
    (1_000, "k"),
    (1_000_000, "M"),
    (1_000_000_000, "G"),
    (1_000_000_000_000, "T"),
    (1_000_000_000_000_000, "P"),
    (1_000_000_000_000_000_000, "E"),
];
/// Numbers of four digits are below this.
const FOUR_DIGITS: u128 = 10_000;

/// `time` rounded to four digits, in the unit that leaves one to three of them before the point: `39.84 ms`. Exact
/// under 1,000 attoseconds; whole seconds from 1,000 s on.
pub(crate) fn time(time: Attos) -> String {
    match time.get() {
        0 => "0 s".to_owned(),
        attos @ 1..1_000 => format!("{attos} as"),
        attos => rounded(attos, TIMES).unwrap_or_else(|| format!("{} s", divide(attos, SECOND))),
    }
}

/// `nanos` nanoseconds, as [`time`] has them.
pub(crate) fn nanos(nanos: u64) -> String {
    time(Attos::new(u128::from(nanos) * 1_000_000_000))
}

/// `number` rounded to four digits: `9999`, `12.35 k`.
pub(crate) fn number(number: u64) -> String {
    let long = (u128::from(number) >= FOUR_DIGITS).then(|| rounded(number.into(), MULTIPLES));
    long.flatten().unwrap_or_else(|| number.to_string())
}

/// The first way to write `value` in four digits and one of `units`: rounding up may need a digit, or a unit, more than truncating does.
fn rounded(value: u128, units: Units) -> Option<String> {
    units.into_iter().find_map(|(unit, name)| {
        [(3, 1_000), (2, 100), (1, 10)].into_iter().find_map(|(decimals, scale)| {
            let digits = divide(value.saturating_mul(scale), unit);
            let width = decimals;
            (digits < FOUR_DIGITS).then(|| format!("{}.{:0width$} {name}", digits / scale, digits % scale))
        })
    })
}

/// The quotient rounded to nearest.
const fn divide(dividend: u128, divisor: u128) -> u128 {
    dividend.saturating_add(divisor / 2) / divisor
}

/// The upper-layer protocol of this number by its name, where it has one here.
pub(crate) fn protocol(number: u8) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        protocol::TCP => "tcp",
        protocol::UDP => "udp",
        protocol::DCCP => "dccp",
        protocol::FRAGMENT => "fragment",
        protocol::ESP => "esp",
        protocol::AUTHENTICATION => "ah",
        protocol::ICMPV6 => "icmpv6",
        protocol::SCTP => "sctp",
        protocol::UDP_LITE => "udplite",
        other => return Cow::Owned(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm::ScaledTime;

    fn of(attos: u128) -> String {
        time(Attos::new(attos))
    }

    #[test]
    fn protocols_have_names_or_numbers() {
        assert_eq!([6, 58, 250].map(protocol), ["tcp", "icmpv6", "250"]);
    }

    #[test]
    fn numbers_have_four_digits() {
        assert_eq!([0, 9_999, 10_000].map(number), ["0", "9999", "10.00 k"]);
        assert_eq!([12_345_678, u64::MAX].map(number), ["12.35 M", "18.45 E"]);
    }

    #[test]
    fn every_unit() {
        assert_eq!(of(0), "0 s");
        assert_eq!(of(1), "1 as");
        assert_eq!(of(999), "999 as");
        assert_eq!(of(1_000), "1.000 fs");
        assert_eq!(of(65_536), "65.54 fs");
        assert_eq!(of(123_456_789), "123.5 ps");
        assert_eq!(of(5_000_000_000), "5.000 ns");
        assert_eq!(of(12_300_000_000_000), "12.30 us");
        assert_eq!(of(39_838_000_000_000_000), "39.84 ms");
        assert_eq!(of(32 * SECOND + SECOND / 3), "32.33 s");
    }

    #[test]
    fn rounding_up_takes_the_digit_or_unit_it_needs() {
        assert_eq!(of(9_999_499), "9.999 ps");
        assert_eq!(of(9_999_500), "10.00 ps");
        assert_eq!(of(99_994_999), "99.99 ps");
        assert_eq!(of(99_995_000), "100.0 ps");
        assert_eq!(of(999_949_999), "999.9 ps");
        assert_eq!(of(999_950_000), "1.000 ns");
        assert_eq!(of(999_950_000_000_000_000), "1.000 s");
        assert_eq!(of(1_050_000), "1.050 ps");
    }

    #[test]
    fn long_times_are_whole_seconds() {
        assert_eq!(of(SECOND * 9_999 / 10), "999.9 s");
        assert_eq!(of(SECOND * 100_000 / 100), "1000 s");
        assert_eq!(of(SECOND * 86_400), "86400 s");
        assert_eq!(of(u128::MAX), "340282366920938463463 s");
    }

    #[test]
    fn the_rfcs_examples() {
        let of = |mantissa, scale| time(ScaledTime { mantissa, scale }.decode());
        assert_eq!(of(0xde0b, 46), "4.000 s");
        assert_eq!(of(0x8d88, 40), "39.84 ms");
        assert_eq!(of(0xe033, 49), "32.31 s");
        assert_eq!(of(0xa688, 48), "12.00 s");
    }
}
