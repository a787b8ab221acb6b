//! Programs that a test needs and a machine may not have.

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

/// Whether this works, such as asking a program for its version. If not it says so, loudly; where
/// CI runs, a test that proves nothing must not look like one that passed.
pub(crate) fn works(program: impl AsRef<Path>, arguments: &[&str], remedy: &str) -> bool {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).output();
    let works = output.is_ok_and(|output| output.status.success());
    if !works {
        let told = format!(
            "{} is not there, or not all of it: {remedy}",
            program.display()
        );
        assert!(std::env::var_os("CI").is_none(), "{told}");
        // Not through the captured output of the test.
        let _ = writeln!(io::stderr(), "\n*** SKIPPED: {told} ***\n");
    }
    works
}

/// Whether a program of a package of Debian's is there.
pub(crate) fn is_installed(program: &str, package: &str) -> bool {
    let remedy = format!("on Debian, apt-get install {package}");
    works(program, &["--version"], &remedy)
}
