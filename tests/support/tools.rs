//! Programs that are not part of the toolchain, and what to do without them.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use super::installed::works as is_there;

/// Runs a program to its end, expects success of it, and gives what it says on stdout.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// A path in this repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file in this repository.
pub(crate) fn read(path: &str) -> String {
    let whole = in_repository(path);
    std::fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The directory of a Go module, as `path@version`; `None` without a Go that could fetch it.
pub(crate) fn go_module(module: &str) -> Option<PathBuf> {
    if !is_there("go", &["version"], "install Go from https://go.dev/dl/") {
        return None;
    }
    // Outside of a module nothing else is asked for.
    let directory = tempfile::tempdir().unwrap();
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", module])
        .current_dir(directory.path());
    let answer: serde_json::Value = serde_json::from_str(&run(&mut go)).unwrap();
    Some(PathBuf::from(answer["Dir"].as_str().unwrap()))
}

/// The validator of YAML files; `None` without what it needs.
pub(crate) fn schemas() -> Option<Command> {
    let needs = "import jsonschema, kubernetes_validate, yaml";
    let remedy = "pip install jsonschema kubernetes-validate PyYAML";
    let script = in_repository("tests/support/schemas.py");
    is_there("python3", &["-c", needs], remedy).then(|| {
        let mut command = Command::new("python3");
        command.arg(script);
        command
    })
}
