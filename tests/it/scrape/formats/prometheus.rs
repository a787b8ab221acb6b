//! Three Prometheus servers, one per format, scrape over TLS with a password and answer alike.

use std::path::Path;

use tempfile::TempDir;

use super::rewriting::RewritingProxy;
use crate::support::certificates::{Authority, Identity};
use crate::support::process::{Exporter, configuration, target};
use crate::support::prometheus_server::{Prometheus, Series};
use crate::support::simulated::{SimulatedVendor, now, settled};
use crate::support::tools::is_installed;
use crate::support::wait_until;

const CALLS: u32 = 3000;
const PASSWORD: &str = "a password";

/// Writes a web configuration with TLS and a password.
fn write_web_config(directory: &Path, server: &Identity) {
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("cert.pem", &server.pem);
    write("key.pem", &server.key.serialize_pem());
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    write(
        "web.yml",
        &format!(
            "tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\n\
             basic_auth_users: {{scraper: \"{hash}\"}}\n"
        ),
    );
}

/// Starts a Prometheus that scrapes this address, in its own directory.
fn prometheus(address: &str, authority: &Authority, features: &str) -> (Prometheus, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("ca.pem"), &authority.pem).unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: cec
  scheme: https
  tls_config: {{ca_file: ca.pem, server_name: localhost}}
  basic_auth: {{username: scraper, password: {PASSWORD}}}
  static_configs: [{{targets: [\"{address}\"], labels: {{instance: cec}}}}]
"
    );
    std::fs::write(path.join("prometheus.yml"), config).unwrap();
    let features = format!("--enable-feature=exemplar-storage{features}");
    (Prometheus::start_with(path, &[&features]), directory)
}

/// The sorted result of a query, labels and value. Values that are not numbers, such as the quantile of
/// an empty histogram, are left out.
type QueryResult = Vec<(String, f64)>;

fn result(series: Vec<Series>) -> QueryResult {
    let mut all: QueryResult = series
        .into_iter()
        .filter_map(|one| Some((one.labels.to_string(), *one.values.first()?)))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn evaluate(prometheus: &Prometheus, query: &str) -> QueryResult {
    let time = f64::from(now()) + 1.0;
    result(prometheus.query(query, time).unwrap())
}

#[test]
fn a_query_has_the_same_result_in_every_format() {
    if !is_installed("prometheus") {
        return;
    }
    let vendor = SimulatedVendor::frozen(settled(CALLS));
    let authority = Authority::new();
    let server = authority.server();
    let web = tempfile::tempdir().unwrap();
    write_web_config(web.path(), &server);
    let web = format!("--web.config.file={}", web.path().join("web.yml").display());
    let targets = [target("support", &vendor.endpoint, "page_size: 1000")];
    let flags = [&*web, "--metrics.exemplars"];
    let exporter = Exporter::start_with(&configuration(&targets), &flags);
    let text_only = "text/plain;version=0.0.4";
    let (acceptor, client) = (server.acceptor(), authority.client(None));
    let proxy = RewritingProxy::start(exporter.address.clone(), text_only, acceptor, client);

    let (text, _text_files) = prometheus(&proxy.address.to_string(), &authority, "");
    let (openmetrics, _openmetrics_files) = prometheus(&exporter.address, &authority, "");
    let (protobuf, _protobuf_files) =
        prometheus(&exporter.address, &authority, ",native-histograms");
    let all = [&text, &openmetrics, &protobuf];
    for one in all {
        wait_until("all calls are scraped", || {
            let calls = evaluate(
                one,
                "sum(cec_call_duration_seconds_count) or sum(histogram_count(cec_call_duration_seconds))",
            );
            let up = evaluate(one, "cec_up");
            let are_complete = calls.first().is_some_and(|(_, calls)| *calls > 2000.0);
            are_complete && up.first().is_some_and(|(_, up)| *up == 1.0)
        });
    }

    // Each server got its format: only text writes bounds without a decimal point, only OpenMetrics has
    // units, only protobuf has native histograms.
    let bounds = |one: &Prometheus| {
        let bounds = "cec_exporter_pull_duration_seconds_bucket";
        let bounds = one.label_values("le", bounds).unwrap();
        (
            bounds.contains(&"60".into()),
            bounds.contains(&"60.0".into()),
        )
    };
    assert_eq!(
        all.map(bounds),
        [(true, false), (false, true), (false, true)]
    );
    let unit = |one: &Prometheus| one.metadata("cec_call_duration_seconds")["unit"].clone();
    assert_eq!(all.map(unit), ["", "seconds", ""]);
    let native =
        |one: &Prometheus| evaluate(one, "histogram_count(cec_call_duration_seconds)").len();
    assert_eq!(all.map(native), [0, 0, 2]);

    // Gauges and counters.
    for query in [
        "cec_up",
        "cec_window_seconds",
        "cec_window_calls",
        "cec_window_sampled_calls",
        "cec_window_missing_calls",
        "cec_target_info",
        "cec_calls_total",
        "cec_calls_processed_total",
        "cec_calls_expired_total",
        "cec_exporter_ledger_calls",
        "cec_exporter_build_info",
        "sum by (target) (cec_calls_processed_total{status!=\"succeeded\"}) \
         / sum by (target) (cec_calls_processed_total)",
        "count(cec_exporter_api_request_duration_seconds_bucket)",
        "count(process_cpu_seconds_total)",
    ] {
        let [text, others @ ..] = all.map(|one| evaluate(one, query));
        assert!(!text.is_empty(), "{query}");
        for other in others {
            assert_eq!(text, other, "{query}");
        }
    }

    for name in [
        "cec_call_duration_seconds",
        "cec_call_silence_seconds",
        "cec_call_speech_characters_per_minute",
        "cec_call_speech_ratio",
        "cec_call_processing_seconds",
    ] {
        // Count and sum; adding 0 drops the name.
        for (part, function) in [("count", "histogram_count"), ("sum", "histogram_sum")] {
            let classic = format!("{name}_{part} + 0");
            let expected = evaluate(&text, &classic);
            assert!(!expected.is_empty(), "{classic}");
            assert_eq!(expected, evaluate(&openmetrics, &classic), "{classic}");
            let native = format!("{function}({name})");
            assert_eq!(expected, evaluate(&protobuf, &native), "{native}");
        }
        let buckets =
            format!("label_replace({name}_bucket + 0, \"le\", \"$1\", \"le\", \"(.*)\\\\.0\")");
        let expected = evaluate(&text, &buckets);
        assert!(expected.len() > 20, "{name}");
        assert_eq!(expected, evaluate(&openmetrics, &buckets), "{name}");
        // Quantiles of native histograms are finer: they lie in the same classic bucket, give or take the
        // width of a native one.
        for quantile in [0.1, 0.5, 0.9] {
            let classic = format!("histogram_quantile({quantile}, {name}_bucket)");
            let classic = evaluate(&text, &classic);
            let native = evaluate(
                &protobuf,
                &format!("histogram_quantile({quantile}, {name})"),
            );
            assert_eq!(classic.len(), native.len(), "{name}");
            for ((labels, classic), (same, native)) in classic.iter().zip(&native) {
                assert_eq!(labels, same);
                let (low, high) = bucket_of(&text, name, *classic);
                let width = 2_f64.powf(0.125);
                assert!(
                    (low / width..=high * width).contains(native),
                    "{name} {labels}: {classic} in {low}..{high}, but {native}"
                );
            }
        }
    }

    // Exemplars. The text format has none.
    let exemplars = |one: &Prometheus, selector: &str| one.exemplars(selector, "call_uuid");
    let classic = exemplars(&openmetrics, "cec_call_duration_seconds_bucket");
    assert!(classic.len() > 5, "{classic:?}");
    // A native histogram is one series, of which Prometheus keeps one exemplar per timestamp.
    let native = exemplars(&protobuf, "cec_call_duration_seconds");
    assert!(
        !native.is_empty() && native.is_subset(&classic),
        "{native:?}"
    );
    assert_eq!(
        exemplars(&text, "cec_call_duration_seconds_bucket").len(),
        0
    );
    let mut world = vendor.simulator.world();
    for uuid in classic {
        let call = world.find(&uuid, now());
        assert!(call.is_some_and(|call| call.is_visible(now())), "{uuid}");
    }
}

/// Lower and upper bound of the classic bucket of a value.
fn bucket_of(text: &Prometheus, name: &str, value: f64) -> (f64, f64) {
    let bounds = text.label_values("le", &format!("{name}_bucket")).unwrap();
    let mut bounds: Vec<f64> = bounds.iter().map(|bound| bound.parse().unwrap()).collect();
    bounds.push(0.0);
    bounds.sort_by(f64::total_cmp);
    let high = bounds.iter().position(|bound| value <= *bound).unwrap();
    (bounds[high.saturating_sub(1)], bounds[high])
}
