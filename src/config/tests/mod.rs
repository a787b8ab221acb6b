//! What a configuration accepts, and one line for each mistake.

mod mistakes;
mod value_mistakes;
mod variables;

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use super::*;
use crate::model::{CallType, Status};

/// The required keys of a target except its name.
const REST: &str = "endpoint: https://h, app_key: k, app_secret: hunter2, user_id: u";

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "PAGE_SIZE" => "250",
        "ZERO" => "0",
        "LONG" => "1h30m",
        "SECRET" => "hunter2",
        "EMPTY" => "",
        "YAML" => "x\ntargets: []",
        "QUOTE" => "\", page_size: \"7",
        _ => return None,
    };
    Some(value.to_owned())
}

fn config(text: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cec_exporter.yml");
    fs::write(&path, text).unwrap();
    fs::write(directory.path().join("secret"), "hunter2\r\n").unwrap();
    fs::write(directory.path().join("empty"), "\n").unwrap();
    fs::write(
        directory.path().join("teams.csv"),
        "staff_id,team\n7,东区\n",
    )
    .unwrap();
    fs::write(directory.path().join("bad.csv"), "staff_id,team\n7,\n").unwrap();
    fs::write(directory.path().join("large"), "x".repeat((64 << 10) + 1)).unwrap();
    fs::write(directory.path().join("lines"), "hunter2\nhunter3\n").unwrap();
    load(Some(&path), &path, &environment).map_err(|error| {
        let line = error.to_string();
        assert!(!line.contains('\n') && !line.contains("hunter"), "{line}");
        line.replace(&format!("{}/", directory.path().display()), "")
    })
}

/// The cases of a table: a text of one or more lines, and below it, after `=> `, what is expected.
pub(super) fn cases(table: &str) -> Vec<(String, &str)> {
    let (mut cases, mut text) = (Vec::new(), Vec::new());
    for line in table.trim_start().lines() {
        match line.strip_prefix("=> ") {
            Some(expected) => cases.push((std::mem::take(&mut text).join("\n"), expected)),
            None => text.push(line),
        }
    }
    assert!(text.is_empty() && !cases.is_empty(), "{text:?}");
    cases
}

/// One target with these entries before the required ones.
fn target(entries: &str) -> Target {
    let comma = if entries.is_empty() { "" } else { ", " };
    config(&format!("targets: [{{name: a, {entries}{comma}{REST}}}]"))
        .unwrap()
        .targets
        .remove(0)
}

#[test]
fn a_short_file_gives_the_defaults() {
    let expected = Target {
        name: "a".to_owned(),
        endpoint: "https://h/".parse().unwrap(),
        token_endpoint: "https://h/apigovernance/api/oauth/tokenByAkSk"
            .parse()
            .unwrap(),
        app_key: Secret::new("k"),
        app_secret: Secret::new("hunter2"),
        app_secret_file: None,
        user_id: "u".to_owned(),
        tenant_space_id: None,
        call_types: vec![CallType::VOICE, CallType::TEXT],
        extra_status_codes: vec![],
        success_codes: vec![],
        lookback: Duration::from_secs(86_400),
        overlap: Duration::from_secs(600),
        reconcile_interval: Duration::from_secs(3600),
        page_size: 100,
        min_pull_interval: Duration::from_secs(10),
        request_timeout: Duration::from_secs(10),
        max_concurrent_requests: 4,
        max_requests_per_second: 10.0,
        ca_file: None,
        proxy: None,
        token_proxy: None,
        max_calls: 5_000_000,
        stale_after: Duration::from_secs(600),
        teams_file: None,
        max_teams: 50,
        agents: false,
        max_agents: 500,
        results: None,
    };
    assert_eq!(target(""), expected);
    // Written out or left empty, they are the same.
    let written = "token_endpoint: '', tenant_space_id: '', call_types: [voice, text], \
        extra_status_codes: [], success_codes: [], lookback: 24h, overlap: 10m, reconcile_interval: 1h, \
        page_size: 100, min_pull_interval: 10s, request_timeout: 10s, \
        max_concurrent_requests: 4, max_requests_per_second: 10, ca_file: '', proxy_url: '', \
        max_calls: 5000000, stale_after: 10m, teams_file: '', max_teams: 50, agents: false, \
        max_agents: 500, results: {enabled: false, share: 1, max_requests_per_second: 1, max_rules: 200}";
    assert_eq!(target(written), expected);
    assert_eq!(
        target("token_endpoint: , lookback: ~, page_size: null"),
        expected
    );
}

