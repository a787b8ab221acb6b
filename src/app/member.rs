//! One target: its client, its puller, its metrics.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fleet::Setup;
use super::storage::Kept;
use super::{lock, since_epoch};
use prometheus::Gauge;
use url::Url;

use crate::config::{self, Proxy, Target};
use crate::metrics::exporter::{ExporterMetrics, KnownLabels, TargetMetrics};
use crate::model::{Rejection, Status, UnixSeconds};
use crate::puller::plan::Intervals;
use crate::puller::{Failure, Handover, Puller, Settings};
use crate::upstream::http::{ClientSettings, HttpClient, ProxySettings, SecretSource};
use crate::upstream::retry::Outcome;
use crate::upstream::tls::Trust;
use crate::upstream::{Api, Report, Reporter};

/// One target.
pub(super) struct Member {
    /// As it was configured.
    pub(super) config: Target,
    /// Reads its calls.
    pub(super) puller: Puller<HttpClient, Kept>,
    /// Bytes of its ledger's file; set when they are asked for.
    pub(super) storage_bytes: Gauge,
    client_facts: Arc<Mutex<ClientFacts>>,
}

/// What the client has told about itself, for the status page.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct ClientFacts {
    /// From when on a request renews the token; none before the first token.
    pub(super) token_renewal: Option<UnixSeconds>,
    /// Seconds by which the local clock is ahead of the vendor's; none before the first answer.
    pub(super) clock_skew: Option<f64>,
}

