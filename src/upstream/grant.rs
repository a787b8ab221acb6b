//! The answer of the token service: bytes to a grant.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::wire::Unreadable;

/// The lifetime that is asked for, and assumed where the answer does not tell: the vendor's usual.
pub const USUAL_LIFETIME: Duration = Duration::from_secs(600);
/// No lifetime is taken for shorter, or every request would ask for a token.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);
/// Nor for longer: the vendor's longest is an hour.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What the token service gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The bare token.
    pub token: String,
    /// Counted from the receipt on the local clock: `CreateTime` is the vendor's.
    pub lifetime: Duration,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("token", &"***")
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

/// Reads the answer of the token service, whose numbers may be strings.
///
/// # Errors
///
/// If there is no usable `AccessToken`. The texts quote nothing but the vendor's own error: a
/// body that cannot be read may hold a token all the same.
pub fn parse_grant(body: &[u8]) -> Result<Grant, Unreadable> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| {
        Unreadable::Body(format!(
            "not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let Value::Object(fields) = answer else {
        return Err(Unreadable::Body("not a JSON object".into()));
    };
    let Some(token) = text(&fields, "AccessToken") else {
        return Err(
            match (text(&fields, "resultCode"), text(&fields, "resultDesc")) {
                (None, None) => Unreadable::Body("there is no AccessToken in it".into()),
                (code, desc) => Unreadable::Envelope(format!(
                    "{} {}",
                    code.unwrap_or_default(),
                    desc.unwrap_or_default()
                )),
            },
        );
    };
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Unreadable::Body(
            "its AccessToken cannot be sent in a header".into(),
        ));
    }
    // `Expires` is documented, `expiresIn` is seen.
    let lifetime = text(&fields, "Expires")
        .or_else(|| text(&fields, "expiresIn"))
        .and_then(|seconds| seconds.parse::<f64>().ok())
        .filter(|seconds| *seconds > 0.0)
        .map_or(USUAL_LIFETIME, |seconds| {
            let seconds = seconds.min(LONGEST_LIFETIME.as_secs_f64());
            Duration::from_secs_f64(seconds).max(SHORTEST_LIFETIME)
        });
    Ok(Grant { token, lifetime })
}

/// A string or a number that is not blank.
fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match fields.get(name)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(field: &str) -> u128 {
        let body = format!(r#"{{"AccessToken": "t"{field}}}"#);
        parse_grant(body.as_bytes()).unwrap().lifetime.as_millis()
    }

    #[test]
    fn reads_the_vendor_s_sample() {
        let sample = include_bytes!("../../tests/fixtures/token-response.json");
        let grant = parse_grant(sample).unwrap();
        assert_eq!(grant.token, "zzzzzzzzzzzzzzzzzz");
        assert_eq!(grant.lifetime, Duration::from_secs(600));
    }

    #[test]
    fn a_lifetime_comes_in_either_field_as_either_type() {
        assert_eq!(lifetime(r#", "Expires": "90""#), 90_000);
        assert_eq!(lifetime(r#", "Expires": 90"#), 90_000);
        assert_eq!(lifetime(r#", "expiresIn": 90.5"#), 90_500);
        assert_eq!(lifetime(r#", "Expires": null, "expiresIn": "90""#), 90_000);
    }

    #[test]
    fn an_unusable_lifetime_is_the_usual_and_an_absurd_one_is_cut() {
        for field in [
            "",
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
    fn what_is_no_token_is_told_apart_and_not_quoted() {
        let read = |body: &str| parse_grant(body.as_bytes()).unwrap_err();
        let envelope = read(r#"{"resultCode": "0300028", "resultDesc": "no right"}"#);
        assert_eq!(envelope, Unreadable::Envelope("0300028 no right".into()));
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
                matches!(&error, Unreadable::Body(text) if !text.contains("hush")),
                "{body}"
            );
        }
        let unfit = read(r#"{"AccessToken": "hush\r\nX-Evil: 1"}"#);
        assert!(matches!(&unfit, Unreadable::Body(text) if !text.contains("hush")));
    }
}
