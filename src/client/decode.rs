//! Decodes a response body chunk by chunk, with limits on its size and compression ratio.
//!
//! Chunk by chunk, so that no task decodes a whole page at once and the compressed page is not kept
//! next to the decoded one.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Pages shrink about tenfold. A body that expands much more was crafted to exhaust memory.
const MAX_RATIO: usize = 100;
/// Decoded bytes to which the ratio does not apply.
const RATIO_FREE_BYTES: usize = 1 << 20;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug)]
pub(super) enum DecodeError {
    TooLarge,
    /// The compressed data is invalid or cut off.
    Corrupt,
    /// This `Content-Encoding` is not supported.
    Unsupported(String),
}

#[derive(Debug)]
pub(super) struct Decoder {
    coding: Coding,
    stage: Stage,
    /// Bytes before decoding.
    received: usize,
    max_bytes: usize,
}

/// The `Content-Encoding`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Coding {
    /// Decided by the first bytes: servers send gzip without the header, and the header without
    /// gzip.
    PlainOrGzip,
    Deflate,
}

#[derive(Debug)]
enum Stage {
    /// Collects the bytes that tell the format.
    Start(Vec<u8>),
    Plain(Bounded),
    Gzip(MultiGzDecoder<Bounded>),
    Zlib(ZlibDecoder<Bounded>),
    Deflate(DeflateDecoder<Bounded>),
}

/// A buffer that refuses to grow beyond `limit`.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    exceeded: bool,
}

impl Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if chunk.len() > self.limit.saturating_sub(self.bytes.len()) {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// `max_bytes` applies before and after decoding. `coding` is the `Content-Encoding` header.
    pub(super) fn new(coding: Option<&str>, max_bytes: usize) -> Result<Self, DecodeError> {
        let coding = coding.unwrap_or_default().trim();
        let coding = match coding.to_ascii_lowercase().as_str() {
            "" | "identity" | "gzip" | "x-gzip" => Coding::PlainOrGzip,
            "deflate" => Coding::Deflate,
            _ => return Err(DecodeError::Unsupported(coding.to_owned())),
        };
        Ok(Self {
            coding,
            stage: Stage::Start(Vec::new()),
            received: 0,
            max_bytes,
        })
    }

    /// Bytes received so far, before decoding.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        self.received = self.received.saturating_add(chunk.len());
        if self.received > self.max_bytes {
            return Err(DecodeError::TooLarge);
        }
        let Stage::Start(first) = &mut self.stage else {
            return self.write(chunk);
        };
        first.extend_from_slice(chunk);
        if first.len() < GZIP_MAGIC.len() {
            return Ok(());
        }
        let first = std::mem::take(first);
        self.stage = self.detect(&first);
        self.write(&first)
    }

    /// The decoded body.
    pub(super) fn finish(self) -> Result<Vec<u8>, DecodeError> {
        let bounded = match self.stage {
            // Too short to be compressed.
            Stage::Start(bytes) => return Ok(bytes),
            Stage::Plain(bounded) => Ok(bounded),
            Stage::Gzip(decoder) => decoder.finish(),
            Stage::Zlib(decoder) => decoder.finish(),
            Stage::Deflate(decoder) => decoder.finish(),
        };
        match bounded {
            Ok(bounded) => Ok(bounded.bytes),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(DecodeError::TooLarge),
            Err(_) => Err(DecodeError::Corrupt),
        }
    }

    fn detect(&self, first: &[u8]) -> Stage {
        let bounded = Bounded {
            bytes: Vec::new(),
            limit: self.max_bytes,
            exceeded: false,
        };
        match (self.coding, first) {
            (Coding::PlainOrGzip, [0x1f, 0x8b, ..]) => Stage::Gzip(MultiGzDecoder::new(bounded)),
            (Coding::PlainOrGzip, _) => Stage::Plain(bounded),
            // With the zlib header, as the standard requires, or without, as some servers send it.
            (Coding::Deflate, [a, b, ..])
                if a & 0x0f == 8 && u16::from_be_bytes([*a, *b]).is_multiple_of(31) =>
            {
                Stage::Zlib(ZlibDecoder::new(bounded))
            }
            (Coding::Deflate, _) => Stage::Deflate(DeflateDecoder::new(bounded)),
        }
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), DecodeError> {
        let by_ratio = self.received.saturating_mul(MAX_RATIO);
        let limit = by_ratio.saturating_add(RATIO_FREE_BYTES);
        if let Some(output) = self.stage.output() {
            output.limit = limit.min(self.max_bytes);
        }
        let written = match &mut self.stage {
            Stage::Start(_) => Ok(()),
            Stage::Plain(bounded) => bounded.write_all(chunk),
            Stage::Gzip(decoder) => decoder.write_all(chunk),
            Stage::Zlib(decoder) => decoder.write_all(chunk),
            Stage::Deflate(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|_| match self.stage.output() {
            Some(output) if output.exceeded => DecodeError::TooLarge,
            _ => DecodeError::Corrupt,
        })
    }
}

