//! The targets in a query string.

use url::form_urlencoded;

/// Each `target=` of a query, decoded. Like Prometheus's own exporters, this ignores other
/// parameters.
fn targets(query: &str) -> impl Iterator<Item = String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == "target")
        .map(|(_, value)| value.into_owned())
}

/// The targets that a scrape is restricted to, each once; `None` for all targets. An empty name is
/// kept, so that it is answered as unknown: it comes from a wrong relabelling, and the series of all
/// targets in place of one would be worse than an error.
pub(super) fn restriction(query: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in targets(query) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then_some(names)
}

/// The target of a probe; `None` unless there is exactly one.
pub(super) fn only_target(query: &str) -> Option<String> {
    let mut names = targets(query);
    match (names.next(), names.next()) {
        (name, None) => name.filter(|name| !name.is_empty()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_repeat_and_are_decoded() {
        let names = restriction("target=a&collect[]=x&target=b%2Fc+d&target=%E5%AE%A2&target=a");
        let names = names.unwrap();
        assert_eq!(names, ["a", "b/c d", "客"]);
    }

    #[test]
    fn broken_encoding_is_kept_or_replaced_and_never_fatal() {
        assert_eq!(restriction("target=%zz%").unwrap(), ["%zz%"]);
        assert_eq!(restriction("target=%ff").unwrap(), ["\u{fffd}"]);
    }

    #[test]
    fn no_name_is_no_restriction() {
        for query in ["", "collect[]=a", "Target=a", "&&=&"] {
            assert_eq!(restriction(query), None, "{query:?}");
        }
        assert_eq!(restriction("target=").unwrap(), [""]);
    }

    #[test]
    fn a_probe_names_one_target() {
        assert_eq!(only_target("module=m&target=a%26b"), Some("a&b".to_owned()));
        for query in [
            "",
            "target=",
            "target=a&target=b",
            "target=a&target=a",
            "target=&target=a",
        ] {
            assert_eq!(only_target(query), None, "{query:?}");
        }
    }
}
