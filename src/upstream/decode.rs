//! Takes an answer's body up piece by piece, and undoes its compression, within limits.
//!
//! A piece at a time, so that a task is never busy with a whole page, and so that the compressed
//! page is not kept beside the plain one.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A compressed body may become this many times as large. Pages shrink tenfold; what shrinks much
/// more was made to fill the memory.
const MAX_RATIO: usize = 100;
/// Bytes that are not measured by the ratio.
const FREE: usize = 1 << 20;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a body cannot be taken up.
#[derive(Debug)]
pub(super) enum DecodeError {
    /// Larger than allowed.
    TooLarge,
    /// Not what its compression makes of anything.
    Broken,
    /// Compressed in a way that is not known, by this name.
    Unknown(String),
}

/// A body that is coming in.
#[derive(Debug)]
pub(super) struct Decoder {
    coding: Coding,
    stage: Stage,
    /// Bytes that have come.
    received: usize,
    longest: usize,
}

/// What `Content-Encoding` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Coding {
    /// None, or gzip: its first bytes tell, whatever the header says.
    PlainOrGzip,
    Deflate,
}

#[derive(Debug)]
enum Stage {
    /// The first bytes, which tell the form.
    Start(Vec<u8>),
    Plain(Bounded),
    Gzip(MultiGzDecoder<Bounded>),
    Zlib(ZlibDecoder<Bounded>),
    Deflate(DeflateDecoder<Bounded>),
}

