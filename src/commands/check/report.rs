//! The report of a check, for people and for scripts.

use std::time::Duration;

use serde::Serialize;

use crate::cli::CheckFormat;
use crate::config::Config;
use crate::targets::NOTABLE_CLOCK_SKEW;
use crate::upstream::Error;

/// The whole report. Its JSON is documented: fields may be added, none is removed.
#[derive(Default, Debug, Serialize)]
pub(super) struct Report {
    pub(super) ok: bool,
    /// Why the configuration cannot be used.
    pub(super) error: Option<String>,
    /// Where the configuration comes from.
    pub(super) configuration: Option<String>,
    /// Its warnings.
    pub(super) warnings: Vec<String>,
    pub(super) targets: Vec<TargetReport>,
}

/// The report on one target.
#[derive(Debug, Serialize)]
pub(super) struct TargetReport {
    pub(super) name: String,
    pub(super) ok: bool,
    /// In the order in which they ran.
    pub(super) steps: Vec<Step>,
    /// What works, but should be fixed.
    pub(super) warnings: Vec<String>,
}

/// One step.
#[derive(Default, Debug, Serialize)]
pub(super) struct Step {
    pub(super) step: &'static str,
    /// The configuration key that it depends on.
    pub(super) key: &'static str,
    /// `None`: not tried, because an earlier step failed or there is nothing to try.
    pub(super) ok: Option<bool>,
    pub(super) seconds: Option<f64>,
    pub(super) detail: String,
    pub(super) likely_cause: Option<String>,
    /// What does not work although the step succeeded.
    pub(super) warning: Option<String>,
}

impl Step {
    /// A step that was tried, with its result or its error.
    pub(super) fn tried(
        step: &'static str,
        key: &'static str,
        took: Duration,
        result: Result<String, Error>,
    ) -> Self {
        let ok = result.is_ok();
        let (detail, likely_cause) = match result {
            Ok(detail) => (detail, None),
            Err(error) => (error.message, error.likely_cause),
        };
        // Microseconds are precise enough.
        let seconds = took.as_micros() as f64 / 1e6;
        Self {
            ok: Some(ok),
            seconds: Some(seconds),
            likely_cause,
            ..Self::skipped(step, key, detail)
        }
    }

    /// A step that was not tried, and why.
    pub(super) fn skipped(
        step: &'static str,
        key: &'static str,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            step,
            key,
            detail: reason.into(),
            ..Self::default()
        }
    }

    /// `labelled`: the check has connected to more than one address.
    fn text(&self, labelled: bool) -> String {
        let mark = mark(self.ok);
        let time = self
            .seconds
            .map_or_else(String::new, |seconds| format!("{seconds:.3} s"));
        let label = match labelled && ["dns", "connect", "tls"].contains(&self.step) {
            true => format!("{}: ", self.key),
            false => String::new(),
        };
        let (step, detail) = (self.step, &self.detail);
        let line = format!("  {step:<8} {mark:<6} {time:>9}  {label}{detail}");
        let mut text = format!("{}\n", line.trim_end());
        for (what, note) in [
            ("likely cause", &self.likely_cause),
            ("warning", &self.warning),
        ] {
            if let Some(note) = note {
                text += &format!("  {what}: {note}\n");
            }
        }
        text
    }
}

impl TargetReport {
    /// `clock_skew`: the seconds by which the local clock is ahead of the vendor's, if known.
    pub(super) fn new(name: &str, steps: Vec<Step>, clock_skew: Option<f64>) -> Self {
        let skew = clock_skew.filter(|skew| skew.abs() >= NOTABLE_CLOCK_SKEW);
        let warning = skew.map(|skew| {
            let side = if skew > 0.0 { "ahead of" } else { "behind" };
            let by = skew.abs().trunc();
            format!(
                "this machine's clock is {by} s {side} the vendor's; set it right (NTP), or new \
                 calls are counted late or not at all"
            )
        });
        Self {
            name: name.to_owned(),
            ok: steps.iter().all(|step| step.ok != Some(false)),
            steps,
            warnings: warning.into_iter().collect(),
        }
    }

    /// The output for people, as soon as the target is checked.
    pub(super) fn text(&self) -> String {
        let mut text = format!("\n{}: {}\n", self.name, mark(Some(self.ok)));
        let connections = self.steps.iter().filter(|step| step.step == "connect");
        let labelled = connections.count() > 1;
        for step in &self.steps {
            text += &step.text(labelled);
        }
        for warning in &self.warnings {
            text += &format!("  warning: {warning}\n");
        }
        text
    }
}

impl Report {
    pub(super) fn of(targets: Vec<TargetReport>) -> Self {
        Self {
            ok: targets.iter().all(|target| target.ok),
            targets,
            ..Self::default()
        }
    }

    /// The end of the output, or all of it as JSON.
    pub(super) fn render(&self, format: CheckFormat) -> serde_json::Result<String> {
        Ok(match format {
            CheckFormat::Text => self.summary(),
            CheckFormat::Json => serde_json::to_string_pretty(self)? + "\n",
        })
    }

