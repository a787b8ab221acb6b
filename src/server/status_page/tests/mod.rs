//! The page as text; `tests/browser` looks at it as a browser shows it.

mod bounds;

use std::time::Duration;

use super::display::{RoughDuration, ShortDuration, ago, ago_at};
use super::*;
use crate::model::{CallType, Position, Status as CallStatus, Window};
use crate::puller::View;
use crate::puller::skipped::Skipped;
use crate::targets::{CallCount, LoadProgress};
use crate::upstream::{Error, ErrorKind};

/// 2026-03-01T02:03:04Z.
const NOW: UnixSeconds = 1_772_330_584;

fn target(name: &str, health: Health) -> TargetStatus {
    let mut view = View::default();
    view.snapshot.progress.known = Some(Window::new(NOW - 86_400, NOW - 42));
    view.snapshot.progress.complete = true;
    view.last_pull = Some((NOW - 3, Duration::from_millis(420)));
    view.last_success = Some(NOW - 7200);
    TargetStatus {
        name: name.to_owned(),
        health,
        view,
        progress: None,
        lookback: Duration::from_secs(86_400),
        counted_from: Some(NOW - 1_000_000),
        token_renewal: Some(NOW + 500),
        clock_skew: None,
        proxy: None,
        calls: Vec::new(),
        is_stale: false,
    }
}

fn calls(call_type: CallType, status: i64, calls: u64) -> CallCount {
    let position = Position::In(CallStatus::from_number(status));
    CallCount {
        call_type,
        position,
        calls,
    }
}

/// An hour ago, `n` seconds later than that.
fn skipped(n: UnixSeconds, reason: &str) -> Skipped {
    Skipped {
        window: Window::new(NOW - 3600 + n, NOW - 3500 + n),
        since: NOW - 3000,
        retry_at: NOW + 120,
        tries: 1,
        reason: reason.to_owned(),
    }
}

fn error(message: &str, likely_cause: Option<&str>) -> Error {
    Error {
        kind: ErrorKind::Auth,
        message: message.to_owned(),
        likely_cause: likely_cause.map(str::to_owned),
        retry_after: None,
    }
}

fn status(targets: Vec<TargetStatus>) -> Status {
    Status {
        now: NOW,
        version: "1.2.3".to_owned(),
        is_ready: true,
        targets,
        reload_error: None,
    }
}

fn page(targets: Vec<TargetStatus>) -> String {
    render(&status(targets), "/metrics", false)
}

fn assert_has(page: &str, wanted: &str) {
    assert!(page.contains(wanted), "no {wanted:?} in\n{page}");
}

#[test]
fn a_wrong_clock_is_shown() {
    assert!(!page(vec![target("a", Health::Up)]).contains("clock is"));
    for (skew, shown) in [(3600.4, "60 min ahead of"), (-45.0, "45 s behind")] {
        let mut target = target("a", Health::Up);
        target.clock_skew = Some(skew);
        assert_has(
            &page(vec![target]),
            &format!("This machine's clock is {shown} the vendor's"),
        );
    }
}

#[test]
fn what_cannot_be_read_is_shown_with_its_times() {
    assert!(!page(vec![target("a", Health::Up)]).contains("Not readable"));
    let mut target = target("a", Health::Up);
    target.view.snapshot.skipped = (0..7)
        .map(|n| skipped(n, "answered 500; it says: <row>"))
        .collect();
    let page = page(vec![target]);
    assert_has(
        &page,
        "from <time>2026-03-01 01:03:04 UTC</time> to <time>2026-03-01 01:04:44 UTC</time>; \
         next try in 2 min</p><p class=\"error\">answered 500; it says: &#60;row&#62;</p>",
    );
    assert_has(&page, "<p>and 2 more</p>");
}

