//! The proxy for requests to the vendor: `proxy_url`, or `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`
//! as other programs read them.

use std::fmt;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Position, Url};

use super::address;
use super::error::ConfigError;
use super::interpolate::Environment;
use super::value::Problem;

/// A proxy and what it comes from. It is printed without its user name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `proxy_url` or the name of a variable.
    pub key: &'static str,
    url: Url,
}

impl Proxy {
    pub fn new(key: &'static str, url: Url) -> Self {
        Self { key, url }
    }

    /// The whole URL with its credentials, for the code that connects to it.
    pub fn expose(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, url } = self;
        let secret = match url.username().is_empty() && url.password().is_none() {
            true => "",
            false => "<secret>@",
        };
        let host_and_port = &url[Position::BeforeHost..Position::AfterPort];
        write!(f, "{}://{secret}{host_and_port} ({key})", url.scheme())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The value of `proxy_url`.
#[derive(Clone)]
pub(super) enum ProxyChoice {
    /// Empty: the environment decides.
    Environment,
    /// `direct`: no proxy, whatever the environment says.
    Direct,
    Url(Url),
}

impl ProxyChoice {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        Ok(match text {
            "" => Self::Environment,
            "direct" => Self::Direct,
            text => Self::Url(address::proxy_url(text)?),
        })
    }

    /// The proxy for requests to this URL.
    pub(super) fn resolve(
        &self,
        url: &Url,
        environment: Environment<'_>,
    ) -> Result<Option<Proxy>, ConfigError> {
        match self {
            Self::Environment => from_environment(url, environment),
            Self::Direct => Ok(None),
            Self::Url(proxy) => Ok(Some(Proxy::new("proxy_url", proxy.clone()))),
        }
    }
}

/// In upper and lower case. The first one that is set counts, as in Go.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

fn from_environment(url: &Url, environment: Environment<'_>) -> Result<Option<Proxy>, ConfigError> {
    if is_loopback(url) {
        return Ok(None);
    }
    let first = |names: [&'static str; 2]| {
        names.into_iter().find_map(|name| {
            let value = environment(name).filter(|value| !value.is_empty());
            value.map(|value| (name, value))
        })
    };
    let names = if url.scheme() == "https" { HTTPS } else { HTTP };
    let Some((key, proxy)) = first(names) else {
        return Ok(None);
    };
    let exceptions = first(EXCEPTIONS).map_or(String::new(), |(_, list)| list);
    if !is_proxied(url, &exceptions) {
        return Ok(None);
    }
    let with_scheme = match proxy.contains("://") {
        true => proxy,
        false => format!("http://{proxy}"),
    };
    let url = address::proxy_url(&with_scheme).map_err(|problem| {
        let message = problem.about(&with_scheme) + "; write `proxy_url: direct` to use no proxy";
        ConfigError::key(key, message)
    })?;
    Ok(Some(Proxy::new(key, url)))
}

/// As in Go and Prometheus, requests to this machine use no proxy.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_proxied(url: &Url, exceptions: &str) -> bool {
    let port = url.port_or_known_default().unwrap_or_default();
    let for_port = |entry: &str| match entry.rsplit_once(':') {
        // The matcher does not know ports. A colon may also be part of an IPv6 address.
        Some((host, number)) if !host.contains(':') || host.ends_with(']') => {
            (number.parse() == Ok(port)).then(|| host.trim_matches(['[', ']']).to_owned())
        }
        _ => Some(entry.to_owned()),
    };
    let exceptions: Vec<String> = exceptions
        .split(',')
        .map(str::trim)
        .filter_map(for_port)
        .collect();
    let matcher = Matcher::builder()
        .all("http://proxy.invalid")
        .no(exceptions.join(","))
        .build();
    url.as_str()
        .parse::<Uri>()
        .is_ok_and(|uri| matcher.intercept(&uri).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str, variables: &[(&str, &str)]) -> String {
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let found = ProxyChoice::Environment.resolve(&Url::parse(url).unwrap(), &environment);
        match found {
            Ok(Some(proxy)) => proxy.to_string(),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_proxy_is_printed_without_its_credentials() {
        for (url, shown) in [
            (
                "http://user:hunter2@proxy:3128/",
                "http://<secret>@proxy:3128 (key)",
            ),
            ("https://hunter2@proxy/", "https://<secret>@proxy (key)"),
            ("http://proxy:3128/", "http://proxy:3128 (key)"),
        ] {
            let proxy = Proxy::new("key", Url::parse(url).unwrap());
            assert_eq!([proxy.to_string(), format!("{proxy:?}")], [shown; 2]);
            assert_eq!(proxy.expose().as_str(), url);
        }
    }

    #[test]
    fn the_scheme_chooses_the_variable() {
        let both = [("HTTPS_PROXY", "http://s:1"), ("http_proxy", "p:2")];
        assert_eq!(proxy("https://vendor", &both), "http://s:1 (HTTPS_PROXY)");
        assert_eq!(proxy("http://vendor", &both), "http://p:2 (http_proxy)");
        assert_eq!(proxy("http://vendor", &both[..1]), "none");
        let capitals = [
            ("https_proxy", "small"),
            ("HTTPS_PROXY", "http://u:hunter2@big"),
        ];
        assert_eq!(
            proxy("https://vendor", &capitals),
            "http://<secret>@big (HTTPS_PROXY)"
        );
        assert_eq!(proxy("https://vendor", &[("HTTPS_PROXY", "")]), "none");
        for local in ["https://localhost", "https://127.0.0.9:1", "https://[::1]"] {
            assert_eq!(proxy(local, &both), "none", "{local}");
        }
    }

    #[test]
    fn exceptions_are_names_networks_and_ports() {
        for (url, list, expected) in [
            ("https://vendor.example", "vendor.example", false),
            ("https://a.vendor.example", ".vendor.example", false),
            (
                "https://vendor.example",
                "other.example, vendor.example:443",
                false,
            ),
            ("https://vendor.example", "vendor.example:8443", true),
            ("https://vendor.example", "*", false),
            ("https://192.0.2.7", "192.0.2.0/24", false),
            ("https://192.0.2.7:8443", "192.0.2.7:8443", false),
            ("https://192.0.3.7", "192.0.2.0/24", true),
            ("https://[2001:db8::1]", "2001:db8::/32", false),
            ("https://[2001:db8::1]:9", "[2001:db8::1]:9", false),
            ("https://vendor.example", "", true),
        ] {
            let found = proxy(url, &[("HTTPS_PROXY", "http://p"), ("NO_PROXY", list)]);
            assert_eq!(found != "none", expected, "{url} {list}: {found}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_not_shown() {
        for value in [
            "socks5://user:hunter2@proxy",
            "user:hunter2@pro xy",
            "http://",
        ] {
            let error = proxy("https://vendor", &[("HTTPS_PROXY", value)]);
            assert!(
                error.starts_with("HTTPS_PROXY: expected http://"),
                "{error}"
            );
            assert!(
                error.ends_with("write `proxy_url: direct` to use no proxy"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        let broken = |_: &str| Some("socks5://x".to_owned());
        let url = Url::parse("https://vendor").unwrap();
        assert_eq!(ProxyChoice::Direct.resolve(&url, &broken).unwrap(), None);
    }
}
