//! The program with a ledger on disk: processes that are ended, killed and started again in the
//! same directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::process::{self, Exporter, Killed, LISTEN, command, configuration};

/// A directory with a configuration and ledgers, for one process after the other.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(targets: &[String]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.configure(targets);
        place
    }

    pub(crate) fn configure(&self, targets: &[String]) {
        process::configure(self.path(), &configuration(targets));
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where the ledger of a target lies.
    pub(crate) fn ledger(&self, target: &str) -> PathBuf {
        self.path().join("data").join(format!("{target}.redb"))
    }

    /// Names of all files and directories in it.
    pub(crate) fn listed(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(directory)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    fn serving(&self, flags: &[&str]) -> Command {
        let mut command = command(self.path());
        command.args([LISTEN, "--web.enable-lifecycle"]).args(flags);
        command
    }

    pub(crate) fn start(&self, flags: &[&str]) -> Exporter {
        Exporter::spawn(&mut self.serving(flags))
    }

    /// A process that is told when it has written too much, and not killed for it.
    pub(crate) fn start_that_can_be_limited(&self) -> Exporter {
        let program = self.serving(&[]);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(self.path())
            .env_clear();
        Exporter::spawn(&mut shell)
    }

    /// One that may be killed before it has said anything.
    pub(crate) fn spawn(&self, log: &Path) -> Killed {
        let log = std::fs::File::create(log).unwrap();
        let mut command = self.serving(&[]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Killed(command.spawn().unwrap())
    }

    /// Runs the program to an end that is expected to come by itself.
    pub(crate) fn run(&self, flags: &[&str]) -> Output {
        self.serving(flags).output().unwrap()
    }
}
