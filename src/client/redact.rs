//! Sanitises vendor text for error messages: one line, truncated, secrets redacted.
//!
//! A response may contain a secret in another form: other letter case, base64, escaped, in part.
//! Therefore only readable words are quoted, up to the first sign of an encoding.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::Url;
use url::form_urlencoded::parse;

use crate::config::Target;
use crate::model::shortened;

/// Characters of a quote.
const MAX_QUOTE: usize = 100;
/// Characters of a code.
const MAX_CODE: usize = 24;
/// Words of at least this length are masked if they are part of a secret.
const MIN_SECRET_PART: usize = 4;
/// Words of at least this length are masked if they mix letters and digits.
const MIN_MIXED_WORD: usize = 10;
/// Longer words are masked: they are not natural language.
const MAX_WORD: usize = 20;
const MASK: &str = "***";

/// Values that must not appear in messages, in lower case.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Ignores empty values.
    fn new(values: impl IntoIterator<Item: AsRef<str>>) -> Self {
        let values = values.into_iter();
        let values = values.map(|value| value.as_ref().to_ascii_lowercase());
        Self(values.filter(|value| !value.trim().is_empty()).collect())
    }

    /// Everything that messages about a target must not repeat: its key, its secret, another one
    /// that it had before, and the passwords of its proxies.
    pub(super) fn of(target: &Target, app_secret: &str, old_secret: Option<&str>) -> Self {
        let proxies = target.proxy.iter().chain(&target.token_proxy);
        let of_proxies = proxies.flat_map(|proxy| proxy_secrets(proxy.expose()));
        let own = [Some(target.app_key.expose()), Some(app_secret), old_secret];
        let own = own.into_iter().flatten().map(str::to_owned);
        Self::new(own.chain(of_proxies))
    }

    pub(super) fn with_token(mut self, token: &str) -> Self {
        self.0.push(token.to_ascii_lowercase());
        self
    }

    /// Sanitises a description from the vendor.
    pub(super) fn quote(&self, text: &str) -> String {
        let text = self.remove(to_plain_line(text));
        // Signs of HTML, URL or JSON escapes or of an assignment: the rest may be encoded.
        let end = text.find(['&', '%', '\\', '=', '<', '>', '{', '"', '`']);
        let masked = self.mask(&text[..end.unwrap_or(text.len())], true);
        let mut quote = masked.trim_end().to_owned();
        if end.is_some() && !quote.is_empty() {
            quote.push('…');
        }
        shortened(&quote, MAX_QUOTE)
    }

    /// A code such as `APIG.0308`; `None` if the text does not look like a code.
    pub(super) fn quote_code(&self, code: &str) -> Option<String> {
        let is_code = !code.is_empty()
            && code.len() <= MAX_CODE
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let code = is_code.then(|| self.mask(code, false))?;
        (code != MASK).then_some(code)
    }

    /// Sanitises text from this machine or a host name, in which long words are common.
    pub(super) fn redact(&self, text: &str) -> String {
        shortened(&self.mask(&to_plain_line(text), false), MAX_QUOTE)
    }

    /// Replaces whole secrets in any letter case.
    fn remove(&self, text: String) -> String {
        let secrets = self.0.iter();
        secrets.fold(text, |text, secret| replace_ignoring_case(&text, secret))
    }

    /// Replaces words that are part of a secret; if `strict`, also those that could be one.
    fn mask(&self, text: &str, strict: bool) -> String {
        let text = self.remove(text.to_owned());
        let is_word_char = |c: char| c.is_ascii_alphanumeric() || "+/_-.*".contains(c);
        let mut masked = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c| !is_word_char(c)) {
            let word = piece.trim_end_matches(|c| !is_word_char(c));
            let lower = word.trim_matches(['.', '-']).to_ascii_lowercase();
            let is_part = lower.len() >= MIN_SECRET_PART
                && (word.contains(MASK) || self.0.iter().any(|secret| secret.contains(&lower)));
            match is_part || (strict && may_be_encoded(word)) {
                true => masked.push_str(MASK),
                false => masked.push_str(word),
            }
            masked.push_str(&piece[word.len()..]);
        }
        masked
    }
}

