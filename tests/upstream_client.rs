//! The client against a scripted vendor over real sockets.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

#[path = "upstream_client/answers.rs"]
mod answers;
#[path = "support/scripted_vendor.rs"]
mod scripted_vendor;
#[allow(dead_code)]
#[path = "support/silent.rs"]
mod silent;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::model::Window;
use cec_exporter::upstream::http::{BuildError, ClientSettings, HttpClient, ProxySettings};
use cec_exporter::upstream::tls::Trust;
use cec_exporter::upstream::{Error, ErrorKind, Filter, Page, PageRequest, Report, Upstream};
use futures_util::future::join_all;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use url::Url;

use scripted_vendor::{Reply, Vendor};

const APP_KEY: &str = "app-key-4711";
const APP_SECRET: &str = "hush-hush-secret";
const DETAILS: &str = include_str!("fixtures/details-response.json");
const TOKEN: &str = include_str!("fixtures/token-response.json");
/// The token of the sample.
const TOKEN_TEXT: &str = "zzzzzzzzzzzzzzzzzz";
const REQUEST: PageRequest = PageRequest {
    window: Window {
        from: 1_621_333_149,
        to: 1_623_925_149,
    },
    filter: Filter::All,
    page: 3,
    limit: 10,
};

fn trust() -> Trust {
    Trust::of_this_machine().unwrap()
}

/// A client, and what it has told of itself.
struct Subject {
    client: HttpClient,
    reports: Arc<Mutex<Vec<Report>>>,
}

impl Subject {
    fn new(port: u16) -> Self {
        Self::with(port, |_| ())
    }

