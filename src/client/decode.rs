//! Decodes a response body, with limits on its size and compression ratio.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Pages shrink about tenfold. A body that expands much more was crafted to exhaust memory.
const MAX_RATIO: usize = 100;
/// Decoded bytes to which the ratio does not apply.
const RATIO_FREE_BYTES: usize = 1 << 20;

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) enum BodyError {
    /// The connection broke.
    Broken(reqwest::Error),
    TooLarge,
    /// The compressed data is invalid or cut off.
    Corrupt,
    /// This `Content-Encoding` is not supported.
    Unsupported(String),
}

/// Decodes a body to at most `max_bytes`. `coding` is the header `Content-Encoding`.
pub(super) fn decode(
    coding: Option<&str>,
    body: Vec<u8>,
    max_bytes: usize,
) -> Result<Vec<u8>, BodyError> {
    let coding = coding.unwrap_or_default().trim();
    let encoded = body.as_slice();
    let decoder: Box<dyn Read + '_> = match (coding.to_ascii_lowercase().as_str(), encoded) {
        // Decided by the first bytes: servers send gzip without the header, and the header without
        // gzip.
        (_, [0x1f, 0x8b, ..]) => Box::new(MultiGzDecoder::new(encoded)),
        ("" | "identity" | "gzip" | "x-gzip", _) => return Ok(body),
        // With the zlib header, as the standard requires, or without, as some servers send it.
        ("deflate", [a, b, ..])
            if a & 0x0f == 8 && u16::from_be_bytes([*a, *b]).is_multiple_of(31) =>
        {
            Box::new(ZlibDecoder::new(encoded))
        }
        ("deflate", _) => Box::new(DeflateDecoder::new(encoded)),
        // JSON, whatever its gateway calls it: a character set, or what would have been possible.
        (_, [b'{', ..]) => return Ok(body),
        _ => return Err(BodyError::Unsupported(coding.to_owned())),
    };
    let by_ratio = body.len().saturating_mul(MAX_RATIO);
    let limit = by_ratio.saturating_add(RATIO_FREE_BYTES).min(max_bytes);
    let mut decoded = Vec::new();
    match decoder.take(limit as u64 + 1).read_to_end(&mut decoded) {
        Err(_) => Err(BodyError::Corrupt),
        Ok(_) if decoded.len() > limit => Err(BodyError::TooLarge),
        Ok(_) => Ok(decoded),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../tests/fixtures/details-response.json");

    macro_rules! compress {
        ($encoder:ident, $bytes:expr) => {{
            let mut encoder = $encoder::new(Vec::new(), Compression::default());
            encoder.write_all($bytes).unwrap();
            encoder.finish().unwrap()
        }};
    }

    fn decode(coding: Option<&str>, max_bytes: usize, body: &[u8]) -> Result<Vec<u8>, BodyError> {
        super::decode(coding, body.to_vec(), max_bytes)
    }

    #[test]
    fn each_format_is_decoded_and_gzip_is_detected_without_its_header() {
        let gzip = compress!(GzEncoder, SAMPLE);
        let two_members = [
            compress!(GzEncoder, &SAMPLE[..100]),
            compress!(GzEncoder, &SAMPLE[100..]),
        ];
        for (coding, body) in [
            (None, SAMPLE.to_vec()),
            (Some("identity"), SAMPLE.to_vec()),
            (Some("gzip"), SAMPLE.to_vec()),
            (Some("gzip"), gzip.clone()),
            (Some(" X-GZIP "), gzip.clone()),
            (None, gzip.clone()),
            (Some("gzip"), two_members.concat()),
            (Some("gzip, identity"), gzip.clone()),
            (Some("UTF-8"), SAMPLE.to_vec()),
            (Some("br"), SAMPLE.to_vec()),
            (Some("deflate"), compress!(ZlibEncoder, SAMPLE)),
            (Some("Deflate"), compress!(DeflateEncoder, SAMPLE)),
        ] {
            assert_eq!(
                decode(coding, 1 << 20, &body).unwrap(),
                SAMPLE,
                "{coding:?}"
            );
        }
        assert_eq!(decode(Some("gzip"), 9, b"").unwrap(), b"");
        assert_eq!(decode(None, 9, b"{").unwrap(), b"{");
        let unknown = decode(Some("br"), 9, b"x").unwrap_err();
        assert!(matches!(unknown, BodyError::Unsupported(name) if name == "br"));
    }

    #[test]
    fn truncated_or_damaged_data_is_an_error() {
        let body = compress!(GzEncoder, SAMPLE);
        for length in 2..body.len() {
            let cut = decode(Some("gzip"), 1 << 20, &body[..length]);
            assert!(matches!(cut, Err(BodyError::Corrupt)), "{length}: {cut:?}");
        }
        let mut damaged = body;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        assert!(decode(Some("gzip"), 1 << 20, &damaged).is_err());
    }

    #[test]
    fn size_and_ratio_are_limited() {
        let spaces = [b' '; 1001];
        for (coding, body) in [
            (Some("gzip"), compress!(GzEncoder, &spaces)),
            (Some("deflate"), compress!(ZlibEncoder, &spaces)),
            (Some("deflate"), compress!(DeflateEncoder, &spaces)),
        ] {
            let large = decode(coding, 1000, &body);
            assert!(matches!(large, Err(BodyError::TooLarge)), "{coding:?}");
            assert!(decode(coding, 1001, &body).is_ok(), "{coding:?}");
        }
        // Expands a thousandfold.
        let bomb = compress!(GzEncoder, &vec![b' '; 32 << 20]);
        let decoded = decode(Some("gzip"), 64 << 20, &bomb);
        assert!(matches!(decoded, Err(BodyError::TooLarge)));
    }

    proptest! {
        #[test]
        fn no_input_panics_or_exceeds_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            coding in proptest::option::of(prop_oneof![Just("gzip"), Just("deflate"), Just("br")]),
            magic in any::<bool>(),
        ) {
            let start: &[u8] = if magic { &[0x1f, 0x8b, 8, 0] } else { &[] };
            let body = [start, &bytes].concat();
            if let Ok(decoded) = decode(coding, 1000, &body) {
                prop_assert!(decoded.len() <= 1000);
            }
        }
    }
}