#[test]
fn every_key_is_read() {
    let config = config(
        r#"
targets:
  - name: 客服
    endpoint: https://service.besclouds.com/cec/
    token_endpoint: http://[::1]:28070/token
    app_key: "0a1b"
    app_secret_file: secret
    user_id: 1611917095665261978
    tenant_space_id: 007
    call_types: [text, 7, "0", voice, 2]
    extra_status_codes: [50, 2, 50, "51"]
    success_codes: [0409000, "OK", 17, OK]
    lookback: 10y
    overlap: 1w
    reconcile_interval: ${LONG}
    page_size: "${PAGE_SIZE}"
    min_pull_interval: 0s
    request_timeout: 100ms
    max_concurrent_requests: 64
    max_requests_per_second: 0.5
    ca_file: secret
    proxy_url: http://user:hunter2@proxy:3128
    max_calls: 4000000000
    stale_after: 0s
    teams_file: teams.csv
    max_teams: 0
    agents: true
    max_agents: 100000
    results:
      enabled: true
      share: "0.1"
      max_requests_per_second: 0.5
      max_rules: 10000
"#,
    )
    .unwrap();
    let [target] = &config.targets[..] else {
        panic!("{config:?}")
    };
    assert_eq!(target.name, "客服");
    assert_eq!(
        target.endpoint.as_str(),
        "https://service.besclouds.com/cec"
    );
    assert_eq!(target.token_endpoint.as_str(), "http://[::1]:28070/token");
    assert_eq!(target.app_key.expose(), "0a1b");
    assert_eq!(target.app_secret.expose(), "hunter2");
    assert_eq!(target.user_id, "1611917095665261978");
    assert_eq!(target.tenant_space_id.as_deref(), Some("007"));
    assert_eq!(
        target.call_types,
        [CallType::TEXT, CallType::from_number(7), CallType::VOICE]
    );
    assert_eq!(target.extra_status_codes, [50, 51].map(Status::from_number));
    assert_eq!(target.success_codes, ["0409000", "OK", "17"]);
    assert!(target.app_secret_file.as_ref().unwrap().ends_with("secret"));
    assert_eq!(target.lookback, Duration::from_secs(315_360_000));
    assert_eq!(target.overlap, Duration::from_secs(604_800));
    assert_eq!(target.reconcile_interval, Duration::from_secs(5400));
    assert_eq!(target.page_size, 250);
    assert_eq!(target.min_pull_interval, Duration::ZERO);
    assert_eq!(target.request_timeout, Duration::from_millis(100));
    assert_eq!(target.max_concurrent_requests, 64);
    assert_eq!(target.max_requests_per_second, 0.5);
    assert_eq!(target.max_calls, 4_000_000_000);
    assert_eq!(target.stale_after, Duration::ZERO);
    assert!(target.ca_file.as_ref().unwrap().ends_with("secret"));
    assert!(target.teams_file.as_ref().unwrap().ends_with("teams.csv"));
    assert_eq!((target.max_teams, target.max_agents), (0, 100_000));
    assert!(target.agents);
    let results = Results {
        share: 0.1,
        max_requests_per_second: 0.5,
        max_rules: 10_000,
    };
    assert_eq!(target.results, Some(results));
    assert_eq!(
        target.proxy.as_ref().unwrap().expose().as_str(),
        "http://user:hunter2@proxy:3128/"
    );
    for shown in [format!("{config:?}"), format!("{config:#?}")] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("0a1b"),
            "{shown}"
        );
    }
}

