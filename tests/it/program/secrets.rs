//! Secrets are in no output, wherever they were written and whoever repeats them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::bad_configuration::{SECRET, a_target, only_line, refused};
use crate::support::process::{Exporter, command, configuration, configured, run, target};
use crate::support::scripted_vendor::{Reply, Vendor};

const KEY: &str = "key-of-the-app-0815";

const TOKEN: &str = "token-for-nobody-else-1234";

const PASSWORD: &str = "pa55word-of-the-proxy";

/// A secret where its path belongs, a password without the `@`, and the like.
#[test]
fn a_misplaced_secret_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let good = a_target("");
    let exporter = Exporter::start_with(&good, &["--web.enable-lifecycle"]);
    for (key, value) in [
        ("app_secret_file", SECRET.to_owned()),
        (
            "app_secret",
            format!("pre${{{}}}", SECRET.replace('-', "_")),
        ),
        ("app_key", format!("{SECRET}\\t")),
        ("proxy_url", SECRET.to_owned()),
        ("proxy_url", format!("user:{SECRET}:3128")),
        ("proxy_url", format!("http:/user:{SECRET}")),
        ("proxy_url", format!("socks5://user:{SECRET}")),
        ("ca_file", format!("-----BEGIN CERTIFICATE-----\\n{SECRET}")),
    ] {
        let config = a_target(&format!("{key}: \"{value}\""));
        let line = refused(directory.path(), &config, &[]);
        let hidden = SECRET.replace('-', "_");
        let place = format!("targets[0].{key}: ");
        assert!(line.contains("cec_exporter.yml:9:"), "{line}");
        assert!(line.contains(&place) && !line.contains(&hidden), "{line}");
        for format in ["--format=text", "--format=json"] {
            let output = run(directory.path(), &["check", format]);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains(&place), "{said}");
            assert!(!said.contains(SECRET) && !said.contains(&hidden), "{said}");
        }
        exporter.configure(&config);
        let answer = exporter.post("/-/reload");
        assert_eq!(answer.status, 500);
        assert!(!answer.body.contains(SECRET), "{}", answer.body);
        assert!(!answer.body.contains(&hidden), "{}", answer.body);
    }
    let log = exporter.end();
    assert!(!log.contains(SECRET), "{log}");

    let started = command(tempfile::tempdir().unwrap().path())
        .envs([
            ("CEC_ENDPOINT", "http://127.0.0.1:1"),
            ("CEC_APP_SECRET_FILE", SECRET),
        ])
        .arg("--storage.in-memory")
        .output();
    let line = only_line(&started.unwrap());
    assert!(
        line.contains("CEC_APP_SECRET_FILE: ") && !line.contains(SECRET),
        "{line}"
    );
}

fn is_secret(value: &str) -> bool {
    value.starts_with("Basic ")
        || [SECRET, KEY, TOKEN]
            .iter()
            .any(|secret| value.contains(secret))
}

/// A vendor that repeats whatever it is told, in the places where it would be quoted.
async fn gossip(status: u16, pages_only: bool) -> Vendor {
    Vendor::start(move |seen, _| {
        if seen.is_token() && pages_only {
            let token = serde_json::json!({ "AccessToken": TOKEN, "Expires": "600" });
            return Reply::ok(token.to_string());
        }
        let headers = seen.headers.iter().map(|(_, value)| &**value);
        // A message quotes only the beginning of a long text, so what is secret comes first.
        let (secret, other): (Vec<_>, Vec<_>) = headers.partition(|value| is_secret(value));
        let told = format!("{} {} {}", secret.join(" "), seen.body, other.join(" "));
        match status {
            200 => {
                let error = serde_json::json!({ "resultCode": told, "resultDesc": told });
                Reply::ok(error.to_string())
            }
            403 => Reply::status(403, format!("<html><title>{told}</title></html>")),
            302 => Reply::status(302, told.clone()).with("location", format!("http://h/{SECRET}")),
            _ => Reply::status(status, told),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_output() {
    let mut vendors = Vec::new();
    for status in [200, 302, 400, 401, 403, 500] {
        for pages_only in [false, true] {
            let name = format!("v{status}{}", if pages_only { "pages" } else { "" });
            vendors.push((name, gossip(status, pages_only).await));
        }
    }
    let targets = vendors.iter().map(|(name, vendor)| {
        target(
            name,
            &vendor.endpoint(),
            &format!("app_key: {KEY}, app_secret: {SECRET}"),
        )
    });
    // A proxy gets another secret, and repeats it as well.
    let through = |port| format!("proxy_url: \"http://user:{PASSWORD}@127.0.0.1:{port}\"");
    let proxies = [gossip(403, false).await, gossip(407, false).await];
    let [forbidding, asking] = proxies.each_ref().map(|proxy| through(proxy.port));
    let targets = targets
        .chain([
            target("proxied", "http://127.0.0.1:1", &through(1)),
            target("p403", "http://vendor.invalid", &forbidding),
            target("p407", "http://vendor.invalid", &asking),
            target("tunnel", "https://vendor.invalid", &asking),
        ])
        .collect::<Vec<_>>();
    let config = configuration(&targets);
    let seen = |output: &str, place: &str| {
        let sent = BASE64_STANDARD.encode(format!("user:{PASSWORD}"));
        for secret in [SECRET, KEY, TOKEN, PASSWORD, &sent] {
            assert!(!output.contains(secret), "{secret} in {place}: {output}");
        }
    };
    tokio::task::block_in_place(|| {
        let flags = ["--log.level=debug", "--web.enable-lifecycle"];
        let exporter = Exporter::start_with(&config, &flags);
        let samples = exporter.scrape();
        assert_eq!(samples.sum("cec_up", &[]), 0.0);
        let failures = samples.sum("cec_exporter_pull_failures_total", &[]);
        assert_eq!(failures, targets.len() as f64);
        seen(&samples.text, "the metrics");
        let page = exporter.get("/").body;
        assert!(page.contains("***"), "nothing was quoted: {page}");
        seen(&page, "the status page");
        seen(&exporter.get("/probe?target=v401").body, "the probe");
        exporter.configure(&config.replace("app_secret:", "app_sekret:"));
        let answer = exporter.post("/-/reload");
        assert_eq!(answer.status, 500);
        seen(&answer.body, "the reload");
        let log = exporter.end();
        assert!(log.contains("level=debug"), "{log}");
        seen(&log, "the log");
        let directory = configured(&config);
        for format in ["--format=text", "--format=json"] {
            let output = run(directory.path(), &["check", format, "--log.level=debug"]);
            let stdout = String::from_utf8_lossy(&output.stdout);
            // Both places that quote a vendor, of the token and of the page, and a proxy's.
            assert!(stdout.matches("***").count() >= 5, "{stdout}");
            seen(&stdout, "the check");
            seen(&String::from_utf8_lossy(&output.stderr), "the check's log");
        }
    });
}
