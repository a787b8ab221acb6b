//! A check that has been made, and what it says.

use std::os::unix::fs::PermissionsExt;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{configuration, run};

/// All steps in the order of the way, where token and list are at one place.
pub(crate) const STEPS: [&str; 5] = ["dns", "connect", "tls", "token", "page"];

pub(crate) struct Checked {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Checks these targets.
pub(crate) fn check(targets: &[String], flags: &[&str]) -> Checked {
    check_text(&configuration(targets), flags)
}

/// Checks a configuration.
pub(crate) fn check_text(config: &str, flags: &[&str]) -> Checked {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("cec_exporter.yml");
    std::fs::write(&file, config).unwrap();
    // It holds a secret.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let output = run(directory.path(), &[&["check"], flags].concat());
    Checked {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Checks these targets, for scripts.
pub(crate) fn check_json(targets: &[String]) -> Checked {
    check(targets, &["--format=json"])
}

/// One step as scripts see it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) step: String,
    pub(crate) key: String,
    pub(crate) ok: Option<bool>,
    pub(crate) seconds: Option<f64>,
    pub(crate) detail: String,
    pub(crate) likely_cause: Option<String>,
    pub(crate) warning: Option<String>,
}

impl Checked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Whether a target is well, and its steps.
    pub(crate) fn target(&self, name: &str) -> (bool, Vec<Step>) {
        let json = self.json();
        let targets = json["targets"].as_array().unwrap();
        let target = targets.iter().find(|target| target["name"] == name);
        let target = target.unwrap_or_else(|| panic!("no {name} in {json}"));
        let steps = Vec::deserialize(&target["steps"]).unwrap();
        (target["ok"].as_bool().unwrap(), steps)
    }

    /// A target of which every step worked; gives the steps.
    pub(crate) fn assert_well(&self, name: &str) -> Vec<Step> {
        let (ok, steps) = self.target(name);
        assert!(ok, "{name}: {steps:#?}");
        for step in &steps {
            assert_ne!(step.ok, Some(false), "{name}: {step:?}");
            assert_ne!(step.detail, "not tried", "{name}: {step:?}");
            assert_eq!(step.likely_cause, None, "{name}: {step:?}");
        }
        steps
    }

    /// A target at one place whose way breaks off at this step and nowhere before, with these
    /// parts in what happened and in the likely cause. Gives the step.
    pub(crate) fn assert_breaks_off(
        &self,
        name: &str,
        at: &str,
        says: &[&str],
        causes: &[&str],
    ) -> Step {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.json()["ok"], false);
        let (ok, steps) = self.target(name);
        assert!(!ok, "{name}");
        let names: Vec<&str> = steps.iter().map(|step| &*step.step).collect();
        assert_eq!(names, STEPS, "{name}");
        let place = STEPS.iter().position(|step| *step == at).unwrap();
        for step in &steps[..place] {
            assert_ne!(step.ok, Some(false), "{name}: {step:?}");
            assert_ne!(step.detail, "not tried", "{name}: {step:?}");
        }
        for step in &steps[place + 1..] {
            let shown = (step.ok, step.seconds, &*step.detail);
            assert_eq!(shown, (None, None, "not tried"), "{name}: {step:?}");
        }
        let step = steps[place].clone();
        step.assert_failed(says, causes);
        step
    }
}

impl Step {
    pub(crate) fn assert_failed(&self, says: &[&str], causes: &[&str]) {
        assert_eq!(self.ok, Some(false), "{self:?}");
        assert!(self.seconds.is_some(), "{self:?}");
        for part in says {
            assert!(self.detail.contains(part), "no {part:?} in {self:?}");
        }
        let cause = self.likely_cause.as_ref().unwrap();
        for part in causes {
            assert!(cause.contains(part), "no {part:?} in {self:?}");
        }
        assert!(!self.detail.contains(&**cause), "told twice: {self:?}");
    }
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(f, "exit code {code:?}\n{stdout}\n{stderr}")
    }
}