impl Member {
    /// Ends its pull and lets go of its ledger, also where a scrape still holds the target.
    pub(super) async fn end(&self) {
        let store = self.puller.close().await.store;
        // A panic in there would have been logged; nothing is left to be done about it.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }

    /// The same target once more.
    pub(super) fn handle(&self) -> Self {
        Self {
            config: self.config.clone(),
            puller: self.puller.clone(),
            storage_bytes: self.storage_bytes.clone(),
            client_facts: Arc::clone(&self.client_facts),
        }
    }

    /// What the client has told about itself.
    pub(super) fn client_facts(&self) -> ClientFacts {
        *lock(&self.client_facts)
    }
}

/// What a target needs besides what is known of its calls.
pub(super) struct Prepared {
    own: TargetMetrics,
    client: HttpClient,
    client_facts: Arc<Mutex<ClientFacts>>,
}

/// What can fail of a target: its client. Its metrics are there at 0 from now on.
pub(super) fn prepare(
    target: &Target,
    metrics: &ExporterMetrics,
    trust: &Trust,
) -> Result<Prepared, String> {
    let own = metrics.target(&target.name, &known_labels(), since_epoch().as_secs_f64());
    let reported = own.clone();
    let client_facts: Arc<Mutex<ClientFacts>> = Arc::default();
    let facts = Arc::clone(&client_facts);
    let report: Reporter = Arc::new(move |report| match report {
        Report::Request { api, code, took } => {
            reported.request(&api.to_string(), &code, took.as_secs_f64());
        }
        Report::Token { expiry, renewal } => {
            reported.set_token_expiry(expiry);
            lock(&facts).token_renewal = Some(renewal as UnixSeconds);
        }
        Report::Retry(api) => reported.retry(&api.to_string()),
        Report::ClockSkew(seconds) => {
            reported.set_clock_skew(seconds);
            lock(&facts).clock_skew = Some(seconds);
        }
    });
    let client = HttpClient::new(client_settings(target), trust, report)
        .map_err(|error| format!("target {:?}: {error}", target.name))?;
    Ok(Prepared {
        own,
        client,
        client_facts,
    })
}

/// A target that goes on with what is known of its calls.
pub(super) fn member(
    config: Target,
    new: Prepared,
    metrics: &ExporterMetrics,
    setup: &Setup,
    mut known: Handover<Kept>,
) -> Member {
    if setup.exemplars {
        known.keep_exemplars();
    }
    let statuses: Vec<Status> = Status::documented()
        .chain(config.extra_status_codes.iter().copied())
        .collect();
    known.expect(&config.call_types, &statuses);
    let call_types: Vec<String> = config.call_types.iter().map(ToString::to_string).collect();
    let endpoint = shown_endpoint(&config.endpoint);
    metrics.set_target_info(&config.name, &endpoint, &call_types.join(","));
    new.own.ledger_limit.set(config.max_calls.into());
    let storage_bytes = new.own.storage_bytes.clone();
    let puller = Puller::resume(
        puller_settings(&config),
        new.client,
        Arc::clone(&setup.clock),
        new.own,
        known,
    );
    Member {
        config,
        puller,
        storage_bytes,
        client_facts: new.client_facts,
    }
}

pub(super) fn puller_settings(target: &Target) -> Settings {
    Settings {
        name: target.name.clone(),
        intervals: Intervals {
            lookback: seconds(target.lookback),
            overlap: seconds(target.overlap),
            // Slower than that, calls would leave the lookback before their turn came.
            reconcile_interval: seconds(target.reconcile_interval.min(target.lookback / 2)),
        },
        page_size: target.page_size,
        min_pull_interval: target.min_pull_interval,
        parallel: target.max_concurrent_requests as usize,
        max_calls: target.max_calls as usize,
    }
}

/// An endpoint without what could be secret in it.
fn shown_endpoint(endpoint: &Url) -> String {
    let path = endpoint.path().trim_end_matches('/');
    format!("{}{path}", endpoint.origin().ascii_serialization())
}

pub(super) fn client_settings(target: &Target) -> ClientSettings {
    let codes = Status::documented().chain(target.extra_status_codes.iter().copied());
    let (rest, pending): (Vec<Status>, Vec<Status>) = codes.partition(|status| status.is_final());
    let numbers = |statuses: &[Status]| statuses.iter().map(|s| s.number()).collect::<Vec<_>>();
    ClientSettings {
        endpoint: target.endpoint.clone(),
        token_endpoint: target.token_endpoint.clone(),
        app_key: target.app_key.expose().to_owned(),
        app_secret: target.app_secret.expose().to_owned(),
        secret_source: target.app_secret_file.clone().map(secret_source),
        success_codes: target.success_codes.clone(),
        user_id: target.user_id.clone(),
        tenant_space_id: target.tenant_space_id.clone(),
        call_types: target
            .call_types
            .iter()
            .map(|call_type| call_type.number())
            .collect(),
        status_codes: numbers(&[pending.clone(), rest].concat()),
        pending_codes: numbers(&pending),
        request_timeout: target.request_timeout,
        max_concurrent_requests: target.max_concurrent_requests as usize,
        max_requests_per_second: target.max_requests_per_second,
        ca_file: target.ca_file.clone(),
        proxy: target.proxy.as_ref().map(proxy_settings),
        token_proxy: target.token_proxy.as_ref().map(proxy_settings),
    }
}

fn proxy_settings(proxy: &Proxy) -> ProxySettings {
    ProxySettings {
        key: proxy.key,
        url: proxy.url.expose().clone(),
    }
}

/// Reads a file with a secret anew. Its path is not told: it may be a secret put where the path
/// belongs.
fn secret_source(file: PathBuf) -> SecretSource {
    Arc::new(move || match config::read_secret(&file) {
        Ok(secret) => Ok(secret.expose().to_owned()),
        Err(reason) => Err(reason),
    })
}

fn known_labels() -> KnownLabels {
    KnownLabels {
        apis: Api::ALL.map(|api| api.to_string()).to_vec(),
        codes: Outcome::FORESEEABLE
            .iter()
            .map(ToString::to_string)
            .collect(),
        failures: Failure::LABELS.map(str::to_owned).to_vec(),
        rejections: Rejection::ALL.map(|reason| reason.to_string()).to_vec(),
    }
}

fn seconds(duration: Duration) -> UnixSeconds {
    UnixSeconds::try_from(duration.as_secs()).unwrap_or(UnixSeconds::MAX)
}
