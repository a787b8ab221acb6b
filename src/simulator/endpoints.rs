//! The endpoints for tokens and for the list.

use fastrand::Rng;
use serde_json::{Value, json};

use super::faults::{Answer, Fault};
use super::page;
use super::paging::Query;
use super::reply::Reply;
use super::vendor::{Simulator, State};

const MAX_LIFETIME_SECONDS: u64 = 3600;
/// If the request asks for none.
const DEFAULT_LIFETIME_SECONDS: u64 = 600;

/// Headers of a request for a page or an inspection result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    pub authorization: Option<&'a str>,
    /// `x-UserId`; optional for a result.
    pub user_id: Option<&'a str>,
}

/// The fault that applies to a request, if any; counts it down. One that replaces the response is
/// an error.
fn pick_fault(faults: &mut [Fault], rng: &mut Rng) -> Result<Option<Fault>, Reply> {
    for fault in faults {
        if fault.next > 0 {
            fault.next -= 1;
        } else if fault.share <= 0.0 || rng.f64() >= fault.share {
            continue;
        }
        return match Reply::for_fault(fault) {
            Some(reply) => Err(reply),
            None => Ok(Some(fault.clone())),
        };
    }
    Ok(None)
}

/// The endpoints that need a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Details,
    Credit,
}

impl Simulator {
    /// `POST /apigovernance/api/oauth/tokenByAkSk`. `expire` is the header `X-Token-Expire`.
    pub fn token(&self, expire: Option<&str>, body: &[u8]) -> Reply {
        self.finish("token", self.token_reply(expire, body))
    }

    fn token_reply(&self, expire: Option<&str>, body: &[u8]) -> Result<Reply, Reply> {
        let now = self.now();
        let state = &mut *self.state();
        if state.faults.down {
            return Err(Reply::error(503, "Service Temporarily Unavailable"));
        }
        let fault = pick_fault(&mut state.faults.token.troubles, &mut state.rng)?;
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let field = |name: &str| body[name].as_str().filter(|value| !value.is_empty());
        let (Some(key), Some(_)) = (field("app_key"), field("app_secret")) else {
            return Err(Reply::error(400, "app_key and app_secret are required"));
        };
        let requested = match expire.map(str::parse::<u64>) {
            None => DEFAULT_LIFETIME_SECONDS,
            Some(Ok(seconds @ 1..)) => seconds.min(MAX_LIFETIME_SECONDS),
            Some(_) => {
                let reason = "X-Token-Expire is not a number of seconds";
                return Err(Reply::error(400, reason));
            }
        };
        let faults = &state.faults.token;
        let issued = state.tokens_in_minute.increment(now as u64 / 60);
        if faults.tokens_per_minute.is_some_and(|max| issued > max) {
            return Err(Reply::error(429, "too many tokens"));
        }
        let lifetime = faults.expires_seconds.unwrap_or(requested);
        let token = format!("{:016x}{:016x}", state.rng.u64(..), state.rng.u64(..));
        state.tokens.retain(|_, expiry| *expiry > now);
        state.tokens.insert(token.clone(), now + lifetime as f64);
        let mut response = json!({
            "AccessToken": token,
            "ApplyType": "Bearer",
            "CreateTime": (now as u64).to_string(),
            "Scope": "simulator",
            "AppKey": key,
            "UserID": "Anonymous",
        });
        if faults.expires_in {
            response["expiresIn"] = json!(lifetime);
        } else {
            response["Expires"] = json!(lifetime.to_string());
        }
        Ok(Reply::json(&response).with_fault(fault.as_ref()))
    }

    /// `POST /apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details`: a page of the list.
    pub fn details(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        self.finish("details", self.details_reply(caller, body))
    }

    fn details_reply(&self, caller: Caller<'_>, body: &[u8]) -> Result<Reply, Reply> {
        let now = self.now();
        let fault = self.state().admit(Api::Details, caller, now)?;
        let query = Query::parse(body).map_err(|reason| Reply::error(400, &reason))?;
        let faults = self.faults();
        let paging = &faults.paging;
        if let Some((status, reason)) = paging.refusal(&query) {
            return Err(Reply::error(status, reason));
        }

        let mut world = self.world();
        let mut listing = world.list(&query, now as u32, paging, &faults.rows);
        let mut calls = listing.calls.iter();
        if calls.any(|call| faults.rows.is_failing(call)) {
            return Err(Reply::error(500, "business failure"));
        }
        let mut calls = listing.calls.iter();
        if calls.any(|call| faults.rows.is_not_json(call)) {
            let body = b"java.lang.IllegalArgumentException: call".to_vec();
            return Ok(Reply::ok(body).named("not_json"));
        }
        let answer = fault.as_ref().map(|fault| fault.answer);
        if matches!(answer, Some(Answer::NullData | Answer::NoData)) {
            // A total of 0 would make it an empty window rather than an error.
            listing.total = listing.total.max(1);
        }
        self.state().stats.rows += listing.calls.len() as u64;
        Ok(page::render(&listing, now as u32, answer, &faults).with_fault(fault.as_ref()))
    }
}

impl State {
    /// Checks a request before its body; returns the fault to apply or a refusal.
    pub(super) fn admit(
        &mut self,
        api: Api,
        caller: Caller<'_>,
        now: f64,
    ) -> Result<Option<Fault>, Reply> {
        if self.faults.down {
            return Err(Reply::error(503, "Service Temporarily Unavailable"));
        }
        let (counter, peak, max, faults) = match api {
            Api::Details => (
                &mut self.details_in_second,
                &mut self.stats.peak_details_per_second,
                self.faults.requests_per_second,
                &mut self.faults.details,
            ),
            Api::Credit => (
                &mut self.credit_in_second,
                &mut self.stats.peak_credit_per_second,
                self.faults.results.requests_per_second,
                &mut self.faults.credit,
            ),
        };
        let in_second = counter.increment(now as u64);
        *peak = in_second.max(*peak);
        if max.is_some_and(|max| in_second > max) {
            let retry_after_seconds = Some(1);
            return Err(Reply {
                retry_after_seconds,
                ..Reply::error(429, "too many requests")
            });
        }
        let fault = pick_fault(faults, &mut self.rng)?;
        let authorization = caller.authorization.unwrap_or_default();
        let token = authorization.strip_prefix("Bearer ");
        let expiry = token.and_then(|token| self.tokens.get(token));
        if expiry.is_none_or(|expiry| now >= *expiry) {
            return Err(Reply::error(401, "not authorised"));
        }
        if api == Api::Details && caller.user_id.is_none_or(str::is_empty) {
            return Err(Reply::error(400, "x-UserId is required"));
        }
        Ok(fault)
    }
}
