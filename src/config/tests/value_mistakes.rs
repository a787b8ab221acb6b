//! A mistake in a value is one line with its position, its key and what was expected.

use std::fmt::Write as _;

use super::{REST, cases, config};

/// Entries in line 3, and the column and the text of their errors.
const MISTAKES: &str = r#"
page_size: 0
=> 16: targets[0].page_size: expected a whole number from 1 to 10000, got 0
page_size: 10001
=> 16: targets[0].page_size: expected a whole number from 1 to 10000, got 10001
page_size: 1.5
=> 16: targets[0].page_size: expected a whole number from 1 to 10000, got 1.5
page_size: ''
=> 16: targets[0].page_size: expected a whole number from 1 to 10000, got ""
page_size: [1]
=> 16: targets[0].page_size: expected a single value, not a list or a mapping
page_size: {a: 1}
=> 16: targets[0].page_size: expected a single value, not a list or a mapping
page_size: !!int '7'
=> 22: targets[0].page_size: expected a single value, got a tag that changes its type
page_size: ${ZERO}
=> 16: targets[0].page_size: expected a whole number from 1 to 10000, got the value of "${ZERO}"
page_size: ${NOT_SET}
=> 16: targets[0].page_size: expected the environment variable NOT_SET to be set
page_size: ${SECRET
=> 16: targets[0].page_size: expected a } after ${; write $${ for a literal ${
page_size: '${A B}'
=> 16: targets[0].page_size: expected ${NAME}, the name made of letters, digits and _; write $${ for a literal ${
lookback: 59s
=> 15: targets[0].lookback: expected a duration from 1m to 10y, got 59s
lookback: 3651d
=> 15: targets[0].lookback: expected a duration from 1m to 10y, got 3651d
lookback: 24
=> 15: targets[0].lookback: expected a duration such as 90s, 1h30m or 1d, got 24
lookback: 0
=> 15: targets[0].lookback: expected a duration from 1m to 10y, got 0
overlap: 25h
=> 14: targets[0].overlap: expected at most lookback (1d), got 1d1h
reconcile_interval: 30s
=> 25: targets[0].reconcile_interval: expected a duration from 1m to 10y, got 30s
min_pull_interval: 61m
=> 24: targets[0].min_pull_interval: expected a duration from 0s to 1h, got 61m
request_timeout: 99ms
=> 22: targets[0].request_timeout: expected a duration from 100ms to 10m, got 99ms
max_concurrent_requests: 65
=> 30: targets[0].max_concurrent_requests: expected a whole number from 1 to 64, got 65
max_requests_per_second: 0
=> 30: targets[0].max_requests_per_second: expected a number from 0.001 to 1000, got 0
max_requests_per_second: .nan
=> 30: targets[0].max_requests_per_second: expected a number from 0.001 to 1000, got .nan
max_requests_per_second: NaN
=> 30: targets[0].max_requests_per_second: expected a number from 0.001 to 1000, got NaN
max_calls: 0
=> 16: targets[0].max_calls: expected a whole number from 1 to 4000000000, got 0
stale_after: -1m
=> 18: targets[0].stale_after: expected a duration such as 90s, 1h30m or 1d, got -1m
teams_file: nowhere.csv
=> 17: targets[0].teams_file: expected a file of teams, but nowhere.csv: cannot be read: No such file or directory (os error 2)
teams_file: bad.csv
=> 17: targets[0].teams_file: expected a file of teams, but bad.csv: line 2: team is empty
agents: yes
=> 13: targets[0].agents: expected true or false, got yes
results: true
=> 14: targets[0].results: expected a mapping
results: {enabled: true, shares: 1}
=> 30: targets[0].results.shares: unknown key; did you mean `share`?
results: {share: 1.5}
=> 22: targets[0].results.share: expected a number from 0 to 1, got 1.5
results: {max_requests_per_second: 0}
=> 40: targets[0].results.max_requests_per_second: expected a number from 0.001 to 1000, got 0
call_types: []
=> 17: targets[0].call_types: expected at least one entry
call_types: voice
=> 17: targets[0].call_types: expected a list: [a, b], or a line with - for each entry
call_types: [voice, video]
=> 25: targets[0].call_types[1]: expected voice, text or a number from 0 to 32767, got video
call_types: [-1]
=> 18: targets[0].call_types[0]: expected voice, text or a number from 0 to 32767, got -1
call_types: [~]
=> 18: targets[0].call_types[0]: expected a single value, got nothing
extra_status_codes: [32768]
=> 26: targets[0].extra_status_codes[0]: expected a whole number from 0 to 32767, got 32768
success_codes: [0, 'a b']
=> 24: targets[0].success_codes[1]: expected a code of 1 to 64 printable ASCII characters without spaces, got "a b"
success_codes: 0
=> 20: targets[0].success_codes: expected a list: [a, b], or a line with - for each entry
token_endpoint: ftp://h
=> 21: targets[0].token_endpoint: {URL}, got "ftp://h"
token_endpoint: service.besclouds.com
=> 21: targets[0].token_endpoint: {URL}, got service.besclouds.com
token_endpoint: https://u:hunter2@h
=> 21: targets[0].token_endpoint: expected a URL without a user name or password
token_endpoint: https://h?hunter2
=> 21: targets[0].token_endpoint: expected a URL without ? or #
proxy_url: socks5://h
=> 16: targets[0].proxy_url: expected http:// or https:// and the host of an HTTP proxy, such as http://proxy.example.com:3128; SOCKS is not supported
tenant_space_id: 空间
=> 22: targets[0].tenant_space_id: expected printable ASCII characters only, without spaces around them
tenant_space_id: ${YAML}
=> 22: targets[0].tenant_space_id: expected printable ASCII characters only, without spaces around them
ca_file: absent
=> 14: targets[0].ca_file: expected a readable file, but absent cannot be read: No such file or directory (os error 2)
ca_file: .
=> 14: targets[0].ca_file: expected a readable file, but . cannot be read: Is a directory (os error 21)
app_secret_file: secret
=> 22: targets[0].app_secret_file: expected either app_secret or app_secret_file, got both
page_sise: 7
=> 5: targets[0].page_sise: unknown key; did you mean `page_size`?
page_sise:
=> 5: targets[0].page_sise: unknown key; did you mean `page_size`?
endpont: x
=> 5: targets[0].endpont: unknown key; did you mean `endpoint`?
App_Key: x
=> 5: targets[0].App_Key: unknown key; did you mean `app_key`?
"app_secret:hunter2": x
=> 5: targets[0]: unknown key; the keys here are {KEYS}
0a1b2c3dhunter2:
=> 5: targets[0]: unknown key; the keys here are {KEYS}
page_size1: 7
=> 5: targets[0].page_size1: unknown key; did you mean `page_size`?
name: b
=> 5: targets[0].name: expected only once, but it is already on line 2
user_id: ''
=> 5: targets[0].user_id: expected only once, but it is already on line 3
"#;

/// One target over several lines, with `entry` in line 3.
fn lines(entry: &str) -> String {
    format!(
        "targets:\n  - name: a\n    {entry}\n{}",
        REST.split(", ").fold(String::new(), |mut all, entry| {
            writeln!(all, "    {entry}").unwrap();
            all
        })
    )
}

#[test]
fn a_mistake_in_a_value_is_one_line_that_says_all() {
    const URL: &str =
        "expected a URL with http:// or https:// and a host, such as https://service.besclouds.com";
    const KEYS: &str = "name, endpoint, token_endpoint, app_key, app_secret, app_secret_file, \
        user_id, tenant_space_id, call_types, extra_status_codes, success_codes, lookback, \
        overlap, reconcile_interval, page_size, min_pull_interval, request_timeout, \
        max_concurrent_requests, max_requests_per_second, ca_file, proxy_url, max_calls, \
        stale_after, teams_file, max_teams, agents, max_agents, results";
    for (entry, expected) in cases(MISTAKES) {
        let line = match &*entry {
            "user_id: ''" => 7,
            _ => 3,
        };
        let expected = expected.replace("{URL}", URL).replace("{KEYS}", KEYS);
        let expected = format!("cec_exporter.yml:{line}:{expected}");
        assert_eq!(config(&lines(&entry)).unwrap_err(), expected, "{entry}");
    }
}

#[test]
fn codes_are_bounded() {
    let codes = |count: u32| {
        let codes: Vec<_> = (100..100 + count).map(|code| code.to_string()).collect();
        config(&lines(&format!(
            "extra_status_codes: [{}]",
            codes.join(",")
        )))
    };
    assert_eq!(codes(32).unwrap().targets[0].extra_status_codes.len(), 32);
    let expected = "cec_exporter.yml:3:25: targets[0].extra_status_codes: \
        expected at most 32 entries, got 33";
    assert_eq!(codes(33).unwrap_err(), expected);
}
