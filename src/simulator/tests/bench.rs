//! A simulator under test, and requests to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::super::faults::Faults;
use super::super::reply::Reply;
use super::super::row_faults::WireFaults;
use super::super::spec::Spec;
use super::super::{Caller, Simulator};
use super::{DAY, START};

/// A simulator whose clock the test advances.
pub(super) struct Bench {
    pub(super) simulator: Simulator,
    time: Arc<AtomicU32>,
}

impl Bench {
    pub(super) fn new(spec: Spec) -> Self {
        let time = Arc::new(AtomicU32::new(START + DAY));
        let clock = Arc::clone(&time);
        let simulator = Simulator::new(
            spec,
            Arc::new(move || f64::from(clock.load(Ordering::Relaxed))),
        );
        Self { simulator, time }
    }

    pub(super) fn advance(&self, seconds: u32) {
        self.time.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) fn token(&self, expire: Option<&str>) -> Reply {
        self.simulator
            .token(expire, br#"{"app_key": "k", "app_secret": "s"}"#)
    }

    pub(super) fn bearer(&self) -> String {
        let token = value(&self.token(Some("600")));
        format!("Bearer {}", token["AccessToken"].as_str().unwrap())
    }

    pub(super) fn page(&self, bearer: &str, change: Value) -> Reply {
        let mut body = json!({
            "upload_from": START, "upload_to": START + DAY, "call_types": [0, 2],
            "status": [0, 1, 2, 3, 9, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40],
            "limit": 100, "page": 1, "staff_id": null,
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let caller = Caller {
            authorization: Some(bearer),
            user_id: Some("1"),
        };
        self.simulator.details(caller, body.to_string().as_bytes())
    }

    pub(super) fn rows(&self, wire: WireFaults) -> Vec<Value> {
        self.simulator.set_faults(Faults {
            wire,
            ..Faults::default()
        });
        let page = value(&self.page(&self.bearer(), json!({"limit": 5000})));
        let groups = page["data"].as_array().unwrap();
        groups
            .iter()
            .flat_map(|group| group["calls"].as_array().unwrap().clone())
            .collect()
    }
}

pub(super) fn value(reply: &Reply) -> Value {
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    serde_json::from_slice(&reply.body).unwrap()
}
