//! Why the vendor or its gateway answered with an error: the likely cause, and what to do about it.
//!
//! In the texts, `{key}` is the configuration key of the URL, `{proxy}` that of the proxy, `{rate}` the
//! key that limits the rate of these requests, and `{or}` a further cause if there is a
//! `token_endpoint`.

use super::api::Api;
use super::failure::{RequestContext, speaks_tls};
use crate::upstream::response::EnvelopeError;

impl RequestContext<'_> {
    /// For an unsuccessful status. `error` is what the vendor's service or its gateway says.
    pub(super) fn cause_of_status(
        &self,
        status: u16,
        is_html: bool,
        error: &EnvelopeError,
    ) -> Option<String> {
        if status == 400 && reports_http_on_tls(error) {
            return Some(speaks_tls(self.endpoint_key()));
        }
        if let Some(cause) = self.cause_of_gateway(error) {
            return Some(cause);
        }
        let has_own = self.target.has_own_token_endpoint();
        Some(self.fill(match (status, self.api) {
            (400, Api::Token) => {
                "app_key or app_secret is wrong, or {key} is the address of another service"
            }
            (400, Api::Details) => {
                "the vendor does not accept page_size, user_id or extra_status_codes"
            }
            (400, Api::Credit) => "the vendor does not accept the call or user_id",
            (401, Api::Token) => {
                "app_key or app_secret is wrong, or the secret has been replaced at the vendor's; \
                 or the service is not bought, or the account is suspended or in arrears"
            }
            (401, Api::Details | Api::Credit) => {
                "this API does not accept a new token either: app_key lacks the permission for it, \
                 the service is not bought or the account is suspended{or}"
            }
            (403, _) if is_html => {
                "the address of this machine is not on the vendor's allow list, or app_key is of \
                 the wrong kind"
            }
            (403, _) => {
                "app_key lacks the permission for this API or is of the wrong kind, or the address \
                 of this machine is not on the vendor's allow list"
            }
            (404, Api::Token) if has_own => {
                "there is no token service at this path; check token_endpoint"
            }
            // Where some deployments have their token service.
            (404, Api::Token) => {
                "{key} is wrong; or this deployment serves tokens elsewhere: set token_endpoint, \
                 such as https://HOST:28070/apigovernance/api/oauth/tokenByAkSk"
            }
            (404, Api::Details) => "there is no such API at this address; check {key}",
            (404, Api::Credit) => {
                "this deployment has no API for inspection results: disable results; or {key} is \
                 wrong"
            }
            (405 | 501, _) => {
                "another web server than the vendor's runs at this address; check host and port of \
                 {key}"
            }
            (407, _) => {
                "user or password in {proxy} is missing or wrong; NTLM and Kerberos are not \
                 supported"
            }
            (429, _) => "too many requests; lower {rate}, or check what else uses this app_key",
            (502..=504, _) => {
                "the vendor's gateway cannot reach the service behind it; this is usually temporary"
            }
            (500..=599, _) if is_html => {
                "another web server may run at this address: check host and port of {key}; or the \
                 vendor's service failed"
            }
            (500..=599, Api::Details) => {
                "the vendor's service failed or does not accept a value: check page_size, user_id \
                 and extra_status_codes; if it persists, open a ticket"
            }
            (500..=599, Api::Credit) => {
                "the vendor's service failed, or does not know the call; if it persists, open a \
                 ticket"
            }
            (500..=599, Api::Token) => {
                "the vendor's service failed; if it persists, check app_key and app_secret, then \
                 open a ticket with the vendor"
            }
            _ => return None,
        }))
    }

    /// For a 200 with an error in its body.
    pub(super) fn cause_of_envelope(&self, error: &EnvelopeError) -> String {
        let of_service = match (self.api, &error.code) {
            (Api::Token, _) => {
                "app_key or app_secret is wrong, or may not request tokens; look the code up in \
                 the vendor's documentation"
            }
            (Api::Credit, Some(_)) => {
                "the vendor does not know the call, or app_key lacks a permission; look the code \
                 up in the vendor's documentation"
            }
            (Api::Details, Some(_)) => {
                "user_id is wrong, or app_key lacks a permission; look the code up in the vendor's \
                 documentation; if it means success, add it to success_codes"
            }
            (Api::Details | Api::Credit, None) => {
                "the vendor's service failed without an error code, or changed its format; if it \
                 persists, open a ticket with the vendor"
            }
        };
        (self.cause_of_gateway(error)).unwrap_or_else(|| of_service.to_owned())
    }

    /// The meaning of an error code of the vendor's API gateway.
    fn cause_of_gateway(&self, error: &EnvelopeError) -> Option<String> {
        let mut texts = [&error.code, &error.text].into_iter().flatten();
        Some(self.fill(match texts.find_map(|text| gateway_code(text))? {
            308 => {
                "the gateway's rate limit is reached; lower {rate}, or check what else uses this \
                 app_key"
            }
            302 | 304 | 306 => {
                "the gateway says that app_key is not authorised for this API; have it authorised \
                 by the vendor"
            }
            300..=399 => {
                "the gateway does not accept the key: app_key or app_secret is wrong or of the \
                 wrong kind{or}"
            }
            400..=499 => {
                "the gateway does not accept requests from this machine: its address is not on the \
                 vendor's allow list"
            }
            501 | 502 => "the quota of app_key is used up, or app_key is frozen by the vendor",
            101 | 102 => "the gateway has no such API; check {key}",
            100..=299 | 600..=799 => {
                "the gateway cannot reach the service behind it; if it persists, open a ticket \
                 with the vendor"
            }
            _ => return None,
        }))
    }

    /// Whether an error may mean that the token is no longer valid: the vendor's services and its gateway
    /// say so with other statuses than 401 too, and inside a 200.
    pub(super) fn may_be_about_token(&self, error: &EnvelopeError) -> bool {
        let mut texts = [&error.code, &error.text].into_iter().flatten();
        texts.any(|text| {
            text == "401"
                || text.to_ascii_lowercase().contains("token")
                || matches!(gateway_code(text), Some(301 | 303 | 305 | 307))
        })
    }

    fn fill(&self, text: &str) -> String {
        let rate = match self.api {
            Api::Token | Api::Details => "max_requests_per_second",
            Api::Credit => "results.max_requests_per_second",
        };
        let or = match self.api {
            Api::Details | Api::Credit if self.target.has_own_token_endpoint() => {
                ", or token_endpoint belongs to another deployment"
            }
            _ => "",
        };
        let proxy = self.proxy().map_or("proxy_url", |proxy| proxy.key);
        text.replace("{key}", self.endpoint_key())
            .replace("{proxy}", proxy)
            .replace("{rate}", rate)
            .replace("{or}", or)
    }
}

