//! What a panel of a board shows: its queries as Grafana fills them in, and the colour of a value.

use serde_json::Value;

/// A query as Grafana sends it, with all of everything chosen.
pub(crate) fn filled(expr: &str, changed: &[(&str, &str)]) -> String {
    // Longer names first: `$__range` is the beginning of none of them.
    let mut values = vec![
        ("__rate_interval", "5m"),
        ("__interval", "2m"),
        ("__range", "6h"),
        ("call_type", ".*"),
        ("cluster", ".*"),
        ("target", ".*"),
        ("role", "customer|staff"),
        ("fast", "300"),
        ("slow", "120"),
        ("job", ".*"),
    ];
    for (name, value) in &mut values {
        if let Some((_, other)) = changed.iter().find(|(changed, _)| changed == name) {
            *value = other;
        }
    }
    filled_with(expr, &values)
}

/// A query with these values of all its variables.
pub(crate) fn filled_with(expr: &str, values: &[(&str, &str)]) -> String {
    let filled = values.iter().fold(expr.to_owned(), |expr, (name, value)| {
        expr.replace(&format!("${name}"), value)
    });
    // What is left are groups of regular expressions.
    let mut left = filled.split('$').skip(1);
    assert!(
        left.all(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit())),
        "not filled in: {filled}"
    );
    filled
}

/// The colour of a value by the thresholds of its panel; of no value, that of the base.
pub(crate) fn colour(panel: &Value, value: Option<f64>) -> String {
    let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        .as_array()
        .unwrap();
    let reached = steps.iter().rfind(|step| match step["value"].as_f64() {
        None => true,
        Some(bound) => value.is_some_and(|value| value >= bound),
    });
    reached.unwrap()["color"].as_str().unwrap().to_owned()
}