    /// The last line, for readers in a hurry.
    fn summary(&self) -> String {
        let failed: Vec<&str> = self
            .targets
            .iter()
            .filter(|target| !target.ok)
            .map(|target| target.name.as_str())
            .collect();
        let all = self.targets.len();
        match failed.len() {
            0 => format!("\nresult: ok, {}\n", targets(all)),
            bad => format!(
                "\nresult: FAILED, {bad} of {}: {}\n",
                targets(all),
                failed.join(", ")
            ),
        }
    }
}

/// The beginning of the output, before any target is checked.
pub(super) fn heading(config: &Config) -> String {
    let all = targets(config.targets.len());
    let mut text = format!("configuration: ok, {all}, from {}\n", config.origin);
    for warning in &config.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}

fn targets(number: usize) -> String {
    counted(number as u64, "target")
}

/// A number with its noun: `1 target`, `2 targets`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

fn mark(ok: Option<bool>) -> &'static str {
    match ok {
        Some(true) => "ok",
        Some(false) => "FAILED",
        None => "-",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::ErrorKind;

    fn report() -> Report {
        let error = Error {
            kind: ErrorKind::Connect,
            message: "refused".into(),
            likely_cause: Some("nobody is there".into()),
            retry_after: None,
        };
        let took = Duration::from_nanos(12_345_678);
        let good = vec![Step::tried(
            "dns",
            "endpoint",
            took,
            Ok("h: 192.0.2.1".into()),
        )];
        let bad = vec![
            Step::skipped("dns", "endpoint", "192.0.2.1 is an address"),
            Step::tried("connect", "endpoint", took * 1000, Err(error)),
            Step::skipped("page", "endpoint", "not tried"),
        ];
        Report::of(vec![
            TargetReport::new("a", good, Some(3600.7)),
            TargetReport::new("b", bad, Some(-29.9)),
        ])
    }

    #[test]
    fn people_read_aligned_lines() {
        let report = report();
        let told: String = report.targets.iter().map(TargetReport::text).collect();
        let expected = "
a: ok
  dns      ok       0.012 s  h: 192.0.2.1
  warning: this machine's clock is 3600 s ahead of the vendor's; set it right (NTP), or new calls are counted late or not at all

b: FAILED
  dns      -                 192.0.2.1 is an address
  connect  FAILED  12.346 s  refused
  likely cause: nobody is there
  page     -                 not tried
";
        assert_eq!(told, expected);
        let last = report.render(CheckFormat::Text).unwrap();
        assert_eq!(last, "\nresult: FAILED, 1 of 2 targets: b\n");
        let config = Config {
            targets: Vec::new(),
            origin: "the variables CEC_...".to_owned(),
            warnings: vec!["mind the gap".to_owned()],
        };
        let expected =
            "configuration: ok, 0 targets, from the variables CEC_...\nwarning: mind the gap\n";
        assert_eq!(heading(&config), expected);
    }

    #[test]
    fn steps_to_two_addresses_are_labelled_and_a_warning_is_shown() {
        let took = Duration::from_millis(1);
        let ok = |step, key| Step::tried(step, key, took, Ok("h".into()));
        let mut page = ok("page", "endpoint");
        page.warning = Some("1 of 2".into());
        let report = TargetReport::new(
            "a",
            vec![
                ok("connect", "token_endpoint"),
                ok("token", "token_endpoint"),
                ok("connect", "endpoint"),
                page,
            ],
            None,
        );
        let expected = "
a: ok
  connect  ok       0.001 s  token_endpoint: h
  token    ok       0.001 s  h
  connect  ok       0.001 s  endpoint: h
  page     ok       0.001 s  h
  warning: 1 of 2
";
        assert_eq!(report.text(), expected);
    }

    #[test]
    fn scripts_read_every_field_of_every_step() {
        let json: serde_json::Value =
            serde_json::from_str(&report().render(CheckFormat::Json).unwrap()).unwrap();
        let expected = serde_json::json!({
            "ok": false,
            "error": null,
            "configuration": null,
            "warnings": [],
            "targets": [
                {"name": "a", "ok": true, "steps": [
                    {"step": "dns", "key": "endpoint", "ok": true, "seconds": 0.012345,
                     "detail": "h: 192.0.2.1", "likely_cause": null, "warning": null},
                ], "warnings": ["this machine's clock is 3600 s ahead of the vendor's; set it \
                                 right (NTP), or new calls are counted late or not at all"]},
                {"name": "b", "ok": false, "steps": [
                    {"step": "dns", "key": "endpoint", "ok": null, "seconds": null,
                     "detail": "192.0.2.1 is an address", "likely_cause": null, "warning": null},
                    {"step": "connect", "key": "endpoint", "ok": false, "seconds": 12.345678,
                     "detail": "refused", "likely_cause": "nobody is there",
                     "warning": null},
                    {"step": "page", "key": "endpoint", "ok": null, "seconds": null,
                     "detail": "not tried", "likely_cause": null, "warning": null},
                ], "warnings": []},
            ],
        });
        assert_eq!(json, expected);
    }
}
