//! Reads the teams before a pull, which does not wait for a file system that hangs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::metrics::catalog;
use crate::metrics::exporter::TargetMetrics;
use crate::model::Teams;

/// How long a pull waits for the file, which is read in milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// A file of teams, and what was last read from it.
pub struct TeamsFile {
    path: PathBuf,
    read: ReadTeams,
    /// `None` if there was no file.
    version: Option<Version>,
    /// A bad file is refused as a whole, with an error that names it.
    pub teams: Result<Arc<Teams>, String>,
}

/// Reads a file of teams; an argument, so that the simulation needs no configuration. Blocks.
type ReadTeams = fn(&Path) -> Result<Teams, String>;

/// What differs when a file has changed: its time, its size, and its inode, because Kubernetes and
/// editors replace the file.
type Version = (SystemTime, u64, u64);

impl TeamsFile {
    /// Reads the file for the first time. Blocks.
    pub fn open(path: PathBuf, read: ReadTeams) -> Self {
        // Before the content: what changes in between is read again.
        let version = version(&path);
        let teams = read(&path).map(Arc::new);
        Self {
            version,
            teams: teams.map_err(|reason| format!("{}: {reason}", path.display())),
            path,
            read,
        }
    }

    /// Reads the file again if it has changed. Returns whether it has. Blocks.
    fn reread(&mut self) -> bool {
        let has_changed = version(&self.path) != self.version;
        if has_changed {
            *self = Self::open(self.path.clone(), self.read);
        }
        has_changed
    }
}

fn version(path: &Path) -> Option<Version> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

pub(super) struct TeamReader {
    target: String,
    metrics: TargetMetrics,
    file: Arc<Mutex<TeamsFile>>,
    /// Returns whether the file has changed. No second reading starts beside one that hangs, which
    /// holds a thread.
    reading: Option<JoinHandle<bool>>,
}

impl TeamReader {
    pub(super) fn new(target: &str, metrics: TargetMetrics, file: TeamsFile) -> Self {
        let reader = Self {
            target: target.to_owned(),
            metrics,
            file: Arc::new(Mutex::new(file)),
            reading: None,
        };
        reader.report(&reader.file.lock().teams);
        reader
    }

    fn is_reading(&self) -> bool {
        (self.reading.as_ref()).is_some_and(|reading| !reading.is_finished())
    }

    /// The teams, if they have changed, or why they cannot be read.
    pub(super) async fn changed(&mut self) -> Option<Result<Arc<Teams>, String>> {
        if self.is_reading() {
            return None;
        }
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(&self.file);
            spawn_blocking(move || file.lock().reread())
        });
        let Ok(read) = timeout(PATIENCE, reading).await else {
            warn!(
                target = self.target,
                seconds = PATIENCE.as_secs(),
                "teams_file is still being read: is a file system down? the previous teams stay in use"
            );
            return None;
        };
        self.reading = None;
        // After a panic, which has been logged, the teams stay as they are.
        if !read.unwrap_or(false) {
            return None;
        }
        let teams = self.file.lock().teams.clone();
        self.report(&teams);
        Some(teams)
    }

    fn report(&self, teams: &Result<Arc<Teams>, String>) {
        let is_ok = teams.is_ok().into();
        self.metrics.set(catalog::TEAMS_FILE_OK, is_ok);
        let target = &self.target;
        match teams {
            Ok(teams) => info!(target, teams = teams.names().len(), "teams_file read"),
            Err(reason) => {
                error!(target, %reason, "teams_file not read; the previous teams stay in use");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use tokio::time::advance;

    use super::*;
    use crate::config::read_teams;
    use crate::puller::tests::metrics;

    #[test]
    fn a_file_is_read_again_when_it_changes_appears_or_disappears() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("teams.csv");
        let write = |text| fs::write(&path, text).unwrap();
        let mut file = TeamsFile::open(path.clone(), read_teams);
        let expect = |file: &TeamsFile, expected: &str| {
            let shown = match &file.teams {
                Ok(teams) => teams.names().collect(),
                Err(reason) => reason.clone(),
            };
            let expected = expected.replace("FILE", path.to_str().unwrap());
            assert!(shown.starts_with(&expected), "{shown}");
        };
        expect(&file, "FILE: cannot be read: No such file");
        assert!(!file.reread(), "it is still absent");
        write("staff_id,team\n1,a\n");
        assert!(file.reread());
        expect(&file, "a");
        assert!(!file.reread());
        write("staff_id,team\n1,\n");
        assert!(file.reread());
        expect(&file, "FILE: line 2: team is empty");
        assert!(!file.reread());
        fs::remove_file(&path).unwrap();
        assert!(file.reread());
        expect(&file, "FILE: cannot be read: No such file");
        assert!(!file.reread());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_hangs_is_not_waited_for_again_and_not_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("teams.csv");
        fs::write(&path, "staff_id,team\n").unwrap();
        let mut reader = TeamReader::new("t", metrics(), TeamsFile::open(path.clone(), read_teams));
        fs::write(&path, "staff_id,team\n1,a\n").unwrap();
        // While another thread holds the file, reading it takes as long.
        let (hold, held) = mpsc::channel::<()>();
        let (release, released) = mpsc::channel::<()>();
        let file = Arc::clone(&reader.file);
        let holder = std::thread::spawn(move || {
            let _file = file.lock();
            drop(hold);
            let _ = released.recv();
        });
        assert!(held.recv().is_err());
        let (slow, ()) = tokio::join!(reader.changed(), advance(PATIENCE));
        assert!(slow.is_none() && reader.is_reading());
        assert!(reader.changed().await.is_none(), "it is still being read");
        drop(release);
        holder.join().unwrap();
        while reader.is_reading() {
            tokio::task::yield_now().await;
        }
        let teams = reader.changed().await.unwrap().unwrap();
        assert_eq!(teams.of("1"), Some("a"));
        assert!(reader.changed().await.is_none());
    }
}
