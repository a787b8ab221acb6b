//! The vendor's own code and text in an answer, under each of the names they are seen with.

use std::fmt;

/// Characters of a code or a text that are kept; more helps nobody.
const MAX_CHARS: usize = 200;
/// Longest key that can name a code or a text.
const MAX_KEY: usize = 32;
/// `resultCode`, `returnCode`, `retCode`, `error_code`, `errCode`, `code`; the texts likewise.
const PREFIXES: [&str; 6] = ["result", "return", "ret", "error", "err", ""];
/// Codes that mean success besides zero, without leading zeros: as a number they have none.
const SUCCESS: [&str; 4] = ["408000", "409000", "100000", "200"];
/// Codes that mean that there is nothing to list, without leading zeros.
const NO_DATA: [&str; 1] = ["300012"];

/// What an answer says about itself.
#[derive(Default, Debug)]
pub struct Envelope {
    /// Code and text by [`PREFIXES`].
    families: [(Option<String>, Option<String>); PREFIXES.len()],
}

/// What the codes of an answer mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// No code, or one that means success.
    Success,
    /// There is nothing to list.
    NoData,
    /// An error, or a code that is not known.
    Failed,
}

/// An error inside an answer with status 200.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ErrorInside {
    /// The vendor's code.
    pub code: Option<String>,
    /// The vendor's description.
    pub text: Option<String>,
    /// What is wrong with the answer apart from that, in this program's words.
    pub finding: Option<String>,
}

impl Envelope {
    /// Where the value of a key of the answer belongs, if it is a code or a text.
    pub fn slot(&mut self, key: &str) -> Option<&mut Option<String>> {
        if key.len() > MAX_KEY {
            return None;
        }
        let mut name = key.replace('_', "");
        name.make_ascii_lowercase();
        if name == "error" {
            name.push_str("message");
        }
        let (family, rest) = PREFIXES
            .iter()
            .enumerate()
            .find_map(|(index, prefix)| Some((index, name.strip_prefix(prefix)?)))?;
        let (code, text) = &mut self.families[family];
        match rest {
            "code" => Some(code),
            "desc" | "description" | "msg" | "message" => Some(text),
            _ => None,
        }
    }

    /// `more`: codes that the configuration says mean success.
    pub(super) fn verdict(&self, more: &[String]) -> Verdict {
        let mut verdict = Verdict::Success;
        for code in self.families.iter().filter_map(|(code, _)| code.as_deref()) {
            match meaning(code, more) {
                Verdict::Success => {}
                Verdict::NoData => verdict = Verdict::NoData,
                Verdict::Failed => return Verdict::Failed,
            }
        }
        verdict
    }

    /// The code that is to blame and its text; else whatever code or text there is.
    pub fn error(&self, more: &[String]) -> ErrorInside {
        let failed = |(code, _): &&(Option<String>, Option<String>)| {
            code.as_deref()
                .is_some_and(|code| meaning(code, more) != Verdict::Success)
        };
        let families = || self.families.iter();
        let chosen = families()
            .find(failed)
            .or_else(|| families().find(|(_, text)| text.is_some()))
            .or_else(|| families().find(|(code, _)| code.is_some()));
        let Some((code, text)) = chosen else {
            return ErrorInside::default();
        };
        // A text may stand under another name than its code.
        let text = text
            .as_ref()
            .or_else(|| families().find_map(|(_, text)| text.as_ref()));
        ErrorInside {
            code: code.as_deref().map(clip),
            text: text.map(|text| clip(text)),
            finding: None,
        }
    }
}

impl ErrorInside {
    /// Whether the vendor gave neither a code nor a text.
    pub fn is_silent(&self) -> bool {
        self.code.is_none() && self.text.is_none()
    }
}

impl fmt::Display for ErrorInside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.code, &self.text, &self.finding];
        let mut separator = "";
        for part in parts.into_iter().flatten() {
            write!(f, "{separator}{part}")?;
            separator = " ";
        }
        Ok(())
    }
}

fn meaning(code: &str, more: &[String]) -> Verdict {
    let code = plain(code);
    if code.is_empty()
        || SUCCESS.contains(&code)
        || more.iter().any(|success| plain(success) == code)
    {
        Verdict::Success
    } else if NO_DATA.contains(&code) {
        Verdict::NoData
    } else {
        Verdict::Failed
    }
}

/// A code as it is compared: a number has no leading zeros, so a string must have none either.
fn plain(code: &str) -> &str {
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

    fn envelope(fields: &[(&str, &str)]) -> Envelope {
        let mut envelope = Envelope::default();
        for (key, value) in fields {
            *envelope.slot(key).unwrap() = Some((*value).to_owned());
        }
        envelope
    }

    #[test]
    fn code_and_text_are_found_under_each_name() {
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
            let expected = ErrorInside {
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
    fn success_and_no_data_are_spelled_in_several_ways() {
        let more = ["S0001".to_owned(), "0777".to_owned()];
        for (code, verdict) in [
            ("", Verdict::Success),
            ("0", Verdict::Success),
            ("000000", Verdict::Success),
            ("0408000", Verdict::Success),
            ("408000", Verdict::Success),
            (" 0409000 ", Verdict::Success),
            ("0100000", Verdict::Success),
            ("200", Verdict::Success),
            ("S0001", Verdict::Success),
            ("777", Verdict::Success),
            ("0300012", Verdict::NoData),
            ("300012", Verdict::NoData),
            ("0409028", Verdict::Failed),
            ("-1", Verdict::Failed),
            ("s0001", Verdict::Failed),
            ("2000", Verdict::Failed),
            ("APIG.0308", Verdict::Failed),
        ] {
            let given = envelope(&[("returnCode", code)]);
            assert_eq!(given.verdict(&more), verdict, "{code:?}");
        }
        assert_eq!(Envelope::default().verdict(&[]), Verdict::Success);
    }

    #[test]
    fn of_several_codes_the_one_of_an_error_counts() {
        let both = envelope(&[
            ("resultCode", "0"),
            ("resultDesc", "success"),
            ("returnCode", "0409028"),
            ("returnDesc", "no operator"),
        ]);
        assert_eq!(both.verdict(&[]), Verdict::Failed);
        assert_eq!(both.error(&[]).to_string(), "0409028 no operator");
    }
}