    fn with(port: u16, change: impl FnOnce(&mut ClientSettings)) -> Self {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let mut settings = settings(&format!("http://127.0.0.1:{port}"));
        change(&mut settings);
        let sink = Arc::clone(&reports);
        let report = Arc::new(move |report| sink.lock().unwrap().push(report));
        Self {
            client: HttpClient::new(settings, &trust(), report).unwrap(),
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

    /// Whatever went wrong: no secret anywhere, and one line of a length that can be shown.
    fn assert_presentable(&self, error: &Error) {
        let told = self.reports.lock().unwrap();
        let shown = format!("{error} {error:?} {told:?} {:?}", self.client);
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
        assert!(!message.contains(&**cause), "told twice: {error}");
    }

    /// How many requests were sent again.
    fn retries(&self) -> usize {
        let reports = self.reports.lock().unwrap();
        let again = |report: &&Report| matches!(report, Report::Retry(_));
        reports.iter().filter(again).count()
    }

    /// The codes of all requests, as `token 200`.
    fn codes(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        reports
            .iter()
            .filter_map(|report| match report {
                Report::Request { api, code, .. } => Some(format!("{api} {code}")),
                Report::Token { .. } | Report::Retry(_) | Report::ClockSkew(_) => None,
            })
            .collect()
    }
}

fn settings(endpoint: &str) -> ClientSettings {
    let token = format!("{endpoint}/apigovernance/api/oauth/tokenByAkSk");
    ClientSettings {
        endpoint: Url::parse(endpoint).unwrap(),
        token_endpoint: Url::parse(&token).unwrap(),
        app_key: APP_KEY.into(),
        app_secret: APP_SECRET.into(),
        secret_source: None,
        success_codes: vec![],
        user_id: "1611917095665261978".into(),
        tenant_space_id: None,
        call_types: vec![0, 2],
        status_codes: vec![0, 1, 2, 3],
        pending_codes: vec![0, 1, 3],
        request_timeout: Duration::from_secs(20),
        max_concurrent_requests: 64,
        max_requests_per_second: 10_000.0,
        ca_file: None,
        proxy: None,
        token_proxy: None,
    }
}

/// A vendor whose tokens are good and whose pages come from the script, by their number from 0.
async fn pages(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Vendor {
    Vendor::start(move |seen, before| match seen.is_token() {
        true => Reply::ok(TOKEN),
        false => script(before),
    })
    .await
}

/// A vendor whose pages are good.
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

#[tokio::test]
async fn the_samples_of_the_vendor_are_asked_for_and_read() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    let subject = Subject::with(vendor.port, |settings| {
        settings.tenant_space_id = Some("space".into());
    });
    let page = subject.page().await.unwrap();
    assert!(!page.records.is_empty());
    let pending = PageRequest {
        filter: Filter::Pending,
        ..REQUEST
    };
    subject.client.page(pending).await.unwrap();

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
    assert_eq!(
        all.header("content-type"),
        Some("application/json; charset=UTF-8")
    );
    assert_eq!(
        all.header("authorization"),
        Some(&*format!("Bearer {TOKEN_TEXT}"))
    );
    assert_eq!(all.header("accept-encoding"), Some("gzip"));
    assert_eq!(all.header("x-app-key"), Some(APP_KEY));
    assert_eq!(all.header("x-userid"), Some("1611917095665261978"));
    assert_eq!(all.header("x-tenantspaceid"), Some("space"));
    let agent = format!("cec_exporter/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(all.header("user-agent"), Some(&*agent));
    let body: serde_json::Value = serde_json::from_str(&all.body).unwrap();
    let expected = serde_json::json!({
        "upload_from": 1_621_333_149, "upload_to": 1_623_925_149, "call_types": [0, 2],
        "status": [0, 1, 2, 3], "limit": 10, "page": 3,
    });
    assert_eq!(body, expected);
    let body: serde_json::Value = serde_json::from_str(&pending.body).unwrap();
    assert_eq!(body["status"], serde_json::json!([0, 1, 3]));

    assert_eq!(subject.codes(), ["token 200", "details 200", "details 200"]);
    let reports = subject.reports.lock().unwrap();
    let mut ahead = reports.iter().filter_map(|report| match report {
        Report::Token { expiry, renewal } => Some((expiry - renewal).round()),
        _ => None,
    });
    assert_eq!((ahead.next(), ahead.next()), (Some(60.0), None));
}

#[tokio::test]
async fn without_a_tenant_space_there_is_no_such_header() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    for id in [None, Some(String::new())] {
        let subject = Subject::with(vendor.port, |settings| settings.tenant_space_id = id);
        subject.page().await.unwrap();
    }
    assert!(
        vendor
            .seen()
            .iter()
            .all(|seen| seen.header("x-tenantspaceid").is_none())
    );
}

#[tokio::test]
async fn a_crowd_takes_one_token() {
    let vendor = tokens(|_| Reply::Late(Duration::from_millis(100), TOKEN.into())).await;
    let subject = Subject::new(vendor.port);
    for page in join_all((0..20).map(|_| subject.page())).await {
        page.unwrap();
    }
    assert_eq!(vendor.counts(), (1, 20));
}

#[tokio::test]
async fn a_token_is_renewed_when_its_time_is_over() {
    let vendor = Vendor::start(|seen, before| {
        if seen.is_token() {
            return Reply::ok(format!(r#"{{"AccessToken": "t{before}", "expiresIn": 1}}"#));
        }
        Reply::ok(DETAILS)
    })
    .await;
    let subject = Subject::new(vendor.port);
    subject.page().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    subject.page().await.unwrap();
    let seen = vendor.seen();
    assert_eq!(vendor.counts(), (2, 2));
    assert_eq!(seen[3].header("authorization"), Some("Bearer t1"));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_for_all() {
    let vendor = Vendor::start(|seen, before| {
        if seen.is_token() {
            return Reply::ok(format!(
                r#"{{"AccessToken": "t{before}", "Expires": "600"}}"#
            ));
        }
        match seen.header("authorization") {
            Some("Bearer t0") => Reply::status(401, "{}"),
            _ => Reply::ok(DETAILS),
        }
    })
    .await;
    let subject = Subject::new(vendor.port);
    for page in join_all((0..10).map(|_| subject.page())).await {
        page.unwrap();
    }
    assert_eq!(vendor.counts().0, 2);
    assert!(subject.codes().contains(&"details 401".to_owned()));
}

#[tokio::test]
async fn a_401_that_stays_is_an_error_after_one_renewal() {
    let vendor = pages(|_| Reply::status(401, r#"{"error": "unauthorized"}"#)).await;
    let subject = Subject::new(vendor.port);
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Auth);
    assert_says(
        &error,
        &["(page 3)", "401", "/appraisecall/details", "unauthorized"],
    );
    assert_eq!(vendor.counts(), (2, 2));
}

#[tokio::test]
async fn wrong_credentials_are_asked_for_once_by_a_crowd() {
    let vendor = tokens(|_| {
        let text = format!("bad \r\n\u{1b}[31m {APP_KEY} and {APP_SECRET}");
        Reply::status(401, serde_json::json!({ "error_msg": text }).to_string())
    })
    .await;
    let subject = Subject::new(vendor.port);
    for result in join_all((0..20).map(|_| subject.page())).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth);
        assert_says(
            &error,
            &["tokenByAkSk", "app_secret is wrong", "bad", "*** and ***"],
        );
    }
    assert_eq!(vendor.counts(), (1, 0));
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for() {
    let vendor = pages(|before| match before {
        0 => Reply::status(429, "").with("Retry-After", "1"),
        _ => Reply::ok(DETAILS),
    })
    .await;
    let subject = Subject::new(vendor.port);
    subject.page().await.unwrap();
    let seen = vendor.seen();
    assert!(
        seen[2].at - seen[1].at >= Duration::from_millis(900),
        "came back too soon"
    );
    assert_eq!(subject.codes(), ["token 200", "details 429", "details 200"]);
}

#[tokio::test]
async fn a_long_retry_after_is_handed_on_and_kept_by_all() {
    let vendor = pages(|_| Reply::status(429, "slow down").with("Retry-After", "120")).await;
    let subject = Subject::new(vendor.port);
    for _ in 0..3 {
        let error = subject.error().await;
        assert_eq!(error.kind, ErrorKind::RateLimit);
        let wait = error.retry_after.unwrap();
        assert!((60..=120).contains(&wait.as_secs()), "{wait:?}");
        assert_says(&error, &["429", "max_requests_per_second"]);
    }
    assert_eq!(vendor.counts(), (1, 1));
}

#[tokio::test]
async fn a_token_service_that_wants_to_be_left_alone_is() {
    let vendor = tokens(|_| Reply::status(429, "").with("Retry-After", "120")).await;
    let subject = Subject::new(vendor.port);
    for _ in 0..3 {
        assert!(subject.error().await.retry_after.is_some());
    }
    assert_eq!(vendor.counts(), (1, 0));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let vendor = pages(|before| match before {
        0 => Reply::status(502, "<html><title>Bad Gateway</title></html>"),
        1 => Reply::HangUp,
        2 => Reply::ok(DETAILS),
        3 => Reply::Cut(DETAILS.into()),
        _ => Reply::ok(DETAILS),
    })
    .await;
    let subject = Subject::new(vendor.port);
    subject.page().await.unwrap();
    subject.page().await.unwrap();
    let expected = [
        "token 200",
        "details 502",
        "details connect",
        "details 200",
        "details body",
        "details 200",
    ];
    assert_eq!(subject.codes(), expected);
}

#[tokio::test]
async fn an_outage_is_met_with_fewer_requests() {
    let vendor = pages(|_| Reply::status(503, "")).await;
    let subject = Subject::new(vendor.port);
    for _ in 0..20 {
        assert_eq!(subject.error().await.kind, ErrorKind::Unavailable);
    }
    // Twenty requests, ten retries in reserve, and a tenth of the twenty-one that were sent.
    let (_, details) = vendor.counts();
    assert!((30..=32).contains(&details), "{details}");
}

/// An answer that stays, the error that it becomes, and the requests for pages that it costs.
async fn assert_fails(reply: Reply, kind: ErrorKind, code: &str, says: &[&str], requests: usize) {
    let shown = format!("{reply:?}");
    let vendor = pages(move |_| reply.clone()).await;
    let subject = Subject::new(vendor.port);
    let error = subject.error().await;
    assert_eq!(error.kind, kind, "{shown}: {error}");
    assert_says(&error, says);
    assert_eq!(vendor.counts().1, requests, "{shown}");
    assert_eq!(subject.retries(), requests - 1, "{shown}");
    assert_eq!(
        subject.codes().last().unwrap(),
        &format!("details {code}"),
        "{shown}"
    );
}

#[tokio::test]
async fn each_failure_is_told_apart() {
    let page = "<!DOCTYPE html><head><title>Access\ndenied</title></head>".to_owned();
    let html = Reply::status(403, page.clone());
    assert_fails(
        html,
        ErrorKind::Auth,
        "403",
        &["HTML", "allow list", "Access denied"],
        1,
    )
    .await;

    let refused = Reply::status(400, r#"{"resultDesc": "limit too large"}"#);
    let says = ["limit too large", "page_size"];
    assert_fails(refused, ErrorKind::BadRequest, "400", &says, 1).await;
    let lost = Reply::status(404, "");
    let says = ["check endpoint"];
    assert_fails(lost, ErrorKind::Unavailable, "404", &says, 1).await;
    let failed = serde_json::json!({ "retMsg": format!("business failure {TOKEN_TEXT}") });
    let failed = Reply::status(500, failed.to_string());
    assert_fails(
        failed,
        ErrorKind::Server,
        "500",
        &["business failure ***"],
        3,
    )
    .await;

    let envelope = Reply::ok(r#"{"resultCode": "0300028", "resultDesc": "no right"}"#);
    let says = ["0300028", "no right"];
    assert_fails(envelope, ErrorKind::Envelope, "envelope", &says, 1).await;
    let half = Reply::ok(&DETAILS[..DETAILS.len() / 2]);
    assert_fails(half, ErrorKind::Body, "body", &["cannot be read"], 3).await;
    let html = Reply::ok(page);
    assert_fails(
        html,
        ErrorKind::Body,
        "body",
        &["HTML page instead of JSON"],
        3,
    )
    .await;
    let cut = Reply::Cut(DETAILS.into());
    assert_fails(cut, ErrorKind::Body, "body", &["broke off after"], 3).await;
    assert_fails(
        Reply::HangUp,
        ErrorKind::Connect,
        "connect",
        &["before an answer"],
        3,
    )
    .await;
}

#[tokio::test]
async fn data_null_is_an_error_and_not_an_empty_window() {
    let vendor = pages(|_| Reply::ok(r#"{"data": null, "paging": {"total": 7}}"#)).await;
    let kind = Subject::new(vendor.port).error().await.kind;
    assert!(
        matches!(kind, ErrorKind::Body | ErrorKind::Envelope),
        "{kind:?}"
    );
    let vendor = pages(|_| Reply::ok(r#"{"data": null, "paging": {"total": 0}}"#)).await;
    assert!(Subject::new(vendor.port).page().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_tells_only_its_host() {
    let to = "https://login.example:8443/session/8c1f?ticket=8c1f";
    let vendor = pages(move |_| Reply::status(302, "").with("Location", to)).await;
    let subject = Subject::new(vendor.port);
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_says(
        &error,
        &["302", "redirects to login.example:8443", "endpoint"],
    );
    assert!(!error.message.contains("8c1f"), "{error}");
    assert_eq!(subject.codes(), ["token 200", "details 302"]);
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_wherever_it_is_slow() {
    for reply in [
        Reply::Late(Duration::from_secs(60), "{}".into()),
        Reply::Drip,
    ] {
        let vendor = pages(move |_| reply.clone()).await;
        let subject = Subject::with(vendor.port, |settings| {
            settings.request_timeout = Duration::from_secs(1);
        });
        let error = subject.error().await;
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert_says(&error, &["answer came within 1s", "request_timeout"]);
        assert_eq!(subject.codes().last().unwrap(), "details timeout");
        assert_eq!(vendor.counts().1, 3);
    }
}

#[tokio::test]
async fn a_connection_that_does_not_come_is_told_apart_from_an_answer_that_does_not() {
    let swallowing = silent::Swallowing::start();
    let subject = Subject::with(swallowing.port, |settings| {
        settings.request_timeout = Duration::from_millis(500);
    });
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    let says = [
        "no connection came in time (request_timeout is 500ms)",
        "firewall",
        "host and port",
    ];
    assert_says(&error, &says);
    assert_eq!(subject.codes(), ["token timeout"; 3]);
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    // As a token: its limit is the same code and reached sooner.
    let vendor = tokens(|_| Reply::Endless).await;
    let subject = Subject::new(vendor.port);
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Body);
    assert_says(&error, &["larger than 64 KiB"]);
    assert_eq!(subject.codes(), ["token body"; 3]);
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_told_apart() {
    let port = Vendor::start(|_, _| Reply::HangUp).await.stop().await;
    let subject = Subject::new(port);
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(&error, &["refused", "host and port of endpoint"]);
    assert_eq!(subject.codes(), ["token connect"; 3]);

    let subject = Subject::with(port, |settings| {
        settings.token_endpoint = Url::parse("http://no-such-host.invalid/token").unwrap();
    });
    assert_says(&subject.error().await, &["cannot be resolved", "DNS"]);
}

/// A certificate of its own making for 127.0.0.1, and a server that has it.
fn self_signed() -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn a_private_authority_is_trusted_by_ca_file_and_not_otherwise() {
    let (pem, acceptor) = self_signed();
    let vendor = Vendor::start_with(Some(acceptor), |seen, _| match seen.is_token() {
        true => Reply::ok(TOKEN),
        false => Reply::ok(DETAILS),
    })
    .await;
    let secure = settings(&format!("https://127.0.0.1:{}", vendor.port));

    let subject = Subject::with(vendor.port, |settings| *settings = secure.clone());
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(&error, &["TLS", "certificate", "ca_file"]);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let trusting = ClientSettings {
        ca_file: Some(path),
        ..secure.clone()
    };
    Subject::with(vendor.port, |settings| *settings = trusting.clone())
        .page()
        .await
        .unwrap();

    // Trust is in the certificate, not in the name that the host goes by.
    let elsewhere = settings(&format!("https://localhost:{}", vendor.port));
    let elsewhere = ClientSettings {
        ca_file: trusting.ca_file.clone(),
        ..elsewhere
    };
    let subject = Subject::with(vendor.port, |settings| *settings = elsewhere);
    assert_says(&subject.error().await, &["another host name"]);
}

#[tokio::test]
async fn plain_http_behind_an_https_address_is_told() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    let secure = settings(&format!("https://127.0.0.1:{}", vendor.port));
    let subject = Subject::with(vendor.port, |settings| *settings = secure);
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(&error, &["TLS", "does not speak it", "scheme or port"]);
}

fn through(url: &str) -> Option<ProxySettings> {
    Some(ProxySettings {
        key: "proxy_url",
        url: url.parse().unwrap(),
    })
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_is_named() {
    let proxy = pages(|_| Reply::ok(DETAILS)).await;
    let through = through(&format!("http://user:pa55word@127.0.0.1:{}", proxy.port));
    let with_proxy = ClientSettings {
        proxy: through.clone(),
        token_proxy: through,
        ..settings("http://vendor.invalid:8080")
    };
    let subject = Subject::with(proxy.port, |settings| *settings = with_proxy.clone());
    subject.page().await.unwrap();
    let seen = proxy.seen();
    let expected = "http://vendor.invalid:8080/apigovernance/api/oauth/tokenByAkSk";
    assert_eq!(seen[0].target, expected);
    assert!(seen[0].header("proxy-authorization").is_some());
    assert_eq!(seen.len(), 2);
    assert!(!format!("{:?}", subject.client).contains("pa55word"));

    proxy.stop().await;
    let subject = Subject::with(0, |settings| *settings = with_proxy);
    let error = subject.error().await;
    assert_says(&error, &["vendor.invalid:8080", "refused", "proxy_url"]);
    assert!(!error.message.contains("pa55word"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_refuses_a_tunnel_is_the_one_to_blame() {
    let proxy = Vendor::start(|_, _| Reply::status(403, "")).await;
    let refusing = through(&format!("http://127.0.0.1:{}", proxy.port));
    let through = ClientSettings {
        proxy: refusing.clone(),
        token_proxy: refusing,
        ..settings("https://vendor.invalid")
    };
    let subject = Subject::with(proxy.port, |settings| *settings = through);
    let error = subject.error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(
        &error,
        &["POST vendor.invalid/", "the proxy refused", "proxy_url"],
    );
    assert_eq!(proxy.seen()[0].target, "vendor.invalid:443");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    for allowed in [1, 3] {
        let vendor = pages(|_| Reply::Late(Duration::from_millis(30), DETAILS.into())).await;
        let subject = Subject::with(vendor.port, |settings| {
            settings.max_concurrent_requests = allowed;
        });
        for page in join_all((0..15).map(|_| subject.page())).await {
            page.unwrap();
        }
        assert_eq!(vendor.busiest(), allowed);
    }
}

#[tokio::test]
async fn requests_keep_to_the_rate_tokens_included() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    let subject = Subject::with(vendor.port, |settings| {
        settings.max_requests_per_second = 5.0
    });
    for page in join_all((0..9).map(|_| subject.page())).await {
        page.unwrap();
    }
    // With the token ten: five at once, five a second later.
    let seen = vendor.seen();
    assert_eq!(seen.len(), 10);
    assert!(
        seen[9].at - seen[0].at >= Duration::from_millis(900),
        "too fast"
    );
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("empty.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    let refused = |change: &dyn Fn(&mut ClientSettings)| {
        let mut settings = settings("https://vendor.test");
        change(&mut settings);
        match HttpClient::new(settings, &trust(), Arc::new(|_| ())) {
            Err(BuildError::Setting { key, reason }) => (key, reason),
            other => panic!("{other:?}"),
        }
    };
    let (key, reason) = refused(&|settings| settings.ca_file = Some(file.clone()));
    assert_eq!(key, "ca_file");
    assert!(
        reason.contains("empty.pem") && reason.contains("no certificate"),
        "{reason}"
    );
    let missing = directory.path().join("missing.pem");
    let (key, reason) = refused(&|settings| settings.ca_file = Some(missing.clone()));
    assert!(
        key == "ca_file" && reason.contains("missing.pem"),
        "{reason}"
    );

    let (key, reason) = refused(&|settings| settings.app_key = "key\nwith a line break".into());
    assert!(
        key == "app_key" && !reason.contains("with a line"),
        "{reason}"
    );
    let url = |text: &str| Url::parse(text).unwrap();
    let ftp = url("ftp://vendor.test");
    assert_eq!(
        refused(&|settings| settings.endpoint = ftp.clone()).0,
        "endpoint"
    );
    let named = url("https://user:word@vendor.test");
    assert_eq!(
        refused(&|settings| settings.token_endpoint = named.clone()).0,
        "token_endpoint"
    );
    let socks = through("socks5://proxy.test");
    assert_eq!(
        refused(&|settings| settings.proxy.clone_from(&socks)).0,
        "proxy_url"
    );
    let (key, _) = refused(&|settings| settings.max_concurrent_requests = 0);
    assert_eq!(key, "max_concurrent_requests");
    let (key, _) = refused(&|settings| settings.max_requests_per_second = f64::NAN);
    assert_eq!(key, "max_requests_per_second");
}
