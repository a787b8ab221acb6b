//! The vendor's API over an imaginary contact centre, for demos, tests and benchmarks.
//!
//! It shares no code with the rest of the crate. It has wire types and a status table of its own,
//! so that a misreading of the vendor cannot hide on both sides.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`spec`] | what the contact centre is like, and the scenarios that can pick_fault it |
//! | [`world`], [`call`], [`measures`] | all its calls and their lives: pure and seeded, the time is an argument |
//! | [`listing`] | the list of calls, page by page |
//! | [`truth`] | what really happened, to compare an exporter with |
//! | [`faults`], [`rows`] | what can be wrong with the API and with single rows, switchable while it runs |
//! | [`reply`], [`stats`] | an answer before it is sent; counts of them |
//! | [`http`], [`args`] | the server and its command line |
//!
//! [`Simulator`] joins them. It does no I/O either: a test can ask it for replies in imaginary
//! time, without a socket.

mod answer;
pub mod args;
pub mod call;
pub mod expected;
pub mod faults;
pub mod http;
pub mod incidents;
pub mod listing;
mod malformed;
pub mod measures;
mod random;
mod record;
pub mod reply;
mod request;
pub mod rows;
mod scan;
pub mod spec;
pub mod stats;
pub mod status;
mod tokens;
mod wire;
pub mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

pub use answer::Caller;
use expected::Expected;
use faults::Faults;
use reply::Reply;
use spec::{Scenario, Spec};
use stats::Stats;
use tokens::{Meter, Tokens};
use world::World;

/// Tells the time in unix seconds.
pub type Clock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The vendor. Cheap to share: every method takes `&self`.
pub struct Simulator {
    clock: Clock,
    /// Apart from the rest, as a page may take a while. Locks are never held across an await, so
    /// the standard library's are right.
    world: Mutex<World>,
    desk: Mutex<State>,
}

/// All that changes from request to request.
struct State {
    faults: Faults,
    tokens: Tokens,
    stats: Stats,
    rng: Rng,
    second: Meter,
    minute: Meter,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Simulator {
    /// A vendor without faults.
    pub fn new(spec: Spec, clock: Clock) -> Self {
        let desk = State {
            faults: Faults::default(),
            tokens: Tokens::default(),
            stats: Stats::default(),
            rng: Rng::with_seed(random::mix(spec.seed, u64::MAX)),
            second: Meter::default(),
            minute: Meter::default(),
        };
        Self {
            clock,
            world: Mutex::new(World::new(spec)),
            desk: Mutex::new(desk),
        }
    }

    /// The time, unix seconds.
    pub fn now(&self) -> f64 {
        (self.clock)()
    }

    /// The contact centre. Requests wait while it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    fn desk(&self) -> MutexGuard<'_, State> {
        lock(&self.desk)
    }

    /// The faults that hold. Those for the next few requests are counted down.
    pub fn faults(&self) -> Faults {
        self.desk().faults.clone()
    }

    /// Puts these faults in place of the ones that held.
    pub fn set_faults(&self, faults: Faults) {
        let mut desk = self.desk();
        if faults.token.revoke {
            desk.tokens.revoke_all();
        }
        desk.faults = faults;
    }

    /// Takes back all tokens given so far.
    pub fn revoke_tokens(&self) {
        self.desk().tokens.revoke_all();
    }

    /// Lets scenarios hold from these times on, Unix seconds, ascending. Only before anything has
    /// been listed.
    pub fn schedule(&self, scenarios: Vec<(u32, spec::Scenario)>) {
        let mut world = self.world();
        for (from, scenario) in scenarios {
            world.set_scenario(scenario, from);
        }
    }

    /// Lets a scenario hold, in place of the last, for calls uploaded after now.
    pub fn set_scenario(&self, scenario: Scenario) {
        self.world().set_scenario(scenario, self.now() as u32);
    }

    /// What was asked so far.
    pub fn stats(&self) -> Stats {
        self.desk().stats.clone()
    }

    /// The truth at `to` about calls uploaded from `from`, unix seconds both. By default since
    /// the start of the world, until now; never later.
    pub fn truth(&self, from: Option<u32>, to: Option<u32>) -> Expected {
        let now = self.now() as u32;
        let mut world = self.world();
        let from = from.unwrap_or(world.spec().start);
        world.truth(from, to.unwrap_or(now).min(now))
    }

    /// Counts an answer, and adds what befalls them all.
    fn answered(&self, api: &'static str, mut reply: Reply) -> Reply {
        let mut desk = self.desk();
        desk.stats.add(api, reply.label());
        reply.delay_ms += desk.faults.latency_ms;
        reply
    }

    fn entered(&self) {
        let stats = &mut self.desk().stats;
        stats.in_flight += 1;
        stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
    }

    fn left(&self) {
        let stats = &mut self.desk().stats;
        stats.in_flight = stats.in_flight.saturating_sub(1);
    }
}

/// A panic while a lock was held leaves nothing half done that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
