//! `${NAME}` in a string, replaced by an environment variable.
//!
//! Works on values after YAML is parsed, never on the text of the file: a variable cannot add a
//! key, whatever it holds.

use crate::model::is_identifier;

/// Looks up a variable. The caller of [`super::load`] passes the process's environment, tests a
/// table.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces every `${NAME}` by its value and every `$${` by `${`.
///
/// A `${` inside a value stays as it is. The error never holds a value.
pub(super) fn interpolate(text: &str, environment: Environment<'_>) -> Result<String, String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, found) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            done.push_str(literal);
            done.push_str("${");
            rest = &found[2..];
            continue;
        }
        let Some((name, after)) = found[2..].split_once('}') else {
            return Err("expected a } after ${; write $${ for a literal ${".to_owned());
        };
        if !is_identifier(name) {
            return Err("expected ${NAME}, the name made of letters, digits and _; \
                write $${ for a literal ${"
                .to_owned());
        }
        let Some(value) = environment(name) else {
            return Err(format!(
                "expected the environment variable {name} to be set"
            ));
        };
        done.push_str(before);
        done.push_str(&value);
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            "_nested9" => Some("${A} }".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn replaces_names() {
        for (text, expected) in [
            ("", ""),
            ("plain $A {A} $", "plain $A {A} $"),
            ("${A}", "1"),
            ("${EMPTY}", ""),
            ("<${A}${A}>}", "<11>}"),
            ("${_nested9}", "${A} }"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$${", "${"),
            ("a$${b${A}", "a${b1"),
            ("$ {A}", "$ {A}"),
            ("价${A}格", "价1格"),
        ] {
            assert_eq!(interpolate(text, &environment).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_set_name() {
        for (text, expected) in [
            ("x${A", "expected a } after ${"),
            ("${", "expected a } after ${"),
            ("${}", "expected ${NAME}"),
            ("${1A}", "expected ${NAME}"),
            ("${A:-b}", "expected ${NAME}"),
            ("${ A}", "expected ${NAME}"),
            (
                "${A}${B_C}",
                "expected the environment variable B_C to be set",
            ),
        ] {
            let error = interpolate(text, &environment).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
