//! Every relative link leads to a file, and to a heading in it.

use std::fs;

use super::page::files_below;
use crate::support::tools::{in_repository, read};

/// All pages with links that a reader of the repository may follow.
fn pages() -> Vec<String> {
    let markdown = |path: &str| path.ends_with(".md");
    let mut pages: Vec<String> = ["docs", "deploy", "dashboards", "mixin", "benches"]
        .iter()
        .flat_map(|folder| files_below(folder, &markdown))
        .collect();
    for entry in fs::read_dir(in_repository("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if markdown(&name) {
            pages.push(name);
        }
    }
    pages
}

/// A page without its code blocks: what looks like a link or a heading there is none.
fn without_code(text: &str) -> String {
    let parts = text.split("\n```").step_by(2);
    parts.collect::<Vec<_>>().join("\n")
}

/// The targets of links and pictures.
fn links(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1);
    let links = links.map(|link| link.split_once(')').unwrap().0);
    let pictures = [" src=\"", " srcset=\""]
        .into_iter()
        .flat_map(|attribute| text.split(attribute).skip(1))
        .map(|link| link.split_once('"').unwrap().0);
    links.chain(pictures).collect()
}

/// What leads to a heading, if a line is one.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    Some(kept.collect::<String>().to_lowercase())
}

/// The relative links of all pages for which this holds that lead nowhere, and how many there are.
fn broken(wanted: &dyn Fn(&str) -> bool) -> (Vec<String>, usize) {
    let mut broken = Vec::new();
    let mut checked = 0;
    for file in pages() {
        let text = without_code(&read(&file));
        for link in links(&text) {
            if link.starts_with("https://") || link.starts_with("http://") || !wanted(link) {
                continue;
            }
            checked += 1;
            let (to, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = in_repository(&file);
            let to = match to {
                "" => path,
                to => path.parent().unwrap().join(to),
            };
            if !to.exists() {
                broken.push(format!("{file}: {link}"));
            } else if !heading.is_empty() {
                let text = without_code(&fs::read_to_string(to).unwrap());
                if !text
                    .lines()
                    .filter_map(anchor)
                    .any(|found| found == heading)
                {
                    broken.push(format!("{file}: {link}: no such heading"));
                }
            }
        }
    }
    (broken, checked)
}

fn is_picture(link: &str) -> bool {
    link.ends_with(".png")
}

#[test]
fn links_lead_somewhere() {
    let (broken, checked) = broken(&|link| !is_picture(link));
    assert_eq!(broken, Vec::<String>::new());
    assert!(checked > 150, "{checked}");
}

#[test]
fn pictures_exist() {
    let (broken, checked) = broken(&is_picture);
    assert_eq!(broken, Vec::<String>::new());
    assert!(checked > 8, "{checked}");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    for (readme, ending) in [("README.md", ".md"), ("README.zh-CN.md", ".zh-CN.md")] {
        let text = read(readme);
        let linked = links(&text);
        let wanted = |path: &str| {
            let is_chinese = path.ends_with(".zh-CN.md");
            path.ends_with(ending) && is_chinese == (ending == ".zh-CN.md")
        };
        for page in files_below("docs", &wanted) {
            assert!(linked.contains(&&*page), "{readme}: no link to {page}");
        }
    }
}

/// Files and folders in code, such as `src/cli.rs`; in ARCHITECTURE they begin below `src/`.
#[test]
fn files_that_are_named_exist() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for file in ["CONTRIBUTING.md", "docs/ARCHITECTURE.md"] {
        let text = without_code(&read(file));
        for word in text.split('`').skip(1).step_by(2) {
            let is_path = word.ends_with(".rs") || word.ends_with(".md") || word.ends_with('/');
            if !is_path || word.contains([' ', '*']) {
                continue;
            }
            checked += 1;
            let module = word.strip_suffix(".rs").unwrap_or(word);
            let exists = |folder: &str| {
                let paths = [
                    format!("{folder}{word}"),
                    format!("{folder}{module}/mod.rs"),
                ];
                paths.iter().any(|path| in_repository(path).exists())
            };
            if !["", "src/", "src/puller/", "docs/"].into_iter().any(exists) {
                missing.push(format!("{file}: {word}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(checked > 60, "{checked}");
}
