//! Text for people.

/// The text in at most `max_chars` characters, of which the last is `…` if it was longer.
pub fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max_chars - 1).chain(['…']).collect(),
    }
}

/// What follows a message if a likely cause is known.
pub fn cause_suffix(likely_cause: &Option<String>) -> String {
    match likely_cause {
        Some(cause) => format!("; likely cause: {cause}"),
        None => String::new(),
    }
}
