use super::*;

/// 2026-03-01T02:03:04Z.
const NOW: UnixSeconds = 1_772_330_584;

fn target(name: &str, state: TargetState) -> TargetView {
    TargetView {
        name: name.to_owned(),
        state,
        progress: None,
        lookback: Duration::from_secs(86_400),
        frontier: Some(NOW - 42),
        last_success: Some(NOW - 7200),
        last_error: None,
        calls: Vec::new(),
    }
}

fn calls(call_type: &str, status: &str, calls: u64) -> CallCount {
    let (call_type, status) = (call_type.to_owned(), status.to_owned());
    CallCount {
        call_type,
        status,
        calls,
    }
}

fn page(targets: Vec<TargetView>) -> String {
    let version = "1.2.3".to_owned();
    render(&StatusView { version, targets }, "/metrics", NOW)
}

fn assert_has(page: &str, wanted: &str) {
    assert!(page.contains(wanted), "no {wanted:?} in\n{page}");
}

#[test]
fn a_target_is_told_in_words_and_times() {
    let page = page(vec![target("support", TargetState::Up)]);
    assert_has(&page, "<title>1/1 up - cec_exporter</title>");
    assert_has(&page, "<p class=\"summary\">All targets are up.</p>");
    assert_has(&page, "<h1>cec_exporter <small>1.2.3</small></h1>");
    assert_has(&page, "as of 2026-03-01T02:03:04Z");
    assert_has(
        &page,
        "<section class=\"up\">\n<header><h2>support</h2> <span class=\"state\">UP</span>",
    );
    assert_has(
        &page,
        "<dt>Complete up to</dt><dd>2026-03-01T02:02:22Z <span class=\"soft\">(42 s ago)</span></dd>",
    );
    assert_has(
        &page,
        "<dt>Last success</dt><dd>2026-03-01T00:03:04Z <span class=\"soft\">(2 h ago)</span></dd>",
    );
    assert_has(&page, "<dt>Last error</dt><dd>none</dd>");
    assert_has(&page, "No calls in the last 24 h.");
    assert_has(&page, "<a href=\"./metrics\">");
    assert_has(&page, "<a href=\"./probe?target=support\">");
}

#[test]
fn what_is_wrong_comes_first() {
    let states = [TargetState::Up, TargetState::Down, TargetState::Loading];
    let mut targets: Vec<_> = ["a", "b", "c"]
        .iter()
        .zip(states)
        .map(|(name, state)| target(name, state))
        .collect();
    targets[2].progress = Some("3 of 24 h".to_owned());
    targets[2].frontier = None;
    targets[1].last_error = Some(LastError {
        at: NOW - 180,
        message: "POST https://cec.example: 401".to_owned(),
        likely_cause: Some("the app key".to_owned()),
    });
    let page = page(targets);
    assert_has(&page, "<title>1/3 up - cec_exporter</title>");
    assert_has(&page, "Down: b. Loading: c. Up: 1 of 3.");
    assert_has(
        &page,
        "<dt>Loading</dt><dd>3 of 24 h</dd>\n<dt>Complete up to</dt><dd>never</dd>",
    );
    assert_has(
        &page,
        "(3 min ago)</span><br>POST https://cec.example: 401</dd>\n\
         <dt>Likely cause</dt><dd>the app key</dd>",
    );
}

#[test]
fn calls_are_grouped_by_type_with_bars() {
    let mut support = target("support", TargetState::Up);
    support.calls = vec![
        calls("voice", "succeeded", 4_000_000_000),
        calls("voice", "waiting", 2_000_000_000),
        calls("voice", "task_failed", 0),
        calls("voice", "asr_failed", 1),
        calls("text", "succeeded", 7),
    ];
    let page = page(vec![support]);
    let row = |status: &str, calls: u64, width: u32| {
        format!(
            "<tr><th>{status}</th><td>{calls}</td><td><svg viewBox=\"0 0 200 1\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{width}\" \
             height=\"1\"/></svg></td></tr>\n"
        )
    };
    let voice = format!(
        "<h3>voice: 6000000001 in the last 24 h</h3>\n<table>\n{}{}{}</table>\n",
        row("succeeded", 4_000_000_000, 200),
        row("waiting", 2_000_000_000, 100),
        row("asr_failed", 1, 1),
    );
    assert_has(&page, &voice);
    let text = row("succeeded", 7, 1);
    assert_has(
        &page,
        &format!("<h3>text: 7 in the last 24 h</h3>\n<table>\n{text}</table>"),
    );
}

/// Each string of a view is hostile; none reaches the page as it is.
#[test]
fn everything_is_escaped() {
    const EVIL: &str = "<b a='\"&\n\u{1b}\u{202e}>";
    const SAFE: &str = "&lt;b a=&#39;&quot;&amp; \u{fffd}\u{fffd}&gt;";
    let evil = || EVIL.to_owned();
    let view = StatusView {
        version: evil(),
        targets: [TargetState::Down, TargetState::Loading]
            .map(|state| TargetView {
                name: evil(),
                progress: Some(evil()),
                last_error: Some(LastError {
                    at: NOW,
                    message: evil(),
                    likely_cause: Some(evil()),
                }),
                calls: vec![calls(EVIL, EVIL, 1)],
                ..target("", state)
            })
            .into(),
    };
    let page = render(&view, EVIL, NOW);
    assert!(!page.contains("<b "), "{page}");
    // The version, the path and the two names of the summary; six strings of each target.
    assert_eq!(page.matches(SAFE).count(), 4 + 2 * 6, "{page}");
    assert_eq!(
        page.matches("?target=%3Cb+a%3D%27%22%26%0A%1B%E2%80%AE%3E\"")
            .count(),
        2,
        "{page}"
    );
}

#[test]
fn nothing_on_the_page_needs_an_exception_in_the_policy() {
    let mut support = target("support", TargetState::Up);
    support.calls = vec![calls("voice", "waiting", 1)];
    let page = page(vec![support]);
    for inline in ["<script", "<style", "style=", " on", "javascript:"] {
        assert!(!page.contains(inline), "{inline:?} in\n{page}");
    }
    for outside in ["http://", "https://", "url(", "@import"] {
        assert!(
            !page.contains(outside) && !STYLE.contains(outside),
            "{outside:?}"
        );
    }
}

#[test]
fn times_are_coarse_and_never_negative() {
    let coarse = [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (86_400, "24 h"),
        (172_800, "2 days"),
    ];
    for (seconds, text) in coarse {
        assert_eq!(Coarse(seconds).to_string(), text);
    }
    let ahead = Moment(Some(NOW + 300), NOW).to_string();
    assert_eq!(
        ahead,
        "2026-03-01T02:08:04Z <span class=\"soft\">(5 min ahead of this clock)</span>"
    );
    assert_eq!(Moment(None, NOW).to_string(), "never");
    assert_eq!(Utc(0).to_string(), "1970-01-01T00:00:00Z");
    assert_eq!(Utc(u32::MAX).to_string(), "2106-02-07T06:28:15Z");
}
