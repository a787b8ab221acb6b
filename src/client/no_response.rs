//! Why a request got no response, or not the whole of it: the failure and its likely cause.

use super::api::Api;
use super::connection_error::{self, ConfigKeys, Phase, root_cause};
use super::decode::BodyError;
use super::failure::{Diagnosis, Failure, RequestContext, speaks_tls};
use super::retry::RequestOutcome;

impl RequestContext<'_> {
    /// There was no connection when the connect timeout ended.
    pub(super) fn not_connected(&self) -> Failure {
        let timeout = self.target.request_timeout;
        let message = format!("could not connect in time (request_timeout is {timeout:?})");
        let diagnosis = connection_error::unreachable(&message, self.config_keys().peer);
        self.failure(RequestOutcome::Timeout, diagnosis)
    }

    /// `message` says what was there when `request_timeout` ended.
    pub(super) fn timed_out(&self, message: &str) -> Failure {
        let diagnosis = Diagnosis::new(
            format!("{message} within {:?}", self.target.request_timeout),
            format!(
                "the vendor is slow, or something on the way drops packets; raise \
                 request_timeout, or {}",
                self.remedy_for_size()
            ),
        );
        self.failure(RequestOutcome::Timeout, diagnosis)
    }

    /// There was no connection, or it ended before a status arrived.
    pub(super) fn no_status(&self, error: &reqwest::Error) -> Failure {
        let phase = match error.is_connect() {
            true => Phase::Connecting,
            false => Phase::Sent {
                is_plain_http: self.url.scheme() == "http",
            },
        };
        let mut diagnosis = match connection_error::is_not_http(error) {
            true => self.not_http(),
            false => connection_error::explain(error, phase, self.config_keys(), self.secrets),
        };
        if let Some(proxy) = self.proxy() {
            diagnosis.message =
                format!("through the proxy of {}: {}", proxy.key, diagnosis.message);
        }
        self.failure(RequestOutcome::Connect, diagnosis)
    }

    /// After `received` bytes, the body of a successful response could not be read.
    pub(super) fn no_body(&self, error: &BodyError, received: usize, max_body: usize) -> Failure {
        let diagnosis = match error {
            BodyError::TooLarge => Diagnosis::new(
                format!("the response is larger than {} KiB", max_body >> 10),
                format!(
                    "it is not from the vendor's service; or else {}",
                    self.remedy_for_size()
                ),
            ),
            BodyError::Unsupported(coding) => Diagnosis::new(
                format!(
                    "the response has an unsupported Content-Encoding: {}",
                    self.secrets.redact(coding)
                ),
                "a proxy or gateway compresses responses although the request did not allow it",
            ),
            BodyError::Corrupt => Diagnosis::new(
                format!("the compressed response of {received} bytes cannot be decompressed"),
                "it was truncated or replaced on the way",
            ),
            BodyError::Broken(error) => Diagnosis::new(
                format!(
                    "the connection broke after {received} bytes of the response ({})",
                    self.secrets.redact(&root_cause(error).to_string())
                ),
                "something between this machine and the vendor closed the connection",
            ),
        };
        self.failure(RequestOutcome::Body, diagnosis)
    }

    fn not_http(&self) -> Diagnosis {
        let key = self.endpoint_key();
        let cause = match self.url.scheme() {
            "http" => format!("{}; or host or port is wrong", speaks_tls(key)),
            _ => format!("another service than the vendor's runs there; check port of {key}"),
        };
        Diagnosis::new("the server does not speak HTTP", cause)
    }

    /// The keys to check if no response arrived.
    fn config_keys(&self) -> ConfigKeys {
        let endpoint = self.endpoint_key();
        let Some(proxy) = self.proxy() else {
            return ConfigKeys {
                peer: endpoint,
                certificate: endpoint,
            };
        };
        ConfigKeys {
            peer: proxy.key,
            // An https proxy presents a certificate too; the error does not say whose was rejected.
            certificate: match (proxy.expose().scheme(), proxy.key) {
                ("https", "proxy_url") => "proxy_url or endpoint",
                ("https", variable) => variable,
                _ => endpoint,
            },
        }
    }

    /// How to get smaller responses sooner.
    fn remedy_for_size(&self) -> String {
        match self.api {
            Api::Token | Api::Credit => format!("check {}", self.endpoint_key()),
            Api::Details => "lower page_size".to_owned(),
        }
    }
}
