//! What the demonstration serves, before the eyes of Prometheus itself.

use std::process::Command;

use crate::support::client::ask;
use crate::support::eventually;
use crate::support::process::{Exporter, Process, command};
use crate::support::silent::free_address;
use crate::support::tools::{is_installed, run_with};
use serde_json::Value;

fn check_metrics(text: &str) -> (bool, String) {
    let mut promtool = Command::new("promtool");
    let output = run_with(promtool.args(["check", "metrics"]), text);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

#[test]
fn promtool_has_nothing_to_say_about_the_metrics() {
    if !is_installed("promtool") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let demo = Exporter::demo(&mut command(directory.path()), &[]);
    for path in ["/metrics", "/probe?target=demo"] {
        let text = demo.get(path).body;
        assert!(text.contains("cec_calls_total{"), "{path}");
        assert_eq!(check_metrics(&text), (true, String::new()), "{path}");
    }
    let bad = "# TYPE cec_calls counter\ncec_calls 1\n";
    assert!(!check_metrics(bad).0, "it would not see anything");
}

#[test]
fn prometheus_scrapes_the_demonstration() {
    if !is_installed("prometheus") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let demo = Exporter::demo(&mut command(directory.path()), &[]);
    let exporter = &demo.address;
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: cec
  static_configs: [{{targets: [\"{exporter}\"]}}]
"
    );
    std::fs::write(directory.path().join("prometheus.yml"), config).unwrap();
    let address = free_address().to_string();
    let mut prometheus = Process::spawn(
        Command::new("prometheus")
            .current_dir(directory.path())
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=tsdb")
            .arg(format!("--web.listen-address={address}")),
    );
    prometheus.told("msg=\"Server is ready to receive web ");
    let query = |expression: &str| {
        let path = format!("/api/v1/query?query={expression}");
        let answer = ask("GET", &address, &path, &[]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let value = &answer["data"]["result"][0]["value"][1];
        value.as_str().map(|value| value.parse::<f64>().unwrap())
    };
    assert_eq!(eventually("cec_up", || query("cec_up")), 1.0);
    assert_eq!(query("up"), Some(1.0));
    assert!(query("sum(cec_window_calls)").unwrap() > 30_000.0);
    assert!(query("count(cec_call_duration_seconds_bucket)").unwrap() > 20.0);
    // Two scrapes are seen as one series that moves.
    eventually("a rate", || {
        query("sum(rate(cec_calls_total[30s]))").filter(|rate| *rate > 0.0)
    });
}
