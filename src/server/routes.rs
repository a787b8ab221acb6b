//! Which request gets which answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::scrapes::Scrapes;
use super::site::{Scope, Site, StatusView, UnknownTarget};
use super::{Settings, deadline, gzip, negotiation, query, status_page};
use crate::metrics::exposition::Format;
use crate::model::UnixSeconds;

/// The body of an answer: always all there, so that the client learns its length.
pub(super) type Body = Full<Bytes>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const CSS: &str = "text/css; charset=utf-8";

/// What there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Metrics,
    Probe,
    StatusPage,
    Style,
    Healthy,
    Ready,
    Reload,
    Discovery,
    /// What is outside of the prefix and leads into it.
    Entrance,
}

impl Route {
    /// Paths are compared as they come: what a proxy in front lets through and what is served
    /// here must be the same thing, so nothing is decoded, merged or resolved.
    fn of(path: &str, settings: &Settings) -> Option<Self> {
        let prefix = settings.route_prefix.as_str();
        if !prefix.is_empty() && (path == "/" || path == prefix) {
            return Some(Self::Entrance);
        }
        let path = path.strip_prefix(prefix)?;
        if path == settings.telemetry_path {
            return Some(Self::Metrics);
        }
        match path {
            "/sd" => Some(Self::Discovery),
            "/probe" => Some(Self::Probe),
            "/" => Some(Self::StatusPage),
            status_page::STYLE_PATH => Some(Self::Style),
            "/-/healthy" => Some(Self::Healthy),
            "/-/ready" => Some(Self::Ready),
            "/-/reload" => Some(Self::Reload),
            _ => None,
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Reload => "POST",
            _ => "GET, HEAD",
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Reload => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

/// Whether a request asks if the program is alive, and nothing else.
pub(super) fn is_health_check(method: &Method, path: &str, settings: &Settings) -> bool {
    let route = Route::of(path, settings);
    route == Some(Route::Healthy) && Route::Healthy.allows(method)
}

/// Answers a request. Its body is not read: no request has one that means anything, and hyper
/// closes the connection of a client that is still sending one.
pub(super) fn answer<S: Site, B>(
    scrapes: &Arc<Scrapes<S>>,
    settings: &Arc<Settings>,
    request: Request<B>,
) -> impl Future<Output = Response<Body>> + Send + use<S, B> {
    let (scrapes, settings) = (Arc::clone(scrapes), Arc::clone(settings));
    let (parts, _body) = request.into_parts();
    async move {
        let Some(route) = Route::of(parts.uri.path(), &settings) else {
            return not_found(&settings);
        };
        if !route.allows(&parts.method) {
            return method_not_allowed(route);
        }
        let query = parts.uri.query().unwrap_or_default();
        let site = &scrapes.site;
        match route {
            Route::Metrics | Route::Probe => {
                let Some(turn) = scrapes.begin() else {
                    return too_many(settings.max_requests);
                };
                let response = scrape(&scrapes, route, query, &parts.headers, &settings).await;
                turn.answered(response.status().as_u16());
                response
            }
            Route::StatusPage => show_status(site.status(), query, &settings),
            Route::Discovery => discovery(&site.status()),
            Route::Entrance => entrance(&settings),
            Route::Style => response(StatusCode::OK, CSS, status_page::STYLE),
            Route::Healthy => text(StatusCode::OK, "Healthy."),
            Route::Ready if site.ready() => text(StatusCode::OK, "Ready."),
            Route::Ready => {
                let reason = "Not ready: configuration and storage are still being loaded.";
                text(StatusCode::SERVICE_UNAVAILABLE, reason)
            }
            Route::Reload if settings.enable_lifecycle => match scrapes.may_reload() {
                Some(_waiting) => reload(Arc::clone(site)).await,
                None => retry_later("Too many reloads wait for one that is running."),
            },
            Route::Reload => {
                let reason = "Reloading over HTTP is off; --web.enable-lifecycle allows it, \
                    and SIGHUP does the same.";
                text(StatusCode::FORBIDDEN, reason)
            }
        }
    }
}

fn wait_until(headers: &HeaderMap, settings: &Settings) -> Instant {
    let timeout = headers.get(deadline::TIMEOUT_HEADER);
    let timeout = timeout.and_then(|value| value.to_str().ok());
    Instant::now() + deadline::wait_for(timeout, settings.timeout_offset)
}

fn now() -> UnixSeconds {
    let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    UnixSeconds::try_from(since_epoch.as_secs()).unwrap_or(UnixSeconds::MAX)
}

fn too_many(limit: usize) -> Response<Body> {
    let reason = format!("Too many scrapes at once; --web.max-requests allows {limit}.");
    retry_later(&reason)
}

pub(super) fn retry_later(reason: &str) -> Response<Body> {
    let mut refusal = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    set(&mut refusal, header::RETRY_AFTER, "1");
    refusal
}

/// Answers a scrape in the format and the encoding that the client asks for.
async fn scrape<S: Site>(
    scrapes: &Scrapes<S>,
    route: Route,
    query: &str,
    headers: &HeaderMap,
    settings: &Settings,
) -> Response<Body> {
    let (targets, scope) = match route {
        Route::Probe => match query::only_target(query) {
            Ok(target) => (Some(vec![target]), Scope::TargetOnly),
            Err(wrong) => return text(StatusCode::BAD_REQUEST, &wrong),
        },
        _ => (query::restriction(query), Scope::Everything),
    };
    let accept = texts(headers, header::ACCEPT);
    let offer = negotiation::offer(accept.iter().map(|value| &**value));
    let encodings = texts(headers, header::ACCEPT_ENCODING);
    let gzip = negotiation::wants_gzip(encodings.iter().map(|value| &**value));
    let format = offer.format;
    let metrics = match scrapes.may_wait() {
        Some(_waiting) => {
            let deadline = wait_until(headers, settings);
            metrics(scrapes, targets, scope, format, gzip, deadline).await
        }
        None => {
            let key = format!("{targets:?} {scope:?} {format:?} {gzip}");
            let make = || metrics(scrapes, targets, scope, format, gzip, Instant::now());
            let Some(shared) = scrapes.at_once.answer(key, make).await else {
                return retry_later("Too many different scrapes at once.");
            };
            shared
        }
    };
    let metrics = match metrics {
        Ok(metrics) => metrics,
        Err(unknown) => return text(StatusCode::NOT_FOUND, &unknown),
    };
    let mut answer = response(StatusCode::OK, offer.content_type, metrics.body);
    set(&mut answer, header::VARY, "accept, accept-encoding");
    if metrics.is_compressed {
        set(&mut answer, header::CONTENT_ENCODING, "gzip");
    }
    answer
}

/// Metrics as they are sent.
#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) body: Bytes,
    pub(super) is_compressed: bool,
}

async fn metrics<S: Site>(
    scrapes: &Scrapes<S>,
    targets: Option<Vec<String>>,
    scope: Scope,
    format: Format,
    gzip: bool,
    deadline: Instant,
) -> Result<Metrics, UnknownTarget> {
    let site = &scrapes.site;
    let body = site.scrape(targets, scope, format, deadline).await?;
    let smaller = match gzip {
        true => gzip::gzip(body.clone(), &scrapes.compressing).await,
        false => None,
    };
    Ok(Metrics {
        is_compressed: smaller.is_some(),
        body: smaller.unwrap_or(body),
    })
}

/// The values of a header. Bytes that are no text spoil the item that they are in, and not the
/// whole list.
fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<Cow<'_, str>> {
    let values = headers.get_all(name).into_iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect()
}

/// The page of all targets, or of those that are named.
fn show_status(mut view: StatusView, query: &str, settings: &Settings) -> Response<Body> {
    let names = query::restriction(query);
    if let Some(names) = &names {
        let is_known = |name: &String| view.targets.iter().any(|target| target.name == *name);
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            let known = view.targets.into_iter().map(|target| target.name);
            let unknown = UnknownTarget {
                name: unknown.clone(),
                known: known.collect(),
            };
            return text(StatusCode::NOT_FOUND, &unknown);
        }
        view.targets.retain(|target| names.contains(&target.name));
    }
    let path = &settings.telemetry_path;
    let page = status_page::render(&view, path, names.is_some(), now());
    let mut page = response(StatusCode::OK, HTML, page);
    let policy = header::CONTENT_SECURITY_POLICY;
    set(&mut page, policy, status_page::POLICY);
    page
}

