//! How the vendor answers each request.

use serde_json::{Value, json};

use super::faults::{Answer, Fault, pick_fault};
use super::reply::Reply;
use super::tokens::{MAX_SECONDS, USUAL_SECONDS};
use super::{Simulator, State, request, wire};

/// What a request for a page or a call carries, beside its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The header `x-UserId`.
    pub user_id: Option<&'a str>,
}

impl Simulator {
    /// `POST /apigovernance/api/oauth/tokenByAkSk`, with the header `X-Token-Expire`.
    pub fn token(&self, expire: Option<&str>, body: &[u8]) -> Reply {
        let reply = self.token_reply(expire, body);
        self.answered("token", reply)
    }

    fn token_reply(&self, expire: Option<&str>, body: &[u8]) -> Reply {
        let now = self.now();
        let desk = &mut *self.desk();
        if desk.faults.down {
            return Reply::error(503, "Service Temporarily Unavailable");
        }
        let trouble = pick_fault(&mut desk.faults.token.troubles, &mut desk.rng);
        if let Some(reply) = trouble.as_ref().and_then(Reply::instead) {
            return reply;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let given = |name: &str| body[name].as_str().filter(|value| !value.is_empty());
        let (Some(key), Some(_)) = (given("app_key"), given("app_secret")) else {
            return Reply::error(400, "app_key and app_secret are required");
        };
        let asked = match expire.map(str::parse::<u64>) {
            None => USUAL_SECONDS,
            Some(Ok(seconds @ 1..)) => seconds.min(MAX_SECONDS),
            Some(_) => return Reply::error(400, "X-Token-Expire is not a number of seconds"),
        };
        let given = desk.minute.count(now as u64 / 60);
        if desk
            .faults
            .token
            .tokens_per_minute
            .is_some_and(|limit| given > limit)
        {
            return Reply::error(429, "too many tokens");
        }
        let lifetime = desk.faults.token.expires_seconds.unwrap_or(asked);
        let token = format!("{:016x}{:016x}", desk.rng.u64(..), desk.rng.u64(..));
        desk.tokens.give(token.clone(), now, lifetime);
        let mut answer = json!({
            "AccessToken": token,
            "ApplyType": "Bearer",
            "CreateTime": (now as u64).to_string(),
            "Scope": "simulator",
            "AppKey": key,
            "UserID": "Anonymous",
        });
        if desk.faults.token.expires_in {
            answer["expiresIn"] = json!(lifetime);
        } else {
            answer["Expires"] = json!(lifetime.to_string());
        }
        with_trouble(Reply::json(&answer), trouble.as_ref())
    }

    /// `POST /apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details`: a page of the list.
    pub fn details(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        let reply = self.details_reply(caller, body);
        self.answered("details", reply)
    }

    fn details_reply(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        let now = self.now();
        let (trouble, faults) = {
            let desk = &mut *self.desk();
            if desk.faults.down {
                return Reply::error(503, "Service Temporarily Unavailable");
            }
            let this_second = desk.second.count(now as u64);
            let peak = &mut desk.stats.peak_details_per_second;
            *peak = this_second.max(*peak);
            if desk
                .faults
                .requests_per_second
                .is_some_and(|limit| this_second > limit)
            {
                return Reply::error(429, "too many requests").retry_after(1);
            }
            let trouble = pick_fault(&mut desk.faults.details, &mut desk.rng);
            if let Some(reply) = trouble.as_ref().and_then(Reply::instead) {
                return reply;
            }
            if let Some(refusal) = desk.refuse(caller, now) {
                return refusal;
            }
            (trouble, desk.faults.clone())
        };
        let paging = &faults.paging;
        let query = match request::query(body) {
            Ok(query) => query,
            Err(why) => return Reply::error(400, &why),
        };
        if let Some((status, why)) = paging.refusal(&query) {
            return Reply::error(status, why);
        }

        let mut world = self.world();
        let mut listing = world.list_with(&query, now as u32, paging, &faults.rows);
        let mut calls = listing.groups.iter().flat_map(|group| &group.calls);
        if calls.clone().any(|call| faults.rows.is_failing(call)) {
            return Reply::error(500, "business failure");
        }
        if calls.any(|call| faults.rows.is_not_json(call)) {
            return Reply {
                name: Some("not_json"),
                ..Reply::ok(b"java.lang.IllegalArgumentException: call".to_vec())
            };
        }
        let (data, name) = match trouble.as_ref().map(|trouble| trouble.answer) {
            Some(Answer::NullData) => (wire::Data::Null, Some("null_data")),
            Some(Answer::NoData) => (wire::Data::Absent, Some("no_data")),
            _ if paging.empty_as_null && listing.total == 0 && listing.groups.is_empty() => {
                (wire::Data::Null, None)
            }
            _ => (wire::Data::Rows, None),
        };
        if name.is_some() {
            // With a total of 0 it would be an empty window rather than an error.
            listing.total = listing.total.max(1);
        }
        let rows: usize = listing.groups.iter().map(|group| group.calls.len()).sum();
        let page = wire::page(&listing, now as u32, data, &faults);
        drop(listing);
        drop(world);
        match page {
            Ok(body) => {
                self.desk().stats.rows += rows as u64;
                let reply = Reply {
                    name,
                    ..Reply::ok(body)
                };
                with_trouble(reply, trouble.as_ref())
            }
            Err(error) => Reply::error(500, &error.to_string()),
        }
    }

    /// `POST /apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/detail`: one call's result.
    pub fn detail(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        let reply = self.detail_reply(caller, body);
        self.answered("detail", reply)
    }

    fn detail_reply(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        let now = self.now();
        {
            let desk = self.desk();
            if desk.faults.down {
                return Reply::error(503, "Service Temporarily Unavailable");
            }
            if let Some(refusal) = desk.refuse(caller, now) {
                return refusal;
            }
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(uuid) = body["call_uuid"].as_str() else {
            return Reply::error(400, "call_uuid is required");
        };
        match self.world().find(uuid, now as u32) {
            Some(call) => Reply::json(&wire::detail(&call, now as u32)),
            None => Reply::error(500, "no such call"),
        }
    }
}

impl State {
    fn refuse(&self, caller: Caller<'_>, now: f64) -> Option<Reply> {
        let token = caller
            .authorization
            .and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.is_valid(token, now)) {
            return Some(Reply::error(401, "not authorised"));
        }
        if caller.user_id.is_none_or(str::is_empty) {
            return Some(Reply::error(400, "x-UserId is required"));
        }
        None
    }
}

fn with_trouble(reply: Reply, trouble: Option<&Fault>) -> Reply {
    match trouble {
        Some(trouble) => reply.troubled(trouble),
        None => reply,
    }
}
