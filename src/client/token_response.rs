//! Parses the response of the token service.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde_json::error::Category;
use tokio::time::Instant;

use crate::upstream::response::{Envelope, Fields, ParseError, text};

/// The lifetime that requests ask for, and the assumption if the response has an invalid one.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// Assumed if the response has none, as public clients of such deployments do. A token that expires
/// earlier is renewed when it is refused.
const UNSTATED_LIFETIME: Duration = Duration::from_secs(3300);
/// A shorter lifetime would make every request fetch a token.
const MIN_LIFETIME: Duration = Duration::from_secs(1);
/// Generous: the vendor's maximum is an hour.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// An access token. Has no `Debug`, so that nothing prints it.
#[derive(Clone)]
pub struct Token {
    /// Without `Bearer`, for redacting it.
    pub text: Arc<str>,
    /// The value of `Authorization`.
    pub header: HeaderValue,
    /// By the local clock: `CreateTime` is the vendor's clock.
    pub received: Instant,
    pub lifetime: Duration,
}

impl Token {
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        (self.received + self.lifetime).saturating_duration_since(now)
    }
}

/// Parses the response of the token service, received at `now`. Numbers in it may be strings.
///
/// The error quotes only the vendor's own error, since a body that cannot be parsed may still
/// contain a token.
pub fn parse_token_response(body: &[u8], now: Instant) -> Result<Token, ParseError> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ParseError::Body(match error.classify() {
            Category::Data => "not a JSON object".into(),
            _ => format!("not JSON (line {line}, column {column})"),
        })
    })?;
    let field = |names: &[&str]| {
        fields.iter().find_map(|(key, value)| {
            let name = key.replace('_', "").to_ascii_lowercase();
            text(value).filter(|_| names.contains(&&*name))
        })
    };
    let Some(token) = field(&["accesstoken"]) else {
        let error = Envelope::of(&fields).error(&[]);
        return Err(match error.is_silent() {
            true => ParseError::Body("no AccessToken in it".into()),
            false => ParseError::Envelope(error),
        });
    };
    let header = HeaderValue::try_from(format!("Bearer {token}")).ok();
    let header = header.filter(|_| token.bytes().all(|byte| byte.is_ascii_graphic()));
    let Some(mut header) = header else {
        let reason = "the AccessToken contains characters that are not allowed in a header";
        return Err(ParseError::Body(reason.into()));
    };
    header.set_sensitive(true);
    // `Expires` is documented; some deployments send `expiresIn` or `expires_in`.
    let lifetime = match field(&["expires", "expiresin"]) {
        None => UNSTATED_LIFETIME,
        Some(stated) => match stated.parse::<f64>() {
            Ok(seconds) if seconds > 0.0 => {
                let seconds = seconds.min(MAX_LIFETIME.as_secs_f64());
                Duration::from_secs_f64(seconds).max(MIN_LIFETIME)
            }
            _ => DEFAULT_LIFETIME,
        },
    };
    Ok(Token {
        text: token.into(),
        header,
        received: now,
        lifetime,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Token, ParseError> {
        parse_token_response(body.as_bytes(), Instant::now())
    }

    fn lifetime(field: &str) -> u128 {
        let body = format!(r#"{{"AccessToken": "t"{field}}}"#);
        parse(&body).unwrap().lifetime.as_millis()
    }

    #[test]
    fn the_vendor_sample_is_parsed() {
        let sample = include_str!("../../tests/fixtures/token-response.json");
        let response = parse(sample).unwrap();
        assert_eq!(&*response.text, "zzzzzzzzzzzzzzzzzz");
        assert_eq!(response.lifetime, Duration::from_secs(600));
    }

    #[test]
    fn token_and_lifetime_are_found_by_each_name_and_type() {
        for name in ["AccessToken", "accessToken", "access_token"] {
            let body = format!("\u{feff}{{\"{name}\": \"t\"}}");
            let response = parse(&body).unwrap();
            assert_eq!(&*response.text, "t", "{name}");
        }
        for name in ["Expires", "expires", "expiresIn", "expires_in"] {
            for value in ["90", "\"90\"", "90.0"] {
                let field = format!(r#", "{name}": {value}"#);
                assert_eq!(lifetime(&field), 90_000, "{field}");
            }
        }
        assert_eq!(lifetime(r#", "Expires": null, "expiresIn": "90""#), 90_000);
        assert_eq!(lifetime(""), 3_300_000);
        assert_eq!(lifetime(r#", "Expires": null"#), 3_300_000);
    }

    #[test]
    fn an_invalid_lifetime_is_the_default_and_an_extreme_one_is_clamped() {
        for field in [
            r#", "Expires": "soon""#,
            r#", "Expires": "-5""#,
            r#", "Expires": "NaN""#,
        ] {
            assert_eq!(lifetime(field), 600_000, "{field}");
        }
        assert_eq!(lifetime(r#", "Expires": 0.001"#), 1_000);
        assert_eq!(lifetime(r#", "Expires": "1e300""#), 86_400_000);
        assert_eq!(lifetime(r#", "Expires": "inf""#), 86_400_000);
    }

    #[test]
    fn errors_are_distinguished_and_quote_no_token() {
        let read = |body: &str| parse(body).err().unwrap();
        for (body, message) in [
            (
                r#"{"resultCode": "0300028", "resultDesc": "no right"}"#,
                "0300028 no right",
            ),
            (
                r#"{"error_msg": "Incorrect app authentication", "error_code": "APIG.0303"}"#,
                "APIG.0303 Incorrect app authentication",
            ),
            (r#"{"returnCode": 17, "access_token": ""}"#, "17"),
        ] {
            match read(body) {
                ParseError::Envelope(error) => assert_eq!(error.to_string(), message),
                other => panic!("{body}: {other:?}"),
            }
        }
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"AccessToken": "hush"#,
            r#"{"AccessToken": ""}"#,
        ] {
            let error = read(body);
            assert!(
                matches!(&error, ParseError::Body(text) if !text.contains("hush")),
                "{body}"
            );
        }
        let injection = read(r#"{"AccessToken": "hush\r\nX-Evil: 1"}"#);
        assert!(matches!(&injection, ParseError::Body(text) if !text.contains("hush")));
    }
}
