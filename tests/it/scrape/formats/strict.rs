//! The strict OpenMetrics parser of Python's `prometheus_client` accepts the program's output.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::client::ask;
use crate::support::process::{Exporter, command};
use crate::support::tools::{is_there, run_with};

const OPENMETRICS: (&str, &str) = ("Accept", "application/openmetrics-text;version=1.0.0");

/// A Python with the library: of this variable, or from `.ci/run`.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = match std::env::var_os("CEC_TEST_PYTHON") {
        Some(python) => python.into(),
        None => root.join("target/tools/python/bin/python"),
    };
    let imports = ["-c", "import prometheus_client.openmetrics.parser"];
    let remedy = "python3 -m venv target/tools/python && \
        target/tools/python/bin/pip install prometheus_client";
    is_there(&python, &imports, remedy).then_some(python)
}

fn parse(python: &Path, text: &str) -> Result<Value, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scrape/formats/strict.py");
    let output = run_with(Command::new(python).arg(script), text);
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_strict_parser_accepts_the_output_of_the_demo() {
    let Some(python) = python() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--metrics.exemplars", "--metrics.created-timestamps"];
    let demo = Exporter::demo(&mut command(directory.path()), &flags);
    let mut text = String::new();
    for path in ["/metrics", "/probe?target=demo"] {
        text = ask("GET", &demo.address, path, &[OPENMETRICS]).body;
        let found = parse(&python, &text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(found["samples"].as_u64().unwrap() > 400, "{path}: {found}");
        assert_eq!(found["without_created"].to_string(), "[]", "{path}");
        assert_eq!(found["units"]["cec_call_duration_seconds"], "seconds");
        let exemplars = found["exemplars"].as_array().unwrap();
        assert!(exemplars.len() > 50, "{path}: {}", exemplars.len());
        for exemplar in exemplars {
            let bound = exemplar["le"].as_str().unwrap().replace("+Inf", "inf");
            let value = exemplar["value"].as_f64().unwrap();
            assert!(value <= bound.parse().unwrap(), "{exemplar}");
            let uuid = exemplar["labels"]["call_uuid"].as_str().unwrap();
            assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{exemplar}");
        }
    }
    // The parser is indeed strict.
    for (error, from, to) in [
        ("no end", "# EOF\n", ""),
        ("no last bucket", "le=\"+Inf\"", "le=\"1e5\""),
        (
            "a unit that differs from the name",
            "# UNIT cec_call_silence_seconds seconds",
            "# UNIT cec_call_silence_seconds bytes",
        ),
        ("a counter without _total", "cec_calls_total{", "cec_calls{"),
        ("an unterminated exemplar", "\"} 1", "\" 1"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{error}");
        let parsed = parse(&python, &broken);
        assert!(parsed.is_err(), "the parser accepts {error}");
    }
}

#[test]
fn exemplars_and_created_lines_are_off_by_default() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Exporter::demo(&mut command(directory.path()), &[]);
    let text = ask("GET", &demo.address, "/metrics", &[OPENMETRICS]).body;
    assert!(!text.contains("_created") && text.ends_with("# EOF\n"));
    assert!(!text.contains("uuid") && !text.contains(" # {"));
}