async fn reload<S: Site>(site: Arc<S>) -> Response<Body> {
    // In a task of its own: a client that leaves must not stop it half way.
    let reloaded = tokio::spawn(async move { site.reload().await }).await;
    match reloaded {
        Ok(Ok(())) => text(StatusCode::OK, "Reloaded."),
        Ok(Err(reason)) => {
            let reason = format!("Not reloaded, the old configuration stays: {reason}");
            text(StatusCode::INTERNAL_SERVER_ERROR, &reason)
        }
        Err(error) => {
            tracing::error!(%error, "the reload broke off");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The reload broke off; see the log.",
            )
        }
    }
}

/// Prometheus HTTP service discovery: a target for each target, with what `/probe` needs to know.
fn discovery(view: &StatusView) -> Response<Body> {
    let groups: Vec<serde_json::Value> = (view.targets.iter())
        .map(|target| {
            serde_json::json!({
                "targets": [target.name],
                "labels": {"__param_target": target.name},
            })
        })
        .collect();
    let json = serde_json::Value::from(groups).to_string();
    response(StatusCode::OK, JSON, json)
}

fn entrance(settings: &Settings) -> Response<Body> {
    let location = format!("{}/", settings.route_prefix);
    let mut redirect = text(StatusCode::FOUND, &location);
    // A prefix is made of characters that may stand in a header.
    if let Ok(location) = HeaderValue::from_str(&location) {
        redirect.headers_mut().insert(header::LOCATION, location);
    }
    redirect
}

fn not_found(settings: &Settings) -> Response<Body> {
    let (prefix, telemetry_path) = (&settings.route_prefix, &settings.telemetry_path);
    let paths = format!(
        "There is nothing here. There are: {prefix}{telemetry_path}, \
         {prefix}/probe?target=NAME, {prefix}/sd, {prefix}/, {prefix}/-/healthy, \
         {prefix}/-/ready and, for POST, {prefix}/-/reload."
    );
    text(StatusCode::NOT_FOUND, &paths)
}

fn method_not_allowed(route: Route) -> Response<Body> {
    let reason = format!("Allowed here: {}.", route.allow());
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, &reason);
    set(&mut response, header::ALLOW, route.allow());
    response
}

/// An answer of one line.
pub(super) fn text(
    status: StatusCode,
    message: &(impl std::fmt::Display + ?Sized),
) -> Response<Body> {
    response(status, TEXT, format!("{message}\n"))
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    // Names and errors come from outside; no browser may take them for anything but text.
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}
