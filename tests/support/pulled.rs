//! The real client and puller in this process, in a year of the test's choice.

use std::sync::Arc;
use std::time::Duration;

use cec_exporter::client::HttpClient;
use cec_exporter::client::tls::Trust;
use cec_exporter::config::{self, Results};
use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::model::{CallType, Status};
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::state::TargetState;
use cec_exporter::puller::{Clock, Handover, Puller, Settings};
use cec_exporter::store::NullStore;

use super::PATIENCE;

/// A client that nothing slows down.
pub(crate) fn client(endpoint: &str) -> HttpClient {
    let text = format!(
        "targets: [{{name: t, endpoint: '{endpoint}', app_key: key, app_secret: secret, user_id: user}}]"
    );
    let mut target = config::from_text(&text).unwrap().targets.remove(0);
    target.request_timeout = PATIENCE;
    target.max_requests_per_second = 100_000.0;
    target.results = Some(Results {
        share: 1.0,
        max_requests_per_second: 100_000.0,
        max_rules: 200,
    });
    let trust = Trust::of_this_machine().unwrap();
    HttpClient::new(target, &trust, Arc::new(|_| ())).unwrap()
}

/// A puller of one target; nothing holds its pulls or requests apart.
pub(crate) fn puller(
    name: &str,
    endpoint: &str,
    intervals: Intervals,
    clock: Clock,
) -> Puller<HttpClient> {
    let build = Build {
        version: "1",
        revision: "r",
        rustc: "c",
    };
    let own = ExporterMetrics::new(build, 0.0);
    let statuses: Vec<Status> = Status::documented().collect();
    let mut book = TargetState::default();
    book.tallies
        .create_series(&[CallType::VOICE, CallType::TEXT], &statuses);
    let settings = Settings {
        name: name.into(),
        intervals,
        page_size: 100,
        min_pull_interval: Duration::ZERO,
        parallel: 4,
        max_calls: 5_000_000,
    };
    let client = client(endpoint);
    let own = own.target(name, 0.0);
    let known = Handover::opened(book, Arc::new(NullStore));
    Puller::new(settings, client, clock, own, known, None)
}
