//! The simulator on a real socket, on threads of its own.

use std::sync::Arc;
use std::time::SystemTime;

use super::process::{Exporter, target};
use cec_exporter::simulator::faults::{Fault, Faults};
use cec_exporter::simulator::spec::{Scenario, Spec};
use cec_exporter::simulator::{Clock, Simulator, http};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

pub(crate) struct SimulatedVendor {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) endpoint: String,
    runtime: Option<Runtime>,
}

impl SimulatedVendor {
    pub(crate) fn start(spec: Spec, clock: Clock) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let simulator = Arc::new(Simulator::new(spec, clock));
        // Bound by hand, as a test may be on a runtime of its own here.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::clone(&simulator);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            http::run(listener, served, std::future::pending::<()>()).await;
        });
        Self {
            simulator,
            endpoint,
            runtime: Some(runtime),
        }
    }

    /// Its time stands still, so that the truth does.
    pub(crate) fn frozen(spec: Spec) -> Self {
        let now = f64::from(now());
        Self::start(spec, Arc::new(move || now))
    }

    /// With the time of this machine.
    pub(crate) fn live(spec: Spec) -> Self {
        Self::start(spec, Arc::new(|| since_epoch().as_secs_f64()))
    }

    pub(crate) fn with_faults(self, change: impl FnOnce(&mut Faults)) -> Self {
        self.set_faults(change);
        self
    }

    /// Faults in place of those that were.
    pub(crate) fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        let mut faults = Faults::default();
        change(&mut faults);
        self.simulator.set_faults(faults);
    }

    /// No further calls come.
    pub(crate) fn dry_up(&self) {
        self.simulator.set_scenario(Scenario {
            dried_up: true,
            ..Scenario::default()
        });
    }

    pub(crate) fn pages(&self) -> u64 {
        self.simulator.stats().total("details")
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.simulator.stats().total("token")
    }
}

impl Drop for SimulatedVendor {
    fn drop(&mut self) {
        // Without waiting: a request may hang in a lock that a failing test holds.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A fault of requests for pages.
pub(crate) fn pages(fault: Fault) -> Faults {
    Faults {
        details: vec![fault],
        ..Faults::default()
    }
}

/// A fault of requests for tokens.
pub(crate) fn tokens(fault: Fault) -> Faults {
    let mut faults = Faults::default();
    faults.token.troubles = vec![fault];
    faults
}

/// So many calls over the last hour, each at its end at once, none late, deleted or sent round
/// again: what is seen of them does not depend on when it is seen.
pub(crate) fn settled(calls: u32) -> Spec {
    Spec {
        start: now() - 3600,
        calls_per_day: f64::from(calls) * 24.0,
        flat: true,
        pipeline_speed: f64::INFINITY,
        slow_share: 0.0,
        reinspected_share: 0.0,
        late_share: 0.0,
        deleted_share: 0.0,
        ..Spec::default()
    }
}

fn since_epoch() -> std::time::Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// An exporter whose target `a` has these settings besides.
pub(crate) fn one_target(vendor: &SimulatedVendor, more: &str) -> Exporter {
    Exporter::start(&[target("a", &vendor.endpoint, more)])
}

pub(crate) fn now() -> u32 {
    since_epoch().as_secs() as u32
}
