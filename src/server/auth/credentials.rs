//! The user name and password of a request.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap};

/// User name and password as sent.
pub(super) struct Credentials {
    pub(super) name: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// Parses `Authorization: Basic ...`. `None` if it is absent, repeated, malformed or of another
/// scheme.
pub(super) fn parse(headers: &HeaderMap) -> Option<Credentials> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(Credentials {
        name: pair[..colon].to_vec(),
        password: pair[colon + 1..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let found = parse(&headers)?;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Some((text(found.name), text(found.password)))
    }

    #[test]
    fn a_pair_is_taken_apart_at_the_first_colon() {
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read(&["Basic YTpi"]), pair("a", "b"));
        assert_eq!(read(&["bASIC YTpi"]), pair("a", "b"));
        assert_eq!(read(&["Basic YTpiOmM="]), pair("a", "b:c"));
        assert_eq!(read(&["Basic Og=="]), pair("", ""));
        assert_eq!(read(&["Basic 5a6iOuacjQ=="]), pair("客", "服"));
    }

    #[test]
    fn anything_else_is_no_credentials() {
        assert_eq!(read(&[]), None);
        for value in [
            "",
            "Basic",
            "Basic ",
            "BasicYTpi",
            "Basic YWI=",
            "Basic YTpiOmM",
            "Basic a:b",
            "Bearer YTpi",
            "Digest YTpi",
        ] {
            assert_eq!(read(&[value]), None, "{value}");
        }
        assert_eq!(read(&["Basic YTpi", "Basic YTpi"]), None);
    }
}
