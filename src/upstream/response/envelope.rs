//! The vendor's code and text in a response, under each of their known names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::lenient::Lenient;

/// Characters kept of a code or text.
const MAX_CHARS: usize = 200;
/// Longest key that can name a code or a text.
const MAX_KEY: usize = 32;
/// Prefixes of `resultCode`, `returnCode`, `retCode`, `error_code`, `errCode`, `code`; texts have
/// the same.
const PREFIXES: [&str; 6] = ["result", "return", "ret", "error", "err", ""];
/// Codes that mean success, besides zero. Without leading zeros, which a JSON number cannot have.
const SUCCESS_CODES: [&str; 4] = ["408000", "409000", "100000", "200"];
/// Codes that mean an empty list, without leading zeros.
const NO_DATA_CODES: [&str; 1] = ["300012"];

/// The fields of a small object, unparsed.
pub type Fields<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Default, Debug)]
pub struct Envelope {
    /// Code and text for each of [`PREFIXES`].
    pairs: [(Option<String>, Option<String>); PREFIXES.len()],
}

/// The meaning of the codes in a response, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Meaning {
    /// No code, or a success code.
    Success,
    /// The list is empty.
    NoData,
    /// An error or an unknown code.
    Failure,
}

/// An error in the body of a response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EnvelopeError {
    pub code: Option<String>,
    pub text: Option<String>,
    /// What else is wrong with the response; not quoted from the vendor.
    pub finding: Option<String>,
}

impl Envelope {
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a String, &'a &'a RawValue)>) -> Self {
        let mut envelope = Self::default();
        for (key, value) in fields {
            envelope.add(key, value);
        }
        envelope
    }

    /// Keeps the value if the key names a code or a text. Of several spellings of a name, the last one
    /// with a value counts.
    pub(super) fn add(&mut self, key: &str, value: &RawValue) {
        if let Some(slot) = self.slot(key) {
            *slot = text(value).or(slot.take());
        }
    }

    /// Where to store the value of a key, if it names a code or a text.
    fn slot(&mut self, key: &str) -> Option<&mut Option<String>> {
        if key.len() > MAX_KEY {
            return None;
        }
        let mut name = key.replace('_', "");
        name.make_ascii_lowercase();
        if name == "error" {
            name.push_str("message");
        }
        let mut pairs = PREFIXES.iter().zip(&mut self.pairs);
        let ((code, text), rest) =
            pairs.find_map(|(prefix, pair)| Some((pair, name.strip_prefix(prefix)?)))?;
        match rest {
            "code" => Some(code),
            "desc" | "description" | "msg" | "message" => Some(text),
            _ => None,
        }
    }

    /// The worst of all codes. `success_codes` are those from the configuration.
    pub(super) fn meaning(&self, success_codes: &[String]) -> Meaning {
        let codes = self.pairs.iter().filter_map(|(code, _)| code.as_deref());
        codes
            .map(|code| meaning(code, success_codes))
            .max()
            .unwrap_or(Meaning::Success)
    }

    /// The code that caused the failure and its text; otherwise any text or code.
    pub fn error(&self, success_codes: &[String]) -> EnvelopeError {
        let is_failure = |(code, _): &&(Option<String>, Option<String>)| {
            code.as_deref()
                .is_some_and(|code| meaning(code, success_codes) != Meaning::Success)
        };
        let pairs = || self.pairs.iter();
        let chosen = pairs()
            .find(is_failure)
            .or_else(|| pairs().find(|(_, text)| text.is_some()))
            .or_else(|| pairs().find(|(code, _)| code.is_some()));
        let Some((code, text)) = chosen else {
            return EnvelopeError::default();
        };
        // The text may have another prefix than its code.
        let text = text
            .as_ref()
            .or_else(|| pairs().find_map(|(_, text)| text.as_ref()));
        EnvelopeError {
            code: code.as_deref().map(clip),
            text: text.map(|text| clip(text)),
            finding: None,
        }
    }
}

impl EnvelopeError {
    pub fn from_text(text: &str) -> Self {
        Self {
            text: Some(text.to_owned()),
            ..Self::default()
        }
    }

