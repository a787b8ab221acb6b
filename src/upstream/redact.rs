//! Sanitises text of others for messages: one short line of plain characters without secrets.
//!
//! Secrets can come back in any dress: other letter case, base64, escapes, half of them. So little
//! is quoted that none of these fits: only words that a person reads, up to the first sign of an
//! encoding.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::Url;
use url::form_urlencoded::parse;

/// Characters of a quotation.
const MAX_QUOTE: usize = 100;
/// Characters of a code.
const MAX_CODE: usize = 24;
/// Words from this length on are masked where they are part of a secret.
const MIN_PART: usize = 4;
/// Words from this length on are masked where they mix letters and digits.
const MIN_MIXED: usize = 10;
/// Longer words than any that people read.
const MAX_WORD: usize = 20;
/// What takes the place of a secret.
const MASK: &str = "***";

/// What must not be repeated should somebody quote it.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Empty values are left out.
    pub(super) fn new(values: &[&str]) -> Self {
        Self(
            values
                .iter()
                .filter(|value| !value.trim().is_empty())
                .map(|value| value.to_ascii_lowercase())
                .collect(),
        )
    }

    /// A description of the vendor's. `token` is a further secret.
    pub(super) fn quote(&self, text: &str, token: Option<&str>) -> String {
        let text = self.redacted(plain(text), token);
        // An escape of HTML, URLs or JSON, an assignment: what follows may be encoded.
        let end = text.find(['&', '%', '\\', '=', '<', '>', '{', '"', '`']);
        let (text, is_cut) = match end {
            Some(end) => (&text[..end], true),
            None => (&*text, false),
        };
        let text = self.mask(text, token, true);
        match is_cut && !text.is_empty() {
            true => cut(&format!("{}…", text.trim_end()), MAX_QUOTE),
            false => cut(text.trim_end(), MAX_QUOTE),
        }
    }

    /// A code of the vendor's, such as `APIG.0308`; nothing where it does not look like one.
    pub(super) fn code(&self, code: &str, token: Option<&str>) -> Option<String> {
        let is_code = !code.is_empty()
            && code.len() <= MAX_CODE
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let code = is_code.then(|| self.mask(code, token, false))?;
        (code != MASK).then_some(code)
    }

    /// Text of this machine's, or a host name: long words are usual in it.
    pub(super) fn redact(&self, text: &str, token: Option<&str>) -> String {
        cut(&self.mask(&plain(text), token, false), MAX_QUOTE)
    }

    /// Without whole secrets, in whatever letter case.
    fn redacted(&self, mut text: String, token: Option<&str>) -> String {
        let token = token.map(str::to_ascii_lowercase);
        for secret in self.0.iter().chain(&token) {
            text = without(&text, secret);
        }
        text
    }

    /// Without words that are part of a secret, or may be one.
    fn mask(&self, text: &str, token: Option<&str>, strict: bool) -> String {
        let text = self.redacted(text.to_owned(), token);
        let token = token.map(str::to_ascii_lowercase);
        let secrets = || self.0.iter().chain(&token);
        let is_inside = |c: char| c.is_ascii_alphanumeric() || "+/_-.*".contains(c);
        let mut masked = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c| !is_inside(c)) {
            let word = piece.trim_end_matches(|c| !is_inside(c));
            let lower = word.trim_matches(['.', '-']).to_ascii_lowercase();
            let is_part = lower.len() >= MIN_PART
                && (word.contains(MASK) || secrets().any(|secret| secret.contains(&lower)));
            match is_part || (strict && is_unreadable(word)) {
                true => masked.push_str(MASK),
                false => masked.push_str(word),
            }
            masked.push_str(&piece[word.len()..]);
        }
        masked
    }
}

/// Whether a word may be a key or encoded, and is none that people read.
fn is_unreadable(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    word.len() > MAX_WORD
        || word.contains('+')
        || (word.len() >= MIN_MIXED && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic))
}

/// A text without a secret, whose letter case does not matter.
fn without(text: &str, secret: &str) -> String {
    // ASCII case only, so that positions in the copy are positions in the original.
    let lower = text.to_ascii_lowercase();
    let mut rest = 0;
    let mut out = String::with_capacity(text.len());
    for (at, _) in lower.match_indices(secret) {
        out.push_str(&text[rest..at]);
        out.push_str(MASK);
        rest = at + secret.len();
    }
    out + &text[rest..]
}

