//! An exposition, read line by line without the code under test.

use std::collections::BTreeMap;

/// One line. Labels as they are written, without what a real client would unescape.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

#[derive(Clone, Debug)]
pub struct Samples {
    pub text: String,
    all: Vec<Sample>,
}

impl Samples {
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            text: text.to_owned(),
            all: lines.map(sample).collect(),
        }
    }

    /// All of this name with these labels, and whatever other labels.
    pub fn select<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.all.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| {
                    sample.labels.get(*label).map(String::as_str) == Some(value)
                })
        })
    }

    /// Their sum; 0 if there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.select(name, labels).map(|sample| sample.value).sum()
    }

    /// The only one there is.
    pub fn one(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<_> = self.select(name, labels).collect();
        match found[..] {
            [only] => only.value,
            _ => panic!("{name} {labels:?}: {found:?}"),
        }
    }

    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.select(name, labels).next().is_some()
    }

    /// Whether the call metrics of a target are there.
    pub fn has_calls(&self, target: &str) -> bool {
        self.has("cec_calls_total", &[("target", target)])
    }

    /// The lines of the call metrics, headers included.
    pub fn call_metrics(&self) -> String {
        let of_calls = |line: &&str| {
            let name = line.trim_start_matches("# HELP ");
            let name = name.trim_start_matches("# TYPE ");
            [
                "cec_call",
                "cec_window_calls",
                "cec_window_missing",
                "cec_window_sampled",
                "cec_window_reviewed",
                "cec_window_appealed",
                "cec_oldest",
            ]
            .iter()
            .any(|start| name.starts_with(start))
        };
        let lines = self.text.lines().filter(of_calls);
        lines.map(|line| format!("{line}\n")).collect()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap();
    let labels = labels
        .split("\",")
        .filter_map(|pair| pair.trim_end_matches('"').split_once("=\""))
        .map(|(label, value)| (label.to_owned(), value.to_owned()));
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap(),
    }
}
