//! The simulator as an HTTP server: the vendor's endpoints, and `/-/` to inspect and control it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use serde::Serialize;
use tokio::net::TcpListener;

use super::endpoints::Caller;
use super::faults::Faults;
use super::reply::{Delivery, Reply};
use super::spec::Scenario;
use super::vendor::Simulator;

const TOKEN: &str = "/apigovernance/api/oauth/tokenByAkSk";
const DETAILS: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
/// Deployments differ in the service that the results are below.
const CREDIT: &str = "/apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit";
const OTHER_CREDIT: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/credit";

/// A valid request has a few hundred bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Chunks of a dribbled body.
const CHUNKS: usize = 8;

type Body = UnsyncBoxBody<Bytes, InjectedFault>;

/// Makes hyper close a connection on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed by a configured fault")]
struct InjectedFault;

/// Serves until `shutdown` resolves, then waits for the requests in flight.
pub async fn run(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Usually too many open files: retrying at once would spin.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        // Otherwise the kernel delays small responses.
        let _ = stream.set_nodelay(true);
        let simulator = Arc::clone(&simulator);
        let service = service_fn(move |request| {
            let simulator = Arc::clone(&simulator);
            async move { serve(&simulator, request).await }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Counts a request as in flight, even if its client disconnects.
struct InFlight<'a>(&'a Simulator);

impl<'a> InFlight<'a> {
    fn new(simulator: &'a Simulator) -> Self {
        let stats = &mut simulator.state().stats;
        stats.in_flight += 1;
        stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
        Self(simulator)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state().stats.in_flight -= 1;
    }
}

async fn serve(
    simulator: &Simulator,
    request: Request<Incoming>,
) -> Result<Response<Body>, InjectedFault> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(name) = path.strip_prefix("/-/") {
        let query = head.uri.query().unwrap_or("");
        let reply = control(simulator, &head.method, name, query, body).await;
        return response(reply);
    }
    if !matches!(path, TOKEN | DETAILS | CREDIT | OTHER_CREDIT) {
        return response(Reply::error(404, "no such path"));
    }
    if head.method != Method::POST {
        return response(Reply::error(405, "expected POST"));
    }
    let mut response = respond(simulator, head, body).await?;
    if let Some(date) = date(simulator) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

/// The header `Date` by the vendor's clock.
fn date(simulator: &Simulator) -> Option<HeaderValue> {
    let skew = simulator.faults().clock_skew_seconds;
    let seconds = (simulator.now() as i64).saturating_add(skew);
    let since_epoch = Duration::from_secs(seconds.try_into().ok()?);
    let time = SystemTime::UNIX_EPOCH.checked_add(since_epoch)?;
    // The format has no year beyond 9999.
    let year_10000 = Duration::from_secs(253_402_300_800);
    let text = (since_epoch < year_10000).then(|| httpdate::fmt_http_date(time))?;
    HeaderValue::try_from(text).ok()
}

async fn respond(
    simulator: &Simulator,
    head: Parts,
    body: Incoming,
) -> Result<Response<Body>, InjectedFault> {
    let _in_flight = InFlight::new(simulator);
    let body = match read(body).await {
        Ok(body) => body,
        Err(reply) => return response(reply),
    };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let caller = Caller {
        authorization: header(AUTHORIZATION.as_str()),
        user_id: header("x-userid"),
    };
    let reply = match head.uri.path() {
        TOKEN => simulator.token(header("x-token-expire"), &body),
        DETAILS => simulator.details(caller, &body),
        _ => simulator.credit(caller, &body),
    };
    if reply.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(reply.delay_ms)).await;
    }
    response(reply)
}

async fn read(body: Incoming) -> Result<Bytes, Reply> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) => Err(Reply::error(413, "the body is too large or broken")),
    }
}

async fn control(
    simulator: &Simulator,
    method: &Method,
    name: &str,
    query: &str,
    body: Incoming,
) -> Reply {
    match (method.as_str(), name) {
        ("GET", "healthy") => Reply::json(&"healthy"),
        ("GET", "stats") => Reply::json(&simulator.stats()),
        ("GET", "faults") => Reply::json(&simulator.faults()),
        ("GET", "truth") => for_window(query, |from, to| simulator.truth(from, to)),
        ("GET", "results") => for_window(query, |from, to| simulator.results(from, to)),
        ("GET", "teams") => Reply::ok(simulator.world().spec().teams_csv().into_bytes()),
        ("GET", "scenario") => {
            let now = simulator.now() as u32;
            Reply::json(simulator.world().scenario(now))
        }
        ("PUT", "faults" | "scenario") => match read(body).await {
            Err(reply) => reply,
            Ok(body) if name == "faults" => {
                set(Faults::parse(&body), |it| simulator.set_faults(it))
            }
            Ok(body) => set(Scenario::parse(&body), |it| simulator.set_scenario(it)),
        },
        (_, "healthy" | "stats" | "faults" | "truth" | "results" | "teams" | "scenario") => {
            Reply::error(405, "method not allowed")
        }
        _ => Reply::error(
            404,
            "expected healthy, stats, faults, scenario, truth, results or teams",
        ),
    }
}

fn set<T: Serialize + Clone>(parsed: Result<T, String>, apply: impl FnOnce(T)) -> Reply {
    match parsed {
        Ok(value) => {
            apply(value.clone());
            Reply::json(&value)
        }
        Err(reason) => Reply::error(400, &reason),
    }
}

/// Answers with what is true of the calls between `from` and `to`.
fn for_window<T: Serialize>(
    query: &str,
    truth: impl FnOnce(Option<u32>, Option<u32>) -> T,
) -> Reply {
    let (mut from, mut to) = (None, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let Ok(seconds) = value.parse() else {
            return Reply::error(400, &format!("{name}: expected unix seconds"));
        };
        match &*name {
            "from" => from = Some(seconds),
            "to" => to = Some(seconds),
            _ => return Reply::error(400, &format!("{name}: expected from or to")),
        }
    }
    Reply::json(&truth(from, to))
}

fn response(reply: Reply) -> Result<Response<Body>, InjectedFault> {
    let body = Bytes::from(reply.body);
    let (chunks, pause_ms) = match reply.delivery {
        // An error of the service makes hyper close the connection without a response.
        Delivery::Reset => return Err(InjectedFault),
        Delivery::Whole => (vec![Ok(body.clone())], 0),
        Delivery::Cut => {
            let half = body.slice(..body.len() / 2);
            // The pause lets the half go out before the connection is closed.
            (vec![Ok(half), Err(InjectedFault)], 50)
        }
        Delivery::Dribble(pause_ms) => {
            let chunks = body.chunks(body.len().div_ceil(CHUNKS).max(1));
            let chunks = chunks.map(|chunk| Ok(body.slice_ref(chunk)));
            (chunks.collect(), pause_ms)
        }
    };
    let stream = stream::unfold(
        (chunks.into_iter(), true),
        move |(mut chunks, is_first)| async move {
            let chunk = chunks.next()?;
            if !is_first {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            Some((chunk.map(Frame::data), (chunks, false)))
        },
    );
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    // Always valid: faults are limited to 400 to 599.
    *response.status_mut() = reply.status.try_into().unwrap_or_default();
    let kind = if reply.is_html {
        "text/html"
    } else {
        "application/json; charset=UTF-8"
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = reply.retry_after_seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}
