//! Text for people, and as the value of a label.

/// Longest label in characters.
const MAX_CHARS: usize = 100;

/// The text in at most `max_chars` characters, of which the last is `…` if it was longer.
pub fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max_chars - 1).chain(['…']).collect(),
    }
}

/// Whether the text can name a variable or a label: ASCII letters, digits and `_`, no digit first.
pub fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && (text.bytes()).all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What follows a message if a likely cause is known.
pub fn cause_suffix(likely_cause: &Option<String>) -> String {
    match likely_cause {
        Some(cause) => format!("; likely cause: {cause}"),
        None => String::new(),
    }
}

/// Text of the vendor or of a customer as the value of a label: without characters that cannot be seen,
/// without spaces around it, cut at 100 characters.
///
/// Two texts that differ only in what is removed become the same label.
pub fn label_text(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let cut: String = visible.trim().chars().take(MAX_CHARS).collect();
    cut.trim_end().to_owned()
}

/// Control characters, Unicode's format characters and its other default-ignorable ones: they
/// break lines, reverse text, or make two equal names differ.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{70f}' | '\u{8e2}' | '\u{feff}'
            | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{890}'..='\u{891}'
            | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_removed_and_the_rest_is_cut() {
        for (text, label) in [
            ("  语速规则 1 ", "语速规则 1"),
            ("a\u{0}b\nc\u{202e}d\u{feff}", "abcd"),
            ("\u{200b} \t", ""),
            ("👩\u{fe0f}", "👩"),
        ] {
            assert_eq!(label_text(text), label, "{text:?}");
        }
        assert_eq!(label_text(&"静".repeat(101)), "静".repeat(100));
        let space_at_the_cut = format!("{} x", "a".repeat(99));
        assert_eq!(label_text(&space_at_the_cut), "a".repeat(99));
    }
}
