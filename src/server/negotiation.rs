//! In which format and encoding a scrape is answered: what the client asks for, by RFC 9110, as
//! far as there is an answer to it. Pure, and linear in the length of the headers.

use crate::metrics::exposition::Format;

/// A format as a client asks for it, and as it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offer {
    pub(super) format: Format,
    /// What the answer says it is. Prometheus takes no answer that does not say so.
    pub(super) content_type: &'static str,
}

/// Each format, those first that are the better answer to a client that does not care.
///
/// Prometheus 3 asks for version 1.0.0 of the text, which is 0.0.4 with names in quotes; there are
/// none here, so its parser is content with 0.0.4.
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

/// What one offer is worth to the client, as far as its headers are read.
#[derive(Clone, Copy)]
struct Worth {
    /// How exactly it was meant: a range that names it counts, whatever one with a star says.
    exactness: u8,
    quality: f64,
    /// Which range it was.
    position: usize,
}

/// The format to answer in, by the values of the headers `Accept`: the one of the highest quality,
/// of those the one named first. Text where nothing that is asked for is there, as everything that
/// Prometheus scrapes does.
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

/// Whether to compress, by the values of the headers `Accept-Encoding`: where gzip is asked for,
/// and not less than the answer as it is.
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

/// An item of a list: its name and its parameters.
struct Item<'a> {
    name: &'a str,
    parameters: &'a str,
}

/// The items of headers that are lists.
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

    /// 0 to 1; 1 where none is given, none where it is not a number: such an item is ignored.
    fn quality(&self) -> Option<f64> {
        let Some(quality) = self.parameter("q") else {
            return Some(1.0);
        };
        let quality = quality.parse().ok();
        quality.filter(|quality| (0.0..=1.0).contains(quality))
    }

    /// How exactly this names an offer; none if it does not. Parameters that make no difference,
    /// such as `charset` and `escaping`, are not looked at. The others are held to as by
    /// Prometheus's own libraries: no version of OpenMetrics means 0.0.1.
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

/// Parts between separators, but for those in quotes.
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
mod tests {
    use super::*;

    const PROTO: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[track_caller]
    fn assert_offer(accept: &[&str], expected: usize) {
        assert_eq!(
            offer(accept.iter().copied()),
            OFFERS[expected],
            "{accept:?}"
        );
    }

    #[test]
    fn every_prometheus_gets_what_it_would_like_best() {
        for (accept, expected) in [
            // 2.42, and with native histograms
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                 version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                    .to_owned(),
                OPENMETRICS_1,
            ),
            (
                format!(
                    "{PROTO},application/openmetrics-text;version=1.0.0;q=0.8,\
                     application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                ),
                PROTOBUF,
            ),
            // 2.20
            (
                "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1"
                    .to_owned(),
                OPENMETRICS_0,
            ),
            // 3, as it comes, and for one protocol alone
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
                    .to_owned(),
                OPENMETRICS_1,
            ),
            (
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5".to_owned(),
                TEXT,
            ),
            (
                format!("{PROTO};escaping=underscores;q=0.6,*/*;q=0.5"),
                PROTOBUF,
            ),
        ] {
            assert_offer(&[&accept], expected);
        }
    }

    #[test]
    fn quality_decides_then_the_order_then_ours() {
        for (accept, expected) in [
            (
                "text/plain;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4",
                TEXT,
            ),
            (
                "text/plain;q=0.4,application/openmetrics-text;version=1.0.0;q=0.5",
                OPENMETRICS_1,
            ),
            (
                "application/openmetrics-text;version=1.0.0,text/plain",
                OPENMETRICS_1,
            ),
            (
                "text/plain,application/openmetrics-text;version=1.0.0",
                TEXT,
            ),
            ("*/*", TEXT),
            ("text/*;q=0.1,*/*;q=0.5", OPENMETRICS_1),
            ("application/*", OPENMETRICS_1),
            ("application/*;q=0.9,*/*;q=0.8", OPENMETRICS_1),
            // What is named is not meant by a star.
            ("*/*;q=0.9,text/plain;q=0.1", OPENMETRICS_1),
            ("*/*,text/plain;q=0", OPENMETRICS_1),
            ("text/plain;q=0,application/*;q=0.1", OPENMETRICS_1),
            (
                "*/*;q=0,application/openmetrics-text;q=0.001",
                OPENMETRICS_0,
            ),
            // The better of two versions of one.
            (
                "text/plain;version=1.0.0;q=0.1,text/plain;q=0.3,\
              application/openmetrics-text;q=0.2",
                TEXT,
            ),
            // A browser.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
                TEXT,
            ),
        ] {
            assert_offer(&[accept], expected);
        }
        assert_offer(
            &["text/plain;q=0.2", "application/openmetrics-text;q=0.3"],
            OPENMETRICS_0,
        );
    }

    #[test]
    fn parameters_are_held_to_and_spelled_as_one_likes() {
        for (accept, expected) in [
            (
                "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; charset=utf-8",
                OPENMETRICS_1,
            ),
            ("application/openmetrics-text;charset=utf-8", OPENMETRICS_0),
            ("application/openmetrics-text;version=2.0.0", TEXT),
            (
                "text/plain;version=7,application/openmetrics-text;q=0.1",
                OPENMETRICS_0,
            ),
            ("application/vnd.google.protobuf", TEXT),
            (
                "application/vnd.google.protobuf;proto=a.b;encoding=delimited",
                TEXT,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
              encoding=text",
                TEXT,
            ),
            (
                "application/vnd.google.protobuf;encoding=delimited;\
              proto=io.prometheus.client.MetricFamily",
                PROTOBUF,
            ),
            // A comma and a semicolon in quotes are no separators.
            (
                "text/plain;x=\",application/openmetrics-text;version=1.0.0,\";q=0.5",
                TEXT,
            ),
            (
                "a/b;x=\"\\\",\",application/openmetrics-text;version=1.0.0",
                OPENMETRICS_1,
            ),
        ] {
            assert_offer(&[accept], expected);
        }
    }

    #[test]
    fn junk_is_ignored() {
        let long = ",;=\"/*".repeat(2000);
        for junk in [
            "",
            " ",
            ",,,",
            ";",
            "/",
            "*",
            "text",
            "text/",
            ";q=1",
            "*/plain",
            "image/*",
            "application/openmetrics-text;q=",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;q=-1",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;q=inf",
            "application/openmetrics-text;q=0",
            "\"application/openmetrics-text",
            &long,
        ] {
            assert_offer(&[junk], TEXT);
            let mixed = format!("application/openmetrics-text;version=1.0.0,{junk}");
            assert_offer(&[&mixed], OPENMETRICS_1);
        }
        assert_offer(&[], TEXT);
    }

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("gzip", true),
            ("GZip;q=0.1", true),
            ("x-gzip", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("*", true),
            ("gzip, identity", true),
            ("identity;q=0, gzip;q=0.1", true),
            ("", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("identity", false),
            ("identity, gzip;q=0.5", false),
            ("gzip;q=x", false),
            ("gzipped", false),
        ] {
            assert_eq!(wants_gzip([accept].into_iter()), expected, "{accept}");
        }
        assert!(wants_gzip(["br", "gzip"].into_iter()));
        assert!(!wants_gzip(std::iter::empty()));
    }
}
