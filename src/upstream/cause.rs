//! The likely cause of what the vendor answered, and what to do about it.

use super::Api;

/// An answer, as far as a cause can be told from it.
#[derive(Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) api: Api,
    pub(super) status: u16,
    pub(super) is_html: bool,
    /// The key of the configuration that the address comes from.
    pub(super) key: &'static str,
    /// Whether the configuration says where tokens come from.
    pub(super) has_token_endpoint: bool,
    /// The vendor's code, or the gateway's.
    pub(super) code: Option<&'a str>,
    /// The vendor's text.
    pub(super) text: &'a str,
}

/// Where some deployments have their token service.
const ELSEWHERE: &str =
    "set token_endpoint, such as https://HOST:28070/apigovernance/api/oauth/tokenByAkSk";

impl Answered<'_> {
    /// The likely cause of a status that is not success.
    pub(super) fn cause(&self) -> Option<String> {
        if let Some(cause) = self.speaks_tls().or_else(|| self.gateway()) {
            return Some(cause);
        }
        let key = self.key;
        Some(match (self.status, self.api) {
            (400, Api::Token) => {
                format!("app_key or app_secret is wrong, or {key} leads to another interface")
            }
            (400, Api::Details) => {
                "it does not take page_size, user_id or extra_status_codes".into()
            }
            (401, Api::Token) => {
                "app_key or app_secret is wrong, or the secret has been replaced at the vendor's; \
                 or the service is not bought, or the account is suspended or in arrears"
                    .into()
            }
            (401, Api::Details) => {
                let token = self.elsewhere();
                format!(
                    "it does not take a new token either: app_key lacks the right to this \
                     interface, the service is not bought or the account is suspended{token}"
                )
            }
            (403, _) if self.is_html => {
                "the address of this machine is not on the vendor's allow list, \
                 or app_key is of the wrong kind"
                    .into()
            }
            (403, _) => "app_key lacks the right to this interface or is of the wrong kind, \
                 or the address of this machine is not on the vendor's allow list"
                .into(),
            (404, Api::Token) if self.has_token_endpoint => {
                "there is no token service at this path; check token_endpoint".into()
            }
            (404, Api::Token) => {
                format!("{key} is wrong; or this deployment serves tokens elsewhere: {ELSEWHERE}")
            }
            (404, Api::Details) => {
                format!("there is no such interface at this address; check {key}")
            }
            (405 | 501, _) => format!(
                "another web server than the vendor's answers at this address; check host and \
                 port of {key}"
            ),
            (407, _) => "the proxy wants credentials, to be put into proxy_url; NTLM and Kerberos \
                 are not supported"
                .into(),
            (429, _) => "asked too often; lower max_requests_per_second, \
                 or see what else uses this app_key"
                .into(),
            (502..=504, _) => "the vendor's gateway does not reach the service behind it; this \
                 mostly passes"
                .into(),
            (500..=599, _) if self.is_html => format!(
                "another web server may be what answers at this address: check host and port of \
                 {key}; else the vendor's service failed"
            ),
            (500..=599, Api::Details) => "the vendor's service failed or does not take a value: \
                 check page_size, user_id and extra_status_codes; if it stays, open a ticket"
                .into(),
            (500..=599, Api::Token) => "the vendor's service failed; if it stays, check app_key \
                 and app_secret, then open a ticket with them"
                .into(),
            _ => return None,
        })
    }

    /// The likely cause of an error inside a success.
    pub(super) fn cause_inside(&self) -> String {
        self.gateway()
            .unwrap_or_else(|| match (self.api, self.code) {
                (Api::Token, _) => "app_key or app_secret is wrong, or may not take tokens; the \
                 vendor's list of codes tells more"
                    .into(),
                (Api::Details, Some(_)) => {
                    "user_id is wrong, or app_key lacks a right; the vendor's \
                 list of codes tells more; a code that means success belongs into success_codes"
                        .into()
                }
                (Api::Details, None) => {
                    "the vendor failed without saying so, or changed its form; \
                 if it stays, open a ticket with them"
                        .into()
                }
            })
    }

    /// A web server that got plain HTTP on a port for TLS says so.
    fn speaks_tls(&self) -> Option<String> {
        let text = self.text.to_ascii_lowercase();
        let is_said = text.contains("https") && text.contains("http request");
        (self.status == 400 && is_said).then(|| speaks_tls(self.key))
    }

    /// What a code of the vendor's API gateway means.
    fn gateway(&self) -> Option<String> {
        let number =
            gateway_code(self.code.unwrap_or_default()).or_else(|| gateway_code(self.text))?;
        let key = self.key;
        Some(match number {
            308 => "the gateway's limit on requests is reached; lower max_requests_per_second, \
                 or see what else uses this app_key"
                .into(),
            302 | 304 | 306 => "the gateway says that app_key is not authorised for this \
                 interface; have it authorised at the vendor's"
                .into(),
            300..=399 => {
                let token = match self.api {
                    Api::Token => "",
                    Api::Details => self.elsewhere(),
                };
                format!(
                    "the gateway does not take the key: app_key or app_secret is wrong or of the \
                     wrong kind{token}"
                )
            }
            400..=499 => "the gateway does not take requests from this machine: its address is \
                 not on the vendor's allow list"
                .into(),
            501 | 502 => {
                "the quota of app_key is used up, or app_key is frozen at the vendor's".into()
            }
            101 | 102 => format!("the gateway knows no such interface; check {key}"),
            100..=299 | 600..=799 => {
                "the gateway does not reach the service behind it; if it stays, open a ticket \
                 with the vendor"
                    .into()
            }
            _ => return None,
        })
    }

    /// A further cause where tokens come from an address of their own.
    fn elsewhere(&self) -> &'static str {
        match self.has_token_endpoint {
            true => ", or token_endpoint belongs to another deployment",
            false => "",
        }
    }
}

