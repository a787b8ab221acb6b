//! Content negotiation by RFC 9110: the format and the encoding of the response to a scrape. Linear in
//! the length of the headers.

use std::cmp::Reverse;

use crate::metrics::exposition::Format;

/// A format that can be requested.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Offer {
    pub(super) format: Format,
    /// The content type of the response. Prometheus rejects a response without a known one.
    pub(super) content_type: &'static str,
    /// The type and subtype by which it is requested.
    name: &'static str,
    /// The parameters by which it is requested, with the values that mean it; empty for none.
    /// Others, such as `charset` and `escaping`, make no difference.
    parameters: &'static [(&'static str, &'static [&'static str])],
}

/// Prometheus 3 requests version 1.0.0 of the text, which is 0.0.4 with quoted names. There are none
/// here, so it can parse 0.0.4.
const TEXT: Offer = Offer {
    format: Format::Text,
    content_type: "text/plain; version=0.0.4; charset=utf-8",
    name: "text/plain",
    parameters: &[("version", &["", "0.0.4", "1.0.0"])],
};
const OPENMETRICS_1: Offer = Offer {
    format: Format::OpenMetrics,
    content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
    name: "application/openmetrics-text",
    parameters: &[("version", &["1.0.0"])],
};
/// As in Prometheus's own libraries, this is the OpenMetrics without a version.
const OPENMETRICS_0: Offer = Offer {
    format: Format::OpenMetrics,
    content_type: "application/openmetrics-text; version=0.0.1; charset=utf-8",
    name: "application/openmetrics-text",
    parameters: &[("version", &["", "0.0.1"])],
};
const PROTOBUF: Offer = Offer {
    format: Format::Protobuf,
    content_type: "application/vnd.google.protobuf; \
        proto=io.prometheus.client.MetricFamily; encoding=delimited",
    name: "application/vnd.google.protobuf",
    parameters: &[
        ("proto", &["io.prometheus.client.MetricFamily"]),
        ("encoding", &["delimited"]),
    ],
};

/// All formats, in the order of preference for a client that has none.
const OFFERS: [Offer; 4] = [TEXT, OPENMETRICS_1, OPENMETRICS_0, PROTOBUF];

impl Offer {
    /// How exactly a range names this offer: by itself, by its type or by `*/*`. `None` if it does
    /// not.
    fn exactness(&self, range: &Item<'_>) -> Option<u8> {
        let (own_kind, _) = self.name.split_once('/')?;
        match range.name.split_once('/')? {
            ("*", "*") => Some(0),
            (kind, "*") => kind.eq_ignore_ascii_case(own_kind).then_some(1),
            _ => {
                let is_meant = range.name.eq_ignore_ascii_case(self.name)
                    && (self.parameters.iter()).all(|(name, values)| {
                        values.contains(&range.parameter(name).unwrap_or_default())
                    });
                is_meant.then_some(2)
            }
        }
    }
}

/// The format for an `Accept` header: the one of the highest quality, and among equals the one
/// named first. Text if none is acceptable, as in Prometheus's own libraries.
pub(super) fn offer(accept: &str) -> Offer {
    let ranges: Vec<_> = items(accept).enumerate().collect();
    let worth = |offer: &Offer| {
        let matching = ranges.iter().filter_map(|(position, range)| {
            Some((
                offer.exactness(range)?,
                range.quality()?,
                Reverse(*position),
            ))
        });
        // A range that names the offer overrides one with a wildcard.
        let (_, quality, position) = matching.max()?;
        (quality > 0).then_some((quality, position))
    };
    // Of equals, `max_by_key` takes the last.
    let acceptable = OFFERS.into_iter().rev();
    let acceptable = acceptable.filter_map(|offer| Some((worth(&offer)?, offer)));
    let best = acceptable.max_by_key(|(worth, _)| *worth);
    best.map_or(TEXT, |(_, offer)| offer)
}

/// Whether to compress for an `Accept-Encoding` header: if gzip is acceptable, and not less than no
/// encoding.
pub(super) fn wants_gzip(accept_encoding: &str) -> bool {
    let (mut gzip, mut identity, mut others) = (None, None, None);
    for coding in items(accept_encoding) {
        let quality = match coding.name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut others,
            _ => continue,
        };
        *quality = coding.quality().max(*quality);
    }
    let gzip = gzip.or(others).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// An item of a list header.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

fn items(header: &str) -> impl Iterator<Item = Item<'_>> {
    split(header, ',').map(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        Item {
            name: name.trim(),
            parameters,
        }
    })
}

impl<'a> Item<'a> {
    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        split(self.parameters, ';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let found = name.trim().eq_ignore_ascii_case(wanted);
            found.then(|| value.trim().trim_matches('"'))
        })
    }

    /// In thousandths, from 0 to 1,000, which is the default. `None` if malformed: the item is
    /// ignored.
    fn quality(&self) -> Option<u32> {
        let quality: f64 = self.parameter("q").unwrap_or("1").parse().ok()?;
        let is_valid = (0.0..=1.0).contains(&quality);
        is_valid.then(|| (quality * 1000.0).round() as u32)
    }
}

/// The parts between separators that are not in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests;
