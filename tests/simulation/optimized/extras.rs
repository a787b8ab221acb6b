//! Teams, agents and inspection results in a run, and their truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cec_exporter::metrics::catalog::{self, Metric};
use cec_exporter::model::{CallId, Inspection, Teams};
use cec_exporter::puller::{Handover, TeamsFile};
use fastrand::Rng;
use tempfile::{NamedTempFile, TempPath};

use super::replay::Series;
use super::vendor::Vendor;
use super::world::{Run, starting_with};
use crate::support::own;

/// What is enabled besides the metrics of the target. The same at each start, unless it says so.
pub(crate) struct Extras {
    teams: Option<TeamsOnDisk>,
    agents: bool,
    max_teams: usize,
    max_agents: usize,
    /// Groups neither change nor exceed their limit, so that each call is always in the same one.
    pub(crate) is_constant: bool,
    /// The share of the calls whose result is requested.
    share: Option<f64>,
}

/// A file of teams.
struct TeamsOnDisk {
    path: TempPath,
    /// Who was in which team at first.
    first: Teams,
    scrapes: usize,
}

/// A team or an agent, and its metrics.
pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) processed: &'static str,
    /// Duration, silence, speed and ratio.
    pub(crate) measures: [Metric; 4],
}

/// Room for all groups and rules.
const PLENTY: usize = 1000;

impl Extras {
    pub(crate) fn draw(seed: u64, vendor: &Vendor) -> Self {
        // Not from the generator of the run, whose numbers stay as they are.
        let mut rng = Rng::with_seed(seed ^ 0x7ea5);
        let is_constant = rng.u8(..3) > 0;
        let max = |rng: &mut Rng| if is_constant { PLENTY } else { rng.usize(..6) };
        let (max_teams, max_agents) = (max(&mut rng), max(&mut rng));
        Self {
            teams: (rng.u8(..4) > 0).then(|| TeamsOnDisk::of(vendor)),
            agents: rng.u8(..4) > 0,
            max_teams,
            max_agents,
            is_constant,
            share: [None, Some(0.3), Some(1.0)][rng.usize(..3)],
        }
    }

    /// Enables all in an exporter that starts. Returns its file of teams.
    pub(crate) fn enable(&self, handover: &mut Handover) -> Option<TeamsFile> {
        let file = self.teams.as_ref().map(TeamsOnDisk::open);
        let state = &mut handover.state;
        if let Some(file) = &file {
            state.set_teams(file.teams.clone().unwrap());
        }
        let tallies = &mut state.tallies;
        tallies.count_by_team(file.as_ref().map(|_| self.max_teams));
        tallies.count_by_agent(self.agents.then_some(self.max_agents));
        state.count_results(self.share.map(|share| (share, PLENTY)));
        file
    }

    /// At every fifth scrape agents move to other teams, some of which are new, unless groups are
    /// constant.
    pub(crate) fn scraped(&mut self) {
        if let (Some(teams), false) = (&mut self.teams, self.is_constant) {
            teams.scrapes += 1;
            if teams.scrapes.is_multiple_of(5) {
                teams.move_agents();
            }
        }
    }

    /// The groups of a call.
    pub(crate) fn groups(&self, staff_id: Option<&str>) -> Vec<Group> {
        let mut groups = Vec::new();
        if let Some(teams) = &self.teams {
            let team = staff_id.and_then(|staff_id| teams.first.of(staff_id));
            groups.push(Group {
                label: format!("team=\"{}\"", team.unwrap_or("none")),
                processed: catalog::TEAM_PROCESSED.name,
                measures: [
                    catalog::TEAM_DURATION,
                    catalog::TEAM_SILENCE,
                    catalog::TEAM_SPEED,
                    catalog::TEAM_RATIO,
                ],
            });
        }
        if self.agents {
            let staff_id = staff_id.unwrap_or("none");
            groups.push(Group {
                label: format!("staff_id=\"{staff_id}\""),
                processed: catalog::AGENT_PROCESSED.name,
                measures: [
                    catalog::AGENT_DURATION,
                    catalog::AGENT_SILENCE,
                    catalog::AGENT_SPEED,
                    catalog::AGENT_RATIO,
                ],
            });
        }
        groups
    }

