//! Values: those that cannot work are refused, and all are explained.

use std::collections::BTreeMap;

use super::chart::{CHART, EXAMPLES, has_helm, refusal};
use crate::support::boards;
use crate::support::tools::{in_repository, read};

#[test]
fn values_that_cannot_work_are_refused() {
    if !has_helm() {
        return;
    }
    for (flag, expected) in [
        ("--set=shards=0", "/shards"),
        ("--set-json=shards=1.5", "/shards"),
        ("--set=shard=2", "'shard' not allowed"),
        ("--set=persistence.size=much", "/persistence/size"),
        (
            "--set=serviceMonitor.interval=30",
            "/serviceMonitor/interval",
        ),
        ("--set=image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("--set=image.digest=sha256:1", "/image/digest"),
        ("--set=image.repository=", "image.repository is needed"),
        ("--set=demo=true", "exactly one is needed"),
        ("--set=config=null", "exactly one is needed"),
        ("--set-json=config.targets=[]", "/config/targets"),
        // Neither secrets in a ConfigMap, nor numbers that YAML would round.
        (
            "--set=config.targets[0].name=a,config.targets[0].app_secret=hunter2",
            "/app_secret",
        ),
        (
            "--set-json=config.targets=[{\"name\":\"a\",\"user_id\":1611917095665261978}]",
            "/user_id",
        ),
        (
            "--set=config.targets[0].lookbak=1h",
            "'lookbak' not allowed",
        ),
        ("--set=config.target=x", "'target' not allowed"),
        (
            "--set-json=serviceMonitor={\"enabled\":true,\"interval\":\"1m\",\"scrapeTimeout\":\"1m30s\"}",
            "is above serviceMonitor.interval",
        ),
        (
            "--set-json=prometheusRule={\"enabled\":true,\"disabled\":[\"CecNothing\"]}",
            "there is no alert CecNothing",
        ),
        (
            "--set=shards=2,persistence.existingClaim=ledger",
            "each needs its own",
        ),
        (
            "--set-json=prometheusRule={\"enabled\":true,\"thresholds\":{\"cec:typo\":1}}",
            "there is no cec:typo",
        ),
    ] {
        let told = refusal("account", flag);
        assert!(told.contains(expected), "{flag}: {told}");
    }
    // Probes would ask for what `demo` does not serve, and the pod would restart for ever.
    for flag in [
        "--set=web.routePrefix=/cec",
        "--set=web.telemetryPath=/calls",
        "--set=web.existingSecret=web",
    ] {
        let told = refusal("demo", flag);
        assert!(told.contains("demo=true serves /metrics"), "{flag}: {told}");
    }
}

#[test]
fn every_value_is_explained() {
    let readme = read(format!("{CHART}/README.md"));
    let told: BTreeMap<&str, &str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| (name, rest.split_once(" | ").unwrap().0))
        .collect();
    let values = boards::yaml(&in_repository(CHART).join("values.yaml"));
    let mut expected = BTreeMap::new();
    for (name, value) in values.as_object().unwrap() {
        // What goes on as it is to Kubernetes is explained there.
        let whole = ["resources", "podSecurityContext", "securityContext"].contains(&&**name);
        match value
            .as_object()
            .filter(|within| !whole && !within.is_empty())
        {
            Some(within) => expected.extend(
                within
                    .iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value.clone())),
            ),
            None => drop(expected.insert(name.clone(), value.clone())),
        }
    }
    let names: Vec<&str> = expected.keys().map(|name| &**name).collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), names);
    for (name, value) in &expected {
        let (shown, value) = (told[&**name].trim_matches('`'), value.to_string());
        // What is long is not told a second time.
        assert!(
            shown == "in the file" || shown == value,
            "{name}: {shown}, but {value}"
        );
    }
    for name in EXAMPLES {
        assert!(
            readme.contains(&format!("(examples/{name}.yaml)")),
            "{name}"
        );
    }
}
