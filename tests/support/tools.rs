//! Programs that are not part of the toolchain, and what to do without them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether this works, such as asking a program for its version. If not it says so, loudly; where
/// CI runs, a test that proves nothing must not look like one that passed.
pub(crate) fn is_there(program: impl AsRef<Path>, arguments: &[&str], remedy: &str) -> bool {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        let told = format!(
            "{} is not there, or not all of it: {remedy}",
            program.display()
        );
        assert!(std::env::var_os("CI").is_none(), "{told}");
        // Not through the captured output of the test.
        let _ = writeln!(io::stderr(), "\n*** SKIPPED: {told} ***\n");
    }
    is_there
}

/// Whether a program that a package brings is there.
pub(crate) fn is_installed(program: &str) -> bool {
    let package = match program {
        "amtool" => "prometheus-alertmanager",
        "bwrap" => "bubblewrap",
        "groff" => "groff-base",
        "promtool" => "prometheus",
        "systemd-analyze" => "systemd",
        other => other,
    };
    let remedy = match program {
        "jsonnet" => "go install github.com/google/go-jsonnet/cmd/jsonnet@v0.21.0".to_owned(),
        _ => format!("on Debian, apt-get install {package}"),
    };
    is_there(program, &["--version"], &remedy)
}

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

/// Runs a program that reads this from its stdin.
pub(crate) fn run_with(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// A path in this repository.
pub(crate) fn in_repository(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file; a relative path is one in this repository.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = in_repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
