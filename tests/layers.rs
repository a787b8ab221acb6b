//! Each module imports only from the layers below its own.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// What each module may use, as paths from the root of the crate; `*` is everything below it.
/// Top down, in the order of the table in `src/lib.rs`.
const LAYERS: [(&str, &[&str]); 12] = [
    ("app", &["*"]),
    ("logging", &["cli"]),
    ("cli", &["config", "simulator::args"]),
    ("server", &["metrics::exposition::Format", "model"]),
    (
        "puller",
        &["upstream", "ledger", "metrics", "store", "model"],
    ),
    ("upstream", &["model"]),
    ("ledger", &["model"]),
    ("metrics", &["model"]),
    ("store", &[]),
    ("config", &["model"]),
    ("simulator", &[]),
    ("model", &[]),
];

/// Paths from the root of the crate that a source names: of `use`, with its braces taken apart,
/// and those within code. `module` is where the source stands, for paths that begin with `super`.
fn paths(source: &str, module: &[&str]) -> Vec<String> {
    let tokens = tokens(&bare(source));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = at == 0 || tokens[at - 1] != "::";
        match &*tokens[at] {
            "crate" if begins => expand(&tokens, at + 1, "", &mut found),
            "super" if begins => {
                let mut up = 1;
                let mut next = at + 1;
                while tokens.get(next).is_some_and(|token| token == "::")
                    && tokens.get(next + 1).is_some_and(|token| token == "super")
                {
                    up += 1;
                    next += 2;
                }
                if up >= module.len() {
                    expand(&tokens, next, "", &mut found);
                }
                at = next - 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Takes up the path that goes on at a token, and every branch of it.
fn expand(tokens: &[String], mut at: usize, before: &str, found: &mut Vec<String>) {
    let mut path = before.to_owned();
    while tokens.get(at).is_some_and(|token| token == "::") {
        let Some(next) = tokens.get(at + 1) else {
            return;
        };
        if next == "{" {
            let mut depth = 0;
            let mut begins = true;
            for index in at + 1..tokens.len() {
                match &*tokens[index] {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," => {}
                    name if begins && depth == 1 => {
                        let branch = join(&path, name);
                        expand(tokens, index + 1, &branch, found);
                    }
                    _ => {}
                }
                begins = matches!(&*tokens[index], "{" | ",");
                if depth == 0 {
                    return;
                }
            }
            return;
        }
        path = join(&path, next);
        at += 2;
    }
    if !path.is_empty() {
        found.push(path);
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}::{name}"),
    }
}

/// Names, `::` and single characters.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// A source without its comments, strings and characters.
fn bare(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let in_a_name = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == 'r' && !in_a_name {
            raw_string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped > 0 {
            out.push(' ');
            rest = &rest[skipped..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Comments of this kind nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// 0 if the `r` does not begin one.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = hashes + 2;
    text[body..]
        .find(&end)
        .map_or(text.len(), |at| body + at + end.len())
}

/// 0 if the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text[1..].chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

/// What a source at `module` names and may not.
fn forbidden(source: &str, module: &[&str]) -> Vec<String> {
    let layer = module[0];
    let own = LAYERS.iter().position(|(name, _)| *name == layer).unwrap();
    let allowed = LAYERS[own].1;
    let covers = |permitted: &str, path: &str| {
        permitted == "*" || path == permitted || path.starts_with(&format!("{permitted}::"))
    };
    let known = |path: &str| {
        let root = path.split("::").next().unwrap_or_default();
        LAYERS.iter().any(|(name, _)| *name == root)
    };
    paths(source, module)
        .into_iter()
        .filter(|path| known(path) && !covers(layer, path))
        .filter(|path| !allowed.iter().any(|permitted| covers(permitted, path)))
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module of a file below `src`, as its parts.
fn module_of(file: &Path) -> Vec<String> {
    let file = file.with_extension("");
    let mut parts: Vec<String> = file
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if parts.last().is_some_and(|part| part == "mod") {
        parts.pop();
    }
    parts
}

#[test]
fn no_module_imports_from_above_or_beside() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut named = 0;
    for file in &files {
        let module = module_of(file.strip_prefix(&root).unwrap());
        if matches!(&*module[0], "main" | "lib") {
            continue;
        }
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        assert!(
            LAYERS.iter().any(|(name, _)| *name == module[0]),
            "{} is in no layer",
            file.display()
        );
        let source = std::fs::read_to_string(file).unwrap();
        named += paths(&source, &module).len();
        for path in forbidden(&source, &module) {
            wrong.push(format!("{}: crate::{path}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() > 50 && named > 50, "{} {named}", files.len());
}

#[test]
fn the_documentation_tells_the_same_order() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let lib = lib.unwrap();
    let rows = lib.lines().filter(|line| line.starts_with("//! | [`"));
    let rows: Vec<Vec<&str>> = rows
        .map(|row| {
            let names = row.split('|').nth(1).unwrap();
            let names = names.split(',').map(|name| name.trim());
            names
                .map(|name| name.trim_start_matches("[`").trim_end_matches("`]"))
                .collect()
        })
        .collect();
    let row_of = |module: &str| {
        let found = rows.iter().position(|row| row.contains(&module));
        found.unwrap_or_else(|| panic!("{module} is not in the table"))
    };
    let told: Vec<&str> = rows.iter().flatten().copied().collect();
    assert_eq!(told, LAYERS.map(|(name, _)| name));
    for (module, allowed) in LAYERS {
        for below in allowed.iter().filter(|name| **name != "*") {
            let below = below.split("::").next().unwrap();
            assert!(row_of(below) > row_of(module), "{module} uses {below}");
        }
    }
}

#[test]
fn a_planted_import_is_found_however_it_is_written() {
    for (module, source, expected) in [
        (
            &["model"][..],
            "use crate::ledger::Ledger;",
            "ledger::Ledger",
        ),
        (
            &["upstream", "http"],
            "use crate::{\n    model::Window,\n    metrics::{\n        catalog,\n    },\n};",
            "metrics::catalog",
        ),
        (
            &["upstream", "http"],
            "use crate::{model::{Window, Record}, puller};",
            "puller",
        ),
        (
            &["ledger"],
            "fn f() { let _ = crate::upstream::http::parse(); }",
            "upstream::http::parse",
        ),
        (&["config"], "use super::server::Site;", "server::Site"),
        (&["config", "tree"], "use super::super::server;", "server"),
        (&["simulator"], "use crate::model::Status;", "model::Status"),
        (
            &["cli"],
            "use crate::simulator::{args::SimulateArgs, world::World};",
            "simulator::world::World",
        ),
        (
            &["server", "routes"],
            "fn f(c: char) -> bool { c == '\"' || c == '\\'' }\nuse crate::puller::View; // \"",
            "puller::View",
        ),
        (
            &["metrics"],
            "impl<'a> X<'a> { fn f(&'a self) -> crate::upstream::Api {} }",
            "upstream::Api",
        ),
        (&["metrics"], "pub(crate) use crate::app as b;", "app"),
    ] {
        assert_eq!(forbidden(source, module), [expected], "{source}");
    }
}

#[test]
fn what_is_allowed_or_no_code_is_not_found() {
    for (module, source) in [
        (
            &["app", "fleet"][..],
            "use crate::{server, puller::View, cli::Cli};",
        ),
        (
            &["puller"],
            "use crate::upstream::{Error, paging::{Need, Page}};",
        ),
        (&["puller", "book"], "use crate::puller::plan::Progress;"),
        (&["cli"], "use crate::simulator::args::SimulateArgs;"),
        (&["logging"], "use crate::cli::{LogFormat, LogLevel};"),
        (
            &["model"],
            "// use crate::app;\n/* crate::app /* */ crate::app */",
        ),
        (&["model"], "const A: &str = \"crate::app\\\"crate::app\";"),
        (
            &["model"],
            "const A: &str = r#\"crate::app \" crate::app\"#;",
        ),
        (&["server", "site"], "use super::{Settings, query, config};"),
        (&["model"], "mod tests { use super::*; }"),
        (&["model"], "pub(crate) fn app() { other::crate_app(); }"),
    ] {
        assert!(forbidden(source, module).is_empty(), "{source}");
    }
}