/// Bytes up to a number.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    allowed: usize,
    exceeded: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.allowed.saturating_sub(self.bytes.len()) {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// For a body that is at most this long, compressed and not. `coding` is its
    /// `Content-Encoding`.
    pub(super) fn new(coding: Option<&str>, longest: usize) -> Result<Self, DecodeError> {
        let coding = coding.unwrap_or_default().trim();
        let coding = match coding.to_ascii_lowercase().as_str() {
            "" | "identity" | "gzip" | "x-gzip" => Coding::PlainOrGzip,
            "deflate" => Coding::Deflate,
            _ => return Err(DecodeError::Unknown(coding.to_owned())),
        };
        Ok(Self {
            coding,
            stage: Stage::Start(Vec::new()),
            received: 0,
            longest,
        })
    }

    /// Bytes that have come so far.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// Takes up a further piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        self.received = self.received.saturating_add(piece.len());
        if self.received > self.longest {
            return Err(DecodeError::TooLarge);
        }
        let Stage::Start(first) = &mut self.stage else {
            return self.write(piece);
        };
        first.extend_from_slice(piece);
        if first.len() < GZIP_MAGIC.len() {
            return Ok(());
        }
        let first = std::mem::take(first);
        self.stage = self.begin(&first);
        self.write(&first)
    }

    /// The whole body, once it has come.
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
            Err(_) => Err(DecodeError::Broken),
        }
    }

    fn begin(&self, first: &[u8]) -> Stage {
        let bounded = Bounded {
            bytes: Vec::new(),
            allowed: self.longest,
            exceeded: false,
        };
        match (self.coding, first) {
            (Coding::PlainOrGzip, [0x1f, 0x8b, ..]) => Stage::Gzip(MultiGzDecoder::new(bounded)),
            (Coding::PlainOrGzip, _) => Stage::Plain(bounded),
            // With the header of zlib, as the standard has it, or without, as some servers do.
            (Coding::Deflate, [a, b, ..])
                if a & 0x0f == 8 && u16::from_be_bytes([*a, *b]).is_multiple_of(31) =>
            {
                Stage::Zlib(ZlibDecoder::new(bounded))
            }
            (Coding::Deflate, _) => Stage::Deflate(DeflateDecoder::new(bounded)),
        }
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        let allowed = self
            .received
            .saturating_mul(MAX_RATIO)
            .saturating_add(FREE)
            .min(self.longest);
        let written = match &mut self.stage {
            Stage::Start(_) => return Ok(()),
            Stage::Plain(bounded) => bounded.write_all(piece),
            Stage::Gzip(decoder) => {
                decoder.get_mut().allowed = allowed;
                decoder.write_all(piece)
            }
            Stage::Zlib(decoder) => {
                decoder.get_mut().allowed = allowed;
                decoder.write_all(piece)
            }
            Stage::Deflate(decoder) => {
                decoder.get_mut().allowed = allowed;
                decoder.write_all(piece)
            }
        };
        written.map_err(|_| match self.is_exceeded() {
            true => DecodeError::TooLarge,
            false => DecodeError::Broken,
        })
    }

    fn is_exceeded(&self) -> bool {
        match &self.stage {
            Stage::Start(_) => false,
            Stage::Plain(bounded) => bounded.exceeded,
            Stage::Gzip(decoder) => decoder.get_ref().exceeded,
            Stage::Zlib(decoder) => decoder.get_ref().exceeded,
            Stage::Deflate(decoder) => decoder.get_ref().exceeded,
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

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(
        coding: Option<&str>,
        longest: usize,
        body: &[u8],
        piece: usize,
    ) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(coding, longest)?;
        for piece in body.chunks(piece) {
            decoder.push(piece)?;
        }
        decoder.finish()
    }

    #[test]
    fn each_form_is_read_whatever_the_header_says_of_gzip() {
        for piece in [1, 7, 1 << 20] {
            for (coding, body) in [
                (None, SAMPLE.to_vec()),
                (Some("identity"), SAMPLE.to_vec()),
                (Some("gzip"), SAMPLE.to_vec()),
                (Some("gzip"), gzip(SAMPLE)),
                (Some(" X-GZIP "), gzip(SAMPLE)),
                (None, gzip(SAMPLE)),
                (
                    Some("gzip"),
                    [gzip(&SAMPLE[..100]), gzip(&SAMPLE[100..])].concat(),
                ),
                (Some("deflate"), zlib(SAMPLE)),
                (Some("Deflate"), deflate(SAMPLE)),
            ] {
                let decoded = decode(coding, 1 << 20, &body, piece).unwrap();
                assert_eq!(decoded, SAMPLE, "{coding:?} by {piece}");
            }
        }
        assert_eq!(decode(Some("gzip"), 9, b"", 1).unwrap(), b"");
        assert_eq!(decode(None, 9, b"{", 1).unwrap(), b"{");
        let unknown = decode(Some("br"), 9, b"x", 1).unwrap_err();
        assert!(matches!(unknown, DecodeError::Unknown(name) if name == "br"));
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error() {
        let body = gzip(SAMPLE);
        for length in 2..body.len() {
            let cut = decode(Some("gzip"), 1 << 20, &body[..length], 1000);
            assert!(matches!(cut, Err(DecodeError::Broken)), "{length}: {cut:?}");
        }
        let mut damaged = body;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        assert!(decode(Some("gzip"), 1 << 20, &damaged, 1000).is_err());
    }

    #[test]
    fn size_and_ratio_are_bounded() {
        for (coding, body) in [
            (None, vec![b' '; 1001]),
            (Some("gzip"), gzip(&[b' '; 1001])),
            (Some("deflate"), zlib(&[b' '; 1001])),
            (Some("deflate"), deflate(&[b' '; 1001])),
        ] {
            let large = decode(coding, 1000, &body, 1 << 20);
            assert!(matches!(large, Err(DecodeError::TooLarge)), "{coding:?}");
            assert!(decode(coding, 1001, &body, 1 << 20).is_ok(), "{coding:?}");
        }
        // A thousandfold.
        let bomb = gzip(&vec![b' '; 32 << 20]);
        let mut decoder = Decoder::new(Some("gzip"), 64 << 20).unwrap();
        assert!(matches!(decoder.push(&bomb), Err(DecodeError::TooLarge)));
        let Stage::Gzip(inside) = &decoder.stage else {
            panic!("{:?}", decoder.coding);
        };
        assert!(inside.get_ref().bytes.len() <= FREE + MAX_RATIO * bomb.len());
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            coding in proptest::option::of(prop_oneof![Just("gzip"), Just("deflate"), Just("br")]),
            magic in any::<bool>(),
            piece in 1usize..50,
        ) {
            let start: &[u8] = if magic { &[0x1f, 0x8b, 8, 0] } else { &[] };
            let body = [start, &bytes].concat();
            if let Ok(decoded) = decode(coding, 1000, &body, piece) {
                prop_assert!(decoded.len() <= 1000);
            }
        }
    }
}
