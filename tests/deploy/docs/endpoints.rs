//! The HTTP endpoints are those of the server.

use std::collections::BTreeSet;

use super::page::both;
use crate::support::client::ask;
use crate::support::process::{Exporter, command};
use crate::support::tools::read;

/// The paths of the table, without query; with the method where it is not GET.
fn documented() -> [BTreeSet<(String, &'static str)>; 2] {
    both("cli").map(|page| {
        let rows = page.table("endpoints");
        let paths = rows.iter().map(|row| {
            let path = row[0].split('`').nth(1).unwrap();
            let path = path.split('?').next().unwrap().to_owned();
            let method = if row[0].contains("POST") {
                "POST"
            } else {
                "GET"
            };
            (path, method)
        });
        paths.collect()
    })
}

#[test]
fn every_documented_endpoint_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Exporter::demo(&mut command(directory.path()), &[]);
    let answer = |method: &str, path: &str| ask(method, &demo.address, path, &[]).status;
    let [english, chinese] = documented();
    assert_eq!(english, chinese);
    assert!(english.len() >= 7, "{english:?}");
    for (path, method) in english {
        let expected = match &*path {
            // Without a target, and without --web.enable-lifecycle.
            "/probe" => 400,
            "/-/reload" => 403,
            _ => 200,
        };
        assert_eq!(answer(method, &path), expected, "{path}");
        let other = if method == "GET" { "PUT" } else { "GET" };
        assert_eq!(answer(other, &path), 405, "{path}");
    }
    assert_eq!(answer("GET", "/-/nothing"), 404);
}

#[test]
fn every_endpoint_of_the_server_is_documented() {
    let routes = read("src/server/routes.rs");
    // Paths as the server matches them: `"/sd" => ...`.
    let matched = routes.lines().filter_map(|line| {
        let (path, _) = line.trim().strip_prefix('"')?.split_once("\" =>")?;
        path.starts_with('/').then_some(path)
    });
    let matched: BTreeSet<&str> = matched.collect();
    assert!(matched.len() >= 6, "{matched:?}");
    let [english, _] = documented();
    for path in matched {
        let is_documented = english.iter().any(|(known, _)| known == path);
        assert!(is_documented, "{path} is not in docs/cli.md");
    }
}
