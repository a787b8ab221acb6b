//! Which request gets which response.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::auth::Authenticator;
use super::memory::ResponseMemory;
use super::respond::{Body, response, retry_later, set, text, without_body};
use super::shared_scrapes::SharedScrapes;
use super::{Settings, host, query, status_page};
use crate::targets::{Registry, Scope, ScrapeError, ScrapeRequest};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const CSS: &str = "text/css; charset=utf-8";

/// Scrapes that wait for pulls at a time. Each holds a connection until its deadline, and a vendor
/// that hangs must not take all connections. Enough for any number of Prometheus servers.
const SCRAPES_WAITING: usize = 64;

/// Reloads that wait at a time. They share results, so this bounds clients and not work.
const RELOADS_WAITING: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    /// `/metrics` or `/probe`.
    Scrape(Scope),
    StatusPage,
    Style,
    Healthy,
    Ready,
    Reload,
    Discovery,
    /// Outside of the prefix: redirects to the status page.
    Redirect,
}

impl Route {
    /// Compares paths as sent, without decoding or resolving them: a proxy in front must see the
    /// same path that is served.
    fn of(path: &str, settings: &Settings) -> Option<Self> {
        let prefix = settings.route_prefix.as_str();
        if !prefix.is_empty() && (path == "/" || path == prefix) {
            return Some(Self::Redirect);
        }
        let path = path.strip_prefix(prefix)?;
        if path == settings.telemetry_path {
            return Some(Self::Scrape(Scope::Everything));
        }
        match path {
            "/sd" => Some(Self::Discovery),
            "/probe" => Some(Self::Scrape(Scope::TargetOnly)),
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
        self.allow().split(", ").any(|allowed| method == allowed)
    }
}

/// What all connections share.
pub(super) struct Service {
    pub(super) registry: Arc<Registry>,
    pub(super) settings: Settings,
    /// `None` admits everyone, over plain HTTP.
    pub(super) authenticator: Option<Authenticator>,
    pub(super) memory: ResponseMemory,
    /// One permit for each scrape that `--web.max-requests` allows.
    pub(super) scrapes: Semaphore,
    /// One permit for each scrape that may wait for pulls.
    pub(super) waiting: Semaphore,
    /// Responses to the scrapes that do not wait.
    pub(super) immediate: SharedScrapes<ScrapeRequest>,
    reloads: Semaphore,
}

impl Service {
    pub(super) fn new(registry: Arc<Registry>, mut settings: Settings) -> Self {
        Self {
            authenticator: settings.web_config.take().map(Authenticator::new),
            scrapes: Semaphore::new(match settings.max_requests {
                0 => Semaphore::MAX_PERMITS,
                limit => limit.min(Semaphore::MAX_PERMITS),
            }),
            waiting: Semaphore::new(SCRAPES_WAITING),
            immediate: SharedScrapes::default(),
            memory: ResponseMemory::default(),
            registry,
            settings,
            reloads: Semaphore::new(RELOADS_WAITING),
        }
    }

    /// Answers a request. It does not read the body: no request has one that means anything, and
    /// hyper closes the connection of a client that is still sending one.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let (parts, _body) = request.into_parts();
        if let Some(refusal) = host::refusal(&parts) {
            return refusal;
        }
        let response = self.answer_admitted(&parts);
        let response = match &self.authenticator {
            None => response.await,
            Some(authenticator) => {
                let is_exempt = self.is_exempt(&parts);
                (authenticator.answer(&parts.headers, peer, is_exempt, response)).await
            }
        };
        match parts.method {
            Method::HEAD => without_body(response),
            _ => response,
        }
    }

    /// Whether a request is answered without a password.
    fn is_exempt(&self, request: &Parts) -> bool {
        let route = Route::of(request.uri.path(), &self.settings);
        self.settings.healthy_without_auth
            && route == Some(Route::Healthy)
            && Route::Healthy.allows(&request.method)
    }

