//! Tells the program which commit and which compiler it was built from.
//!
//! Neither may fail a build: sources come without git too, as an archive or from the registry.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CEC_REVISION");
    let given = env::var("CEC_REVISION")
        .ok()
        .filter(|revision| is_word(revision));
    let revision = given
        .or_else(git_revision)
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=CEC_REVISION={revision}");

    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = output(&compiler, &["--version"])
        .and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .filter(|version| is_word(version));
    println!(
        "cargo::rustc-env=CEC_RUSTC={}",
        version.as_deref().unwrap_or("unknown")
    );
}

/// The commit that is checked out here. A repository further up is another project's.
fn git_revision() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // A commit moves the branch and not HEAD, and the branch may be a file of its own, or a line
    // in packed-refs, or become the one from the other; the log of HEAD grows with all of them.
    // A file that is not there would count as changed at every build.
    let branch = output("git", &["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref())
    {
        if let Some(path) = output("git", &["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    output("git", &["rev-parse", "--short", "HEAD"]).filter(|revision| is_word(revision))
}

/// Whether a text can stand in a version and in a directive of the build without harm.
fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

/// The first line that a command prints; `None` if it cannot be run or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or_default().to_owned())
}
