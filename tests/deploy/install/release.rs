//! What a release is made of: the crate, the Debian package, and the workflows that make them.

use std::fs;
use std::process::{Command, Output};

use super::text;
use crate::support::tools::{in_repository, is_installed, is_there, read, run, run_with};
use serde_json::Value;

/// What cargo knows of this package.
fn package() -> Value {
    let metadata = run(Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(in_repository("")));
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    // The other one is a dependency of the tests.
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let own = packages.find(|package| package["name"] == env!("CARGO_PKG_NAME"));
    own.unwrap().clone()
}

#[test]
fn the_crate_has_what_the_build_reads_and_nothing_that_is_large() {
    let list = run(Command::new(env!("CARGO"))
        .args([
            "package",
            "--list",
            "--locked",
            "--offline",
            "--allow-dirty",
        ])
        .current_dir(in_repository("")));
    let files: Vec<&str> = list.lines().collect();
    for file in [
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "build.rs",
        "src/main.rs",
        "src/server/status_page/status.css",
    ] {
        assert!(files.contains(&file), "{file}");
    }
    for file in files {
        let top = file.split('/').next().unwrap();
        assert!(
            !["deploy", "tests", "dashboards", "target", ".github", ".ci"].contains(&top),
            "{file}"
        );
    }
}

#[test]
fn the_debian_package_has_what_the_unit_speaks_of() {
    let package = package();
    let deb = &package["metadata"]["deb"];
    let mut installed = Vec::new();
    for asset in deb["assets"].as_array().unwrap() {
        let (from, to) = (text(&asset[0]), text(&asset[1]));
        let name = from.rsplit_once('/').map_or(from, |(_, name)| name);
        installed.push(match to.strip_suffix('/') {
            Some(folder) => format!("/{folder}/{name}"),
            None => format!("/{to}"),
        });
        let (folder, pattern) = from.rsplit_once('/').unwrap_or((".", from));
        let is_built = folder == "target/release";
        let is_there = match pattern.strip_prefix('*') {
            Some(ending) => fs::read_dir(in_repository(folder)).unwrap().any(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .ends_with(ending)
            }),
            None => in_repository(from).exists(),
        };
        assert!(is_built || is_there, "{from}");
    }
    let units = &deb["systemd-units"];
    let unit = format!(
        "{}/{}.service",
        text(&units["unit-scripts"]),
        text(&units["unit-name"])
    );
    let unit = read(&unit);
    for name in ["EnvironmentFile=-", "ExecStart=", "--config.file="] {
        let (_, rest) = unit.split_once(name).unwrap();
        let path = rest.split_whitespace().next().unwrap();
        assert!(installed.iter().any(|file| file == path), "{path}");
    }
    let (_, secrets) = unit.split_once("LoadCredential=cec:").unwrap();
    let folder = secrets.lines().next().unwrap();
    assert!(
        installed
            .iter()
            .any(|file| file.starts_with(&format!("{folder}/"))),
        "{folder}"
    );
    for file in deb["conf-files"].as_array().unwrap() {
        assert!(installed.iter().any(|path| path == text(file)), "{file}");
    }
    // The package has the files for Prometheus and Grafana in both languages, and its page lists the folders.
    let page = read("deploy/systemd/README.md");
    for (folder, pattern) in [
        ("rules/", "*.rules.yml"),
        ("rules/", "runbooks/*.md"),
        ("dashboards/", "*.json"),
    ] {
        let folder = format!("/usr/share/cec-exporter/{folder}");
        assert!(page.contains(&format!("| `{folder}` |")), "{folder}");
        for language in ["", "zh-CN/"] {
            let path = format!("{folder}{language}{pattern}");
            assert!(installed.contains(&path), "{path}");
        }
    }
}

fn notes(version: &str, changelog: &str) -> Output {
    let mut notes = Command::new(in_repository(".github/release-notes"));
    run_with(notes.arg(version), changelog)
}

#[test]
fn the_notes_of_a_release_are_its_part_of_the_changelog() {
    let changelog = "# Changelog\n\n## [Unreleased]\n\n- later\n\n## [1.2.0] - 2026-01-31\n\n\
        ### Added\n\n- this\n\n## [1.1.0] - 2025-12-31\n\n- earlier\n\n## [1.0.0]\n";
    let output = notes("1.2.0", changelog);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        "### Added\n\n- this"
    );
    for version in ["1.0.0", "1.3.0", "1.1", "1.2"] {
        let output = notes(version, changelog);
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{version}: {output:?}"
        );
    }
    // In the one that there is, all is written down so far.
    assert!(notes("Unreleased", &read("CHANGELOG.md")).status.success());
}

#[test]
fn the_workflows_are_sound() {
    let remedy = "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";
    if is_there("actionlint", &["-version"], remedy) {
        run(Command::new("actionlint").current_dir(in_repository("")));
    }
    let workflows = ["ci", "release"].map(|name| read(format!(".github/workflows/{name}.yml")));
    let mut actions = 0;
    for line in workflows.iter().flat_map(|text| text.lines()) {
        let Some((_, action)) = line.split_once("uses: ") else {
            continue;
        };
        actions += 1;
        let version = action.split_once("@v").map_or("", |(_, version)| version);
        let is_exact = version
            .split('.')
            .filter(|part| part.parse::<u32>().is_ok())
            .count()
            == 3;
        assert!(
            is_exact || action.starts_with("./"),
            "{action}: no exact version"
        );
    }
    assert!(actions > 8, "only {actions} actions found");
    assert!(workflows[0].contains("- run: .ci/run\n"));
    // The same compiler makes the binaries of the release and the image.
    let dockerfile = read("deploy/docker/Dockerfile");
    let (_, base) = dockerfile.split_once("\nFROM ").unwrap();
    let base = base.split_whitespace().next().unwrap();
    assert!(
        workflows[1].contains(&format!("container: {base}\n")),
        "{base}"
    );
}

#[test]
fn archives_packages_and_images_hold_the_licences_of_all_crates() {
    if !is_installed("python3") {
        return;
    }
    let notices = run(Command::new(in_repository("deploy/third-party-licenses"))
        .current_dir(in_repository(""))
        .env("CARGO_NET_OFFLINE", "true"));
    let tree = run(Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges=normal"])
        .args(["--prefix=none", "--format={p}"])
        .current_dir(in_repository("")));
    let mut crates = 0;
    for line in tree.lines().skip(1) {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let heading = format!("\n{name} {} (", version.trim_start_matches('v'));
        assert!(notices.contains(&heading), "{line}");
        crates += 1;
    }
    assert!(crates > 100, "{crates}");
    for text in [
        "TERMS AND CONDITIONS FOR USE",
        "Permission is hereby granted",
    ] {
        assert!(notices.contains(text), "{text}");
    }
    for file in [
        ".github/workflows/release.yml",
        "deploy/docker/Dockerfile",
        "deploy/systemd/package",
    ] {
        assert!(
            read(file).contains("deploy/third-party-licenses "),
            "{file}"
        );
    }
}
