//! A read that may take minutes: the whole lookback at a first pull, or the calls of an outage. Its start
//! and its end are logged, and only a long one is read ahead.

use tokio::time::Instant;
use tracing::info;

use crate::model::{Window, utc};

/// Expected requests up to which a gap is short.
const SHORT: u64 = 16;

/// A gap that is being read, over as many pulls as it takes.
#[derive(Debug)]
pub(super) struct GapRead {
    gap: Window,
    began: Instant,
    /// Pages received so far.
    requests: u64,
    /// Known from the first page on.
    expected_requests: Option<u64>,
}

impl GapRead {
    pub(super) fn new(gap: Window) -> Self {
        Self {
            gap,
            began: Instant::now(),
            requests: 0,
            expected_requests: None,
        }
    }

    /// Whether reading ahead would save a second or two only. After a start, every target reads its
    /// lookback at the same time, and each parallel request needs a connection with its buffers.
    pub(super) fn is_short(&self) -> bool {
        self.requests <= SHORT
            && self
                .expected_requests
                .is_some_and(|requests| requests <= SHORT)
    }

    /// Counts a page of `window`, which has about this many rows. The first page tells how many
    /// requests the gap needs.
    pub(super) fn count_page(&mut self, target: &str, window: Window, rows: u64, limit: u32) {
        self.requests += 1;
        if self.requests == 1 {
            let expected_requests = self.expect_requests(window, rows, limit);
            self.expected_requests = Some(expected_requests);
            let (from, to) = (utc(self.gap.from), utc(self.gap.to));
            info!(target, %from, %to, expected_requests, "reading a gap in the call list");
        }
    }

    fn expect_requests(&self, window: Window, rows: u64, limit: u32) -> u64 {
        let rows = rows.saturating_mul(self.gap.seconds().into()) / u64::from(window.seconds());
        rows.div_ceil(u64::from(limit).max(1)).max(1)
    }

    pub(super) fn end(self, target: &str, calls: usize) {
        let (requests, took) = (self.requests, self.began.elapsed());
        let seconds = took.as_millis() as f64 / 1000.0;
        info!(
            target,
            calls, requests, seconds, "the gap in the call list has been read"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_slice_tells_how_many_requests_the_gap_needs() {
        let window = |from, to| Window { from, to };
        let gap = GapRead::new(window(0, 99));
        for (slice, rows, expected) in [
            (window(0, 99), 1000, 10),
            (window(0, 99), 1001, 11),
            (window(0, 9), 100, 10),
            (window(0, 99), 0, 1),
        ] {
            assert_eq!(gap.expect_requests(slice, rows, 100), expected);
        }
    }
}
