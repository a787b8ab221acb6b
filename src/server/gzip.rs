//! Compresses answers.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Semaphore;

/// The fastest level: labels repeat so much that the others save little more.
const LEVEL: Compression = Compression::fast();

/// Compresses an answer away from the async threads; `None` if that fails.
pub(super) async fn gzip(body: Bytes, permits: &Arc<Semaphore>) -> Option<Bytes> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    let compressed = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        compress(&body)
    });
    compressed.await.ok()?.ok()
}

fn compress(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), LEVEL);
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}
