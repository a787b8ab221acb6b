//! The failures and how the exporter reports them.

use cec_exporter::simulator::faults::{Answer, Fault, Faults};

use crate::support::simulated::{pages, tokens};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) faults: Faults,
    /// Requests by API and code after the first failed pull. A failure that may be caused by the
    /// window is followed by a request for a one-second window.
    pub(crate) requests: &'static [(&'static str, &'static str, f64)],
    pub(crate) reason: &'static str,
    /// Parts of the error message.
    pub(crate) says: &'static [&'static str],
}

fn always(answer: Answer) -> Fault {
    Fault::share(answer, 1.0)
}

fn slow(answer: Answer) -> Fault {
    Fault {
        delay_ms: 6000,
        ..always(answer)
    }
}

fn limited(seconds: u64) -> Fault {
    Fault {
        retry_after_seconds: Some(seconds),
        ..always(Answer::Http(429))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    const TOKEN: (&str, &str, f64) = ("token", "200", 1.0);
    vec![
        Case {
            name: "unauthorised",
            faults: pages(always(Answer::Http(401))),
            // Once more with a new token.
            requests: &[("token", "200", 2.0), ("details", "401", 2.0)],
            reason: "auth",
            says: &[
                "/appraisecall/details",
                "401",
                "does not accept a new token",
            ],
        },
        Case {
            name: "forbidden",
            faults: pages(always(Answer::Http(403))),
            requests: &[TOKEN, ("details", "403", 1.0)],
            reason: "auth",
            says: &["403", "HTML page", "allow list"],
        },
        Case {
            name: "not_found",
            faults: pages(always(Answer::Http(404))),
            // Once more, to tell a part of the list from all of it; so in the cases below.
            requests: &[TOKEN, ("details", "404", 2.0)],
            reason: "server",
            says: &["404", "check endpoint"],
        },
        Case {
            name: "limited",
            faults: pages(limited(0)),
            requests: &[TOKEN, ("details", "429", 3.0)],
            reason: "rate_limit",
            says: &["429", "too many requests; lower"],
        },
        Case {
            name: "limited_for_long",
            faults: pages(limited(6)),
            requests: &[TOKEN, ("details", "429", 1.0)],
            reason: "rate_limit",
            says: &["429", "too many requests; lower"],
        },
        Case {
            name: "broken",
            faults: pages(always(Answer::Http(500))),
            requests: &[TOKEN, ("details", "500", 6.0)],
            reason: "server",
            says: &["500", "service failed"],
        },
        Case {
            name: "gateway",
            faults: pages(always(Answer::Http(502))),
            requests: &[TOKEN, ("details", "502", 6.0)],
            reason: "server",
            says: &["502", "HTML page", "gateway"],
        },
        Case {
            name: "down",
            faults: Faults {
                down: true,
                ..Faults::default()
            },
            requests: &[("token", "503", 3.0)],
            reason: "server",
            says: &["/tokenByAkSk", "503", "HTML page"],
        },
        Case {
            name: "envelope",
            faults: pages(always(Answer::Envelope)),
            requests: &[TOKEN, ("details", "envelope", 2.0)],
            reason: "envelope",
            says: &["error inside", "0300028"],
        },
        Case {
            name: "null_data",
            faults: pages(always(Answer::NullData)),
            requests: &[TOKEN, ("details", "envelope", 2.0)],
            reason: "envelope",
            says: &["answered 200 without a list", "no list of calls"],
        },
        Case {
            name: "no_data",
            faults: pages(always(Answer::NoData)),
            requests: &[TOKEN, ("details", "envelope", 2.0)],
            reason: "envelope",
            says: &["answered 200 without a list", "no list of calls"],
        },
        Case {
            name: "cut",
            faults: pages(always(Answer::CutBody)),
            requests: &[TOKEN, ("details", "body", 6.0)],
            reason: "body",
            says: &["broke after"],
        },
        Case {
            name: "reset",
            faults: pages(always(Answer::Reset)),
            requests: &[TOKEN, ("details", "connect", 6.0)],
            reason: "connect",
            says: &["connection broke before a response"],
        },
        Case {
            name: "slow",
            faults: pages(slow(Answer::Slow)),
            requests: &[TOKEN, ("details", "timeout", 6.0)],
            reason: "timeout",
            says: &["no response within 2s", "request_timeout"],
        },
        Case {
            name: "slow_body",
            faults: pages(slow(Answer::Dribble)),
            requests: &[TOKEN, ("details", "timeout", 6.0)],
            reason: "timeout",
            says: &["bytes of the response within 2s"],
        },
        Case {
            name: "token_unauthorised",
            faults: tokens(always(Answer::Http(401))),
            requests: &[("token", "401", 1.0)],
            reason: "auth",
            says: &["/tokenByAkSk", "401", "app_key or app_secret"],
        },
        Case {
            name: "token_forbidden",
            faults: tokens(always(Answer::Http(403))),
            requests: &[("token", "403", 1.0)],
            reason: "auth",
            says: &["/tokenByAkSk", "HTML page", "allow list"],
        },
        Case {
            name: "token_limited",
            faults: tokens(limited(0)),
            requests: &[("token", "429", 3.0)],
            reason: "rate_limit",
            says: &["/tokenByAkSk", "too many requests; lower"],
        },
        Case {
            name: "token_envelope",
            faults: tokens(always(Answer::Envelope)),
            requests: &[("token", "envelope", 1.0)],
            reason: "envelope",
            says: &["/tokenByAkSk", "0300028"],
        },
        Case {
            name: "token_cut",
            faults: tokens(always(Answer::CutBody)),
            requests: &[("token", "body", 3.0)],
            reason: "body",
            says: &["/tokenByAkSk", "broke after"],
        },
        Case {
            name: "token_reset",
            faults: tokens(always(Answer::Reset)),
            requests: &[("token", "connect", 3.0)],
            reason: "connect",
            says: &["/tokenByAkSk", "connection broke"],
        },
    ]
}
