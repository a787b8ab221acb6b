//! A configuration, as somebody may have written it.

#![no_main]

use cec_exporter::config;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "hunter2-hunter2";

fuzz_target!(|text: &str| {
    // Files that are named would be read.
    if text.contains("_file") || text.contains(SECRET) {
        return;
    }
    check(text);
    // With a secret before it, whose value no message may repeat.
    check(&format!("targets:\n  - name: a\n    app_secret: {SECRET}\n{text}"));
});

fn check(text: &str) {
    let printed = match config::from_text(text) {
        Ok(config) => format!("{config:?}"),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n'), "more than one line: {message}");
            message
        }
    };
    assert!(!printed.contains(SECRET), "a secret is shown");
}
