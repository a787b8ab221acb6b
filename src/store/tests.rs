use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex};

use proptest::prelude::*;
use redb::{Database, StorageBackend, TableDefinition};
use tempfile::TempDir;

use super::*;

/// Rows and state, as a reader finds them.
type Content = (BTreeMap<Key, Value>, Option<Vec<u8>>);

fn load(medium: Medium) -> Result<(FileStore, Content), StoreError> {
    let mut rows = BTreeMap::new();
    let mut before = None;
    let (store, state) = FileStore::open(medium, |key, value| {
        assert!(before < Some(key), "rows come in their order, each once");
        before = Some(key);
        rows.insert(key, value);
    })?;
    Ok((store, (rows, state)))
}

fn content(path: &Path) -> Result<Content, StoreError> {
    load(Medium::File(path.into())).map(|(_, content)| content)
}

/// Why a file is not taken, in one line that names it.
fn refusal(path: &Path) -> String {
    match content(path) {
        Ok(found) => panic!("taken, with {} rows", found.0.len()),
        Err(error) => one_line(path, &error),
    }
}

fn one_line(path: &Path, error: &StoreError) -> String {
    let text = error.to_string();
    assert!(text.starts_with(path.to_str().unwrap()), "{text}");
    assert!(!text.contains('\n'), "{text}");
    text
}

fn key(time: u32, id: u128) -> Key {
    let mut key = Key::default();
    key[..4].copy_from_slice(&time.to_be_bytes());
    key[4..].copy_from_slice(&id.to_be_bytes());
    key
}

fn changes(times: std::ops::Range<u32>, value: u8, state: &str) -> Changes {
    Changes {
        rows: times.map(|t| (key(t, t.into()), [value; 8])).collect(),
        drop_below: Key::default(),
        state: state.into(),
    }
}

/// A ledger with some history: rows added, changed and dropped.
fn filled(directory: &TempDir) -> (PathBuf, Content) {
    let path = directory.path().join("t.redb");
    let (store, content) = load(Medium::File(path.clone())).unwrap();
    assert_eq!(content, (BTreeMap::new(), None), "a new file is empty");
    for (round, from) in (0..6).zip((0..).step_by(500)) {
        let mut changes = changes(from..from + 800, round, &format!("state {round}"));
        changes.drop_below = key(from / 2, 0);
        store.commit(&changes).unwrap();
    }
    drop(store);
    let content = content_of(&path);
    assert_eq!(content.0.len(), 3300 - 1250);
    (path, content)
}

fn content_of(path: &Path) -> Content {
    content(path).unwrap()
}

#[test]
fn what_was_committed_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (store, _) = load(Medium::File(path.clone())).unwrap();
    store.commit(&changes(1..4, 1, "first")).unwrap();
    store.commit(&changes(3..6, 2, "second")).unwrap();
    drop(store);
    let (rows, state) = content_of(&path);
    let values: Vec<u8> = rows.values().map(|value| value[0]).collect();
    assert_eq!(values, [1, 1, 2, 2, 2]);
    assert_eq!(state.as_deref(), Some(&b"second"[..]));
    assert_eq!(content_of(&path), (rows, state), "reading changes nothing");
}

#[test]
fn rows_below_the_mark_are_dropped_and_those_at_it_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (store, _) = load(Medium::File(path.clone())).unwrap();
    store.commit(&changes(0..10, 1, "first")).unwrap();
    let mut forgetting = changes(8..9, 2, "second");
    forgetting.drop_below = key(7, 0);
    // A row of this very commit goes in, even below the mark: it is newer than the mark.
    forgetting.rows.push((key(2, 2), [3; 8]));
    store.commit(&forgetting).unwrap();
    drop(store);
    let found: Vec<(u8, u8)> = content_of(&path)
        .0
        .iter()
        .map(|(key, value)| (key[3], value[0]))
        .collect();
    assert_eq!(found, [(2, 3), (7, 1), (8, 2), (9, 1)]);
}

#[test]
fn a_file_in_use_is_not_shared() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (store, _) = load(Medium::File(path.clone())).unwrap();
    let text = refusal(&path);
    assert!(text.contains("in use by another process"), "{text}");
    assert!(text.contains("--storage.path"), "{text}");
    // Neither is it harmed.
    store.commit(&changes(0..3, 1, "s")).unwrap();
    drop(store);
    assert_eq!(content_of(&path).0.len(), 3);
}

