//! The status page as people see it: in a real browser, from a real exporter.
//!
//! `cargo test --test it picture -- --ignored` makes the pictures in `docs/` anew.

mod chromium;

use crate::support::process::{Exporter, command, configuration, target};
use crate::support::scripted_vendor::{Reply, Vendor};
use crate::support::silent::free_address;
use crate::support::simulated::{SimulatedVendor, now, settled};
use crate::support::tools::is_installed;
use crate::support::wait_until;
use cec_exporter::simulator::faults::{Answer, Fault};
use cec_exporter::simulator::spec::Spec;
use chromium::Browser;
use serde_json::json;

/// An exporter with a target in each state, and its vendors.
struct Three {
    exporter: Exporter,
    _vendors: [SimulatedVendor; 3],
}

impl Three {
    fn start() -> Self {
        let day = |seed, calls_per_day| Spec {
            seed,
            start: now() - 86_400,
            calls_per_day,
            flat: true,
            pipeline_speed: 12.0,
            ..Spec::default()
        };
        let up = SimulatedVendor::live(day(1, 40_000.0));
        let down = SimulatedVendor::live(Spec {
            failures: vec![(9, 0.004), (32, 0.009), (40, 0.002)],
            ..day(2, 10_000.0)
        });
        let loading = SimulatedVendor::live(day(3, 60_000.0));
        let more = "lookback: 1d, page_size: 1000, min_pull_interval: 1s";
        let slow = "lookback: 1d, page_size: 100, max_requests_per_second: 5";
        let exporter = Exporter::start(&[
            target("support", &up.endpoint, more),
            target("sales", &down.endpoint, more),
            target("branch-offices", &loading.endpoint, slow),
        ]);
        wait_until("the first day", || {
            let page = exporter.get("/").body;
            exporter.scrape_within(2);
            page.contains("in the last 24 h")
        });
        // It has been up, so that the last known figures are there too.
        wait_until("the second target's day", || {
            let samples = exporter.scrape_within(2);
            samples.has_calls("sales")
        });
        down.set_faults(|faults| {
            faults.details = vec![Fault::share(Answer::Http(403), 1.0)];
        });
        wait_until("all three states", || {
            exporter.scrape_within(2);
            let page = exporter.get("/").body;
            let states = ["DOWN", "LOADING", "UP"];
            states
                .iter()
                .all(|word| page.contains(&format!("<span class=\"state\">{word}<")))
        });
        Self {
            exporter,
            _vendors: [up, down, loading],
        }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.exporter.address)
    }
}

/// The width of the page against that of the window, less the bar to scroll down.
fn scrolls_sideways(browser: &mut Browser) -> bool {
    let root = "document.documentElement";
    let wider = browser.eval(&format!("{root}.scrollWidth > {root}.clientWidth"));
    wider.as_bool().unwrap()
}

/// What each text on the page has as contrast to what is behind it, the lowest first.
const CONTRASTS: &str = r#"(() => {
    const parse = (color) => {
        const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
        return {rgb: [r, g, b], a};
    };
    const light = ({rgb}) => {
        const [r, g, b] = rgb.map((c) => c / 255)
            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.a === 1) return color;
        }
        throw new Error('no background');
    };
    const found = [];
    for (const element of document.body.querySelectorAll('*')) {
        const own = [...element.childNodes].filter((node) => node.nodeType === 3);
        const text = own.map((node) => node.data.trim()).join(' ').trim();
        if (!text) continue;
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        found.push({ratio, text: text.slice(0, 40)});
    }
    return found.sort((a, b) => a.ratio - b.ratio);
})()"#;

