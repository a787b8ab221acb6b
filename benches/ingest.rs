//! What a call costs from its bytes to its tallies, beside the typed parse alone of the same bytes.
//!
//! `cargo bench --bench ingest`. Both are measured in turns in one run, because a machine that is
//! shared is faster in one minute than in the next: compare the ratio, not the nanoseconds.

use std::fmt::Write;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use cec_exporter::model::Window;
use cec_exporter::puller::state::TargetState;
use cec_exporter::upstream::response::parse_page;
use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};

const CALLS_A_PAGE: u32 = 100;
const PAGES: u32 = 1000;
const ROUNDS: usize = 9;
const FIRST: u32 = 1_622_500_000;

#[path = "common/typed.rs"]
mod typed;

/// Pages of the shape of the vendor's sample: each call with all of its fields, newest first.
fn pages() -> Vec<Vec<u8>> {
    let total = PAGES * CALLS_A_PAGE;
    (0..PAGES)
        .map(|page| {
            let mut body = String::from("{\n  \"data\": [");
            for row in 0..CALLS_A_PAGE {
                let number = page * CALLS_A_PAGE + row;
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

/// A page as a server sends it to a client that takes gzip.
fn gzip(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page).expect("memory");
    encoder.finish().expect("memory")
}

fn main() {
    let pages = pages();
    let compressed: Vec<Vec<u8>> = pages.iter().map(|page| gzip(page)).collect();
    let calls = f64::from(PAGES * CALLS_A_PAGE);
    let bytes: usize = pages.iter().map(Vec::len).sum();
    let open = Window {
        from: FIRST,
        to: FIRST + 10 * PAGES * CALLS_A_PAGE,
    };
    let typed = || {
        for page in &pages {
            let answer: typed::Answer = serde_json::from_slice(page).expect("the pages are right");
            assert_eq!(u64::from(PAGES * CALLS_A_PAGE), answer.paging.total);
            black_box(
                answer
                    .data
                    .iter()
                    .map(|group| group.calls.len())
                    .sum::<usize>(),
            );
        }
    };
    let parse = || {
        for page in &pages {
            black_box(parse_page(page).expect("the pages are right"));
        }
    };
    let gunzip = || {
        for page in &compressed {
            let mut decoder = MultiGzDecoder::new(Vec::new());
            decoder.write_all(page).expect("it was compressed just now");
            black_box(decoder.finish().expect("it was compressed just now"));
        }
    };
    let whole = || {
        let mut state = TargetState::default();
        for page in &pages {
            let page = parse_page(page).expect("the pages are right");
            state.apply(&page, open.to, open);
        }
        assert_eq!(state.len() as f64, calls);
        black_box(&state);
    };
    let timed = |work: &dyn Fn()| {
        let began = Instant::now();
        work();
        began.elapsed().as_nanos() as f64 / calls
    };
    let mut rounds: Vec<[f64; 4]> = (0..ROUNDS)
        .map(|_| [timed(&typed), timed(&parse), timed(&whole), timed(&gunzip)])
        .collect();
    rounds.sort_by(|a, b| (a[2] / a[0]).total_cmp(&(b[2] / b[0])));
    let [base, parse, whole, gunzip] = rounds[ROUNDS / 2];
    println!(
        "{calls} calls, {} bytes each, median of {ROUNDS} rounds by ratio",
        bytes as f64 / calls
    );
    let compressed: usize = compressed.iter().map(Vec::len).sum();
    println!(
        "gzip makes {:.1} times less of them",
        bytes as f64 / compressed as f64
    );
    println!("{:<36} {:>9} {:>7}", "", "ns a call", "ratio");
    for (name, time) in [
        ("typed serde_json parse alone", base),
        ("parse that survives anything", parse),
        ("that, with ledger and tallies", whole),
        ("gunzip, before the parse", gunzip),
    ] {
        println!("{name:<36} {time:>9.0} {:>7.2}", time / base);
    }
}
