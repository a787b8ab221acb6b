//! The client against a scripted vendor over real sockets.

mod bodies;
mod connection;
mod failures;
mod inspection;
mod load;
mod tokens;

use std::sync::{Arc, Mutex};

use cec_exporter::client::tls::Trust;
use cec_exporter::client::{BuildError, HttpClient, Report};
use cec_exporter::config::{self, Results, Secret, Target};
use cec_exporter::model::Window;
use cec_exporter::upstream::{Error, ErrorKind, Filter, Page, PageRequest, Upstream};

use crate::support::scripted_vendor::{DETAILS, Reply, Seen, TOKEN, Vendor};

const APP_KEY: &str = "app-key-4711";
const APP_SECRET: &str = "hush-hush-secret";
/// The token in the sample.
const TOKEN_TEXT: &str = "zzzzzzzzzzzzzzzzzz";
const REQUEST: PageRequest = PageRequest {
    window: Window::new(1_621_333_149, 1_623_925_149),
    filter: Filter::All,
    page: 3,
    limit: 10,
};

fn trust() -> Trust {
    Trust::of_this_machine().unwrap()
}

/// A client and its reports.
struct TestClient {
    client: HttpClient,
    reports: Arc<Mutex<Vec<Report>>>,
}

impl TestClient {
    fn new(port: u16) -> Self {
        Self::with(port, |_| ())
    }

    fn with(port: u16, change: impl FnOnce(&mut Target)) -> Self {
        let mut target = target(&format!("http://127.0.0.1:{port}"));
        change(&mut target);
        Self::of(target)
    }

    fn of(target: Target) -> Self {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&reports);
        let report = Arc::new(move |report| sink.lock().unwrap().push(report));
        Self {
            client: HttpClient::new(target, &trust(), report).unwrap(),
            reports,
        }
    }

    async fn page(&self) -> Result<Page, Error> {
        let result = self.client.page(REQUEST).await;
        if let Err(error) = &result {
            self.assert_presentable(error);
        }
        result
    }

    async fn error(&self) -> Error {
        self.page().await.unwrap_err()
    }

    /// Checks that an error contains no secret and fits a log line.
    fn assert_presentable(&self, error: &Error) {
        let reports = self.reports.lock().unwrap();
        let shown = format!("{error} {error:?} {reports:?}");
        for secret in [APP_KEY, APP_SECRET, TOKEN_TEXT] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        let message = &error.message;
        assert!(!message.contains(char::is_control), "{message:?}");
        assert!(message.chars().count() <= 300, "{message}");
        assert!(message.starts_with("POST "), "{message}");
        let cause = error.likely_cause.as_ref().unwrap();
        assert!(!cause.contains(char::is_control), "{cause:?}");
        assert!(cause.chars().count() <= 200, "{cause}");
        assert!(
            !message.contains(&**cause),
            "the message repeats the cause: {error}"
        );
    }

    fn retries(&self) -> usize {
        let reports = self.reports.lock().unwrap();
        let is_retry = |report: &&Report| matches!(report, Report::Retry(_));
        reports.iter().filter(is_retry).count()
    }

    /// API and code of all requests, such as `token 200`.
    fn codes(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        reports
            .iter()
            .filter_map(|report| match report {
                Report::Request { api, code, .. } => Some(format!("{} {code}", api.label())),
                Report::Token { .. } | Report::Retry(_) | Report::ClockSkew(_) => None,
            })
            .collect()
    }
}

/// A target that nothing slows down.
fn target(endpoint: &str) -> Target {
    let text = format!(
        "targets: [{{name: t, endpoint: '{endpoint}', app_key: {APP_KEY}, app_secret: {APP_SECRET}, \
         user_id: '1611917095665261978', request_timeout: 20s, max_concurrent_requests: 64}}]"
    );
    let mut target = config::from_text(&text).unwrap().targets.remove(0);
    target.max_requests_per_second = 10_000.0;
    target.results = Some(Results {
        share: 1.0,
        max_requests_per_second: 10_000.0,
        max_rules: 200,
    });
    target
}

/// A vendor with valid tokens and scripted pages. The script gets the number of earlier requests
/// for pages.
async fn pages(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Vendor {
    Vendor::with_pages(move |_, before| script(before)).await
}

/// A vendor with valid pages and scripted tokens.
async fn tokens(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Vendor {
    Vendor::start(move |seen, before| match seen.is_token() {
        true => script(before),
        false => Reply::ok(DETAILS),
    })
    .await
}

fn assert_says(error: &Error, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "no {part:?} in: {error}");
    }
}