#[test]
fn of_many_that_make_the_same_file_at_most_one_has_it() {
    for _ in 0..30 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.redb");
        let start = Barrier::new(4);
        let done = Barrier::new(4);
        let had: Vec<bool> = std::thread::scope(|scope| {
            let attempt = || {
                start.wait();
                let opened = load(Medium::File(path.clone()));
                done.wait();
                match opened {
                    Ok((store, _)) => {
                        store.commit(&changes(0..3, 1, "mine")).unwrap();
                        true
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("t.redb"), "{error}");
                        false
                    }
                }
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(attempt)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let had = had.iter().filter(|had| **had).count();
        assert!(had <= 1, "{had} at a time");
        assert_eq!(content_of(&path).0.len(), 3 * had);
    }
}

#[test]
fn one_that_is_made_meanwhile_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (path, content) = filled(&directory);
    // Two that start at the same moment both find no file; this one is slower.
    let late = Medium::File(path.clone());
    let error = late.create(|_| Ok(())).err().unwrap();
    let text = medium::explain(&late.name(), &error).to_string();
    assert!(text.contains("in use by another process"), "{text}");
    assert!(content_of(&path) == content);
    assert!(!directory.path().join("t.redb.new").exists());
}

/// Puts a note into a redb file, with the table made if it is not there.
fn note(path: &Path, table: &str, name: &str, value: &str) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let notes: TableDefinition<'_, &str, &[u8]> = TableDefinition::new(table);
    transaction
        .open_table(notes)
        .unwrap()
        .insert(name, value.as_bytes())
        .unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_newer_format_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (path, content) = filled(&directory);
    note(&path, "notes", "format", "cec_exporter ledger 2");
    for _ in 0..2 {
        let text = refusal(&path);
        assert!(text.contains("newer version of cec_exporter"), "{text}");
        assert!(text.contains("format 2"), "{text}");
    }
    note(&path, "notes", "format", "cec_exporter ledger 1");
    assert!(content_of(&path) == content, "all is still there");
}

#[test]
fn another_database_is_no_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    for (table, name, value) in [
        ("something", "else", "1"),
        ("notes", "else", "1"),
        ("notes", "format", "1"),
        ("notes", "format", "cec_exporter ledger x"),
    ] {
        let _ = fs::remove_file(&path);
        note(&path, table, name, value);
        let text = refusal(&path);
        assert!(text.contains("not a ledger of cec_exporter"), "{text}");
        assert!(text.contains("move it away"), "{text}");
    }
}

#[test]
fn what_is_no_database_is_no_ledger_and_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let mut rng = fastrand::Rng::with_seed(1);
    for length in [0, 1, 9, 63, 64, 319, 320, 4095, 4096, 70_000, 3 << 20] {
        let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        let zeros = vec![0; length];
        for bytes in [bytes, zeros] {
            fs::write(&path, &bytes).unwrap();
            let text = refusal(&path);
            assert!(text.contains("not a ledger of cec_exporter"), "{text}");
            assert!(text.contains("move it away"), "{text}");
            assert!(fs::read(&path).unwrap() == bytes, "{length} bytes changed");
        }
    }
}

#[test]
fn a_shortened_file_is_refused_or_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (path, whole) = filled(&directory);
    let bytes = fs::read(&path).unwrap();
    let mut lengths: Vec<usize> = (0..bytes.len()).step_by(100_000).collect();
    lengths.extend([1, 319, 320, 4096, bytes.len() / 2, bytes.len() - 1]);
    for length in lengths {
        fs::write(&path, &bytes[..length]).unwrap();
        let refused = refused_or(&path, &[&whole], &format!("{length} of {}", bytes.len()));
        assert!(refused || length > bytes.len() / 2, "{length}");
    }
}

#[test]
fn a_damaged_file_is_refused_or_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (path, whole) = filled(&directory);
    let refused = damage_everywhere(&path, &[&whole]);
    assert!(refused > 100, "damage went unnoticed: {refused}");
}

