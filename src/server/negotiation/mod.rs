//! Content negotiation by RFC 9110: the format and the encoding of the answer to a scrape. Linear in
//! the length of the headers.

use crate::metrics::exposition::Format;

/// A format that can be requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offer {
    pub(super) format: Format,
    /// The content type of the answer. Prometheus rejects an answer without a known one.
    pub(super) content_type: &'static str,
}

/// All formats, in the order of preference for a client that has none.
///
/// Prometheus 3 requests version 1.0.0 of the text, which is 0.0.4 with quoted names. There are none
/// here, so it can parse 0.0.4.
const OFFERS: [Offer; 4] = [
    Offer {
        format: Format::Text,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
    },
    Offer {
        format: Format::OpenMetrics,
        content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
    },
    Offer {
        format: Format::OpenMetrics,
        content_type: "application/openmetrics-text; version=0.0.1; charset=utf-8",
    },
    Offer {
        format: Format::Protobuf,
        content_type: "application/vnd.google.protobuf; \
            proto=io.prometheus.client.MetricFamily; encoding=delimited",
    },
];
const TEXT: usize = 0;
const OPENMETRICS_1: usize = 1;
const OPENMETRICS_0: usize = 2;
const PROTOBUF: usize = 3;

/// How well the client likes one offer.
#[derive(Clone, Copy)]
struct Worth {
    /// A range that names the offer overrides one with a wildcard.
    exactness: u8,
    quality: f64,
    /// The position of the range in the headers.
    position: usize,
}

/// The format for these `Accept` headers: the one of the highest quality, and among equals the one
/// named first. Text if none is acceptable, as in Prometheus's own libraries.
pub(super) fn offer<'a>(accept: impl Iterator<Item = &'a str>) -> Offer {
    let mut worth: [Option<Worth>; OFFERS.len()] = [None; OFFERS.len()];
    for (position, range) in items(accept).enumerate() {
        let (Some(quality), Some((kind, subkind))) = (range.quality(), range.name.split_once('/'))
        else {
            continue;
        };
        for (index, worth) in worth.iter_mut().enumerate() {
            let Some(exactness) = range.exactness(kind, subkind, index) else {
                continue;
            };
            let better =
                worth.is_none_or(|known| (exactness, quality) > (known.exactness, known.quality));
            if better {
                *worth = Some(Worth {
                    exactness,
                    quality,
                    position,
                });
            }
        }
    }
    let mut best = (OFFERS[TEXT], 0.0, usize::MAX);
    for (offer, worth) in OFFERS.into_iter().zip(worth) {
        if let Some(worth) = worth
            && worth.quality > 0.0
            && (worth.quality > best.1 || worth.quality == best.1 && worth.position < best.2)
        {
            best = (offer, worth.quality, worth.position);
        }
    }
    best.0
}

/// Whether to compress for these `Accept-Encoding` headers: if gzip is acceptable, and not less than
/// no encoding.
pub(super) fn wants_gzip<'a>(accept_encoding: impl Iterator<Item = &'a str>) -> bool {
    let (mut gzip, mut identity, mut others) = (None, None, None);
    for coding in items(accept_encoding) {
        let Some(quality) = coding.quality() else {
            continue;
        };
        let known = match coding.name {
            "*" => &mut others,
            name if name.eq_ignore_ascii_case("gzip") => &mut gzip,
            name if name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            name if name.eq_ignore_ascii_case("identity") => &mut identity,
            _ => continue,
        };
        *known = Some(known.map_or(quality, |other: f64| other.max(quality)));
    }
    let gzip = gzip.or(others).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// An item of a list header.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

/// The items of list headers.
fn items<'a>(headers: impl Iterator<Item = &'a str>) -> impl Iterator<Item = Item<'a>> {
    headers.flat_map(|header| split(header, b',')).map(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        Item {
            name: name.trim(),
            parameters,
        }
    })
}

impl<'a> Item<'a> {
    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        split(self.parameters, b';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let found = name.trim().eq_ignore_ascii_case(wanted);
            found.then(|| value.trim().trim_matches('"'))
        })
    }

    /// From 0 to 1, which is the default. `None` if malformed: the item is ignored.
    fn quality(&self) -> Option<f64> {
        let Some(quality) = self.parameter("q") else {
            return Some(1.0);
        };
        let quality = quality.parse().ok();
        quality.filter(|quality| (0.0..=1.0).contains(quality))
    }

    /// How exactly this range matches an offer; `None` if it does not. As in Prometheus's own
    /// libraries, OpenMetrics without a version means 0.0.1, and parameters such as `charset` and
    /// `escaping` make no difference.
    fn exactness(&self, kind: &str, subkind: &str, offer: usize) -> Option<u8> {
        let is = |wanted: &str| kind.eq_ignore_ascii_case(wanted);
        let own_kind = if offer == TEXT { "text" } else { "application" };
        if subkind == "*" {
            let exactness = if is(own_kind) { Some(1) } else { None };
            return exactness.or((kind == "*").then_some(0));
        }
        let own_subkind = match offer {
            TEXT => "plain",
            PROTOBUF => "vnd.google.protobuf",
            _ => "openmetrics-text",
        };
        let version = self.parameter("version").unwrap_or_default();
        let meant = match offer {
            TEXT => matches!(version, "" | "0.0.4" | "1.0.0"),
            OPENMETRICS_1 => version == "1.0.0",
            OPENMETRICS_0 => matches!(version, "" | "0.0.1"),
            _ => {
                self.parameter("proto") == Some("io.prometheus.client.MetricFamily")
                    && self.parameter("encoding") == Some("delimited")
            }
        };
        let named = is(own_kind) && subkind.eq_ignore_ascii_case(own_subkind);
        (named && meant).then_some(2)
    }
}

/// The parts between separators that are not in quotes.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => return byte == separator && !quoted,
            }
            false
        });
        let (part, after) = match end {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests;
