//! The header `Host`. If it is missing, repeated or malformed, a proxy and a server may read it
//! differently, so RFC 9112 requires the response 400.

use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Response, StatusCode, Version};

use super::respond::{self, Body};

/// The refusal of a request without exactly one valid `Host`. It ends the connection.
pub(super) fn refusal(request: &Parts) -> Option<Response<Body>> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let wrong = match (hosts.next(), hosts.next()) {
        // HTTP/2 has `:authority` instead, and HTTP/1.0 neither.
        (None, _) if request.version != Version::HTTP_11 => return None,
        (None, _) => "The Host header is missing.",
        (Some(_), Some(_)) => "There is more than one Host header.",
        (Some(host), None) if is_host(host) => return None,
        (Some(_), None) => "The Host header is malformed.",
    };
    let mut refusal = respond::text(StatusCode::BAD_REQUEST, wrong);
    respond::set(&mut refusal, CONNECTION, "close");
    Some(refusal)
}

/// A name or an address, with or without a port; empty if the client knows none.
fn is_host(value: &HeaderValue) -> bool {
    let text = value.as_bytes();
    if text.is_empty() {
        return true;
    }
    let Ok(authority) = Authority::try_from(text) else {
        return false;
    };
    let port = authority.as_str().strip_prefix(authority.host());
    !authority.host().is_empty()
        && port.is_some_and(|port| port.is_empty() || port == ":" || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_hosts_and_nothing_else_is() {
        for host in [
            "",
            "x",
            "x:80",
            "x:",
            "exporter_1.example:10042",
            "192.0.2.1",
            "[::1]:9",
        ] {
            assert!(is_host(&HeaderValue::from_static(host)), "{host:?}");
        }
        for host in [
            "a b",
            "a/b",
            "a@b",
            "user:pw@b:80",
            "a:b",
            "a:65536",
            "[::1",
            "http://a",
            "a?b",
            "a#b",
            ":80",
            "a:80:90",
            "a\\b",
            "<a>",
        ] {
            assert!(!is_host(&HeaderValue::from_static(host)), "{host:?}");
        }
        assert!(!is_host(&HeaderValue::from_bytes(b"\xff").unwrap()));
    }
}
