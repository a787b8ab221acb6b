mod compose;
mod container;
mod helm;
mod release;
mod systemd;

use serde_json::Value;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
