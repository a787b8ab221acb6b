//! The program itself in a process of its own.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running `cec_exporter`, which ends with this.
pub(crate) struct Spawned {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Spawned {
    /// Starts it with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cec_exporter"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built for this benchmark");
        let stdout = child.stdout.take().expect("it is piped");
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// The process.
    #[allow(dead_code)] // Not every benchmark asks.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with this beginning, and gives what follows.
    pub(crate) fn said(&mut self, beginning: &str) -> String {
        self.lines
            .by_ref()
            .map(|line| line.expect("it writes text"))
            .find_map(|line| Some(line.strip_prefix(beginning)?.trim().to_owned()))
            .unwrap_or_else(|| panic!("it ended before it said {beginning:?}"))
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
