//! Pages of the documentation and what stands on them.

use std::fs;
use std::path::Path;

use crate::support::tools::{in_repository, read};

/// The words of a language for what a cell may say.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    ending: &'static str,
    pub(crate) none: &'static str,
    pub(crate) off: &'static str,
    pub(crate) yes: &'static str,
}

const ENGLISH: Language = Language {
    ending: ".md",
    none: "none",
    off: "off",
    yes: "yes",
};
const CHINESE: Language = Language {
    ending: ".zh-CN.md",
    none: "无",
    off: "关",
    yes: "是",
};

/// Pages that exist in both languages.
const PAGES: [&str; 15] = [
    "README",
    "docs/backfill",
    "docs/cli",
    "docs/configuration",
    "docs/costs",
    "docs/counting",
    "docs/formats",
    "docs/metrics",
    "docs/operations",
    "docs/privacy",
    "docs/quality",
    "docs/simulator",
    "docs/troubleshooting",
    "docs/versions",
    "docs/web-configuration",
];

/// A page in one language.
pub(crate) struct Page {
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) language: Language,
}

/// A page in both languages, English first. `name` has neither folder nor ending.
pub(crate) fn both(name: &str) -> [Page; 2] {
    [ENGLISH, CHINESE].map(|language| {
        let file = format!("docs/{name}{}", language.ending);
        Page::read(file, language)
    })
}

/// All pages that exist in both languages, as pairs.
pub(crate) fn pairs() -> Vec<[Page; 2]> {
    PAGES
        .iter()
        .map(|name| {
            [ENGLISH, CHINESE]
                .map(|language| Page::read(format!("{name}{}", language.ending), language))
        })
        .collect()
}

impl Page {
    fn read(file: String, language: Language) -> Self {
        let text = read(&file);
        Self {
            file,
            text,
            language,
        }
    }

    /// The rows of the table behind `<!-- name -->`, without its head.
    pub(crate) fn table(&self, name: &str) -> Vec<Vec<&str>> {
        let mark = format!("<!-- {name} -->\n\n");
        let (_, after) = self
            .text
            .split_once(&mark)
            .unwrap_or_else(|| panic!("{}: no table {name}", self.file));
        let rows = after.lines().take_while(|line| line.starts_with('|'));
        rows.skip(2)
            .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
            .collect()
    }

    /// The code blocks, each with its language on its first line.
    pub(crate) fn code(&self) -> Vec<&str> {
        self.text.split("\n```").skip(1).step_by(2).collect()
    }

    /// The only code block that contains this.
    pub(crate) fn code_with(&self, part: &str) -> &str {
        let mut found = self.code().into_iter().filter(|code| code.contains(part));
        let code = found
            .next()
            .unwrap_or_else(|| panic!("{}: no code block with {part}", self.file));
        assert_eq!(
            found.next(),
            None,
            "{}: two code blocks with {part}",
            self.file
        );
        code.split_once('\n').unwrap().1
    }
}

/// The text of a cell that is one piece of code, as most first cells are.
pub(crate) fn code_in(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// Files below a folder of the repository for which this holds, by their paths in it.
pub(crate) fn files_below(folder: &str, wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(in_repository(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = Path::new(folder).join(&name).to_str().unwrap().to_owned();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&path, wanted));
        } else if wanted(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_chinese_page_is_known_here() {
    let chinese = |path: &str| path.ends_with(CHINESE.ending);
    let mut pages: Vec<String> = PAGES[1..]
        .iter()
        .map(|name| format!("{name}{}", CHINESE.ending))
        .collect();
    pages.sort();
    assert_eq!(files_below("docs", &chinese), pages);
}
