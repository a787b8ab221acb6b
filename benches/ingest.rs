//! Time per call from the bytes of a page to the tallies, compared with a typed parse of the same bytes.
//!
//! `cargo bench --bench ingest`. Both are measured in turns in one run, because the speed of a shared
//! machine varies: compare the ratios, not the nanoseconds.

use std::fmt::Write;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use cec_exporter::model::Window;
use cec_exporter::puller::state::TargetState;
use cec_exporter::upstream::response::PageRules;
use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};

const CALLS_PER_PAGE: u32 = 100;
const PAGES: u32 = 1000;
const ROUNDS: usize = 9;
const FIRST: u32 = 1_622_500_000;

#[path = "common/typed.rs"]
mod typed;

/// Pages in the shape of the vendor's sample: calls with all fields, newest first.
fn pages() -> Vec<Vec<u8>> {
    let total = PAGES * CALLS_PER_PAGE;
    (0..PAGES)
        .map(|page| {
            let mut body = String::from("{\n  \"data\": [");
            for row in 0..CALLS_PER_PAGE {
                let number = page * CALLS_PER_PAGE + row;
                let id = format!("{:08x}-d38c-4aa0-a35d-{:012x}", number.wrapping_mul(0x9e37_79b9), number);
                let at = FIRST + total - number;
                let comma = if row == 0 { "" } else { "," };
                let _ = write!(
                    body,
                    "{comma}\n    {{\"calls\": [{{\"staff_name\": \"*****\", \"create_time\": {at}, \
                     \"left_speed\": 241.552, \"left_speech_ratio\": 0.4613, \"file_name\": \"Consultant\", \
                     \"left_channel\": \"customer\", \"right_speech_ratio\": 0.3252, \"call_time\": {at}, \
                     \"inspect_status\": 0, \"right_channel\": \"staff\", \"complain_status\": -1, \
                     \"call_id\": \"{id}\", \"left_silence_time\": 88.46, \"duration\": 164.22, \
                     \"upload_time\": {at}, \"right_silence_time\": 110.82, \"right_speed\": 165.169, \
                     \"staff_id\": \"1600226440112042215\", \"call_uuid\": \"{id}\", \
                     \"review_status\": -1, \"call_type\": 0, \"status\": 2}}], \"call_group_id\": \"{id}\"}}"
                );
            }
            let _ = write!(body, "\n  ],\n  \"paging\": {{\"total\": {total}}}\n}}");
            body.into_bytes()
        })
        .collect()
}

/// A page as the server compresses it.
fn gzip(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page).expect("memory");
    encoder.finish().expect("memory")
}

fn main() {
    let pages = pages();
    let compressed: Vec<Vec<u8>> = pages.iter().map(|page| gzip(page)).collect();
    let calls = f64::from(PAGES * CALLS_PER_PAGE);
    let bytes: usize = pages.iter().map(Vec::len).sum();
    let lookback = Window::new(FIRST, FIRST + 10 * PAGES * CALLS_PER_PAGE);
    let typed = || {
        for page in &pages {
            let page: typed::Response = serde_json::from_slice(page).expect("a valid page");
            assert_eq!(u64::from(PAGES * CALLS_PER_PAGE), page.paging.total);
            black_box(
                page.data
                    .iter()
                    .map(|group| group.calls.len())
                    .sum::<usize>(),
            );
        }
    };
    let parse = || {
        for page in &pages {
            black_box(PageRules::ANY.parse(page).expect("a valid page"));
        }
    };
    let gunzip = || {
        for page in &compressed {
            let mut decoder = MultiGzDecoder::new(Vec::new());
            decoder.write_all(page).expect("valid gzip");
            black_box(decoder.finish().expect("valid gzip"));
        }
    };
    let ingest = || {
        let mut state = TargetState::default();
        for page in &pages {
            let page = PageRules::ANY.parse(page).expect("a valid page");
            state.apply(&page, lookback.to, lookback);
        }
        assert_eq!(state.ledger.len() as f64, calls);
        black_box(&state);
    };
    let timed = |work: &dyn Fn()| {
        let began = Instant::now();
        work();
        began.elapsed().as_nanos() as f64 / calls
    };
    let mut rounds: Vec<[f64; 4]> = (0..ROUNDS)
        .map(|_| [timed(&typed), timed(&parse), timed(&ingest), timed(&gunzip)])
        .collect();
    rounds.sort_by(|a, b| (a[2] / a[0]).total_cmp(&(b[2] / b[0])));
    let [base, parse, ingest, gunzip] = rounds[ROUNDS / 2];
    println!(
        "{calls} calls of {} bytes, median of {ROUNDS} rounds by ratio",
        bytes as f64 / calls
    );
    let compressed: usize = compressed.iter().map(Vec::len).sum();
    println!(
        "gzip compresses them by a factor of {:.1}",
        bytes as f64 / compressed as f64
    );
    println!("{:<36} {:>9} {:>7}", "", "ns a call", "ratio");
    for (name, time) in [
        ("typed serde_json parse alone", base),
        ("lenient parse", parse),
        ("lenient parse, ledger and tallies", ingest),
        ("gunzip before the parse", gunzip),
    ] {
        println!("{name:<36} {time:>9.0} {:>7.2}", time / base);
    }
}
