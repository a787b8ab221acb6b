//! Programs that a test needs and a machine may not have.

use std::io::{self, Write};
use std::process::Command;

/// Whether a program is there. If not it says so, loudly; where CI runs, a test that proves nothing
/// must not look like one that passed.
pub(crate) fn is_installed(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        let remedy = format!("{program} is not installed; on Debian: apt-get install {package}");
        assert!(std::env::var_os("CI").is_none(), "{remedy}");
        // Not through the captured output of the test.
        let _ = writeln!(io::stderr(), "\n*** SKIPPED: {remedy} ***\n");
    }
    found
}
