//! The real client and puller in this process, in a year of the test's choice.

use std::sync::Arc;
use std::time::Duration;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics, InitialLabels};
use cec_exporter::model::{CallType, Status};
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::state::TargetState;
use cec_exporter::puller::{Clock, Puller, Settings};
use cec_exporter::store::NullStore;
use cec_exporter::upstream::http::{ClientSettings, HttpClient};
use cec_exporter::upstream::tls::Trust;
use url::Url;

use super::PATIENCE;

/// A client that nothing slows down.
pub(crate) fn client(endpoint: &str) -> HttpClient {
    let token_endpoint = format!("{endpoint}/apigovernance/api/oauth/tokenByAkSk");
    let statuses: Vec<Status> = Status::documented().collect();
    let pending = statuses.iter().filter(|status| !status.is_final());
    let settings = ClientSettings {
        endpoint: Url::parse(endpoint).unwrap(),
        token_endpoint: Url::parse(&token_endpoint).unwrap(),
        app_key: "key".into(),
        app_secret: "secret".into(),
        secret_source: None,
        success_codes: vec![],
        keep_texts: false,
        user_id: "user".into(),
        tenant_space_id: None,
        call_types: vec![0, 2],
        status_codes: statuses.iter().map(|status| status.number()).collect(),
        pending_codes: pending.map(|status| status.number()).collect(),
        request_timeout: PATIENCE,
        max_concurrent_requests: 4,
        max_requests_per_second: 100_000.0,
        max_inspections_per_second: 100_000.0,
        ca_file: None,
        proxy: None,
        token_proxy: None,
    };
    let trust = Trust::of_this_machine().unwrap();
    HttpClient::new(settings, &trust, Arc::new(|_| ())).unwrap()
}

/// A puller of one target; nothing holds its pulls or requests apart.
pub(crate) fn puller(
    name: &str,
    endpoint: &str,
    intervals: Intervals,
    clock: Clock,
) -> Puller<HttpClient, NullStore> {
    let build = Build {
        version: "1",
        revision: "r",
        rustc: "c",
    };
    let own = ExporterMetrics::new(build, 0.0);
    let statuses: Vec<Status> = Status::documented().collect();
    let mut book = TargetState::default();
    book.create_series(&[CallType::VOICE, CallType::TEXT], &statuses);
    let settings = Settings {
        name: name.into(),
        intervals,
        page_size: 100,
        min_pull_interval: Duration::ZERO,
        parallel: 4,
        max_calls: 5_000_000,
    };
    let client = client(endpoint);
    let own = own.target(name, &InitialLabels::default(), 0.0);
    Puller::new(settings, client, clock, own, book, Arc::new(NullStore))
}