    /// Whether it has neither a code nor a text.
    pub fn is_silent(&self) -> bool {
        self.code.is_none() && self.text.is_none()
    }
}

/// A string that is not blank, or a number.
pub fn text(value: &RawValue) -> Option<String> {
    Lenient::from(value).text().map(Cow::into_owned)
}

fn meaning(code: &str, success_codes: &[String]) -> Meaning {
    let code = without_leading_zeros(code);
    let mut configured = success_codes.iter();
    if code.is_empty()
        || SUCCESS_CODES.contains(&code)
        || configured.any(|success| without_leading_zeros(success) == code)
    {
        Meaning::Success
    } else if NO_DATA_CODES.contains(&code) {
        Meaning::NoData
    } else {
        Meaning::Failure
    }
}

fn without_leading_zeros(code: &str) -> &str {
    let code = code.trim();
    match code.bytes().all(|byte| byte.is_ascii_digit()) {
        true => code.trim_start_matches('0'),
        false => code,
    }
}

fn clip(text: &str) -> String {
    text.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For the tests of all parsers.
    impl std::fmt::Display for EnvelopeError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let parts = [&self.code, &self.text, &self.finding];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            f.write_str(&parts.join(" "))
        }
    }

    fn envelope(fields: &[(&str, &str)]) -> Envelope {
        let mut envelope = Envelope::default();
        for (key, value) in fields {
            *envelope.slot(key).unwrap() = Some((*value).to_owned());
        }
        envelope
    }

    #[test]
    fn code_and_text_are_found_by_each_name() {
        for (code, text) in [
            ("resultCode", "resultDesc"),
            ("returnCode", "returnDesc"),
            ("retCode", "retMsg"),
            ("error_code", "error_msg"),
            ("errorCode", "errorMsg"),
            ("ERROR_CODE", "errorMessage"),
            ("errcode", "errmsg"),
            ("code", "message"),
        ] {
            let found = envelope(&[(text, "no right"), (code, "APIG.0303")]).error(&[]);
            let expected = EnvelopeError {
                code: Some("APIG.0303".into()),
                text: Some("no right".into()),
                finding: None,
            };
            assert_eq!(found, expected, "{code}");
        }
        for key in [
            "",
            "data",
            "codes",
            "request_id",
            "result",
            "retries",
            &"c".repeat(40),
        ] {
            assert!(Envelope::default().slot(key).is_none(), "{key}");
        }
        let oauth = envelope(&[("error", "invalid_client")]).error(&[]);
        assert_eq!(oauth.text.as_deref(), Some("invalid_client"));
    }

    #[test]
    fn success_and_no_data_have_several_codes() {
        let success_codes = ["S0001".to_owned(), "0777".to_owned()];
        for (code, meaning) in [
            ("", Meaning::Success),
            ("0", Meaning::Success),
            ("000000", Meaning::Success),
            ("0408000", Meaning::Success),
            ("408000", Meaning::Success),
            (" 0409000 ", Meaning::Success),
            ("0100000", Meaning::Success),
            ("200", Meaning::Success),
            ("S0001", Meaning::Success),
            ("777", Meaning::Success),
            ("0300012", Meaning::NoData),
            ("300012", Meaning::NoData),
            ("0409028", Meaning::Failure),
            ("-1", Meaning::Failure),
            ("s0001", Meaning::Failure),
            ("2000", Meaning::Failure),
            ("APIG.0308", Meaning::Failure),
        ] {
            let envelope = envelope(&[("returnCode", code)]);
            assert_eq!(envelope.meaning(&success_codes), meaning, "{code:?}");
        }
        assert_eq!(Envelope::default().meaning(&[]), Meaning::Success);
    }

    #[test]
    fn an_error_code_outweighs_a_success_code() {
        let both = envelope(&[
            ("resultCode", "0"),
            ("resultDesc", "success"),
            ("returnCode", "0409028"),
            ("returnDesc", "no operator"),
        ]);
        assert_eq!(both.meaning(&[]), Meaning::Failure);
        assert_eq!(both.error(&[]).to_string(), "0409028 no operator");
    }
}
