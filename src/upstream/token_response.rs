//! The answer of the token service: bytes to a grant.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::response::{Envelope, Unreadable};

/// The lifetime that is asked for, and assumed where the answer's own cannot be used: the vendor's
/// usual.
pub const USUAL_LIFETIME: Duration = Duration::from_secs(600);
/// Assumed where the answer gives none: what other clients of such deployments take. A token that
/// ends sooner is renewed when it is refused.
const UNTOLD_LIFETIME: Duration = Duration::from_secs(3300);
/// No lifetime is taken for shorter, or every request would ask for a token.
const MIN_LIFETIME: Duration = Duration::from_secs(1);
/// Nor for longer: the vendor's longest is an hour.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What the token service gave.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenResponse {
    /// The bare token.
    pub token: String,
    /// Counted from the receipt on the local clock: `CreateTime` is the vendor's.
    pub lifetime: Duration,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token", &"***")
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

/// Reads the answer of the token service, whose numbers may be strings.
///
/// # Errors
///
/// If there is no usable token. The texts quote nothing but the vendor's own error: a
/// body that cannot be read may hold a token all the same.
pub fn parse_token_response(body: &[u8]) -> Result<TokenResponse, Unreadable> {
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
    let mut envelope = Envelope::default();
    let (mut token, mut expires) = (None, None);
    for (key, value) in &fields {
        match key.replace('_', "").to_ascii_lowercase().as_str() {
            "accesstoken" => token = token.or_else(|| text(value)),
            // `Expires` is documented, `expiresIn` and `expires_in` are seen.
            "expires" | "expiresin" => expires = expires.or_else(|| text(value)),
            _ => {
                if let Some(slot) = envelope.slot(key) {
                    *slot = text(value);
                }
            }
        }
    }
    let Some(token) = token else {
        let error = envelope.error(&[]);
        return Err(match error.is_silent() {
            true => Unreadable::Body("there is no AccessToken in it".into()),
            false => Unreadable::Envelope(error),
        });
    };
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Unreadable::Body(
            "its AccessToken cannot be sent in a header".into(),
        ));
    }
    let lifetime = match expires {
        None => UNTOLD_LIFETIME,
        Some(seconds) => seconds
            .parse::<f64>()
            .ok()
            .filter(|seconds| *seconds > 0.0)
            .map_or(USUAL_LIFETIME, |seconds| {
                let seconds = seconds.min(MAX_LIFETIME.as_secs_f64());
                Duration::from_secs_f64(seconds).max(MIN_LIFETIME)
            }),
    };
    Ok(TokenResponse { token, lifetime })
}

/// A string or a number that is not blank.
fn text(value: &Value) -> Option<String> {
    let text = match value {
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
        parse_token_response(body.as_bytes())
            .unwrap()
            .lifetime
            .as_millis()
    }

    #[test]
    fn reads_the_vendor_s_sample() {
        let sample = include_bytes!("../../tests/fixtures/token-response.json");
        let grant = parse_token_response(sample).unwrap();
        assert_eq!(grant.token, "zzzzzzzzzzzzzzzzzz");
        assert_eq!(grant.lifetime, Duration::from_secs(600));
    }

    #[test]
    fn token_and_lifetime_are_found_under_each_name_as_either_type() {
        for name in ["AccessToken", "accessToken", "access_token"] {
            let grant = parse_token_response(format!(r#"{{"{name}": "t"}}"#).as_bytes()).unwrap();
            assert_eq!(grant.token, "t", "{name}");
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
    fn an_unusable_lifetime_is_the_usual_and_an_absurd_one_is_cut() {
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
    fn what_is_no_token_is_told_apart_and_not_quoted() {
        let read = |body: &str| parse_token_response(body.as_bytes()).unwrap_err();
        for (body, told) in [
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
                Unreadable::Envelope(error) => assert_eq!(error.to_string(), told),
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
                matches!(&error, Unreadable::Body(text) if !text.contains("hush")),
                "{body}"
            );
        }
        let unfit = read(r#"{"AccessToken": "hush\r\nX-Evil: 1"}"#);
        assert!(matches!(&unfit, Unreadable::Body(text) if !text.contains("hush")));
    }
}
