//! The likely cause of an error response, and what to do about it.

use super::report::Api;

/// The parts of a response that hint at a cause.
#[derive(Clone, Copy)]
pub(super) struct ResponseSummary<'a> {
    pub(super) api: Api,
    pub(super) status: u16,
    pub(super) is_html: bool,
    /// The configuration key of the URL.
    pub(super) endpoint_key: &'static str,
    pub(super) has_own_token_endpoint: bool,
    /// From the vendor's service or its gateway.
    pub(super) code: Option<&'a str>,
    pub(super) text: &'a str,
}

/// Where some deployments have their token service.
const OTHER_TOKEN_ENDPOINT: &str =
    "set token_endpoint, such as https://HOST:28070/apigovernance/api/oauth/tokenByAkSk";

impl ResponseSummary<'_> {
    /// For an unsuccessful status.
    pub(super) fn cause(&self) -> Option<String> {
        if let Some(cause) = self.sent_http_to_tls().or_else(|| self.gateway_cause()) {
            return Some(cause);
        }
        let key = self.endpoint_key;
        Some(match (self.status, self.api) {
            (400, Api::Token) => {
                format!(
                    "app_key or app_secret is wrong, or {key} is the address of another service"
                )
            }
            (400, Api::Details) => {
                "it does not accept page_size, user_id or extra_status_codes".into()
            }
            (401, Api::Token) => {
                "app_key or app_secret is wrong, or the secret has been replaced at the vendor's; \
                 or the service is not bought, or the account is suspended or in arrears"
                    .into()
            }
            (400, Api::Credit) => "it does not accept the call or user_id".into(),
            (401, Api::Details | Api::Credit) => format!(
                "it does not accept a new token either: app_key lacks the permission for this API, \
                 the service is not bought or the account is suspended{}",
                self.token_endpoint_hint()
            ),
            (403, _) if self.is_html => {
                "the address of this machine is not on the vendor's allow list, \
                 or app_key is of the wrong kind"
                    .into()
            }
            (403, _) => "app_key lacks the permission for this API or is of the wrong kind, \
                 or the address of this machine is not on the vendor's allow list"
                .into(),
            (404, Api::Token) if self.has_own_token_endpoint => {
                "there is no token service at this path; check token_endpoint".into()
            }
            (404, Api::Token) => format!(
                "{key} is wrong; or this deployment serves tokens elsewhere: {OTHER_TOKEN_ENDPOINT}"
            ),
            (404, Api::Details) => format!("there is no such API at this address; check {key}"),
            (404, Api::Credit) => format!(
                "this deployment has no API for inspection results: disable results; or {key} is \
                 wrong"
            ),
            (405 | 501, _) => format!(
                "another web server than the vendor's runs at this address; check host and port of \
                 {key}"
            ),
            (407, _) => "the proxy requires credentials in proxy_url; NTLM and Kerberos are not \
                 supported"
                .into(),
            (429, _) => format!(
                "too many requests; lower {}, or check what else uses this app_key",
                self.rate_key()
            ),
            (502..=504, _) => "the vendor's gateway cannot reach the service behind it; this is \
                 usually temporary"
                .into(),
            (500..=599, _) if self.is_html => format!(
                "another web server may run at this address: check host and port of {key}; or the \
                 vendor's service failed"
            ),
            (500..=599, Api::Details) => "the vendor's service failed or does not accept a value: \
                 check page_size, user_id and extra_status_codes; if it persists, open a ticket"
                .into(),
            (500..=599, Api::Credit) => {
                "the vendor's service failed, or does not know the call; if \
                 it persists, open a ticket"
                    .into()
            }
            (500..=599, Api::Token) => {
                "the vendor's service failed; if it persists, check app_key \
                 and app_secret, then open a ticket with the vendor"
                    .into()
            }
            _ => return None,
        })
    }

    /// For a 200 with an error in its body.
    pub(super) fn cause_of_envelope(&self) -> String {
        if let Some(cause) = self.gateway_cause() {
            return cause;
        }
        match (self.api, self.code) {
            (Api::Token, _) => "app_key or app_secret is wrong, or may not request tokens; look \
                 the code up in the vendor's documentation",
            (Api::Credit, Some(_)) => "the vendor does not know the call, or app_key lacks a \
                 permission; look the code up in the vendor's documentation",
            (Api::Details, Some(_)) => "user_id is wrong, or app_key lacks a permission; look the \
                 code up in the vendor's documentation; if it means success, add it to success_codes",
            (Api::Details | Api::Credit, None) => "the vendor's service failed without an error code, or changed \
                 its format; if it persists, open a ticket with the vendor",
        }
        .into()
    }

    /// Some web servers say so if they receive plain HTTP on a TLS port.
    fn sent_http_to_tls(&self) -> Option<String> {
        let text = self.text.to_ascii_lowercase();
        let is_reported = text.contains("https") && text.contains("http request");
        (self.status == 400 && is_reported).then(|| speaks_tls(self.endpoint_key))
    }

    /// The meaning of an error code of the vendor's API gateway.
    fn gateway_cause(&self) -> Option<String> {
        let number =
            gateway_code(self.code.unwrap_or_default()).or_else(|| gateway_code(self.text))?;
        Some(match number {
            308 => format!(
                "the gateway's rate limit is reached; lower {}, or check what else uses this \
                 app_key",
                self.rate_key()
            ),
            302 | 304 | 306 => {
                "the gateway says that app_key is not authorised for this API; have \
                 it authorised by the vendor"
                    .into()
            }
            300..=399 => {
                let hint = match self.api {
                    Api::Token => "",
                    Api::Details | Api::Credit => self.token_endpoint_hint(),
                };
                format!(
                    "the gateway does not accept the key: app_key or app_secret is wrong or of the \
                     wrong kind{hint}"
                )
            }
            400..=499 => "the gateway does not accept requests from this machine: its address is \
                 not on the vendor's allow list"
                .into(),
            501 | 502 => {
                "the quota of app_key is used up, or app_key is frozen by the vendor".into()
            }
            101 | 102 => format!("the gateway has no such API; check {}", self.endpoint_key),
            100..=299 | 600..=799 => {
                "the gateway cannot reach the service behind it; if it persists, open a ticket \
                 with the vendor"
                    .into()
            }
            _ => return None,
        })
    }

    /// The key that limits the rate of these requests.
    fn rate_key(&self) -> &'static str {
        match self.api {
            Api::Token | Api::Details => "max_requests_per_second",
            Api::Credit => "results.max_requests_per_second",
        }
    }

    fn token_endpoint_hint(&self) -> &'static str {
        match self.has_own_token_endpoint {
            true => ", or token_endpoint belongs to another deployment",
            false => "",
        }
    }
}

/// The number in a gateway's code such as `APIG.0308`.
fn gateway_code(text: &str) -> Option<u16> {
    let (_, number) = text.split_once("APIG.")?;
    number.get(..4)?.parse().ok()
}

pub(super) fn speaks_tls(key: &str) -> String {
    format!("the port speaks TLS: write https:// in {key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(api: Api, status: u16, code: Option<&'static str>, text: &'static str) -> String {
        let summary = ResponseSummary {
            api,
            status,
            is_html: false,
            endpoint_key: "endpoint",
            has_own_token_endpoint: false,
            code,
            text,
        };
        match status {
            200 => summary.cause_of_envelope(),
            _ => summary.cause().unwrap(),
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