/// ASCII and Chinese on one line. All else goes: marks that turn or hide text, and letters that
/// only look like others.
fn plain(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter_map(|c| match c {
            ' '..='~' => Some(c),
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => Some(c),
            '、' | '。' | '，' | '：' | '；' | '（' | '）' | '！' | '？' | '《' | '》' | '…'
            | '“' | '”' => Some(c),
            c if c.is_whitespace() || c.is_control() => Some(' '),
            _ => None,
        })
        .collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// What is secret of a proxy's address: the password, and what the client sends with it.
pub(super) fn proxy_secrets(url: &Url) -> Vec<String> {
    let plain = |text: &str| -> String {
        // These are themselves here, and not a blank and an end as in a form.
        let form = text.replace('+', "%2B").replace('&', "%26");
        parse(form.as_bytes())
            .next()
            .map_or_else(String::new, |(name, _)| name.into_owned())
    };
    let (user, password) = (plain(url.username()), url.password().map(plain));
    let sent = BASE64_STANDARD.encode(format!("{user}:{}", password.as_deref().unwrap_or("")));
    match (url.username(), url.password()) {
        ("", None) => Vec::new(),
        // Some proxies take a key in place of the name.
        (name, None) => vec![name.to_owned(), user, sent],
        (_, Some(encoded)) => vec![encoded.to_owned(), password.unwrap_or_default(), sent],
    }
}

/// At most this many characters, the last one `…` if any were lost.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Hush-hush/s3cret=";

    fn quote(text: &str) -> String {
        Secrets::new(&["", SECRET]).quote(text, Some("t0kenT0ken"))
    }

    #[test]
    fn vendor_text_is_one_short_line_of_plain_characters() {
        assert_eq!(quote(" a\r\n\tb\u{1b}[31mc\0 "), "a b [31mc");
        let hidden = "no\u{ad} ri\u{202e}g\u{200b}h\u{e0061}t\u{feff} 无权限，请检查";
        assert_eq!(quote(hidden), "no right 无权限，请检查");
        assert_eq!(quote("ｗｉｄｅ 𝐛𝐨𝐥𝐝 plain"), "plain");
        assert_eq!(quote(&"客".repeat(500)).chars().count(), MAX_QUOTE);
        let limit =
            "The throttling threshold has been reached: policy ratelimit,limit:10,time:1 second";
        assert_eq!(quote(limit), limit);
    }

    #[test]
    fn a_secret_is_not_told_in_any_dress() {
        let base64 = BASE64_STANDARD.encode(SECRET);
        let pair = BASE64_STANDARD.encode(format!("key:{SECRET}"));
        for dress in [
            SECRET,
            "HUSH-HUSH/S3CRET=",
            "hush-hush/s3cr",
            "Hush-hush",
            &base64,
            &base64[3..],
            &pair,
            "Hush&#45;hush&#x2F;s3cret",
            "%48%75%73%68-hush",
            "\\u0048ush-hush\\/s3cret",
            "H\u{ad}ush-\u{200b}hush/s3cret=",
            "t0kenT0ken",
            "T0KENT0KEN",
            "t0kenT0",
        ] {
            let told = quote(&format!("the key ({dress}) is bad")).to_lowercase();
            assert!(told.starts_with("the key ("), "{told}");
            for part in ["hush", "s3cr", "t0ken", "48%", "u0048"] {
                assert!(!told.contains(part), "{dress}: {told}");
            }
            for start in 0..base64.len() - 4 {
                let part = base64[start..start + 4].to_lowercase();
                assert!(!told.contains(&part), "{dress}: {told}");
            }
        }
        assert_eq!(quote("key Hush-hush/s3cret= is bad"), "key *** is bad");
    }

    #[test]
    fn a_code_is_quoted_if_it_looks_like_one() {
        let code = |code| Secrets::new(&[SECRET]).code(code, None);
        assert_eq!(code("APIG.0308").as_deref(), Some("APIG.0308"));
        assert_eq!(code("-1").as_deref(), Some("-1"));
        for bad in ["", "hush-hush", "a b", "\u{202e}1", &"1".repeat(25)] {
            assert_eq!(code(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_keeps_its_name() {
        let secrets = Secrets::new(&["hunter2hunter2"]);
        let host = "gw1.cn-north-4.besclouds.example.com:8443";
        assert_eq!(secrets.redact(host, None), host);
        assert_eq!(secrets.redact("hunter2hunter2.example", None), MASK);
    }

    #[test]
    fn a_proxy_s_password_is_secret_as_it_is_written_meant_and_sent() {
        let url = Url::parse("http://user:pa%2055+word@proxy:3128").unwrap();
        let sent = BASE64_STANDARD.encode("user:pa 55+word");
        assert_eq!(proxy_secrets(&url), ["pa%2055+word", "pa 55+word", &sent]);
        let url = Url::parse("http://user:pa&s=s@proxy").unwrap();
        let sent = BASE64_STANDARD.encode("user:pa&s=s");
        assert!(proxy_secrets(&url).contains(&"pa&s=s".to_owned()));
        assert!(proxy_secrets(&url).contains(&sent), "{sent}");
        let key = Url::parse("http://t0ken@proxy").unwrap();
        assert_eq!(proxy_secrets(&key)[0], "t0ken");
        assert!(proxy_secrets(&Url::parse("http://proxy").unwrap()).is_empty());
    }
}
