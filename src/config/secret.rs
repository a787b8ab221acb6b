//! Values that are never printed.

use std::fmt;

use url::{Position, Url};

/// A credential. `Debug` prints `<secret>`; there is no `Display`, so that `{}` does not compile.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the code that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// The URL of a proxy, which may hold a user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// The whole URL with its credentials, for the code that connects to it.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.0.username().is_empty() && self.0.password().is_none() {
            ""
        } else {
            "<secret>@"
        };
        let host_and_port = &self.0[Position::BeforeHost..Position::AfterPort];
        write!(f, "{}://{secret}{host_and_port}", self.0.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {secret:#?}"), "<secret> <secret>");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_proxy_is_printed_without_its_credentials() {
        for (url, shown) in [
            (
                "http://user:hunter2@proxy:3128/",
                "http://<secret>@proxy:3128",
            ),
            ("https://hunter2@proxy/", "https://<secret>@proxy"),
            ("http://proxy:3128/", "http://proxy:3128"),
        ] {
            let proxy = ProxyUrl::new(Url::parse(url).unwrap());
            assert_eq!(format!("{proxy:?}"), shown);
            assert_eq!(proxy.expose().as_str(), url);
        }
    }
}
