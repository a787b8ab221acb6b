//! The unit for systemd: hardened as far as it can be, and the exporter works within that.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::process::Exporter;
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::tools::{in_repository, is_installed, is_there, read, run};
use cec_exporter::cli::Cli;

const FOLDER: &str = "deploy/systemd";
const BINARY: &str = env!("CARGO_BIN_EXE_cec_exporter");
/// The most that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "15";

/// The values of a setting of the unit.
fn settings<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .collect()
}

fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let all = settings(unit, name);
    assert_eq!(all.len(), 1, "{name}");
    all[0]
}

fn unit() -> String {
    read(format!("{FOLDER}/cec_exporter.service"))
}

/// The file of variables as systemd reads it, as far as ours goes.
fn variables(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

/// The words of the command, with `$ARGS` from this file of variables.
fn command_line(unit: &str, default: &str) -> Vec<String> {
    let variables = variables(default);
    let words = setting(unit, "ExecStart").split_whitespace();
    words
        .flat_map(|word| match word.strip_prefix('$') {
            None => vec![word.to_owned()],
            Some(name) => {
                let found = variables.iter().find(|(known, _)| known == name);
                let value = &found.unwrap_or_else(|| panic!("{word}")).1;
                value.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}

/// A copy of the unit that can be verified on a machine where the program is not installed.
fn write(directory: &Path, unit: &str) -> String {
    let path = directory.join("cec_exporter.service");
    fs::write(&path, unit.replace("/usr/bin/cec_exporter", BINARY)).unwrap();
    path.display().to_string()
}

#[test]
fn systemd_takes_the_unit() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let verify = |unit: &str| {
        let path = write(directory.path(), unit);
        let verify = ["verify", "--man=no", &path];
        let output = Command::new("systemd-analyze").args(verify).output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    let unit = unit();
    assert_eq!(verify(&unit), "");
    assert_ne!(
        verify(&unit.replace("ProtectHome=yes", "ProtectHome=maybe")),
        ""
    );
    assert_ne!(verify(&unit.replace("DynamicUser=", "DynamicUsers=")), "");
}

/// The socket is verified together with the service that it starts.
#[test]
fn systemd_takes_the_socket() {
    let socket = read(format!("{FOLDER}/cec_exporter.socket"));
    let cli = Cli::from_arguments(["cec_exporter"]).unwrap();
    let default = cli.serve.listen_addresses[0].to_string();
    let port = setting(&socket, "ListenStream");
    assert_eq!(format!(":{port}"), default, "the documented port");
    if !is_installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &unit());
    let verify = |socket: &str| {
        let path = directory.path().join("cec_exporter.socket");
        fs::write(&path, socket).unwrap();
        let verify = ["verify", "--man=no", path.to_str().unwrap()];
        let output = Command::new("systemd-analyze").args(verify).output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    assert_eq!(verify(&socket), "");
    for (right, wrong) in [("Backlog=", "Backlogs="), ("=10042", "=port")] {
        assert_ne!(verify(&socket.replace(right, wrong)), "", "{wrong}");
    }
    // Without the service there is nothing that the socket could start.
    fs::remove_file(directory.path().join("cec_exporter.service")).unwrap();
    assert_ne!(verify(&socket), "");
}

#[test]
fn the_image_has_the_same_settings_of_the_allocator() {
    let of = |text: &str| -> Vec<String> {
        let words = text.split([' ', '=', '\n', '"', '(', ')', ',']);
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let settings = words
            .windows(2)
            .filter(|pair| pair[0].starts_with("MALLOC_"));
        settings.map(|pair| pair.join("=")).collect()
    };
    let in_unit = of(&unit());
    assert_eq!(in_unit.len(), 2, "{in_unit:?}");
    assert_eq!(of(&read("deploy/docker/Dockerfile")), in_unit);
    assert_eq!(of(&read("benches/common/spawned.rs")), in_unit, "measured");
}

#[test]
fn hardly_anything_is_exposed() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let is_enough = |unit: &str| {
        let path = write(directory.path(), unit);
        let threshold = format!("--threshold={EXPOSURE}");
        let security = [
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            &path,
        ];
        let output = Command::new("systemd-analyze")
            .args(security)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("Overall exposure level"), "{told}");
        output.status.success()
    };
    let unit = unit();
    assert!(is_enough(&unit));
    for line in [
        "CapabilityBoundingSet=\n",
        "SystemCallFilter=@system-service\n",
        "RestrictNamespaces=yes\n",
    ] {
        assert!(unit.contains(line), "{line}");
        assert!(!is_enough(&unit.replace(line, "")), "{line}");
    }
}

#[test]
fn the_exporter_takes_its_flags() {
    let default = read(format!("{FOLDER}/cec_exporter.default"));
    assert!(Cli::from_arguments(command_line(&unit(), &default)).is_ok());
    let flags = default.replace(
        "ARGS=\"\"",
        "ARGS=\"--web.listen-address=:1 --storage.in-memory\"",
    );
    let cli = Cli::from_arguments(command_line(&unit(), &flags)).unwrap();
    assert!(cli.serve.in_memory);
    let socket = default.replace("ARGS=\"\"", "ARGS=\"--web.systemd-socket\"");
    let cli = Cli::from_arguments(command_line(&unit(), &socket)).unwrap();
    assert!(cli.serve.systemd_socket);
    assert!(
        Cli::from_arguments(command_line(
            &unit(),
            &flags.replace("--storage", "--storrage")
        ))
        .is_err()
    );
}

/// What the unit allows, by bubblewrap instead of systemd: the root is read-only, the state
/// directory alone is not, there is no right left, and only its system calls are allowed.
#[test]
fn the_exporter_works_within_it() {
    let seccomp = is_installed("bwrap")
        && is_there(
            "/usr/bin/python3",
            &["-c", "import seccomp"],
            "apt-get install python3-seccomp",
        );
    if !seccomp || !is_installed("systemd-analyze") {
        return;
    }
    let unit = unit();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let program = Command::new("/usr/bin/python3")
        .arg(in_repository("tests/support/unit_filter.py"))
        .arg(in_repository(FOLDER).join("cec_exporter.service"))
        .output()
        .unwrap();
    assert!(program.status.success(), "{program:?}");
    fs::write(path("filter"), program.stdout).unwrap();

    // The example, filled in.
    let vendor = SimulatedVendor::frozen(settled(1000));
    let example = read(format!("{FOLDER}/cec_exporter.yml"));
    let config = |lookback: &str| {
        let filled = example
            .replace("https://service.besclouds.com", &vendor.endpoint)
            .replace("app_key: \"\"", "app_key: key")
            .replace(
                "user_id: \"\"",
                &format!("user_id: user\n    lookback: {lookback}"),
            );
        fs::write(path("config/cec_exporter.yml"), filled).unwrap();
    };
    for name in ["config", "credentials", "state"] {
        fs::create_dir(path(name)).unwrap();
    }
    config("2h");
    // As systemd names the file `support` of that directory.
    let (id, from) = setting(&unit, "LoadCredential").split_once(':').unwrap();
    assert_eq!(from, "/etc/cec_exporter/credentials");
    fs::write(
        path("credentials").join(format!("{id}_support")),
        "secret\n",
    )
    .unwrap();

    let default = "ARGS=\"--web.listen-address=127.0.0.1:0\"";
    let mut words = command_line(&unit, default);
    words[0] = BINARY.to_owned();
    let state = format!("/var/lib/{}", setting(&unit, "StateDirectory"));
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"exec bwrap --seccomp 9 "$@" 9<"$0""#])
        .arg(path("filter"))
        .args(["--unshare-user", "--uid", "61184", "--gid", "61184"])
        .args(["--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL"])
        .args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"])
        .args(["--tmpfs", "/etc", "--dir", "/etc/cec_exporter", "--ro-bind"])
        .args([path("config"), "/etc/cec_exporter".into()])
        .args(["--tmpfs", "/run", "--ro-bind"])
        .args([path("credentials"), "/run/credentials".into()])
        .args(["--tmpfs", "/var/lib", "--bind"])
        .args([path("state"), state.into()])
        .args(["--chdir", "/", "--"])
        .args(words)
        .env_clear()
        .env("CREDENTIALS_DIRECTORY", "/run/credentials");
    let mut exporter = Exporter::spawn(&mut command);
    let samples = exporter.scrape_until("the first pull", |samples| {
        samples.sum("cec_up", &[("target", "support")]) == 1.0
    });
    // These need more of /proc than a process of its own.
    assert!(samples.sum("process_start_time_seconds", &[]) > 0.0);
    assert!(path("state/support.redb").exists());

    // As `systemctl reload` and `systemctl stop`, though to the process behind bubblewrap.
    assert_eq!(setting(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    let children = format!("/proc/{0}/task/{0}/children", exporter.process.id());
    let child = fs::read_to_string(children).unwrap().trim().to_owned();
    let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap();
    for line in [
        "Seccomp:\t2\n",
        "NoNewPrivs:\t1\n",
        "CapEff:\t0000000000000000\n",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let signal = |name: &str| run(Command::new("kill").args([name, &child]));
    config("3h");
    signal("-HUP");
    exporter.scrape_until("the new configuration", |samples| {
        samples.sum("cec_window_seconds", &[]) == 3.0 * 3600.0
    });
    signal("-TERM");
    let process = &mut exporter.process;
    assert!(process.ended().success(), "{}", process.stderr());
}