/// The number in a gateway's code such as `APIG.0308`.
fn gateway_code(text: &str) -> Option<u16> {
    let (_, number) = text.split_once("APIG.")?;
    number.get(..4)?.parse().ok()
}

/// Some web servers say so if they receive plain HTTP on a TLS port.
fn reports_http_on_tls(error: &EnvelopeError) -> bool {
    let text = error
        .text
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    text.contains("https") && text.contains("http request")
}

#[cfg(test)]
mod tests {
    use super::super::redact::Secrets;
    use super::*;
    use crate::config;

    fn cause(api: Api, status: u16, code: Option<&'static str>, text: &'static str) -> String {
        let yaml =
            "targets: [{name: t, endpoint: 'http://h', app_key: k, app_secret: s, user_id: u}]";
        let target = &config::from_text(yaml).unwrap().targets[0];
        let context = RequestContext {
            api,
            url: &target.endpoint,
            page: None,
            secrets: &Secrets::default(),
            target,
        };
        let error = EnvelopeError {
            code: code.map(str::to_owned),
            ..EnvelopeError::from_text(text)
        };
        match status {
            200 => context.cause_of_envelope(&error),
            _ => context.cause_of_status(status, false, &error).unwrap(),
        }
    }

    #[test]
    fn a_gateway_code_determines_the_cause_for_each_status() {
        for (code, expected) in [
            ("APIG.0303", "app_key or app_secret is wrong"),
            ("APIG.0304", "not authorised"),
            ("APIG.0308", "max_requests_per_second"),
            ("APIG.0402", "allow list"),
            ("APIG.0501", "quota"),
            ("APIG.0101", "check endpoint"),
            ("APIG.0202", "cannot reach the service"),
        ] {
            for status in [200, 401, 403, 429, 500] {
                for api in Api::ALL {
                    let cause = cause(api, status, Some(code), "");
                    assert!(cause.contains(expected), "{code} {status}: {cause}");
                    assert!(!cause.contains("user_id"), "{code} {status}: {cause}");
                }
            }
        }
        let in_text = cause(Api::Details, 429, None, "limited (APIG.0308)");
        assert!(in_text.contains("gateway's rate limit"), "{in_text}");
        let other = cause(Api::Details, 200, Some("0300028"), "");
        assert!(other.contains("user_id"), "{other}");
    }

    #[test]
    fn token_endpoint_is_only_blamed_if_it_is_set() {
        for status in [200, 400, 401, 403, 405, 407, 429, 500, 502] {
            for api in Api::ALL {
                for code in [None, Some("APIG.0303")] {
                    let cause = cause(api, status, code, "");
                    assert!(!cause.contains("token_endpoint"), "{status}: {cause}");
                    assert!(cause.len() <= 200, "{cause}");
                }
            }
        }
        let not_found = cause(Api::Token, 404, None, "");
        assert!(not_found.contains(":28070/apigovernance/"), "{not_found}");
    }
}