#[test]
fn a_damaged_file_of_a_process_that_was_killed_loses_no_more_than_its_last_commit() {
    let directory = tempfile::tempdir().unwrap();
    let (path, before) = filled(&directory);
    let (store, _) = load(Medium::File(path.clone())).unwrap();
    store.commit(&changes(100..900, 7, "last")).unwrap();
    let killed = directory.path().join("killed.redb");
    fs::copy(&path, &killed).unwrap();
    drop(store);
    let whole = content_of(&path);
    let bytes = fs::read(&killed).unwrap();
    assert!(
        content_of(&killed) == whole,
        "nothing is lost without damage"
    );
    // Opening has mended it.
    fs::write(&killed, bytes).unwrap();
    let refused = damage_everywhere(&killed, &[&whole, &before]);
    assert!(refused > 40, "damage went unnoticed: {refused}");
}

/// Damages a file in each of its blocks in turn; answers how often it was then refused.
fn damage_everywhere(path: &Path, allowed: &[&Content]) -> usize {
    let bytes = fs::read(path).unwrap();
    let mut rng = fastrand::Rng::with_seed(2);
    let mut refused = 0;
    let mut damage = |name: &str, offset: usize, new: &[u8]| {
        let mut damaged = bytes.clone();
        damaged[offset..offset + new.len()].copy_from_slice(new);
        fs::write(path, &damaged).unwrap();
        refused += usize::from(refused_or(path, allowed, &format!("{name} at {offset}")));
    };
    for block in (0..bytes.len()).step_by(4096) {
        let length = (bytes.len() - block).min(4096);
        let offset = block + rng.usize(..length);
        damage("a byte", offset, &[!bytes[offset]]);
        // The head of a page says what it is.
        damage("a head", block, &[!bytes[block]]);
        damage("zeros", block, &vec![0; length]);
        let noise: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        damage("noise", block, &noise);
    }
    // What is read first.
    for (offset, byte) in bytes.iter().enumerate().take(320) {
        damage("a bit", offset, &[byte ^ 1 << rng.u32(..8)]);
    }
    refused
}

/// Answers whether a file was refused; if not, its content must be one of these.
fn refused_or(path: &Path, allowed: &[&Content], how: &str) -> bool {
    match catch_unwind(AssertUnwindSafe(|| content(path))) {
        Err(_) => panic!("{how}: a panic"),
        Ok(Ok(found)) => {
            assert!(
                allowed.contains(&&found),
                "{how}: taken, but not what was written"
            );
            false
        }
        Ok(Err(error)) => {
            let text = one_line(path, &error);
            assert!(
                text.contains("move it away") || text.contains("move the file away"),
                "{how}: {text}"
            );
            true
        }
    }
}

#[test]
fn a_beginning_that_was_cut_off_is_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let unfinished = directory.path().join("t.redb.new");
    fs::write(&unfinished, "half").unwrap();
    let (store, _) = load(Medium::File(path.clone())).unwrap();
    assert!(!unfinished.exists());
    store.commit(&changes(0..3, 1, "s")).unwrap();
    drop(store);
    // One beside a ledger is not looked at.
    fs::write(&unfinished, "half").unwrap();
    assert_eq!(content_of(&path).0.len(), 3);
}

#[test]
fn a_place_that_cannot_hold_a_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("not there").join("t.redb");
    refusal(&missing);
    let taken = directory.path().join("t.redb");
    fs::create_dir(&taken).unwrap();
    refusal(&taken);
}

/// A disk in memory that can be made to fail. Clones are handles of the same.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    bytes: Vec<u8>,
    /// Writes and syncs that still work, if it fails at all.
    works_for: Option<u32>,
    /// What is written is there but for its second half, when it fails.
    tears: bool,
    /// How it fails, if it is not full.
    error: Option<io::ErrorKind>,
}

impl Disk {
    fn medium(&self) -> Medium {
        let disk = self.clone();
        let open = move || Box::new(disk.clone()) as Box<dyn StorageBackend>;
        Medium::Other("the disk".into(), Box::new(open))
    }

    fn fail_after(&self, works_for: Option<u32>, tears: bool) {
        let mut state = self.0.lock().unwrap();
        state.works_for = works_for;
        state.tears = tears;
    }

    /// What a process would find that starts now, on a copy.
    fn found(&self) -> Content {
        let copy = Self::default();
        copy.0.lock().unwrap().bytes = self.0.lock().unwrap().bytes.clone();
        load(copy.medium()).unwrap().1
    }
}

