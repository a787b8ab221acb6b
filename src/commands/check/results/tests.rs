use std::sync::Arc;

use tokio::net::TcpListener;

use crate::client::tls::Trust;
use crate::commands::check::TargetCheck;
use crate::commands::check::report::TargetReport;
use crate::config;
use crate::process;
use crate::simulator::faults::{Answer, Fault, Faults};
use crate::simulator::spec::Spec;
use crate::simulator::{Simulator, http};

/// Checks a simulated vendor with results.
async fn check(spec: Spec, faults: Faults) -> TargetReport {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let now = f64::from(process::now());
    let simulator = Arc::new(Simulator::new(spec, Arc::new(move || now)));
    simulator.set_faults(faults);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    tokio::spawn(http::run(listener, simulator, std::future::pending::<()>()));
    let config = config::from_text(&format!(
        "targets: [{{name: t, endpoint: 'http://{endpoint}', app_key: k, app_secret: s, \
         user_id: u, page_size: 1000, results: {{enabled: true}}}}]"
    ));
    let target = &config.unwrap().targets[0];
    let trust = Trust::of_this_machine().unwrap();
    TargetCheck::new(target, &trust).run().await
}

/// Calls of the last hour that succeed at once.
fn succeeding() -> Spec {
    Spec {
        start: process::now() - 3600,
        flat: true,
        pipeline_speed: f64::INFINITY,
        failures: Vec::new(),
        ..Spec::default()
    }
}

#[tokio::test]
async fn the_result_of_a_succeeded_call_is_read() {
    let report = check(succeeding(), Faults::default()).await;
    let step = report.steps.last().unwrap();
    assert!(report.ok, "{step:?}");
    assert_eq!(
        (step.step, step.key, step.ok),
        ("results", "results", Some(true))
    );
    assert!(
        step.detail.starts_with("a call was inspected for "),
        "{step:?}"
    );
    assert!(!step.detail.contains("requests:"), "{step:?}");
}

#[tokio::test]
async fn a_failure_gives_its_likely_cause() {
    let faults = Faults {
        credit: vec![Fault::share(Answer::Http(404), 1.0)],
        ..Faults::default()
    };
    let report = check(succeeding(), faults).await;
    let [.., page, step] = &report.steps[..] else {
        panic!("{report:?}");
    };
    assert_eq!(
        (page.ok, step.ok, report.ok),
        (Some(true), Some(false), false)
    );
    let cause = step.likely_cause.as_ref().unwrap();
    assert!(cause.contains("no API for inspection results"), "{cause}");
}

#[tokio::test]
async fn it_is_not_tried_without_a_page_or_a_succeeded_call() {
    let waiting = Spec {
        pipeline_speed: 1e-9,
        ..succeeding()
    };
    let report = check(waiting, Faults::default()).await;
    let step = report.steps.last().unwrap();
    assert!(report.ok, "{step:?}");
    assert_eq!((step.ok, &*step.detail), (None, super::NO_CALL));

    let faults = Faults {
        details: vec![Fault::share(Answer::Http(403), 1.0)],
        ..Faults::default()
    };
    let report = check(succeeding(), faults).await;
    let step = report.steps.last().unwrap();
    assert_eq!(
        (step.step, step.ok, &*step.detail),
        ("results", None, "not tried")
    );
}