#[test]
fn the_page_is_whole_without_scripts_and_readable_on_any_screen() {
    if !is_installed("chromium") {
        return;
    }
    let three = Three::start();
    let mut browser = Browser::start();
    browser.without_scripts();
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [1280, 768, 360] {
            browser.resize(width, 800);
            browser.open(&three.url());
            let place = format!("{scheme} {width}");
            assert_eq!(browser.complaints(), [""; 0], "{place}");
            let asked = browser.told("Network.requestWillBeSent");
            assert!(asked.len() >= 2, "{place}: page and style: {asked:?}");
            for request in asked {
                let url = request["request"]["url"].as_str().unwrap();
                let is_own = url.starts_with(&three.url()) || url == "data:,";
                assert!(is_own, "{place}: {url}");
            }
            let text = browser.eval("document.body.innerText");
            let text = text.as_str().unwrap();
            for part in ["Down: sales. Loading: branch-offices. Up: 1 of 3.", "403"] {
                assert!(text.contains(part), "{place}: {part} in {text}");
            }
            let widest = browser.eval(
                "Math.max(...[...document.querySelectorAll('*')]
                    .map((element) => element.getBoundingClientRect().right))",
            );
            assert!(
                widest.as_f64().unwrap() <= f64::from(width),
                "{place}: {widest}"
            );
            assert!(!scrolls_sideways(&mut browser), "{place}");

            let contrasts = browser.eval(CONTRASTS);
            let contrasts = contrasts.as_array().unwrap();
            assert!(contrasts.len() > 50, "{place}: {contrasts:?}");
            // The least that WCAG 2 asks for at level AA, whatever the size.
            let lowest = &contrasts[0];
            assert!(
                lowest["ratio"].as_f64().unwrap() >= 4.5,
                "{place}: {lowest}"
            );
        }
        papers.push(browser.eval("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(papers[0], papers[1], "light and dark are the same");
}

#[test]
fn bars_are_as_long_as_their_numbers() {
    if !is_installed("chromium") {
        return;
    }
    let vendor = SimulatedVendor::frozen(settled(3000));
    let exporter = Exporter::start(&[target("a", &vendor.endpoint, "page_size: 1000")]);
    exporter.scrape_until("all calls", |samples| samples.has_calls("a"));
    let mut browser = Browser::start();
    browser.resize(1280, 800);
    browser.open(&format!("http://{}/", exporter.address));
    let rows = browser.eval(
        "[...document.querySelectorAll('section tr')].map((row) => [
            Number(row.cells[1].innerText.replaceAll(',', '')),
            row.querySelector('rect').getBoundingClientRect().width,
            row.querySelector('svg').getBoundingClientRect().width,
        ])",
    );
    let rows: Vec<[f64; 3]> = serde_json::from_value(rows).unwrap();
    let most = rows.iter().map(|row| row[0]).fold(0.0, f64::max);
    assert!(rows.len() > 5 && most > 1000.0, "{rows:?}");
    let mut in_between = 0;
    for [calls, bar, whole] in rows {
        let expected = whole * calls / most;
        assert!(
            (bar - expected).abs() <= whole * 0.006,
            "{calls} of {most}: {bar} of {whole}"
        );
        assert!(bar >= 1.0, "{calls} is not to be seen");
        in_between += i32::from(calls < most && bar > whole * 0.01);
    }
    assert!(in_between > 0, "nothing but the longest and the shortest");
}