impl Bytes {
    fn work(&mut self) -> io::Result<()> {
        match &mut self.works_for {
            None => Ok(()),
            Some(0) => Err(self.error.unwrap_or(io::ErrorKind::StorageFull).into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let from = offset as usize;
        let bytes = state.bytes.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.lock().unwrap().work()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let offset = offset as usize;
        let done = state.work();
        let length = match (&done, state.tears) {
            (Ok(()), _) => data.len(),
            (Err(_), true) => data.len() / 2,
            (Err(_), false) => 0,
        };
        state.bytes[offset..offset + length].copy_from_slice(&data[..length]);
        done
    }
}

#[test]
fn a_disk_that_cannot_be_written_to_has_its_likely_cause() {
    use io::ErrorKind;
    for (kind, cause) in [
        (ErrorKind::StorageFull, Some("the disk is full")),
        (ErrorKind::QuotaExceeded, Some("share of the disk")),
        (ErrorKind::FileTooLarge, Some("limit on the size of files")),
        (ErrorKind::ReadOnlyFilesystem, Some("read-only")),
        (
            ErrorKind::PermissionDenied,
            Some("does not belong to the user"),
        ),
        (ErrorKind::NotFound, Some("--storage.path was removed")),
        (ErrorKind::Other, None),
    ] {
        let disk = Disk::default();
        let (store, _) = load(disk.medium()).unwrap();
        disk.fail_after(Some(0), false);
        disk.0.lock().unwrap().error = Some(kind);
        let error = store.commit(&changes(0..3, 1, "new")).unwrap_err();
        let told = error.likely_cause.clone();
        let is_right = |told: &str| cause.is_some_and(|cause| told.contains(cause));
        assert!(told.as_deref().map_or(cause.is_none(), is_right), "{error}");
        assert!(error.message.ends_with("pull tries again"), "{error}");
    }
}

#[test]
fn a_disk_that_fails_for_a_while_needs_no_reopening() {
    for tears in [false, true] {
        for works_for in 0..40 {
            let disk = Disk::default();
            let (store, _) = load(disk.medium()).unwrap();
            store.commit(&changes(0..300, 1, "old")).unwrap();
            let old = disk.found();
            let mut next = changes(200..600, 2, "new");
            next.drop_below = key(100, 0);

            disk.fail_after(Some(works_for), tears);
            let mut worked = false;
            for _ in 0..3 {
                match store.commit(&next) {
                    Ok(()) => worked = true,
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.starts_with("cannot write to the disk: "), "{text}");
                        assert!(text.contains("tries again"), "{text}");
                        assert!(!text.contains('\n'), "{text}");
                    }
                }
            }
            disk.fail_after(None, false);
            let found = disk.found();
            // A failed commit may have worked all the same, if only its last sync failed.
            let is_old = !worked && found == old;
            let is_new = found.1.as_deref() == Some(b"new") && found.0.len() == 500;
            assert!(is_old || is_new, "after {works_for} writes: half a commit");

            store.commit(&next).unwrap();
            store.commit(&changes(600..601, 3, "newest")).unwrap();
            drop(store);
            let (rows, state) = disk.found();
            assert_eq!(state.as_deref(), Some(&b"newest"[..]));
            assert_eq!(rows.len(), 501);
            assert_eq!(rows[&key(200, 200)], [2; 8]);
        }
    }
}

#[test]
fn a_name_leads_nowhere_else() {
    for target in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a\0b"] {
        let name = file_name(target);
        let path = Path::new("data").join(&name);
        assert_eq!(path.parent(), Some(Path::new("data")), "{target:?}: {name}");
        assert_eq!(path.file_name(), Some(name.as_ref()), "{target:?}: {name}");
    }
    assert_eq!(file_name("support-1_x"), "support-1_x.redb");
    assert_eq!(file_name("客"), "%e5%ae%a2.redb");
}

proptest! {
    #[test]
    fn a_name_is_plain_and_of_one_target_alone(a: String, b: String) {
        let (of_a, of_b) = (file_name(&a), file_name(&b));
        prop_assert_eq!(a == b, of_a == of_b);
        let stem = of_a.strip_suffix(".redb").unwrap();
        prop_assert!(stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-%".contains(&b)));
        // Nor can it be what another target's file is called before it is whole.
        prop_assert!(!of_a.ends_with(".new"));
    }

    #[test]
    fn names_that_look_alike_differ(a in "[aA%./_0-9 -]{0,6}", b in "[aA%./_0-9 -]{0,6}") {
        prop_assert_eq!(a == b, file_name(&a) == file_name(&b));
    }
}
