//! Answers made smaller on their way.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Semaphore;

/// The fastest: labels repeat so much that more work makes little of an answer smaller.
const LEVEL: Compression = Compression::fast();

/// Compresses an answer, away from the server's threads; `None` if that could not be done.
pub(super) async fn gzip(body: Bytes, turns: &Arc<Semaphore>) -> Option<Bytes> {
    let turn = Arc::clone(turns).acquire_owned().await.ok()?;
    let compressed = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        compress(&body)
    });
    compressed.await.ok()?.ok()
}

fn compress(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), LEVEL);
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}