    /// Asserts that the groups together have exactly the calls of the target.
    pub(crate) fn assert_sums(&self, shown: &Series) {
        for (kind, label, is_enabled) in [
            ("team", "team", self.teams.is_some()),
            ("agent", "staff_id", self.agents),
        ] {
            let prefix = format!("cec_{kind}_");
            let mut sums = Series::new();
            for (name, value) in starting_with(shown, &prefix) {
                *sums.entry(whole(&name[prefix.len()..], label)).or_default() += value;
            }
            assert!(sums.is_empty() || is_enabled, "{kind}");
            for (name, sum) in sums {
                let of_target = shown.get(&name).copied().unwrap_or_default();
                // A sum of rounded numbers.
                let tolerance = if name.contains("_sum") {
                    1e-6 * of_target
                } else {
                    0.0
                };
                assert!(
                    (sum - of_target).abs() <= tolerance,
                    "{name} is {of_target}, but its {kind}s have {sum}"
                );
            }
        }
    }
}

/// Whether a series is of a team or an agent.
pub(crate) fn is_of_group(name: &str) -> bool {
    name.starts_with("cec_team_") || name.starts_with("cec_agent_")
}

/// The series of the target to which a series of a group belongs.
fn whole(rest: &str, label: &str) -> String {
    let (name, labels) = rest.split_once('{').unwrap();
    let labels = labels.strip_prefix(label).unwrap();
    // No label of the simulator has a comma or quote in it.
    let labels = labels.split_once(',').map_or("}", |(_, labels)| labels);
    let is_of_agent = !name.contains("processed") && !name.contains("duration");
    match (is_of_agent, labels) {
        (false, labels) => format!("cec_{name}{{{labels}"),
        (true, "}") => format!("cec_{name}{{role=\"staff\"}}"),
        (true, labels) => format!("cec_{name}{{role=\"staff\",{labels}"),
    }
}

impl TeamsOnDisk {
    fn of(vendor: &Vendor) -> Self {
        let path = NamedTempFile::new().unwrap().into_temp_path();
        fs::write(&path, vendor.simulator.world().spec().teams_csv()).unwrap();
        let first = read_teams(&path).unwrap();
        let scrapes = 0;
        Self {
            path,
            first,
            scrapes,
        }
    }

    fn open(&self) -> TeamsFile {
        TeamsFile::open(self.path.to_path_buf(), read_teams)
    }

    fn move_agents(&self) {
        let mut teams = BTreeMap::new();
        for (index, name) in self.first.names().enumerate() {
            let staff_id = 1_600_226_440_112_000_000 + index as u64 % 5;
            // An agent has one team only.
            let team = teams.entry(staff_id);
            team.or_insert_with(|| format!("{name} {}", self.scrapes % 3));
        }
        let rows = teams.iter();
        let rows = rows.map(|(staff_id, team)| format!("{staff_id},{team}\n"));
        // A pull may be reading the file.
        let file = NamedTempFile::new().unwrap();
        let csv = "staff_id,team\n".to_owned() + &rows.collect::<String>();
        fs::write(&file, csv).unwrap();
        file.persist(&self.path).unwrap();
    }
}

fn read_teams(path: &Path) -> Result<Teams, String> {
    let csv = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut teams = Teams::default();
    for line in csv.lines().skip(1) {
        let (staff_id, team) = line.split_once(',').unwrap();
        teams.assign(staff_id, team).unwrap();
    }
    Ok(teams)
}

impl Run {
    /// Asserts that no result is counted that the vendor has not given, none twice, and that no
    /// counter decreases.
    pub(crate) fn assert_results_plausible(&mut self, shown: &Series) {
        let shown = shown_counts(shown);
        let answered = self.vendor.answered.lock().unwrap();
        for (key, count) in &shown {
            let most = answered.counts.get(key).copied().unwrap_or_default();
            assert!(*count <= most, "{key:?} is {count}, but at most {most}");
        }
        drop(answered);
        for (key, before) in std::mem::replace(&mut self.last_results, shown) {
            let now = self.last_results.get(&key).copied().unwrap_or_default();
            assert!(now >= before, "{key:?} went from {before} to {now}");
        }
    }