/// The label `code` of a request that fails with this reply.
fn code(reply: &Reply, kind: ErrorKind) -> String {
    match reply {
        Reply::Answer(status, ..) if *status != 200 => status.to_string(),
        _ => kind.label().to_owned(),
    }
}

/// Checks the error for a persistent reply, and the number of requests for pages.
async fn assert_fails(reply: Reply, kind: ErrorKind, says: &[&str], requests: usize) {
    let (shown, code) = (format!("{reply:?}"), code(&reply, kind));
    let vendor = pages(move |_| reply.clone()).await;
    let client = TestClient::new(vendor.port);
    let error = client.error().await;
    assert_eq!(error.kind, kind, "{shown}: {error}");
    assert_says(&error, says);
    assert_eq!(vendor.counts().1, requests, "{shown}");
    assert_eq!(client.retries(), requests - 1, "{shown}");
    assert_eq!(
        client.codes().last().unwrap(),
        &format!("details {code}"),
        "{shown}"
    );
}

/// Checks what all requests but those for tokens have in common.
fn assert_api_headers(seen: &Seen) {
    for (name, value) in [
        ("content-type", "application/json; charset=UTF-8"),
        ("authorization", &*format!("Bearer {TOKEN_TEXT}")),
        ("accept-encoding", "gzip"),
        ("x-app-key", APP_KEY),
        ("x-userid", "1611917095665261978"),
        (
            "user-agent",
            concat!("cec_exporter/", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn requests_and_responses_match_the_vendor_samples() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    let client = TestClient::with(vendor.port, |target| {
        target.tenant_space_id = Some("space".into());
    });
    let page = client.page().await.unwrap();
    assert!(!page.records.is_empty());
    let pending = PageRequest {
        filter: Filter::Pending,
        ..REQUEST
    };
    client.client.page(pending).await.unwrap();

    let [token, all, pending] = vendor.seen().try_into().unwrap();
    assert_eq!(token.target, "/apigovernance/api/oauth/tokenByAkSk");
    assert_eq!(token.header("content-type"), Some("application/json"));
    assert_eq!(token.header("x-token-expire"), Some("600"));
    let body: serde_json::Value = serde_json::from_str(&token.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "app_key": APP_KEY, "app_secret": APP_SECRET })
    );

    assert_eq!(
        all.target,
        "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details"
    );
    assert_api_headers(&all);
    assert_eq!(all.header("x-tenantspaceid"), Some("space"));
    let body: serde_json::Value = serde_json::from_str(&all.body).unwrap();
    let expected = serde_json::json!({
        "upload_from": 1_621_333_149, "upload_to": 1_623_925_149, "call_types": [0, 2],
        "status": [0, 3, 1, 2, 9, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40], "limit": 10, "page": 3,
    });
    assert_eq!(body, expected);
    let body: serde_json::Value = serde_json::from_str(&pending.body).unwrap();
    assert_eq!(body["status"], serde_json::json!([0, 3, 1]));

    assert_eq!(client.codes(), ["token 200", "details 200", "details 200"]);
    let reports = client.reports.lock().unwrap();
    let mut ahead = reports.iter().filter_map(|report| match report {
        Report::Token { expiry, renewal } => Some((expiry - renewal).round()),
        _ => None,
    });
    assert_eq!((ahead.next(), ahead.next()), (Some(60.0), None));
}

#[tokio::test]
async fn the_tenant_space_header_is_optional() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    TestClient::new(vendor.port).page().await.unwrap();
    for seen in vendor.seen() {
        assert_eq!(seen.header("x-tenantspaceid"), None);
    }
}

#[test]
fn invalid_settings_are_errors_that_name_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("empty.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    let refused = |change: &dyn Fn(&mut Target)| {
        let mut target = target("https://vendor.test");
        change(&mut target);
        match HttpClient::new(target, &trust(), Arc::new(|_| ())).err() {
            Some(BuildError::Setting { key, reason }) => (key, reason),
            other => panic!("{other:?}"),
        }
    };
    let (key, reason) = refused(&|target| target.ca_file = Some(file.clone()));
    assert_eq!(key, "ca_file");
    assert!(
        reason.contains("empty.pem") && reason.contains("no certificate"),
        "{reason}"
    );
    let missing = directory.path().join("missing.pem");
    let (key, reason) = refused(&|target| target.ca_file = Some(missing.clone()));
    assert!(
        key == "ca_file" && reason.contains("missing.pem"),
        "{reason}"
    );

    let (key, reason) = refused(&|target| target.app_key = Secret::new("key\nwith a line break"));
    assert!(
        key == "app_key" && !reason.contains("with a line"),
        "{reason}"
    );
}
