//! The file shrinks when it is much larger than its content.

use super::disk::Disk;
use super::*;

/// What a week does to a ledger: calls arrive and leave, and some change. Gives the next time.
fn churn(store: &FileStore, times: std::ops::Range<u32>, lookback: u32, step: u32) -> u32 {
    let mut rng = fastrand::Rng::with_seed(u64::from(times.start));
    for from in times.clone().step_by(step as usize) {
        let mut now = changes(from..from + step, 1, &"s".repeat(rng.usize(8000..12_000)));
        for _ in 0..20 {
            let old = rng.u32(from.saturating_sub(lookback - step)..from.max(1));
            now.rows.push((key(old, old.into()), [2; 8]));
        }
        now.drop_below = (from + step).saturating_sub(lookback);
        store.commit(&now).unwrap();
        store.compact();
    }
    times.end
}

/// The size may be half more than the content, and what commits need for copies of pages.
fn assert_bounded(store: &FileStore, content: u64) {
    let size = store.size();
    let limit = content * 3 / 2 + (512 << 10);
    assert!(size < limit, "{size} bytes for {content}");
}

#[test]
fn a_file_shrinks_with_its_content() {
    let (_directory, path, store) = created();
    let busy = 60_000;
    let now = churn(&store, 0..2 * busy, busy, 1000);
    let at_its_peak = store.size();
    assert!(at_its_peak > u64::from(busy) * 28);
    // A quiet week, or a shorter lookback.
    let quiet = 3000;
    let now = churn(&store, now..now + 1200 * 20, quiet, 20);
    assert_bounded(&store, u64::from(quiet) * 28 + 12_000);
    drop(store);
    let rows = content_of(&path).0;
    let kept: Vec<u32> = (now - quiet..now).collect();
    let found: Vec<u32> = rows
        .keys()
        .map(|key| u32::from_be_bytes([key[0], key[1], key[2], key[3]]))
        .collect();
    assert!(found.ends_with(&kept), "all that was kept is there");
}

#[test]
fn rows_fill_their_leaves_in_large_commits_and_after_a_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let size = |name: &str, step: u32| {
        let (store, _) = load(Backend::File(directory.path().join(name))).unwrap();
        for from in (0..100_000).step_by(step as usize) {
            store.commit(&changes(from..from + step, 1, "s")).unwrap();
        }
        let before = store.size();
        store.compact_now();
        // Commits that copy a few pages must not make it grow again.
        for number in 0..10 {
            store.commit(&changes(number..number + 1, 2, "t")).unwrap();
        }
        let after = store.size();
        drop(store);
        let rows = content_of(&directory.path().join(name)).0;
        (before / 100_000, after / 100_000, rows.len())
    };
    let (at_once, compacted, rows) = size("large.redb", 25_000);
    assert_eq!(rows, 100_000);
    let (one_by_one, repacked, rows) = size("small.redb", 50);
    assert_eq!(rows, 100_000);
    // A row has 28 bytes.
    assert!(at_once <= 42 && compacted <= 42, "{at_once} {compacted}");
    // Small commits leave half of each leaf empty.
    assert!(one_by_one > 42 && repacked <= 42, "{one_by_one} {repacked}");
}

#[test]
fn a_file_little_larger_than_its_content_is_not_compacted() {
    let disk = Disk::default();
    let (store, _) = load(disk.backend()).unwrap();
    store.commit(&changes(0..300, 1, "s")).unwrap();
    disk.fail_after(Some(0), false);
    store.compact();
    disk.fail_after(None, false);
    store.commit(&changes(300..301, 1, "t")).unwrap();
    assert_eq!(disk.found().0.len(), 301);
}

#[test]
fn an_interrupted_compaction_loses_nothing() {
    let mut done = false;
    for works_for in 0.. {
        for tears in [false, true] {
            let disk = Disk::default();
            let (store, _) = load(disk.backend()).unwrap();
            store.commit(&changes(0..4000, 1, "old")).unwrap();
            store.commit(&changes(0..4000, 2, "old")).unwrap();
            let mut forgetting = changes(4000..4001, 1, &"s".repeat(5000));
            forgetting.drop_below = 3500;
            store.commit(&forgetting).unwrap();
            let before = disk.found();
            let size = store.size();

            disk.fail_after(Some(works_for), tears);
            store.compact_now();
            // Killed: nothing more is written. What a new process finds is all there.
            assert!(disk.found() == before, "after {works_for} writes");
            done = store.size() < size / 2 && disk.works_still();
            disk.fail_after(None, false);
            // Not killed, but a disk that was full for a moment: it goes on.
            store.commit(&changes(4001..4002, 3, "new")).unwrap();
            let (rows, state) = disk.found();
            assert_eq!(
                (rows.len(), state.as_deref()),
                (502, Some(&b"new"[..])),
                "after {works_for} writes"
            );
        }
        if done {
            assert!(works_for > 10, "{works_for}");
            return;
        }
    }
}

#[test]
fn a_file_full_of_waiting_results_is_not_compacted() {
    let disk = Disk::default();
    let (store, _) = load(disk.backend()).unwrap();
    let waiting =
        (0..10_000).map(|time| (key(time, 1), Some(b"as written by the vendor"[..].into())));
    let mut queue = changes(0..1, 1, "s");
    queue.queue = waiting.collect();
    store.commit(&queue).unwrap();
    store.compact_now();
    store.commit(&changes(1..2, 1, "s")).unwrap();
    let assert_kept = |store: &FileStore| {
        disk.fail_after(Some(1), false);
        store.compact();
        assert!(disk.works_still(), "{} bytes were compacted", store.size());
        disk.fail_after(None, false);
    };
    assert_kept(&store);
    drop(store);
    assert_kept(&load(disk.backend()).unwrap().0);
}
