mod compaction;
mod damage;
mod disk;
mod path;
mod queue;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use proptest::prelude::*;
use redb::{Database, TableDefinition};
use tempfile::TempDir;

use super::*;
use crate::model::CallId;

/// Rows and state, as a reader finds them.
type Content = (BTreeMap<Key, Value>, Option<Vec<u8>>);

fn load(backend: Backend) -> Result<(FileStore, Content), StoreError> {
    let mut rows = BTreeMap::new();
    let mut before = None;
    let (store, stored) = FileStore::open(backend, |key, value| {
        assert!(before < Some(key), "rows come in their order, each once");
        before = Some(key);
        rows.insert(key, value);
    })?;
    Ok((store, (rows, stored.state)))
}

fn content(path: &Path) -> Result<Content, StoreError> {
    load(Backend::File(path.into())).map(|(_, content)| content)
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
    CallId(id).key(time)
}

fn changes(times: std::ops::Range<u32>, value: u8, state: &str) -> Changes {
    Changes {
        rows: times.map(|t| (key(t, t.into()), [value; 8])).collect(),
        state: state.into(),
        ..Changes::default()
    }
}

/// A new file, with the directory that it goes with.
fn created() -> (TempDir, PathBuf, FileStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (store, content) = load(Backend::File(path.clone())).unwrap();
    assert_eq!(content, (BTreeMap::new(), None), "a new file is empty");
    (directory, path, store)
}

/// A ledger with some history: rows added, changed and dropped.
fn filled() -> (TempDir, PathBuf, Content) {
    let (directory, path, store) = created();
    for (round, from) in (0..6).zip((0..).step_by(500)) {
        let mut changes = changes(from..from + 800, round, &format!("state {round}"));
        changes.drop_below = from / 2;
        store.commit(&changes).unwrap();
    }
    drop(store);
    let content = content_of(&path);
    assert_eq!(content.0.len(), 3300 - 1250);
    (directory, path, content)
}

fn content_of(path: &Path) -> Content {
    content(path).unwrap()
}

#[test]
fn committed_rows_and_state_are_read_back() {
    let (_directory, path, store) = created();
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
fn a_commit_drops_the_rows_below_its_limit() {
    let (_directory, path, store) = created();
    store.commit(&changes(0..10, 1, "first")).unwrap();
    let mut forgetting = changes(8..9, 2, "second");
    forgetting.drop_below = 7;
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
fn a_file_in_use_by_another_process_is_refused() {
    let (_directory, path, store) = created();
    let text = refusal(&path);
    assert!(text.contains("in use by another process"), "{text}");
    assert!(text.contains("--storage.path"), "{text}");
    // Neither is it harmed.
    store.commit(&changes(0..3, 1, "s")).unwrap();
    drop(store);
    assert_eq!(content_of(&path).0.len(), 3);
}

#[test]
fn of_processes_that_create_the_same_file_at_most_one_opens_it() {
    for _ in 0..30 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.redb");
        let start = Barrier::new(4);
        let done = Barrier::new(4);
        let had: Vec<bool> = std::thread::scope(|scope| {
            let attempt = || {
                start.wait();
                let opened = load(Backend::File(path.clone()));
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
fn a_file_created_by_another_process_is_not_replaced() {
    let (directory, path, content) = filled();
    // Two that start at the same moment both find no file; this one is slower.
    let late = Backend::File(path.clone());
    let error = late.create(|_| Ok(())).err().unwrap();
    let text = explain::explain(&late.name(), &error).to_string();
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
fn a_file_of_a_newer_format_is_refused_and_unchanged() {
    let (_directory, path, content) = filled();
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
fn a_redb_file_of_another_program_is_refused() {
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
fn an_interrupted_creation_does_not_prevent_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let unfinished = directory.path().join("t.redb.new");
    fs::write(&unfinished, "half").unwrap();
    let (store, _) = load(Backend::File(path.clone())).unwrap();
    assert!(!unfinished.exists());
    store.commit(&changes(0..3, 1, "s")).unwrap();
    drop(store);
    // One beside a ledger is not looked at.
    fs::write(&unfinished, "half").unwrap();
    assert_eq!(content_of(&path).0.len(), 3);
}

#[test]
fn an_error_names_the_path_that_cannot_be_created() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("not there").join("t.redb");
    refusal(&missing);
    let taken = directory.path().join("t.redb");
    fs::create_dir(&taken).unwrap();
    refusal(&taken);
}

#[test]
fn a_target_name_cannot_leave_the_directory() {
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
    fn a_file_name_has_safe_characters_and_belongs_to_one_target(a: String, b: String) {
        let (of_a, of_b) = (file_name(&a), file_name(&b));
        prop_assert_eq!(a == b, of_a == of_b);
        let stem = of_a.strip_suffix(".redb").unwrap();
        prop_assert!(stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-%".contains(&b)));
        // Nor can it be what another target's file is called before it is whole.
        prop_assert!(!of_a.ends_with(".new"));
    }

    #[test]
    fn similar_target_names_have_different_files(a in "[aA%./_0-9 -]{0,6}", b in "[aA%./_0-9 -]{0,6}") {
        prop_assert_eq!(a == b, file_name(&a) == file_name(&b));
    }
}
