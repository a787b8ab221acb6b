//! Each module imports only from the layers below its own, and no two files import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{ItemUse, UseTree};

/// The layers from the top down, as in `docs/ARCHITECTURE.md`. Modules of one row do not import
/// each other.
const ROWS: [&[&str]; 12] = [
    &["main"],
    &["app", "commands"],
    &["logging"],
    &["cli"],
    &["backfill"],
    &["server"],
    &["targets"],
    &["puller", "client"],
    &["upstream", "ledger", "metrics", "store"],
    &["process"],
    &["config", "simulator"],
    &["model"],
];

/// The paths that a source names from the root of the crate.
struct Paths {
    /// The module of the source, for paths that begin with `super` or `self`.
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn of(source: &str, module: &[String]) -> Vec<Vec<String>> {
        let module = module.to_vec();
        let found = Vec::new();
        let mut paths = Self { module, found };
        paths.visit_file(&syn::parse_file(source).unwrap());
        paths.found
    }

    fn add(&mut self, path: &[String]) {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let base = match path.first().map(String::as_str) {
            Some("crate" | "cec_exporter") => &[],
            Some("self") => &self.module[..],
            Some("super") => &self.module[..self.module.len().saturating_sub(supers)],
            _ => return,
        };
        let rest = &path[supers.max(1)..];
        self.found.push([base, rest].concat());
    }

    fn expand(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.expand(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.add(&with(&name.ident)),
            UseTree::Rename(name) => self.add(&with(&name.ident)),
            UseTree::Glob(_) => self.add(before),
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.expand(tree, before)),
        }
    }
}

impl Visit<'_> for Paths {
    fn visit_item_use(&mut self, item: &ItemUse) {
        self.expand(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.add(&parts);
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

/// All sources below `src`, by module.
fn sources() -> BTreeMap<Vec<String>, String> {
    fn collect(directory: &Path, module: &[String], found: &mut BTreeMap<Vec<String>, String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let inner = [module, std::slice::from_ref(&name)].concat();
            if path.is_dir() {
                collect(&path, &inner, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "lib" {
                let module = if name == "mod" {
                    module.to_vec()
                } else {
                    inner
                };
                found.insert(module, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    collect(&root, &[], &mut found);
    found
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The paths that a source names and must not.
fn forbidden(source: &str, module: &[String]) -> Vec<String> {
    let own = row(&module[0]).unwrap_or_else(|| panic!("{module:?} is in no layer"));
    let paths = Paths::of(source, module).into_iter();
    let is_above = |path: &Vec<String>| {
        let first = path.first().map_or("", String::as_str);
        first != module[0] && row(first).is_some_and(|row| row <= own)
    };
    paths.filter(is_above).map(|path| path.join("::")).collect()
}

#[test]
fn no_module_imports_from_above_or_beside() {
    let sources = sources();
    let wrong: Vec<String> = (sources.iter())
        .flat_map(|(module, source)| {
            let file = module.join("::");
            let found = forbidden(source, module).into_iter();
            found.map(move |path| format!("{file}: {path}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let named: usize = (sources.iter())
        .map(|(module, source)| Paths::of(source, module).len())
        .sum();
    assert!(
        sources.len() > 50 && named > 500,
        "{} {named}",
        sources.len()
    );
}

/// Which files each file imports. A file and the modules within it belong together.
fn imports(
    sources: &BTreeMap<Vec<String>, String>,
) -> BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> {
    let file_of = |path: &[String]| {
        let lengths = (1..=path.len()).rev();
        lengths
            .filter_map(|length| sources.get_key_value(&path[..length]))
            .next()
    };
    let related = |a: &Vec<String>, b: &Vec<String>| a.starts_with(b) || b.starts_with(a);
    let production = sources
        .iter()
        .filter(|(module, _)| !module.contains(&"tests".to_owned()));
    let of_file = production.map(|(module, source)| {
        let files = Paths::of(source, module);
        let files = files.iter().filter_map(|path| Some(file_of(path)?.0));
        (
            module,
            files.filter(|file| !related(module, file)).collect(),
        )
    });
    of_file.collect()
}

/// The files in a cycle, or between two.
fn cyclic(sources: &BTreeMap<Vec<String>, String>) -> Vec<String> {
    let imports = imports(sources);
    let mut left: BTreeSet<&Vec<String>> = imports.keys().copied().collect();
    loop {
        // Without those that import nothing that is left, and those that nothing left imports.
        let is_free = |file: &&&Vec<String>| {
            let imports_any = imports[**file].iter().any(|other| left.contains(other));
            let is_imported = left.iter().any(|other| imports[*other].contains(**file));
            !imports_any || !is_imported
        };
        let Some(free) = left.iter().find(is_free).copied() else {
            return left.iter().map(|module| module.join("::")).collect();
        };
        left.remove(free);
    }
}

#[test]
fn no_two_files_import_each_other() {
    let sources = sources();
    let found = cyclic(&sources);
    assert!(found.is_empty(), "in a cycle:\n{}", found.join("\n"));
    let sum: usize = imports(&sources).values().map(BTreeSet::len).sum();
    assert!(sum > 200, "{sum}");

    let file = |module: &str, source: &str| {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        (module, source.to_owned())
    };
    let planted = BTreeMap::from([
        file("main", "use crate::a::A;"),
        file("a", "mod x; mod y; use x::X;"),
        file("a::x", "use super::y::Y; use super::A; use crate::b::B;"),
        file("a::y", "fn f() { super::x::g() }"),
        file("b", ""),
    ]);
    assert_eq!(cyclic(&planted), ["a::x", "a::y"]);
}

#[test]
fn the_documentation_has_the_same_rows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, layers) = page.split_once("```text\n").unwrap();
    let (layers, _) = layers.split_once("```").unwrap();
    let rows: Vec<Vec<&str>> = layers
        .split("─▶")
        .map(|row| row.split(',').map(str::trim).collect())
        .collect();
    assert_eq!(rows, ROWS);
}

#[test]
fn a_planted_import_is_found_however_it_is_written() {
    for (module, source, expected) in [
        ("model", "use crate::ledger::Ledger;", "ledger::Ledger"),
        (
            "ledger",
            "use crate::{model::X, metrics::{catalog}};",
            "metrics::catalog",
        ),
        (
            "ledger",
            "fn f() { let _ = crate::upstream::pages::parse(); }",
            "upstream::pages::parse",
        ),
        ("config", "use super::server::Site;", "server::Site"),
        (
            "config::tree",
            "mod tests { use super::super::super::server; }",
            "server",
        ),
        (
            "metrics",
            "impl<'a> X<'a> { fn f(&'a self) -> crate::puller::View {} }",
            "puller::View",
        ),
        ("metrics", "pub(crate) use crate::app as b;", "app"),
        ("server", "use crate::cli::*;", "cli"),
    ] {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        assert_eq!(forbidden(source, &module), [expected], "{source}");
    }
    for source in [
        "use super::{model::X, config};",
        "/* crate::app */ const A: &str = \"crate::app\";",
        "use self::app::X; pub(crate) fn app() { other::app(); }",
    ] {
        assert!(
            forbidden(source, &["server".to_owned()]).is_empty(),
            "{source}"
        );
    }
}