#[test]
fn a_target_wins_over_the_defaults() {
    let config = config(&format!(
        "defaults: {{results: {{enabled: true, share: 0.5}}, page_size: 7, lookback: 1h, proxy_url: 'http://p', tenant_space_id: t, \
           endpoint: https://g, app_key: k, app_secret_file: secret, user_id: u}}\n\
         targets: [{{name: a}}, {{name: b, results: {{max_rules: 7}}, page_size: 8, proxy_url: '', tenant_space_id: , {REST}}}]"
    ))
    .unwrap();
    let [a, b] = &config.targets[..] else {
        panic!("{config:?}")
    };
    assert_eq!((a.page_size, b.page_size), (7, 8));
    let results = [a, b].map(|target| target.results.unwrap());
    assert_eq!(results.map(|results| results.share), [0.5, 0.5]);
    assert_eq!(results.map(|results| results.max_rules), [200, 7]);
    assert_eq!(
        (a.endpoint.as_str(), b.endpoint.as_str()),
        ("https://g/", "https://h/")
    );
    assert_eq!(b.token_endpoint.host_str(), Some("h"));
    assert_eq!(
        (a.lookback, b.lookback),
        (Duration::from_secs(3600), Duration::from_secs(3600))
    );
    assert_eq!((a.proxy.is_some(), b.proxy.is_some()), (true, false));
    // A key without a value counts as absent.
    assert_eq!(b.tenant_space_id.as_deref(), Some("t"));
    assert_eq!(
        (a.app_secret.expose(), b.app_secret.expose()),
        ("hunter2", "hunter2")
    );
}

#[test]
fn gauges_stay_at_least_until_the_next_pull() {
    for (keys, expected) in [
        ("stale_after: 10m, min_pull_interval: 10s", 600),
        ("stale_after: 10m, min_pull_interval: 30m", 3600),
        ("stale_after: 0s, min_pull_interval: 30m", 0),
    ] {
        assert_eq!(
            target(keys).gauges_stay(),
            Duration::from_secs(expected),
            "{keys}"
        );
    }
}

#[test]
fn the_default_overlap_is_at_most_the_lookback() {
    assert_eq!(target("lookback: 1m").overlap, Duration::from_secs(60));
    assert_eq!(target("lookback: 1m, overlap: 0").overlap, Duration::ZERO);
}

#[test]
fn anchors_and_merges_work() {
    let config = config(&format!(
        "defaults: &d\n  page_size: 7\ntargets:\n- {{name: a, {REST}}}\n\
         - {{<<: *d, name: b, lookback: 1h, {REST}}}\n"
    ))
    .unwrap();
    assert_eq!(config.targets[1].page_size, 7);
}

#[test]
fn a_variable_cannot_add_yaml() {
    assert_eq!(
        target("tenant_space_id: '${QUOTE}'")
            .tenant_space_id
            .unwrap(),
        "\", page_size: \"7"
    );
    assert_eq!(
        target("tenant_space_id: '$${QUOTE}'")
            .tenant_space_id
            .unwrap(),
        "${QUOTE}"
    );
    assert_eq!(target("tenant_space_id: '${EMPTY}'").tenant_space_id, None);
}

#[test]
fn ten_thousand_targets_are_enough() {
    let mut text = "targets:\n".to_owned();
    for n in 0..10_000 {
        // Every key, to come close to the limits of the YAML parser.
        writeln!(
            text,
            "- {{name: t{n}, {REST}, token_endpoint: '', tenant_space_id: '', \
             call_types: [voice, text], extra_status_codes: [50, 51], success_codes: [1, a], lookback: 1d, \
             overlap: 1m, reconcile_interval: 1h, page_size: 1, min_pull_interval: 1s, \
             request_timeout: 1s, max_concurrent_requests: 1, max_requests_per_second: 1, \
             ca_file: '', proxy_url: '', max_calls: 1, stale_after: 1m, teams_file: '', max_teams: 1, \
             agents: true, max_agents: 1, results: {{enabled: true, share: 1, max_rules: 1}}}}"
        )
        .unwrap();
    }
    assert_eq!(config(&text).unwrap().targets.len(), 10_000);
    let expected = "cec_exporter.yml:2:3: targets: expected at most 10000 targets, got 10001";
    assert_eq!(
        config(&format!("targets:\n{}", "- {}\n".repeat(10_001))).unwrap_err(),
        expected
    );
    let large = format!("#{}", " ".repeat(8 << 20));
    assert_eq!(
        config(&large).unwrap_err(),
        "cec_exporter.yml: is larger than 8192 KiB"
    );
}

#[test]
fn configurations_can_be_compared() {
    assert_eq!(target("page_size: 7"), target("page_size: 7"));
    assert_ne!(target("page_size: 7"), target("page_size: 8"));
}
