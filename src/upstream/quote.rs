//! The words of others within a message: short, on one visible line, and without anything secret.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::Url;
use url::form_urlencoded::{byte_serialize, parse};

/// Characters of a quotation.
const LONGEST_QUOTE: usize = 100;
/// A shorter beginning of a secret at the end of a cut text tells nothing.
const TELLING_PREFIX: usize = 4;

/// What must not be repeated should somebody quote it, in each form in which it may be quoted.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// The forms of these values; empty ones are left out.
    pub(super) fn new(values: &[&str]) -> Self {
        Self::of(values.iter().flat_map(|value| forms(value)).collect())
    }

    fn of(mut forms: Vec<String>) -> Self {
        forms.retain(|form| !form.is_empty());
        // The longest first: a shorter one may be a part of it.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self(forms)
    }

    /// Text of somebody else's on one line, cut, without these secrets or this further one.
    ///
    /// Secrets go before the cut: half a secret would not be recognised.
    pub(super) fn quote(&self, text: &str, token: Option<&str>) -> String {
        let token = token.into_iter().flat_map(forms);
        let secrets = Self::of(self.0.iter().cloned().chain(token).collect()).0;
        let mut text = one_line(&without_needless_escapes(text));
        for secret in &secrets {
            text = text.replace(secret, "***");
        }
        // The text may have been cut by others, in the middle of a secret.
        let end = text.trim_end_matches(['.', '…', '"', ' ']).len();
        let cut_off = |secret: &String| tail(&text[..end], secret);
        if let Some(rest) = secrets.iter().find_map(cut_off) {
            text.truncate(rest);
            text.push_str("***");
        }
        cut(&text, LONGEST_QUOTE)
    }
}

/// How a value may come back: as it is, in JSON, in HTML, in a URL or form.
fn forms(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let html = value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    let form: String = byte_serialize(value.as_bytes()).collect();
    let url = form.replace('+', "%20");
    // What is searched through has been brought onto one line.
    [
        value,
        json.trim_matches('"'),
        &html,
        &lower_hex(&form),
        &lower_hex(&url),
        &form,
        &url,
    ]
    .map(one_line)
    .into()
}

/// `%3D` as `%3d`, which means the same.
fn lower_hex(url: &str) -> String {
    let mut parts = url.split('%');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What was encoded is ASCII.
        let (hex, rest) = part.split_at(part.len().min(2));
        all.push('%');
        all.push_str(&hex.to_ascii_lowercase());
        all.push_str(rest);
    }
    all
}

/// Undoes what JSON allows to be escaped and need not be: some libraries write `\u003d` for `=` and
/// `\/` for `/`, in which no secret would be recognised.
fn without_needless_escapes(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..4)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(character) => {
                all.push(character);
                all.push_str(&part[4..]);
            }
            None => {
                all.push_str("\\u");
                all.push_str(part);
            }
        }
    }
    all.replace("\\/", "/")
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

/// Runs of white space become one space; what a terminal or a browser would act on goes.
fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| {
            if c.is_whitespace() || c.is_control() {
                ' '
            } else {
                c
            }
        })
        // Marks that turn or hide text.
        .filter(|c| {
            !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
        })
        .collect();
    visible
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where a beginning of the secret starts with which the text ends.
fn tail(text: &str, secret: &str) -> Option<usize> {
    secret
        .char_indices()
        .map(|(index, _)| &secret[..index])
        .rev()
        .take_while(|beginning| beginning.len() >= TELLING_PREFIX)
        .find(|beginning| text.ends_with(beginning))
        .map(|beginning| text.len() - beginning.len())
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

    fn quote(text: &str, secrets: &[&str]) -> String {
        Secrets::new(secrets).quote(text, None)
    }

    #[test]
    fn vendor_text_is_one_short_visible_line() {
        assert_eq!(quote(" a\r\n\tb\u{1b}[31mc\u{202e}\0 ", &[]), "a b [31mc");
        assert_eq!(quote(&"客".repeat(500), &[]).chars().count(), LONGEST_QUOTE);
    }

    #[test]
    fn secrets_do_not_survive_a_quotation() {
        assert_eq!(
            quote("key hush-hush is bad", &["", "hush-hush"]),
            "key *** is bad"
        );
        assert_eq!(quote("key hush-hu…", &["hush-hush"]), "key ***");
        let long = format!("{}hush-hush", "x".repeat(LONGEST_QUOTE - 5));
        assert!(!quote(&long, &["hush-hush"]).contains("hush"));
        let token = Secrets::new(&["hush"]).quote("hush and t0ken", Some("t0ken"));
        assert_eq!(token, "*** and ***");
    }

    #[test]
    fn a_secret_is_recognised_in_each_form() {
        let secret = "a\"b<c&d  e/é";
        for told in [
            "a\"b<c&d  e/é",
            "a\\\"b<c&d  e/é",
            "a&quot;b&lt;c&amp;d e/é",
            "a%22b%3Cc%26d++e%2F%C3%A9",
            "a%22b%3cc%26d%20%20e%2f%c3%a9",
            "a\\u0022b\\u003cc\\u0026d  e\\/\\u00e9",
        ] {
            assert_eq!(quote(&format!("({told})"), &[secret]), "(***)", "{told}");
        }
        let token = Secrets::new(&["abcd"]).quote("abcd-9f=", Some("abcd-9f="));
        assert_eq!(token, "***");
        let token = Secrets::new(&[]).quote("t%3dk and t=k", Some("t=k"));
        assert_eq!(token, "*** and ***");
        // One secret is a part of the other.
        assert_eq!(quote("hush-hush", &["hush", "hush-hush"]), "***");
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
