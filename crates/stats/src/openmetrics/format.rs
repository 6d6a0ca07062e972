//! The two formats, and which of them a client wants.

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The Prometheus text format 0.0.4.
    Prometheus,
}

impl Format {
    /// What an HTTP answer says of its body.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The format that the Accept header of a request prefers: OpenMetrics, unless the header likes plain text better.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let Some(accept) = accept else { return Self::OpenMetrics };
        let openmetrics = quality(accept, "application", "openmetrics-text");
        if quality(accept, "text", "plain") > openmetrics { Self::Prometheus } else { Self::OpenMetrics }
    }
}

/// How much `accept` likes a media type, from 0 to 1: what its most specific range for it says.
fn quality(accept: &str, kind: &str, subtype: &str) -> f32 {
    let liked = |range: &str| {
        let (media, parameters) = range.split_once(';').unwrap_or((range, ""));
        let (its_kind, its_subtype) = media.trim().split_once('/')?;
        let specific = match (its_kind, its_subtype) {
            ("*", "*") => 0,
            (its, "*") if its.eq_ignore_ascii_case(kind) => 1,
            (its, sub) if its.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => 2,
            _ => return None,
        };
        Some((specific, weight(parameters)))
    };
    let best = accept.split(',').filter_map(liked).max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    best.map_or(0.0, |(_, weight)| weight)
}

/// The `q` among a range's parameters; 1 without one.
fn weight(parameters: &str) -> f32 {
    let values = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let q = values
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .find_map(|(_, q)| q.trim().parse().ok());
    q.filter(|q| (0.0..=1.0).contains(q)).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::Format::{self, OpenMetrics, Prometheus};

    #[test]
    fn clients_get_what_they_like_best() {
        let scraper =
            "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            ("", OpenMetrics),
            ("*/*", OpenMetrics),
            (scraper, OpenMetrics),
            ("text/plain", Prometheus),
            ("Text/Plain; version=0.0.4; Q=0.3", Prometheus),
            ("text/*, */*;q=0.1", Prometheus),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Prometheus),
            ("text/plain;q=0.5, application/openmetrics-text;q=0.4", Prometheus),
            ("text/plain;q=0, */*", OpenMetrics),
            ("text/plain, application/openmetrics-text", OpenMetrics),
            ("image/png", OpenMetrics),
            ("nonsense;;=,/", OpenMetrics),
        ] {
            assert_eq!(Format::negotiate(Some(accept)), format, "{accept}");
        }
        assert_eq!(Format::negotiate(None), OpenMetrics);
    }
}