/// The number of a gateway's code, such as `APIG.0308`, wherever it stands.
fn gateway_code(text: &str) -> Option<u16> {
    let (_, number) = text.split_once("APIG.")?;
    number.get(..4)?.parse().ok()
}

/// Plain HTTP was sent to a port for TLS.
pub(super) fn speaks_tls(key: &str) -> String {
    format!("the port speaks TLS: write https:// in {key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(api: Api, status: u16, code: Option<&'static str>, text: &'static str) -> String {
        let answered = Answered {
            api,
            status,
            is_html: false,
            key: "endpoint",
            has_token_endpoint: false,
            code,
            text,
        };
        match status {
            200 => answered.cause_inside(),
            _ => answered.cause().unwrap(),
        }
    }

    #[test]
    fn a_gateway_s_code_tells_the_cause_whatever_the_status() {
        for (code, told) in [
            ("APIG.0303", "app_key or app_secret is wrong"),
            ("APIG.0304", "not authorised"),
            ("APIG.0308", "max_requests_per_second"),
            ("APIG.0402", "allow list"),
            ("APIG.0501", "quota"),
            ("APIG.0101", "check endpoint"),
            ("APIG.0202", "does not reach the service"),
        ] {
            for status in [200, 401, 403, 429, 500] {
                for api in Api::ALL {
                    let cause = answered(api, status, Some(code), "");
                    assert!(cause.contains(told), "{code} {status}: {cause}");
                    assert!(!cause.contains("user_id"), "{code} {status}: {cause}");
                }
            }
        }
        let cause = answered(Api::Details, 429, None, "limited (APIG.0308)");
        assert!(cause.contains("gateway's limit"), "{cause}");
        let cause = answered(Api::Details, 200, Some("0300028"), "");
        assert!(cause.contains("user_id"), "{cause}");
    }

    #[test]
    fn token_endpoint_is_not_to_blame_where_it_is_not_set() {
        for status in [200, 400, 401, 403, 405, 407, 429, 500, 502] {
            for api in Api::ALL {
                for code in [None, Some("APIG.0303")] {
                    let cause = answered(api, status, code, "");
                    assert!(!cause.contains("token_endpoint"), "{status}: {cause}");
                    assert!(cause.len() <= 200, "{cause}");
                }
            }
        }
        let lost = answered(Api::Token, 404, None, "");
        assert!(lost.contains(":28070/apigovernance/"), "{lost}");
    }
}
