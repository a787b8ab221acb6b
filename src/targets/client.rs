//! From the configuration of a target to the settings of its API client.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Proxy, Target};
use crate::model::Status;
use crate::upstream::http::{ClientSettings, ProxySettings, SecretSource};

/// The settings of the client that reads this target.
pub fn client_settings(target: &Target) -> ClientSettings {
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
        keep_texts: target.teams_file.is_some() || target.agents || target.results.is_some(),
        user_id: target.user_id.clone(),
        tenant_space_id: target.tenant_space_id.clone(),
        call_types: (target.call_types.iter())
            .map(|call_type| call_type.number())
            .collect(),
        status_codes: numbers(&[pending.clone(), rest].concat()),
        pending_codes: numbers(&pending),
        request_timeout: target.request_timeout,
        max_concurrent_requests: target.max_concurrent_requests as usize,
        max_requests_per_second: target.max_requests_per_second,
        max_inspections_per_second: (target.results)
            .map_or(1.0, |results| results.max_requests_per_second),
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

/// Reads a secret file again. An error does not name the path: someone may have put the secret
/// itself where its path belongs.
fn secret_source(file: PathBuf) -> SecretSource {
    Arc::new(move || config::read_secret(&file).map(|secret| secret.expose().to_owned()))
}
