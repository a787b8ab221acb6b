//! Runs the program in a process of its own.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Settings of glibc's allocator, as the unit and the image have them.
pub(crate) const ALLOCATOR: [(&str, &str); 2] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "393216"),
];

/// A running `cec_exporter`, killed on drop.
pub(crate) struct Spawned {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Spawned {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cec_exporter"))
            .args(arguments)
            .envs(ALLOCATOR)
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo built the program");
        let stdout = child.stdout.take().expect("stdout is piped");
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    #[allow(dead_code)] // Not used by every benchmark.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with this prefix, and returns the rest of it.
    pub(crate) fn wait_for_line(&mut self, prefix: &str) -> String {
        self.lines
            .by_ref()
            .map(|line| line.expect("the program prints text"))
            .find_map(|line| Some(line.strip_prefix(prefix)?.trim().to_owned()))
            .unwrap_or_else(|| panic!("the program ended before it printed {prefix:?}"))
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
