//! Size of a ledger's file through a week in which every call of the lookback is replaced.
//!
//! `cargo bench --bench churn`, or `-- CALLS` for another number than a million. A pull every minute
//! writes new calls, changes some old ones and forgets the oldest, as the exporter does.

use std::time::Instant;

use cec_exporter::store::{Backend, Changes, FileStore, Key, Store, Value};

const DAYS: u32 = 7;
const PULLS_PER_DAY: u32 = 24 * 60;
/// Calls of the last hours that a pull finds changed, for each new one: the steps of the pipeline, and
/// what people decide about a call.
const CHANGES_PER_CALL: u32 = 2;
/// Bytes of a target's state, which each commit replaces.
const STATE_BYTES: usize = 12_000;

/// When a call is uploaded.
fn second(number: u32, calls: u32) -> u32 {
    (u64::from(number) * u64::from(DAYS * 86_400) / u64::from(calls)) as u32
}

/// A call; its identity is as good as random.
fn row(number: u32, calls: u32, value: u8) -> (Key, Value) {
    let mut key = Key::default();
    key[..4].copy_from_slice(&second(number, calls).to_be_bytes());
    let identity = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key[4..12].copy_from_slice(&identity.to_be_bytes());
    (key, [value; 8])
}

fn main() {
    let arguments = std::env::args().skip(1);
    let calls: u32 = arguments
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(1_000_000);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("ledger.redb");
    let (store, _) = FileStore::open(Backend::File(path), |_, _| {}).expect("a new file");
    let mut rng = fastrand::Rng::with_seed(1);
    let state = vec![b's'; STATE_BYTES];
    let content = u64::from(calls) * (size_of::<Key>() + size_of::<Value>()) as u64;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("{calls} calls, {:.1} MiB of rows\n", mib(content));
    println!("| | commits | wall, s | file, MiB | of the rows |\n| --- | --- | --- | --- | --- |");
    let mut began = Instant::now();
    let mut largest = 0;
    let mut print = |what: String, commits: u32, size: u64| {
        let (took, ratio) = (began.elapsed().as_secs_f64(), size as f64 / content as f64);
        println!(
            "| {what} | {commits} | {took:.0} | {:.1} | {ratio:.2} |",
            mib(size)
        );
        began = Instant::now();
    };

    for from in (0..calls).step_by(25_000) {
        let rows = (from..calls.min(from + 25_000)).map(|number| row(number, calls, 0));
        let changes = Changes {
            rows: rows.collect(),
            state: state.clone(),
            ..Changes::default()
        };
        store.commit(&changes).expect("room on the disk");
    }
    store.compact();
    print("cold start".into(), calls.div_ceil(25_000), store.size());

    for day in 0..DAYS {
        for pull in 0..PULLS_PER_DAY {
            let done = u64::from(day * PULLS_PER_DAY + pull);
            let at =
                |pulls: u64| (pulls * u64::from(calls) / u64::from(DAYS * PULLS_PER_DAY)) as u32;
            let (oldest, new) = (at(done + 1), at(done)..at(done + 1));
            let (first, recent) = (calls + new.start, calls / DAYS / 4);
            let changed = (0..new.len() as u32 * CHANGES_PER_CALL)
                .map(|_| row(first - rng.u32(1..=recent), calls, rng.u8(1..9)));
            let mut rows: Vec<_> = changed
                .chain(new.map(|n| row(calls + n, calls, 0)))
                .collect();
            rows.sort_unstable();
            rows.dedup_by_key(|(key, _)| *key);
            let drop_below = second(oldest, calls);
            let changes = Changes {
                rows,
                drop_below,
                state: state.clone(),
                ..Changes::default()
            };
            store.commit(&changes).expect("room on the disk");
            store.compact();
            largest = largest.max(store.size());
        }
        print(format!("day {}", day + 1), PULLS_PER_DAY, store.size());
    }
    print("the largest".into(), DAYS * PULLS_PER_DAY, largest);
}