    /// Asserts that each result is counted once, after faults have ended.
    pub(crate) fn compare_results(&self, shown: &Series) {
        let shown = shown_counts(shown);
        if self.extras.share.is_none() {
            assert!(shown.is_empty());
            return;
        }
        let answered = self.vendor.answered.lock().unwrap();
        let given = &answered.by_call;
        let finished = self.finished_results();
        let counted = given.iter().filter(|(id, _)| finished.contains(*id));
        let mut expected = BTreeMap::new();
        counted.for_each(|(_, inspection)| add(&mut expected, inspection));
        // After a crash a call may be given up although it has been answered.
        if self.given_up() == 0.0 {
            assert_eq!(shown, expected);
        }
        for (key, count) in &shown {
            let most = expected.get(key).copied().unwrap_or_default();
            assert!(*count <= most, "{key:?} is {count}, but at most {most}");
        }
        // Who is listed and has succeeded has been answered.
        if self.extras.share == Some(1.0) && !self.uneven && self.quirks.rows == Default::default()
        {
            let log = self.vendor.log.lock().unwrap();
            let inside = (self.vendor.clock)() - self.intervals.lookback;
            let succeeded = log.iter().filter(|(_, record)| {
                record.status == cec_exporter::model::Status::SUCCEEDED
                    && record.uploaded > inside + 3600
            });
            for (_, record) in succeeded.filter(|(_, record)| record.uploaded >= self.start) {
                let is_known = given.contains_key(&record.id) || self.is_gone(record.id);
                assert!(is_known, "no result of {:?}", record.id);
            }
        }
    }

    /// Number of calls that left the lookback before their result was counted.
    fn given_up(&self) -> f64 {
        let mut expired = 0.0;
        own::each(&self.metrics, |name, labels, value| {
            if name == "cec_exporter_results_total" && labels.contains(&("outcome", "expired")) {
                expired += value;
            }
        });
        expired
    }

    fn is_gone(&self, id: CallId) -> bool {
        let now = self.vendor_now();
        let mut world = self.vendor.simulator.world();
        let mut calls = world.calls(0, now, now);
        calls.all(|call| CallId::parse(&call.uuid()) != Some(id) || !call.is_visible(now))
    }
}

/// Scenario, kind of rule or `score`, and result. Without the name of the rule, which changes.
pub(crate) type ResultKey = (String, String, String);

/// What the vendor has answered to requests for results.
#[derive(Default)]
pub(crate) struct Answered {
    by_call: BTreeMap<CallId, Inspection>,
    /// Of all these calls, each once.
    counts: BTreeMap<ResultKey, u64>,
}

impl Answered {
    pub(crate) fn add(&mut self, call: CallId, inspection: &Inspection) {
        if self.by_call.insert(call, inspection.clone()).is_none() {
            add(&mut self.counts, inspection);
        }
    }
}

/// Adds the scores and rules of a call.
fn add(counts: &mut BTreeMap<ResultKey, u64>, inspection: &Inspection) {
    for scenario in &inspection.scenarios {
        let name = scenario.scenario.name.clone();
        if scenario.score.is_some() {
            let key = (name.clone(), "score".into(), String::new());
            *counts.entry(key).or_default() += 1;
        }
        for rule in &scenario.rules {
            let result = if rule.kept { "kept" } else { "violated" };
            let key = (name.clone(), rule.kind.label().into(), result.into());
            *counts.entry(key).or_default() += 1;
        }
    }
}

fn shown_counts(shown: &Series) -> BTreeMap<ResultKey, u64> {
    let mut counts = BTreeMap::new();
    for (name, value) in starting_with(shown, "cec_call_") {
        let label = |of: &str| {
            let (_, rest) = name.split_once(&format!("{of}=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        let key = if name.starts_with("cec_call_score_count{") {
            (label("scenario"), "score".into(), String::new())
        } else if name.starts_with("cec_call_rules_total{") {
            (label("scenario"), label("kind"), label("result"))
        } else {
            continue;
        };
        if *value > 0.0 {
            *counts.entry(key).or_default() += *value as u64;
        }
    }
    counts
}