#[test]
fn a_card_has_the_state_and_the_times_of_its_target() {
    let page = page(vec![target("support", Health::Up)]);
    assert_has(&page, "<title>1/1 up - cec_exporter</title>");
    assert_has(&page, "<p class=\"summary\">All targets are up.</p>");
    assert_has(&page, "<h1>cec_exporter</h1> <small>1.2.3</small>");
    assert_has(&page, "As of 2026-03-01 02:03:04 UTC. ");
    assert_has(
        &page,
        "<section class=\"up\">\n<header><h2>support</h2> <span class=\"state\">UP</span>",
    );
    assert_has(
        &page,
        "<dt>Complete up to</dt><dd><b>42 s ago <time>2026-03-01 02:02:22 UTC</time></b></dd>",
    );
    assert_has(
        &page,
        "<dt>Counters since</dt><dd>11 days ago <time>2026-02-17 12:16:24 UTC</time></dd>",
    );
    assert_has(
        &page,
        "<dt>Last pull</dt><dd>succeeded after 420 ms, 3 s ago \
         <time>2026-03-01 02:03:01 UTC</time></dd>",
    );
    assert!(!page.contains("Last success"), "{page}");
    assert_has(
        &page,
        "<dt>Token renewal</dt><dd>in 8 min <time>2026-03-01 02:11:24 UTC</time></dd>",
    );
    assert_has(&page, "<dt>Last error</dt><dd>none</dd>");
    assert_has(&page, "No calls in the last 24 h.");
    assert_has(&page, "<a href=\"./metrics\">");
    for link in ["./metrics", "./probe", "./"] {
        assert_has(&page, &format!("<a href=\"{link}?target=support\">"));
    }
}

#[test]
fn what_has_not_happened_yet_is_shown_as_such() {
    let mut fresh = target("fresh", Health::Loading);
    fresh.progress = Some(LoadProgress {
        calls: 0,
        percent: 0,
    });
    fresh.view = View::default();
    fresh.token_renewal = None;
    let first = page(vec![fresh.clone()]);
    assert_has(
        &first,
        "<dt>Last pull</dt><dd>none has ended yet; scrapes start them</dd>",
    );
    assert_has(&first, "<dt>Token renewal</dt><dd>no token yet</dd>");
    // Nothing is known of its calls so far, which is not the same as none.
    assert!(!first.contains("No calls"), "{first}");
    fresh.token_renewal = Some(NOW);
    assert_has(&page(vec![fresh]), "<dd>with the next request</dd>");
}

#[test]
fn what_is_wrong_comes_first() {
    let healths = [Health::Up, Health::Down, Health::Loading];
    let mut targets: Vec<_> = ["a", "b", "c"]
        .iter()
        .zip(healths)
        .map(|(name, health)| target(name, health))
        .collect();
    targets[2].progress = Some(LoadProgress {
        calls: 1234,
        percent: 12,
    });
    targets[2].view.snapshot.progress.known = None;
    let failure = error("POST https://cec.example: 401", Some("the app key"));
    targets[1].view.last_error = Some((NOW - 180, failure));
    targets[0].view.results_error = Some((NOW - 60, "403".to_owned()));
    targets[0].view.teams_error = Some((NOW - 60, "teams.csv: line 3".to_owned()));
    let page = page(targets);
    for row in [
        "<dt>Inspection results</dt><dd>cannot be requested: 60 s ago",
        "<dt>Teams</dt><dd>not read, the previous ones stay in use: 60 s ago",
        "<p class=\"error\">teams.csv: line 3</p>",
    ] {
        assert_has(&page, row);
    }
    assert_has(&page, "<title>1/3 up - cec_exporter</title>");
    assert_has(&page, "Down: b. Loading: c. Up: 1 of 3.");
    assert_has(
        &page,
        "<dt>Loading</dt><dd>1,234 calls read, 12 % of the lookback</dd></div>\n<div><dt>Complete up to</dt><dd><b>not yet</b></dd>",
    );
    assert_has(
        &page,
        "3 min ago <time>2026-03-01 02:00:04 UTC</time>\
         <p class=\"error\">POST https://cec.example: 401</p></dd>\
         <dt>Likely cause</dt><dd>the app key</dd>",
    );
    assert_has(&page, "<dt>Last pull</dt><dd>failed after 420 ms, 3 s ago ");
    assert_has(&page, "<dt>Last success</dt><dd>2 h ago ");
    let at = |part: &str| page.find(part).unwrap();
    assert!(at("<h2>b") < at("<h2>c") && at("<h2>c") < at("<h2>a"));
}

