//! Files that were damaged, cut short or never a ledger.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::*;

#[test]
fn a_file_that_is_no_database_is_refused_and_unchanged() {
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
fn a_truncated_file_is_refused_or_read_completely() {
    let (_directory, path, whole) = filled();
    let bytes = fs::read(&path).unwrap();
    let mut lengths: Vec<usize> = (0..bytes.len()).step_by(100_000).collect();
    lengths.extend([1, 319, 320, 4096, bytes.len() / 2, bytes.len() - 1]);
    for length in lengths {
        fs::write(&path, &bytes[..length]).unwrap();
        let refused = refused_or(
            &path,
            &[&whole],
            None,
            &format!("{length} of {}", bytes.len()),
        );
        assert!(refused || length > bytes.len() / 2, "{length}");
    }
}

#[test]
fn a_damaged_file_is_refused_or_read_completely() {
    let (_directory, path, whole) = filled();
    let refused = damage_everywhere(&path, &[&whole], None);
    assert!(refused > 100, "damage went unnoticed: {refused}");
}

/// A file as a process leaves it that is killed after its second commit; with the content before
/// that, and after it.
fn killed() -> (TempDir, PathBuf, Content, Content) {
    let (directory, path, before) = filled();
    let (store, _) = load(Backend::File(path.clone())).unwrap();
    store.commit(&changes(100..900, 7, "last")).unwrap();
    let killed = directory.path().join("killed.redb");
    fs::copy(&path, &killed).unwrap();
    drop(store);
    (directory, killed, before, content_of(&path))
}

#[test]
fn a_damaged_file_of_a_killed_process_is_refused_or_read_completely() {
    let (_directory, killed, before, whole) = killed();
    let bytes = fs::read(&killed).unwrap();
    assert!(content_of(&killed) == whole);
    // Opening has mended it.
    fs::write(&killed, &bytes).unwrap();
    let refused = damage_everywhere(&killed, &[&whole], Some(&before));
    assert!(refused > 40, "damage went unnoticed: {refused}");
}

#[test]
fn a_flipped_bit_in_the_file_of_a_killed_process_is_refused_or_harmless() {
    let (_directory, killed, before, whole) = killed();
    let bytes = fs::read(&killed).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut refused = 0;
    for block in (0..bytes.len()).step_by(4096) {
        for _ in 0..8 {
            let offset = block + rng.usize(..4096.min(bytes.len() - block));
            let mut damaged = bytes.clone();
            damaged[offset] ^= 1 << rng.u32(..8);
            fs::write(&killed, &damaged).unwrap();
            let how = format!("a bit at {offset}");
            refused += usize::from(refused_or(&killed, &[&whole], Some(&before), &how));
        }
    }
    assert!(refused > 40, "damage went unnoticed: {refused}");
}

#[test]
fn a_flipped_bit_that_selects_the_older_commit_is_detected() {
    let (_directory, killed, before, whole) = killed();
    let mut bytes = fs::read(&killed).unwrap();
    assert!(!backend::has_unused_commit(&bytes));
    bytes[9] ^= 1;
    assert!(backend::has_unused_commit(&bytes));
    fs::write(&killed, &bytes).unwrap();
    refused_or(&killed, &[&whole], Some(&before), "the bit");
    for length in [0, 9, 64, 319] {
        backend::has_unused_commit(&bytes[..length]);
    }
}

/// Damages a file in each of its blocks in turn; answers how often it was then refused.
fn damage_everywhere(path: &Path, allowed: &[&Content], told: Option<&Content>) -> usize {
    let bytes = fs::read(path).unwrap();
    let mut rng = fastrand::Rng::with_seed(2);
    let mut refused = 0;
    let mut damage = |name: &str, offset: usize, new: &[u8]| {
        let mut damaged = bytes.clone();
        damaged[offset..offset + new.len()].copy_from_slice(new);
        fs::write(path, &damaged).unwrap();
        refused += usize::from(refused_or(
            path,
            allowed,
            told,
            &format!("{name} at {offset}"),
        ));
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

/// Answers whether a file was refused; if not, its content must be one of these, or the one that
/// is allowed where the loss is told.
fn refused_or(path: &Path, allowed: &[&Content], told: Option<&Content>, how: &str) -> bool {
    let is_told = backend::has_unused_commit(&fs::read(path).unwrap());
    match catch_unwind(AssertUnwindSafe(|| content(path))) {
        Err(_) => panic!("{how}: a panic"),
        Ok(Ok(found)) => {
            assert!(
                allowed.contains(&&found) || is_told && told == Some(&found),
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
