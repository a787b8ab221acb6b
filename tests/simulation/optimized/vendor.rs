//! The simulator as an [`Upstream`] without a socket, with its faults and delays, and a log of the
//! records served.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::model::{CallId, Inspection, Record, UnixSeconds};
use cec_exporter::puller::Clock;
use cec_exporter::simulator::reply::{Delivery, Reply};
use cec_exporter::simulator::row_faults::RowFaults;
use cec_exporter::simulator::{Caller, Simulator};
use cec_exporter::upstream::response::{PageRules, ParseError, parse_inspection};
use cec_exporter::upstream::{Error, ErrorKind, Filter, Page, PageRequest, Upstream};

use super::extras::Answered;
use super::quirks::Identities;

/// Every record that the exporter received, in order, with the exporter's time.
pub(crate) type Served = Vec<(UnixSeconds, Record)>;
/// The log of a run.
pub(crate) type Log = Arc<Mutex<Served>>;

#[derive(Clone)]
pub(crate) struct Vendor {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) rng: Arc<Mutex<fastrand::Rng>>,
    /// Maximum delay of a response.
    pub(crate) slowness_ms: Arc<Mutex<u64>>,
    pub(crate) token: Arc<Mutex<Option<String>>>,
    /// Permanent row faults of the run.
    pub(crate) rows: RowFaults,
    pub(crate) identities: Arc<Mutex<Identities>>,
    pub(crate) answered: Arc<Mutex<Answered>>,
}

const STATUSES: &str = "[0,3,1,2,9,31,32,33,34,35,36,37,38,39,40]";

fn error(kind: ErrorKind, retry_after: Option<u64>) -> Error {
    let retry_after = retry_after.map(Duration::from_secs);
    Error {
        kind,
        message: format!("simulated: {kind:?}"),
        likely_cause: None,
        retry_after,
    }
}

impl Vendor {
    fn token(&self) -> Result<String, Error> {
        let mut token = self.token.lock().unwrap();
        if token.is_none() {
            let body = br#"{"app_key":"k","app_secret":"s"}"#;
            let reply = self.simulator.token(Some("600"), body);
            let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            *token = value["AccessToken"].as_str().map(str::to_owned);
        }
        token.clone().ok_or_else(|| error(ErrorKind::Auth, None))
    }

    /// Sends a request, again with a new token if the first was refused, after a random delay.
    async fn answer(&self, send: impl Fn(Caller<'_>) -> Reply) -> Result<Reply, Error> {
        let ask = || -> Result<Reply, Error> {
            let authorization = format!("Bearer {}", self.token()?);
            Ok(send(Caller {
                authorization: Some(&authorization),
                user_id: Some("u"),
            }))
        };
        let pause = {
            let slowness = *self.slowness_ms.lock().unwrap();
            self.rng.lock().unwrap().u64(..=slowness)
        };
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause / 2)).await;
        }
        let mut reply = ask()?;
        if reply.status == 401 {
            *self.token.lock().unwrap() = None;
            reply = ask()?;
        }
        if pause > 0 {
            tokio::time::sleep(Duration::from_millis(pause / 2)).await;
        }
        let kind = match (reply.delivery, reply.status) {
            (Delivery::Reset, _) => ErrorKind::Connect,
            (Delivery::Cut, _) => ErrorKind::Body,
            (_, 200) => return Ok(reply),
            (_, 400) => ErrorKind::BadRequest,
            (_, 401 | 403) => ErrorKind::Auth,
            (_, 429) => ErrorKind::RateLimit,
            _ => ErrorKind::Server,
        };
        Err(error(kind, reply.retry_after_seconds))
    }
}

fn unreadable(unreadable: ParseError) -> Error {
    match unreadable {
        ParseError::Body(_) => error(ErrorKind::Body, None),
        ParseError::Envelope(_) => error(ErrorKind::Envelope, None),
    }
}

impl Upstream for Vendor {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        let statuses = match request.filter {
            Filter::All => STATUSES,
            Filter::Pending => "[0,3,1]",
        };
        let body = format!(
            r#"{{"upload_from":{},"upload_to":{},"call_types":[0,2],"status":{statuses},"limit":{},"page":{}}}"#,
            request.window.from, request.window.to, request.limit, request.page
        );
        let send = |caller: Caller<'_>| self.simulator.details(caller, body.as_bytes());
        let reply = self.answer(send).await?;
        let rules = PageRules {
            page: request.page,
            max_rows: usize::MAX,
            success_codes: &[],
            keep_texts: true,
        };
        let page = rules.parse(&reply.body).map_err(unreadable)?;
        // No await from here to the ledger: every logged record is applied.
        let now = (self.clock)();
        let mut identities = self.identities.lock().unwrap();
        let known = page.records.iter().map(|record| {
            let mut record = record.clone();
            record.id = identities.of(record.id, &self.rows, &self.simulator);
            (now, record)
        });
        self.log.lock().unwrap().extend(known);
        Ok(page)
    }

    async fn inspection(&self, call_uuid: &str) -> Result<Inspection, Error> {
        let body = format!(r#"{{"call_uuid":"{call_uuid}"}}"#);
        let send = |caller: Caller<'_>| self.simulator.credit(caller, body.as_bytes());
        let reply = self.answer(send).await?;
        let inspection = parse_inspection(&reply.body, &[]).map_err(unreadable)?;
        let id = CallId::parse(call_uuid).unwrap();
        self.answered.lock().unwrap().add(id, &inspection);
        Ok(inspection)
    }
}
