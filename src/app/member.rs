//! One target: its client, its puller, its metrics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fleet::Setup;
use super::storage::Kept;
use super::{lock, since_epoch};
use crate::config::{Proxy, Target};
use crate::metrics::exporter::{ExporterMetrics, KnownLabels, TargetMetrics};
use crate::model::{Rejection, Status, UnixSeconds};
use crate::puller::plan::Spans;
use crate::puller::{Failure, Known, Puller, Settings};
use crate::upstream::http::{ClientSettings, HttpClient, ProxySettings};
use crate::upstream::trust::Trust;
use crate::upstream::{Api, Report, Reporter};

/// One target.
pub(super) struct Member {
    /// As it was configured.
    pub(super) config: Target,
    /// Reads its calls.
    pub(super) puller: Puller<HttpClient, Kept>,
    token_renewal: TokenRenewal,
}

/// From when on a request renews the token; none before the first token.
type TokenRenewal = Arc<Mutex<Option<UnixSeconds>>>;

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
            token_renewal: Arc::clone(&self.token_renewal),
        }
    }

    /// From when on a request renews the token; none before the first token.
    pub(super) fn token_renewal(&self) -> Option<UnixSeconds> {
        *lock(&self.token_renewal)
    }
}

/// What a target needs besides what is known of its calls.
pub(super) struct Prepared {
    own: TargetMetrics,
    client: HttpClient,
    token_renewal: TokenRenewal,
}

/// What can fail of a target: its client. Its metrics are there at 0 from now on.
pub(super) fn prepare(
    target: &Target,
    metrics: &ExporterMetrics,
    trust: &Trust,
) -> Result<Prepared, String> {
    let own = metrics.target(&target.name, &known_labels(), since_epoch().as_secs_f64());
    let reported = own.clone();
    let token_renewal = TokenRenewal::default();
    let renewal_reported = Arc::clone(&token_renewal);
    let report: Reporter = Arc::new(move |report| match report {
        Report::Request { api, code, took } => {
            reported.request(&api.to_string(), &code, took.as_secs_f64());
        }
        Report::Token { expiry, renewal } => {
            reported.set_token_expiry(expiry);
            *lock(&renewal_reported) = Some(renewal as UnixSeconds);
        }
        Report::Retry(api) => reported.retry(&api.to_string()),
    });
    let client = HttpClient::new(client_settings(target), trust, report)
        .map_err(|error| format!("target {:?}: {error}", target.name))?;
    Ok(Prepared {
        own,
        client,
        token_renewal,
    })
}

/// A target that goes on with what is known of its calls.
pub(super) fn member(
    config: Target,
    new: Prepared,
    setup: &Setup,
    mut known: Known<Kept>,
) -> Member {
    if setup.exemplars {
        known.keep_exemplars();
    }
    let statuses: Vec<Status> = Status::documented()
        .chain(config.extra_status_codes.iter().copied())
        .collect();
    known.expect(&config.call_types, &statuses);
    let settings = Settings {
        name: config.name.clone(),
        spans: Spans {
            lookback: seconds(config.lookback),
            overlap: seconds(config.overlap),
            // Slower than that, calls would leave the lookback before their turn came.
            reconcile_interval: seconds(config.reconcile_interval.min(config.lookback / 2)),
        },
        page_size: config.page_size,
        min_pull_interval: config.min_pull_interval,
        parallel: config.max_concurrent_requests as usize,
    };
    let puller = Puller::go_on(
        settings,
        new.client,
        Arc::clone(&setup.clock),
        new.own,
        known,
    );
    Member {
        config,
        puller,
        token_renewal: new.token_renewal,
    }
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

fn known_labels() -> KnownLabels {
    KnownLabels {
        apis: Api::ALL.map(|api| api.to_string()).to_vec(),
        failures: Failure::LABELS.map(str::to_owned).to_vec(),
        rejections: Rejection::ALL.map(|reason| reason.to_string()).to_vec(),
    }
}

fn seconds(duration: Duration) -> UnixSeconds {
    UnixSeconds::try_from(duration.as_secs()).unwrap_or(UnixSeconds::MAX)
}