/// Whether a word may be a key or encoded data rather than natural language.
fn may_be_encoded(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    word.len() > MAX_WORD
        || word.contains('+')
        || (word.len() >= MIN_MIXED_WORD && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic))
}

/// Masks a secret, given in ASCII lower case, in any letter case.
fn replace_ignoring_case(text: &str, secret: &str) -> String {
    // ASCII lower case keeps the byte positions.
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

/// Keeps ASCII and Chinese, on one line. Drops marks that reverse or hide text, and letters that
/// imitate others.
fn to_plain_line(text: &str) -> String {
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
    let words: Vec<&str> = visible.split_whitespace().collect();
    words.join(" ")
}

/// The secrets in a proxy's URL: the password, and the header that the client builds from it.
fn proxy_secrets(url: &Url) -> Vec<String> {
    let decode = |text: &str| -> String {
        // Unlike in a form, `+` and `&` stand for themselves.
        let form = text.replace('+', "%2B").replace('&', "%26");
        parse(form.as_bytes())
            .next()
            .map_or_else(String::new, |(name, _)| name.into_owned())
    };
    let (user, password) = (decode(url.username()), url.password().map(decode));
    let header = BASE64_STANDARD.encode(format!("{user}:{}", password.as_deref().unwrap_or("")));
    match (url.username(), url.password()) {
        ("", None) => Vec::new(),
        // Some proxies expect a key in place of the user name.
        (name, None) => vec![name.to_owned(), user, header],
        (_, Some(encoded)) => vec![encoded.to_owned(), password.unwrap_or_default(), header],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Hush-hush/s3cret=";

    fn quote(text: &str) -> String {
        Secrets::new(&["", SECRET])
            .with_token("t0kenT0ken")
            .quote(text)
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
    fn a_secret_is_not_quoted_in_any_form() {
        let base64 = BASE64_STANDARD.encode(SECRET);
        let pair = BASE64_STANDARD.encode(format!("key:{SECRET}"));
        for form in [
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
            let quoted = quote(&format!("the key ({form}) is bad")).to_lowercase();
            assert!(quoted.starts_with("the key ("), "{quoted}");
            for part in ["hush", "s3cr", "t0ken", "48%", "u0048"] {
                assert!(!quoted.contains(part), "{form}: {quoted}");
            }
            for start in 0..base64.len() - 4 {
                let part = base64[start..start + 4].to_lowercase();
                assert!(!quoted.contains(&part), "{form}: {quoted}");
            }
        }
        assert_eq!(quote("key Hush-hush/s3cret= is bad"), "key *** is bad");
    }

    #[test]
    fn a_code_is_quoted_if_it_looks_like_one() {
        let code = |code| Secrets::new(&[SECRET]).quote_code(code);
        assert_eq!(code("APIG.0308").as_deref(), Some("APIG.0308"));
        assert_eq!(code("-1").as_deref(), Some("-1"));
        for bad in ["", "hush-hush", "a b", "\u{202e}1", &"1".repeat(25)] {
            assert_eq!(code(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_name_is_not_masked() {
        let secrets = Secrets::new(&["hunter2hunter2"]);
        let host = "gw1.cn-north-4.besclouds.example.com:8443";
        assert_eq!(secrets.redact(host), host);
        assert_eq!(secrets.redact("hunter2hunter2.example"), MASK);
    }

    #[test]
    fn a_proxy_password_is_redacted_encoded_decoded_and_as_a_header() {
        let url = Url::parse("http://user:pa%2055+word@proxy:3128").unwrap();
        let header = BASE64_STANDARD.encode("user:pa 55+word");
        assert_eq!(proxy_secrets(&url), ["pa%2055+word", "pa 55+word", &header]);
        let url = Url::parse("http://user:pa&s=s@proxy").unwrap();
        let header = BASE64_STANDARD.encode("user:pa&s=s");
        assert!(proxy_secrets(&url).contains(&"pa&s=s".to_owned()));
        assert!(proxy_secrets(&url).contains(&header), "{header}");
        let key = Url::parse("http://t0ken@proxy").unwrap();
        assert_eq!(proxy_secrets(&key)[0], "t0ken");
        assert!(proxy_secrets(&Url::parse("http://proxy").unwrap()).is_empty());
    }
}
