//! The files of ledgers: who may read them, and which of them nobody uses.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::refused;
use crate::support::process::{Exporter, LISTEN, target};
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::storage_processes::Place;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nobody_else_may_read_them_whatever_the_umask_is() {
    for umask in ["000", "022", "777"] {
        let place = Place::new(&[target("a", "http://127.0.0.1:9", "")]);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
            .args([env!("CARGO_BIN_EXE_cec_exporter"), LISTEN])
            .current_dir(place.path())
            .env_clear();
        let _exporter = Exporter::spawn(&mut shell);
        let data = place.path().join("data");
        assert_eq!(mode(&data), 0o700, "{umask}");
        assert_eq!(mode(&place.ledger("a")), 0o600, "{umask}");
    }
}

#[test]
fn a_directory_that_is_there_stays_as_it_is() {
    let place = Place::new(&[target("a", "http://127.0.0.1:9", "")]);
    let data = place.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    place.start(&[]).end();
    assert_eq!(mode(&data), 0o755);
}

#[test]
fn a_target_that_begins_anew_is_told() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let named = |name: &str| target(name, &vendor.endpoint, "");
    let place = Place::new(&[named("a"), named("b")]);
    let exporter = place.start(&[]);
    exporter.scrape();
    let page = exporter.get("/").body;
    assert!(page.contains("<dt>Counters since</dt>"), "{page}");
    let log = exporter.end();
    assert!(log.contains("no ledgers in the directory"), "{log}");
    assert!(!log.contains("unused="), "{log}");

    let log = place.start(&[]).end();
    assert!(!log.contains("no ledger found"), "{log}");

    place.configure(&[named("a"), named("renamed")]);
    let exporter = place.start(&[]);
    // As the line says; and at a reload too.
    place.configure(&[named("a"), named("again")]);
    assert_eq!(exporter.post("/-/reload").status, 200);
    let log = exporter.end();
    let begun: Vec<&str> = log
        .lines()
        .filter(|l| l.contains("no ledger found"))
        .collect();
    let [started, reloaded] = begun[..] else {
        panic!("{log}")
    };
    for (line, target, unused) in [
        (started, "target=renamed", "unused=b.redb"),
        (reloaded, "target=again", "unused=\"b.redb renamed.redb\""),
    ] {
        for part in ["level=warn", target, unused] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
    fs::rename(place.ledger("b"), place.ledger("again")).unwrap();
    let log = place.start(&[]).end();
    assert!(!log.contains("no ledger found"), "{log}");
}

#[test]
fn a_link_to_a_volume_that_is_not_mounted_is_told() {
    let place = Place::new(&[target("a", "http://127.0.0.1:9", "")]);
    let data = place.path().join("data");
    symlink("/volume/that/is/not/there", &data).unwrap();
    let line = refused(&place.run(&[]));
    assert!(line.contains("a symbolic link to /volume/that"), "{line}");
    fs::remove_file(&data).unwrap();

    fs::create_dir(&data).unwrap();
    symlink("/volume/a.redb", data.join("a.redb")).unwrap();
    let line = refused(&place.run(&[]));
    assert!(line.contains("a symbolic link to /volume/a.redb"), "{line}");
    assert!(!line.contains("in use"), "{line}");
}