#[test]
fn calls_are_grouped_by_type_with_bars() {
    let mut support = target("support", Health::Up);
    support.calls = vec![
        calls(CallType::VOICE, 2, 4_000_000_000),
        calls(CallType::VOICE, 0, 2_000_000_000),
        calls(CallType::VOICE, 39, 0),
        calls(CallType::VOICE, 32, 1),
        CallCount {
            call_type: CallType::VOICE,
            position: Position::Missing,
            calls: 3,
        },
        calls(CallType::TEXT, 2, 7),
    ];
    let page = page(vec![support]);
    let row = |status: &str, class: &str, calls: &str, width: u32| {
        format!(
            "<tr><th>{status}</th><td>{calls}</td><td><svg viewBox=\"0 0 1000 1\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"{class}\" \
             width=\"{width}\" height=\"1\"/></svg></td></tr>\n"
        )
    };
    let voice = format!(
        "<table>\n<caption>voice <span class=\"soft\">6,000,000,004 in the last 24 h</span></caption>\n\
         {}{}{}{}</table>\n",
        row("succeeded", "succeeded", "4,000,000,000", 1000),
        row("waiting", "pending", "2,000,000,000", 500),
        row("asr_failed", "failed", "1", 5),
        row("missing", "missing", "3", 5),
    );
    assert_has(&page, &voice);
    let text = row("succeeded", "succeeded", "7", 5);
    assert_has(
        &page,
        &format!(
            "<caption>text <span class=\"soft\">7 in the last 24 h</span></caption>\n{text}</table>"
        ),
    );
}

#[test]
fn a_failed_reload_is_shown_at_the_top() {
    let mut view = status(vec![target("support", Health::Up)]);
    assert!(!render(&view, "/metrics", false).contains("banner"));
    view.reload_error = Some((NOW - 42, "cec_exporter.yml:3:5: bad key".to_owned()));
    let page = render(&view, "/metrics", false);
    let (before, _) = page.split_once("<main>").unwrap();
    assert_has(before, "The configuration was not reloaded");
    assert_has(before, "42 s ago");
    assert_has(before, "cec_exporter.yml:3:5: bad key");
}

/// The metrics no longer have the gauges then, so that the page must not pass them for current.
#[test]
fn counts_of_a_stale_target_say_so() {
    let mut down = target("a", Health::Down);
    down.calls = vec![calls(CallType::VOICE, 0, 7)];
    assert!(!page(vec![down.clone()]).contains("stale"));
    down.is_stale = true;
    assert_has(
        &page(vec![down.clone()]),
        "<p class=\"stale\">The counts below are stale: the last pull succeeded 2 h ago \
         <time>2026-03-01 00:03:04 UTC</time>. The metrics no longer have these gauges.</p>",
    );
    let mut many = vec![target("b", Health::Down); MAX_CARDS + 1];
    many[MAX_CARDS] = down;
    assert_has(&page(many), "<td>7 (stale)</td></tr>");
}

#[test]
fn a_page_before_the_start_says_what_it_waits_for() {
    let mut view = status(Vec::new());
    view.is_ready = false;
    let page = render(&view, "/metrics", false);
    assert_has(&page, "Loading configuration and storage.");
}

#[test]
fn a_proxy_is_shown() {
    let proxied = TargetStatus {
        proxy: Some("http://proxy:3128 (HTTPS_PROXY)".to_owned()),
        ..target("a", Health::Up)
    };
    assert_has(
        &page(vec![proxied]),
        "<dt>Proxy</dt><dd>http://proxy:3128 (HTTPS_PROXY)</dd>",
    );
    assert!(!page(vec![target("a", Health::Up)]).contains("Proxy"));
}