#[test]
fn the_page_loads_itself_again_and_its_links_lead_somewhere() {
    if !is_installed("chromium") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let demo = Exporter::demo(&mut command(directory.path()), &[]);
    let address = &demo.address;
    let mut browser = Browser::start();
    browser.without_scripts();
    browser.open(&format!("http://{address}/"));
    let began = browser.eval("performance.timeOrigin");
    let seen = browser.eval("document.querySelector('footer').innerText");

    let links = browser.eval("[...document.querySelectorAll('a, link')].map((a) => a.href)");
    let links: Vec<String> = serde_json::from_value(links).unwrap();
    assert!(links.len() >= 6, "{links:?}");
    for link in links.iter().filter(|link| *link != "data:,") {
        let path = link.strip_prefix(&format!("http://{address}")).unwrap();
        assert_eq!(demo.get(path).status, 200, "{link}");
    }

    browser.wait_for("Page.loadEventFired", 2);
    assert_ne!(browser.eval("performance.timeOrigin"), began);
    let later = browser.eval("document.querySelector('footer').innerText");
    assert_ne!(later, seen);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Beginning of what the vendor says, which is as much as is quoted.
const HOSTILE: &str = "! <script>document.title='x'</script><img src=x onerror=x()>\
                       &lt;u&gt;&#x202e;]]>-->";

#[test]
fn a_hostile_vendor_is_quoted_and_does_nothing() {
    if !is_installed("chromium") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let more = "</dd></section>".repeat(100);
    let body = json!({"error_code": "7", "error_msg": HOSTILE, "more": more}).to_string();
    let vendor = runtime.block_on(Vendor::start(move |_, _| Reply::status(401, body.clone())));
    // Names are the operator's, who may have got them from elsewhere.
    let name = "<script>document.title='x'</script>\\u202e";
    let targets = [target(&format!("\"{name}\""), &vendor.endpoint(), "")];
    let exporter = Exporter::start_with(&configuration(&targets), &[]);
    exporter.scrape();

    let mut browser = Browser::start();
    browser.resize(360, 800);
    browser.open(&format!("http://{}/", exporter.address));
    let text = browser.eval("document.querySelector('.error').innerText");
    // Nothing is quoted from where it may be no plain text on.
    assert!(text.as_str().unwrap().contains("it says: 7 !"), "{text}");
    assert!(!text.as_str().unwrap().contains('<'), "{text}");
    let heading = browser.eval("document.querySelector('h2').innerText");
    assert_eq!(heading, json!(name.replace("\\u202e", "\u{fffd}")));
    for nothing in ["script", "img", "u", "section section"] {
        let found = browser.eval(&format!("document.querySelectorAll('{nothing}').length"));
        assert_eq!(found, json!(0), "{nothing}");
    }
    let title = browser.eval("document.title");
    assert_eq!(title, json!("0/1 up - cec_exporter"));
    assert_eq!(browser.complaints(), [""; 0]);
    assert!(!scrolls_sideways(&mut browser));
}

/// With far more targets than fit a screen, what is wrong is the first thing to be seen.
#[test]
fn hundreds_of_targets_are_one_short_page() {
    if !is_installed("chromium") {
        return;
    }
    let vendor = SimulatedVendor::frozen(settled(10));
    let nowhere = free_address();
    let targets: Vec<String> = (0..300)
        .map(|number| match number {
            297 => target("broken", &format!("http://{nowhere}"), ""),
            _ => target(
                &format!("site-{number}"),
                &vendor.endpoint,
                "min_pull_interval: 1h",
            ),
        })
        .collect();
    let exporter = Exporter::start(&targets);
    exporter.scrape_until("all of them", |samples| {
        samples.sum("cec_up", &[]) == 299.0
            && samples.sum("cec_exporter_pull_failures_total", &[]) >= 1.0
    });
    let mut browser = Browser::start();
    browser.resize(360, 800);
    browser.open(&format!("http://{}/", exporter.address));
    let first = browser.eval("document.querySelector('section h2').getBoundingClientRect().bottom");
    assert!(first.as_f64().unwrap() < 800.0, "{first}");
    let name = browser.eval("document.querySelector('section h2').innerText");
    assert_eq!(name, json!("broken"));
    let lines = browser.eval("document.querySelectorAll('.lines tbody tr').length");
    assert_eq!(lines, json!(299));
    assert!(!scrolls_sideways(&mut browser));
    let link = browser.eval("document.querySelector('.lines a').href");
    browser.open(link.as_str().unwrap());
    let names = browser.eval("[...document.querySelectorAll('h2')].map((h) => h.innerText)");
    assert_eq!(names, json!(["site-0"]));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
#[ignore = "makes the pictures in docs/ anew"]
fn picture() {
    assert!(is_installed("chromium"));
    let three = Three::start();
    let mut browser = Browser::start();
    // So that something of it can be seen.
    wait_until("a part of the third target", || {
        let page = three.exporter.get("/").body;
        !page.contains("0 calls read")
    });
    for (scheme, file) in [
        ("light", "docs/status-page.png"),
        ("dark", "docs/status-page-dark.png"),
    ] {
        browser.prefer(scheme);
        save(&mut browser, &three.url(), 1280, file);
        if let Some(directory) = std::env::var_os("STATUS_PAGE_PHONE") {
            let file = std::path::Path::new(&directory).join(format!("{scheme}.png"));
            save(&mut browser, &three.url(), 360, file.to_str().unwrap());
        }
    }
}

fn save(browser: &mut Browser, url: &str, width: u32, file: &str) {
    browser.resize(width, 600);
    browser.open(url);
    let height = browser.eval("document.documentElement.offsetHeight");
    browser.resize(
        width,
        height.as_u64().and_then(|h| u32::try_from(h).ok()).unwrap(),
    );
    let picture = browser.picture();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(root.join(file), &picture).unwrap();
    assert!(picture.len() < 200_000, "{file}: {}", picture.len());
}
