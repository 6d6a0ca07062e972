//! Writing metric families in either format.
//!
//! The formats differ in what a family is called and in what types there are; samples are the same octets in both, so
//! that a scraper which changes format goes on with the same series.

use std::fmt::{self, Display};

use hdrhistogram::Histogram;

use super::text::{Billionths, Escaped};
use super::{Buckets, Format};

/// All names start with it.
const PREFIX: &str = "pdmline_";

/// What the samples of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl Kind {
    /// What the names of its samples add to the family's.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }

    const fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Histogram, _) => "histogram",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::Gauge, _) | (Self::Info, Format::Prometheus) => "gauge",
        }
    }
}

/// A name and its value. Names are ours, values may be anybody's.
pub(super) type Label<'a> = (&'static str, &'a str);

/// What has been written so far.
pub(super) struct Encoder {
    format: Format,
    text: String,
}

/// A family whose samples are being written.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: String,
}

impl Encoder {
    pub(super) const fn new(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    /// Starts a family. `help` is ours and needs no escapes, which differ between the formats.
    pub(super) fn family(&mut self, kind: Kind, name: &str, help: &str) -> Family<'_> {
        let sample = format!("{PREFIX}{name}{}", kind.suffix());
        let family = match self.format {
            Format::OpenMetrics => sample.strip_suffix(kind.suffix()).unwrap_or(&sample),
            Format::Prometheus => &sample,
        };
        push(&mut self.text, format_args!("# HELP {family} {help}\n"));
        push(&mut self.text, format_args!("# TYPE {family} {}\n", kind.name(self.format)));
        if self.format == Format::OpenMetrics
            && let Some(unit) = unit(family)
        {
            push(&mut self.text, format_args!("# UNIT {family} {unit}\n"));
        }
        Family { text: &mut self.text, name: sample }
    }

    /// All that was written.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// The unit that a family's name ends in.
fn unit(family: &str) -> Option<&'static str> {
    ["seconds", "ratio"].into_iter().find(|unit| family.ends_with(unit))
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// A histogram of nanoseconds, in seconds.
    pub(super) fn histogram(&mut self, labels: &[Label<'_>], histogram: &Histogram<u64>, buckets: &Buckets) {
        for (bound, count) in buckets.cumulate(histogram) {
            self.line("_bucket", labels, Some(("le", &Billionths(bound.into()).to_string())), count);
        }
        self.line("_bucket", labels, Some(("le", "+Inf")), histogram.len());
        self.line("_sum", labels, None, Billionths(sum(histogram)));
        self.line("_count", labels, None, histogram.len());
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], last: Option<Label<'_>>, value: impl Display) {
        push(self.text, format_args!("{}{suffix}", self.name));
        let mut before = '{';
        for (name, value) in labels.iter().copied().chain(last) {
            push(self.text, format_args!("{before}{name}=\"{}\"", Escaped(value)));
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        push(self.text, format_args!("{end} {value}\n"));
    }
}

/// The samples of `histogram` together, each as the middle of what cannot be told from it.
fn sum(histogram: &Histogram<u64>) -> u128 {
    let cells = histogram.iter_recorded();
    cells
        .map(|cell| {
            u128::from(histogram.median_equivalent(cell.value_iterated_to()))
                * u128::from(cell.count_at_value())
        })
        .sum()
}

fn push(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = fmt::Write::write_fmt(text, arguments);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collector, Metric, Recorders, RuleId};

    fn both(write: impl Fn(&mut Encoder)) -> [String; 2] {
        [Format::OpenMetrics, Format::Prometheus].map(|format| {
            let mut encoder = Encoder::new(format);
            write(&mut encoder);
            encoder.finish()
        })
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants() {
        let write = |encoder: &mut Encoder| {
            encoder.family(Kind::Counter, "packets", "All of them.").sample(&[("worker", "1")], 7);
        };
        let [openmetrics, prometheus] = both(write);
        let sample = "pdmline_packets_total{worker=\"1\"} 7\n";
        assert_eq!(
            openmetrics,
            format!("# HELP pdmline_packets All of them.\n# TYPE pdmline_packets counter\n{sample}# EOF\n")
        );
        assert_eq!(
            prometheus,
            format!(
                "# HELP pdmline_packets_total All of them.\n# TYPE pdmline_packets_total counter\n{sample}"
            )
        );
    }

    #[test]
    fn an_info_is_a_gauge_where_there_is_no_such_type() {
        let [openmetrics, prometheus] =
            both(|encoder| encoder.family(Kind::Info, "build", "What.").sample(&[("version", "1")], 1));
        assert!(openmetrics.contains("# TYPE pdmline_build info\npdmline_build_info{version=\"1\"} 1\n"));
        assert!(
            prometheus.contains("# TYPE pdmline_build_info gauge\npdmline_build_info{version=\"1\"} 1\n")
        );
    }

    #[test]
    fn units_are_told_where_they_can_be() {
        let write = |encoder: &mut Encoder| {
            encoder.family(Kind::Gauge, "uptime_seconds", "Since.").sample(&[], Billionths(1_500_000_000));
        };
        let [openmetrics, prometheus] = both(write);
        assert!(openmetrics.contains("# UNIT pdmline_uptime_seconds seconds\npdmline_uptime_seconds 1.5\n"));
        assert!(prometheus.ends_with("# TYPE pdmline_uptime_seconds gauge\npdmline_uptime_seconds 1.5\n"));
    }

    #[test]
    fn a_histogram_ends_with_everything() {
        let mut recorders = Recorders::new(0);
        recorders.record_times(RuleId::default(), Metric::Residence, 100.0, 2);
        recorders.record(RuleId::default(), Metric::Residence, 3.6e12);
        let mut collector = Collector::new(0);
        collector.fold(&recorders);
        let histogram = collector.histogram(RuleId::default(), Metric::Residence).unwrap();
        let buckets = Buckets::log_spaced(3).unwrap();
        let [_, text] = both(|encoder| {
            encoder.family(Kind::Histogram, "x_seconds", "X.").histogram(
                &[("rule", "r")],
                histogram,
                &buckets,
            );
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "pdmline_x_seconds_bucket{rule=\"r\",le=\"0.000001\"} 2");
        let longest = histogram.median_equivalent(3_600_000_000_000) + 200;
        assert_eq!(
            lines[lines.len() - 4..],
            [
                "pdmline_x_seconds_bucket{rule=\"r\",le=\"60.0\"} 2".to_owned(),
                "pdmline_x_seconds_bucket{rule=\"r\",le=\"+Inf\"} 3".to_owned(),
                format!("pdmline_x_seconds_sum{{rule=\"r\"}} {}", Billionths(longest.into())),
                "pdmline_x_seconds_count{rule=\"r\"} 3".to_owned(),
            ]
        );
    }
}
