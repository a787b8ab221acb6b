//! The file system of a path.

use std::fs;
use std::path::Path;

/// Type and mount point of the file system of a path; Linux only.
pub(super) fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_in(&mounts, &fs::canonicalize(path.parent()?).ok()?)
}

/// Looks a path up in the format of `/proc/self/mountinfo`, see proc(5).
pub(super) fn file_system_in(mounts: &str, path: &Path) -> Option<String> {
    let mounted = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let place = place.split(' ').nth(4)?.replace("\\040", " ");
        let kind = kind.split(' ').next()?;
        path.starts_with(&place).then_some((place, kind))
    });
    // A later mount covers an earlier one.
    mounted
        .max_by_key(|(place, _)| place.len())
        .map(|(place, kind)| format!("{kind} at {place}"))
}