impl Stage {
    fn output(&mut self) -> Option<&mut Bounded> {
        match self {
            Self::Start(_) => None,
            Self::Plain(bounded) => Some(bounded),
            Self::Gzip(decoder) => Some(decoder.get_mut()),
            Self::Zlib(decoder) => Some(decoder.get_mut()),
            Self::Deflate(decoder) => Some(decoder.get_mut()),
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn decode(
        coding: Option<&str>,
        max_bytes: usize,
        body: &[u8],
        chunk_size: usize,
    ) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(coding, max_bytes)?;
        for chunk in body.chunks(chunk_size) {
            decoder.push(chunk)?;
        }
        decoder.finish()
    }

    #[test]
    fn each_format_is_decoded_and_gzip_is_detected_without_its_header() {
        let gzip = compress!(GzEncoder, SAMPLE);
        let two_members = [
            compress!(GzEncoder, &SAMPLE[..100]),
            compress!(GzEncoder, &SAMPLE[100..]),
        ];
        for chunk_size in [1, 7, 1 << 20] {
            for (coding, body) in [
                (None, SAMPLE.to_vec()),
                (Some("identity"), SAMPLE.to_vec()),
                (Some("gzip"), SAMPLE.to_vec()),
                (Some("gzip"), gzip.clone()),
                (Some(" X-GZIP "), gzip.clone()),
                (None, gzip.clone()),
                (Some("gzip"), two_members.concat()),
                (Some("deflate"), compress!(ZlibEncoder, SAMPLE)),
                (Some("Deflate"), compress!(DeflateEncoder, SAMPLE)),
            ] {
                let decoded = decode(coding, 1 << 20, &body, chunk_size).unwrap();
                assert_eq!(decoded, SAMPLE, "{coding:?} in chunks of {chunk_size}");
            }
        }
        assert_eq!(decode(Some("gzip"), 9, b"", 1).unwrap(), b"");
        assert_eq!(decode(None, 9, b"{", 1).unwrap(), b"{");
        let unknown = decode(Some("br"), 9, b"x", 1).unwrap_err();
        assert!(matches!(unknown, DecodeError::Unsupported(name) if name == "br"));
    }

    #[test]
    fn truncated_or_damaged_data_is_an_error() {
        let body = compress!(GzEncoder, SAMPLE);
        for length in 2..body.len() {
            let cut = decode(Some("gzip"), 1 << 20, &body[..length], 1000);
            assert!(
                matches!(cut, Err(DecodeError::Corrupt)),
                "{length}: {cut:?}"
            );
        }
        let mut damaged = body;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        assert!(decode(Some("gzip"), 1 << 20, &damaged, 1000).is_err());
    }

    #[test]
    fn size_and_ratio_are_limited() {
        let spaces = [b' '; 1001];
        for (coding, body) in [
            (None, spaces.to_vec()),
            (Some("gzip"), compress!(GzEncoder, &spaces)),
            (Some("deflate"), compress!(ZlibEncoder, &spaces)),
            (Some("deflate"), compress!(DeflateEncoder, &spaces)),
        ] {
            let large = decode(coding, 1000, &body, 1 << 20);
            assert!(matches!(large, Err(DecodeError::TooLarge)), "{coding:?}");
            assert!(decode(coding, 1001, &body, 1 << 20).is_ok(), "{coding:?}");
        }
        // Expands a thousandfold.
        let bomb = compress!(GzEncoder, &vec![b' '; 32 << 20]);
        let mut decoder = Decoder::new(Some("gzip"), 64 << 20).unwrap();
        assert!(matches!(decoder.push(&bomb), Err(DecodeError::TooLarge)));
        let output = decoder.stage.output().unwrap();
        assert!(output.bytes.len() <= RATIO_FREE_BYTES + MAX_RATIO * bomb.len());
    }

    proptest! {
        #[test]
        fn no_input_panics_or_exceeds_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            coding in proptest::option::of(prop_oneof![Just("gzip"), Just("deflate"), Just("br")]),
            magic in any::<bool>(),
            chunk_size in 1usize..50,
        ) {
            let start: &[u8] = if magic { &[0x1f, 0x8b, 8, 0] } else { &[] };
            let body = [start, &bytes].concat();
            if let Ok(decoded) = decode(coding, 1000, &body, chunk_size) {
                prop_assert!(decoded.len() <= 1000);
            }
        }
    }
}
