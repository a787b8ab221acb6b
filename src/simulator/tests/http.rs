use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::super::Simulator;
use super::super::http::run;
use super::super::spec::Spec;
use super::{DAY, START, eventful};

const TOKEN: &str = "/apigovernance/api/oauth/tokenByAkSk";
const DETAILS: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
const CREDIT: [&str; 2] = [
    "/apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit",
    "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/credit",
];

/// A client of a running simulator.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn post(&self, path: &str, body: Value) -> reqwest::Result<reqwest::Response> {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .body(body.to_string());
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        request
            .header("x-UserId", "1")
            .header("X-Token-Expire", "600")
            .send()
            .await
    }

    async fn page(&self) -> reqwest::Result<reqwest::Response> {
        let body = json!({"upload_from": START, "upload_to": START + DAY, "limit": 100, "page": 1,
            "call_types": [0, 2], "status": [0, 1, 2, 3]});
        self.post(DETAILS, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let response = self
            .http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    async fn put(&self, path: &str, body: &str) -> (u16, String) {
        let request = self
            .http
            .put(format!("{}{path}", self.base))
            .body(body.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn the_server_behaves_like_the_vendor_and_applies_faults() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let spec = Spec {
        calls_per_day: 20_000.0,
        ..eventful()
    };
    let simulator = Arc::new(Simulator::new(spec, Arc::new(|| f64::from(START + DAY))));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(run(listener, Arc::clone(&simulator), async {
        let _ = stopped.await;
    }));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut client = Client {
        http,
        base,
        token: String::new(),
    };

    assert_eq!(client.page().await.unwrap().status(), 401);
    let response = client
        .post(TOKEN, json!({"app_key": "k", "app_secret": "s"}))
        .await
        .unwrap();
    let token: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    client.token = token["AccessToken"].as_str().unwrap().to_owned();

    let page = client.page().await.unwrap();
    assert_eq!(
        page.headers()["content-type"],
        "application/json; charset=UTF-8"
    );
    let date = httpdate::fmt_http_date(
        std::time::SystemTime::UNIX_EPOCH + Duration::from_secs((START + DAY).into()),
    );
    assert_eq!(page.headers()["date"], date);
    let whole = page.bytes().await.unwrap();
    let page: Value = serde_json::from_slice(&whole).unwrap();
    assert!(page["paging"]["total"].as_u64().unwrap() > 10_000);
    assert_eq!(
        client.post("/nowhere", json!({})).await.unwrap().status(),
        404
    );

    let call = page["data"][0]["calls"][0]["call_uuid"].clone();
    for path in CREDIT {
        let result = client.post(path, json!({ "call_uuid": call }));
        assert_eq!(result.await.unwrap().status(), 200, "{path}");
    }

    let far = format!(r#"{{"clock_skew_seconds": {}}}"#, i64::MAX);
    assert_eq!(client.put("/-/faults", &far).await.0, 200);
    assert_eq!(client.page().await.unwrap().status(), 200);

    let faults = r#"{"details": [{"answer": "reset", "next": 1}, {"answer": "cut_body", "next": 1},
        {"answer": {"http": 429}, "next": 1, "retry_after_seconds": 3},
        {"answer": {"http": 504}, "next": 1}, {"answer": "dribble", "next": 1, "delay_ms": 1}]}"#;
    assert_eq!(client.put("/-/faults", faults).await.0, 200);
    assert!(client.page().await.is_err());
    let cut = client.page().await.unwrap();
    assert_eq!(cut.content_length(), Some(whole.len() as u64));
    assert!(cut.bytes().await.is_err());
    let limited = client.page().await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "3");
    let gateway = client.page().await.unwrap();
    assert_eq!(gateway.status(), 504);
    assert!(gateway.text().await.unwrap().starts_with("<html>"));
    assert_eq!(client.page().await.unwrap().bytes().await.unwrap(), whole);

    let (status, why) = client.put("/-/faults", r#"{"dwon": 1}"#).await;
    assert_eq!(status, 400);
    assert!(why.contains("dwon"), "{why}");
    assert_eq!(
        client.put("/-/scenario", r#"{"dried_up": true}"#).await.0,
        200
    );
    assert_eq!(client.get("/-/scenario").await["dried_up"], true);
    assert_eq!(client.put("/-/scenario", &" ".repeat(100_000)).await.0, 413);

    let stats = client.get("/-/stats").await;
    let details = json!({"200": 3, "401": 1, "429": 1, "504": 1, "cut_body": 1, "reset": 1});
    assert_eq!(
        stats["requests"],
        json!({"token": {"200": 1}, "details": details, "credit": {"200": 2}})
    );
    assert_eq!(stats["in_flight"], 0);
    let truth = client
        .get(&format!("/-/truth?from={START}&to={}", START + 3600))
        .await;
    let expected = simulator.truth(Some(START), Some(START + 3600));
    assert_eq!(truth, serde_json::to_value(expected).unwrap());

    let window = format!("from={START}&to={}", START + 3600);
    let results = client.get(&format!("/-/results?{window}")).await;
    let expected = simulator.results(Some(START), Some(START + 3600));
    assert!(expected.calls > 0);
    assert_eq!(results, serde_json::to_value(expected).unwrap());
    let teams = client.http.get(format!("{}/-/teams", client.base));
    let teams = teams.send().await.unwrap().text().await.unwrap();
    assert_eq!(teams, simulator.world().spec().teams_csv());

    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server)
        .await
        .unwrap()
        .unwrap();
}
