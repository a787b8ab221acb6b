//! The simulated vendor, its state and statistics. `endpoints.rs` and `credit.rs` have its endpoints.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use super::expected::{Expected, ExpectedResults};
use super::faults::Faults;
use super::random;
use super::reply::Reply;
use super::spec::{Scenario, Spec};
use super::world::World;

/// Returns the time in Unix seconds.
pub type Clock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The vendor. All methods take `&self`, so it can be shared.
pub struct Simulator {
    clock: Clock,
    /// Has its own lock, since listing a page may take a while. No lock is held across an await.
    world: Mutex<World>,
    state: Mutex<State>,
}

/// What requests change.
#[derive(Default)]
pub(super) struct State {
    pub(super) faults: Faults,
    /// Expiry of each token, Unix seconds.
    pub(super) tokens: HashMap<String, f64>,
    pub(super) stats: Stats,
    pub(super) rng: Rng,
    pub(super) details_in_second: PeriodCounter,
    pub(super) credit_in_second: PeriodCounter,
    pub(super) tokens_in_minute: PeriodCounter,
}

impl Simulator {
    /// Starts without faults.
    pub fn new(spec: Spec, clock: Clock) -> Self {
        let state = State {
            rng: Rng::with_seed(random::mix(spec.seed, u64::MAX)),
            ..State::default()
        };
        Self {
            clock,
            world: Mutex::new(World::new(spec)),
            state: Mutex::new(state),
        }
    }

    pub fn now(&self) -> f64 {
        (self.clock)()
    }

    /// The contact centre. Requests wait while the guard is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The current faults. Those for a number of requests count down.
    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        if faults.token.revoke {
            state.tokens.clear();
        }
        state.faults = faults;
    }

    /// Revokes all tokens issued so far.
    pub fn revoke_tokens(&self) {
        self.state().tokens.clear();
    }

    /// Replaces the scenario for calls uploaded after now.
    pub fn set_scenario(&self, scenario: Scenario) {
        self.world().set_scenario(scenario, self.now() as u32);
    }

    pub fn stats(&self) -> Stats {
        self.state().stats.clone()
    }

    /// The truth at `to` about calls uploaded from `from` on, in Unix seconds. The defaults are the
    /// start of the world and now; `to` is never later than now.
    pub fn truth(&self, from: Option<u32>, to: Option<u32>) -> Expected {
        self.about(World::truth, from, to)
    }

    /// The true inspection results of the same calls as in [`Self::truth`].
    pub fn results(&self, from: Option<u32>, to: Option<u32>) -> ExpectedResults {
        self.about(World::results, from, to)
    }

    fn about<T>(
        &self,
        ask: fn(&mut World, u32, u32) -> T,
        from: Option<u32>,
        to: Option<u32>,
    ) -> T {
        let now = self.now() as u32;
        let mut world = self.world();
        let from = from.unwrap_or(world.spec().start);
        ask(&mut world, from, to.unwrap_or(now).min(now))
    }

    /// Counts a reply or refusal, and applies the faults that affect both.
    pub(super) fn finish(&self, api: &'static str, reply: Result<Reply, Reply>) -> Reply {
        let (Ok(mut reply) | Err(mut reply)) = reply;
        let mut state = self.state();
        state.stats.add(api, reply.label());
        reply.delay_ms += state.faults.latency_ms;
        reply
    }
}

/// Counts events in the current period, such as a second or minute.
#[derive(Debug, Default)]
pub(super) struct PeriodCounter {
    period: u64,
    count: u32,
}

impl PeriodCounter {
    /// Counts an event in the period of this number; returns the count.
    pub(super) fn increment(&mut self, period: u64) -> u32 {
        if self.period != period {
            (self.period, self.count) = (period, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests by API (`token`, `details`, `credit`) and result: an HTTP status, or the name of a fault
    /// (`envelope`, `null_data`, `no_data`, `bare_empty`, `not_json`, `cut_body`, `reset`).
    pub requests: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Rows on all pages.
    pub rows: u64,
    /// Maximum number of requests for pages within a second of the clock.
    pub peak_details_per_second: u32,
    /// The same for inspection results.
    pub peak_credit_per_second: u32,
    /// Requests that the HTTP server is processing.
    pub in_flight: u32,
    /// Maximum of `in_flight`.
    pub peak_in_flight: u32,
}

impl Stats {
    /// Requests to an API with this result.
    pub fn count(&self, api: &str, result: &str) -> u64 {
        let results = self.requests.get(api);
        results
            .and_then(|results| results.get(result))
            .copied()
            .unwrap_or(0)
    }

    /// All requests to an API.
    pub fn total(&self, api: &str) -> u64 {
        let results = self.requests.get(api);
        results.map_or(0, |results| results.values().sum())
    }

    pub(super) fn add(&mut self, api: &'static str, result: String) {
        let results = self.requests.entry(api).or_default();
        *results.entry(result).or_default() += 1;
    }
}
