//! Files of builds before 0.1.0 are read, and no counter that still exists goes down.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;

use super::*;

/// A ledger of half an hour of traffic, written by a build of commit ca8636d.
const LEDGER: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/ledger-before-0.1.0.redb.gz"
));
/// The exposition of that build, without series at 0.
const EXPOSITION: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/ledger-before-0.1.0.prom"
));

fn ledger(directory: &TempDir) -> PathBuf {
    let mut bytes = Vec::new();
    GzDecoder::new(LEDGER).read_to_end(&mut bytes).unwrap();
    let path = directory.path().join("t.redb");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Series by name and labels. Metrics in the list are summed over one label.
fn series(text: &str, without: &[(&str, &str)]) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let mut name = name.replace("target=\"t\",", "");
        for (metric, label) in without {
            if name.starts_with(metric) {
                let start = name.find(&format!("{label}=\"")).unwrap();
                let length = name[start..].find(['}', ',']).unwrap();
                name.replace_range(start..start + length, "");
            }
        }
        *series.entry(name).or_default() += value.parse::<f64>().unwrap();
    }
    series
}

#[test]
fn a_ledger_of_an_older_build_opens_with_its_counts() {
    let directory = tempfile::tempdir().unwrap();
    let path = ledger(&directory);
    let (mut state, store) = open(&path).unwrap();
    // The older build did not store it, so it is the end of the window that was read.
    assert_eq!(state.looked_at, state.progress.known.map(|known| known.to));
    let text = exposition(&state);
    let value = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found
            .unwrap_or_else(|| panic!("{name}: {text}"))
            .trim()
            .to_owned()
    };
    for (name, expected) in [
        (
            "cec_window_missing_calls{target=\"t\",call_type=\"voice\"}",
            "1",
        ),
        (
            "cec_window_missing_calls{target=\"t\",call_type=\"text\"}",
            "0",
        ),
        (
            "cec_calls_missing_total{target=\"t\",call_type=\"voice\"}",
            "1",
        ),
        ("cec_calls_processing_unobserved_total{target=\"t\"}", "0"),
        ("cec_call_listing_delay_seconds_count{target=\"t\"}", "0"),
        (
            "cec_call_processing_seconds_count{target=\"t\",call_type=\"voice\",outcome=\"failed\"}",
            "5",
        ),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(
        text.contains("cec_window_sampled_calls{target=\"t\",call_type=\"voice\",state=\"0\"} 1\n")
    );

    let by = [
        ("cec_call_processing_seconds", "status"),
        ("cec_call_processing_seconds", "outcome"),
    ];
    let old = series(EXPOSITION, &by[..1]);
    let new = series(&text, &by[1..]);
    let mut compared = 0;
    for (name, value) in &old {
        let gone =
            name.contains("status=\"missing\"") || name.starts_with("cec_window_calls_manual");
        // Bounds that no longer exist.
        let dropped = ["_processing_seconds_bucket", "_duration_seconds_bucket"]
            .iter()
            .zip([&["le=\"15\"", "le=\"30\""][..], &["le=\"5\""]])
            .any(|(metric, bounds)| {
                name.contains(metric) && bounds.iter().any(|bound| name.contains(bound))
            });
        if !gone && !dropped {
            assert_eq!(new.get(name), Some(value), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 150, "{compared}");
    // Counts of new bounds lie between their neighbours.
    let at = |bound: u32| {
        let name =
            format!("cec_call_processing_seconds_bucket{{call_type=\"voice\",,le=\"{bound}\"}}");
        new[&name]
    };
    assert!(
        at(120) < at(180) && at(180) < at(240) && at(240) < at(300),
        "{new:?}"
    );

    // Written by this build and read again, nothing changes.
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let (reopened, _store) = open(&path).unwrap();
    assert_same(&state, &reopened);
}

/// A state without native histograms and `counted_from`, as the first builds wrote it.
fn without_newer_fields(state: &str) -> String {
    let mut state: serde_json::Value = serde_json::from_str(state).unwrap();
    let fields = state.as_object_mut().unwrap();
    assert!(fields.remove("counted_from").is_some());
    let mut removed = 0;
    for metric in ["duration", "outcomes", "silence", "speed", "ratio"] {
        for pair in state["tallies"][metric].as_array_mut().unwrap() {
            let histogram = pair[1].as_object_mut().unwrap();
            removed += usize::from(histogram.remove("native").is_some());
        }
    }
    assert!(removed > 5, "{removed}");
    state.to_string()
}

#[test]
fn a_file_without_the_newer_fields_is_read() {
    let (_directory, path, state) = committed_state();
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut meta = transaction.open_table(META).unwrap();
            let state = meta.remove("state").unwrap().unwrap();
            let old = without_newer_fields(std::str::from_utf8(state.value()).unwrap());
            drop(state);
            meta.insert("state", old.as_bytes()).unwrap();
        }
        transaction.commit().unwrap();
    }
    let (mut reopened, store) = open(&path).unwrap();
    // Stored counters stay, and missing fields are not invented.
    assert_eq!(exposition(&reopened), exposition(&state));
    assert_eq!(reopened.counted_from, None);
    assert!(!render_as(&reopened, Format::OpenMetrics).contains("_created"));
    apply(&mut reopened, (400..500).map(|id| record(id, 2)));
    store.commit(&reopened.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let (reopened_twice, _store) = open(&path).unwrap();
    assert_same(&reopened, &reopened_twice);
}