    async fn answer_admitted(&self, request: &Parts) -> Response<Body> {
        let Some(route) = Route::of(request.uri.path(), &self.settings) else {
            return self.not_found();
        };
        if !route.allows(&request.method) {
            return method_not_allowed(route);
        }
        let query = request.uri.query().unwrap_or_default();
        match route {
            Route::Scrape(scope) => self.answer_scrape(scope, query, &request.headers).await,
            Route::StatusPage => self.memory.hold(self.status_page(query)).await,
            Route::Discovery => self.memory.hold(self.discovery()).await,
            Route::Redirect => self.redirect(),
            Route::Style => response(StatusCode::OK, CSS, status_page::STYLE),
            Route::Healthy => text(StatusCode::OK, "Healthy."),
            Route::Ready if self.registry.is_ready() => text(StatusCode::OK, "Ready."),
            Route::Ready => retry_later(&ScrapeError::NotReady),
            Route::Reload if self.settings.enable_lifecycle => match self.reloads.try_acquire() {
                Ok(_waiting) => self.reload().await,
                Err(_) => retry_later("Too many clients wait for a reload."),
            },
            Route::Reload => {
                let reason = "Reloading over HTTP is off; start with --web.enable-lifecycle, \
                    or send SIGHUP.";
                text(StatusCode::FORBIDDEN, reason)
            }
        }
    }

    /// The page of all targets, or of those that are named.
    fn status_page(&self, query: &str) -> Response<Body> {
        let names = query::restriction(query);
        let status = match self.registry.status(names.as_deref()) {
            Ok(status) => status,
            Err(unknown) => return text(StatusCode::NOT_FOUND, &unknown),
        };
        let path = self.settings.telemetry_path.as_str();
        let page = status_page::render(&status, path, names.is_some());
        let mut page = response(StatusCode::OK, HTML, page);
        let policy = header::CONTENT_SECURITY_POLICY;
        set(&mut page, policy, status_page::POLICY);
        page
    }

    async fn reload(&self) -> Response<Body> {
        // In a task of its own, so that it is not cancelled when the client leaves.
        let registry = Arc::clone(&self.registry);
        match tokio::spawn(async move { registry.reload().await }).await {
            Ok(Ok(())) => text(StatusCode::OK, "Reloaded."),
            Ok(Err(reason)) => {
                let reason = format!("Not reloaded, the old configuration stays: {reason}");
                text(StatusCode::INTERNAL_SERVER_ERROR, &reason)
            }
            Err(error) => {
                tracing::error!(%error, "the reload panicked");
                let reason = "The reload failed; see the log.";
                text(StatusCode::INTERNAL_SERVER_ERROR, reason)
            }
        }
    }

    /// Prometheus HTTP service discovery: for each target, the parameter of its `/probe`.
    fn discovery(&self) -> Response<Body> {
        if !self.registry.is_ready() {
            // An empty list would remove all targets from Prometheus; after an error it keeps them.
            return retry_later(&ScrapeError::NotReady);
        }
        let names = self.registry.names();
        let groups: Vec<serde_json::Value> = (names.iter())
            .map(|name| serde_json::json!({"targets": [name], "labels": {"__param_target": name}}))
            .collect();
        let json = serde_json::Value::from(groups).to_string();
        response(StatusCode::OK, JSON, json)
    }

    fn redirect(&self) -> Response<Body> {
        let location = format!("{}/", self.settings.route_prefix);
        let mut redirect = text(StatusCode::FOUND, &location);
        // The characters of a prefix are allowed in a header.
        if let Ok(location) = HeaderValue::from_str(&location) {
            redirect.headers_mut().insert(header::LOCATION, location);
        }
        redirect
    }

    fn not_found(&self) -> Response<Body> {
        let prefix = &self.settings.route_prefix;
        let telemetry_path = &self.settings.telemetry_path;
        let paths = format!(
            "Not found. Paths: {prefix}{telemetry_path}, {prefix}/probe?target=NAME, \
             {prefix}/sd, {prefix}/, {prefix}/-/healthy, {prefix}/-/ready and, for POST, \
             {prefix}/-/reload."
        );
        text(StatusCode::NOT_FOUND, &paths)
    }
}

fn method_not_allowed(route: Route) -> Response<Body> {
    let reason = format!("Allowed methods: {}.", route.allow());
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, &reason);
    set(&mut response, header::ALLOW, route.allow());
    response
}
