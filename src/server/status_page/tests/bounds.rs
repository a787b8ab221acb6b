//! What the page does with text and numbers of any size.

use super::*;

/// Each string of a view is hostile; none reaches the page as it is.
#[test]
fn everything_is_escaped() {
    const EVIL: &str = "<b a='\"&\n\u{1b}\u{202e}\u{200f}>";
    const SAFE: &str = "&#60;b a=&#39;&#34;&#38;\n\u{fffd}\u{fffd}\u{fffd}&#62;";
    let evil = || EVIL.to_owned();
    let evil_target = |health| {
        let mut target = target(EVIL, health);
        target.view.last_error = Some((NOW, error(EVIL, Some(EVIL))));
        target.view.results_error = Some((NOW, evil()));
        target.view.teams_error = Some((NOW, evil()));
        target.view.snapshot.skipped = vec![skipped(0, EVIL)];
        target.proxy = Some(evil());
        target.calls = vec![calls(CallType::VOICE, 0, 1)];
        target
    };
    let view = Status {
        now: NOW,
        is_ready: true,
        version: evil(),
        targets: [Health::Down, Health::Loading].map(evil_target).into(),
        reload_error: Some((NOW, evil())),
    };
    let query = "?target=%3Cb+a%3D%27%22%26%0A%1B%E2%80%AE%E2%80%8F%3E\"";
    let page = render(&view, EVIL, false);
    assert!(!page.contains("<b "), "{page}");
    // The version, the path, the banner and the two names of the summary; seven strings and once
    // more the path of each target.
    assert_eq!(page.matches(SAFE).count(), 5 + 2 * 8, "{page}");
    assert_eq!(page.matches(query).count(), 2 * 3, "{page}");

    // And the same with a line for each.
    let mut many = view;
    many.targets = vec![many.targets[0].clone(); MAX_CARDS + 2];
    let page = render(&many, "/metrics", false);
    assert!(!page.contains("<b "), "{page}");
    let line = format!("<a href=\"./{query}>{SAFE}</a></th>");
    assert_eq!(page.matches(&line).count(), 2, "{page}");
}

#[test]
fn a_long_error_is_cut() {
    let mut down = target("down", Health::Down);
    down.view.last_error = Some((NOW, error(&"客".repeat(100_000), None)));
    let page = page(vec![down]);
    assert_eq!(page.matches('客').count(), 2000);
    assert_has(&page, "客…</p></dd>");
}

/// With a thousand targets, what is wrong is still seen first and at once, the page still ends.
#[test]
fn many_targets_have_a_line_each_behind_those_that_are_not_up() {
    let name = |number: usize| format!("target-{number}");
    let mut targets: Vec<_> = (0..3000)
        .map(|number| target(&name(number), Health::Up))
        .collect();
    targets[2999].health = Health::Down;
    targets[1500].health = Health::Loading;
    targets[0].calls = vec![
        calls(CallType::VOICE, 2, 1000),
        calls(CallType::TEXT, 2, 234),
    ];
    let few = page(targets.clone());
    assert_has(
        &few,
        "Down: target-2999. Loading: target-1500. Up: 2998 of 3000.",
    );
    let headings: Vec<_> = few
        .match_indices("<h2>")
        .map(|(at, _)| &few[at..])
        .collect();
    assert_eq!(headings.len(), 2);
    assert!(headings[0].starts_with("<h2>target-2999<"));
    assert_has(
        &few,
        "<tr class=\"up\"><th><a href=\"./?target=target-0\">target-0</a></th>\
         <td><span class=\"state\">UP</span></td><td>42 s ago</td><td>1,234</td></tr>",
    );
    assert_eq!(few.matches("<tr class=").count(), MAX_ROWS);
    assert_has(&few, "And 1,998 more; ");
    assert!(few.len() < 400_000, "{}", few.len());

    for target in &mut targets {
        target.health = Health::Down;
    }
    let all = page(targets);
    assert_has(&all, "Down: target-0, target-1, ");
    assert_has(&all, "target-9 and 2990 more.</p>");
    assert_eq!(all.matches("<h2>").count(), MAX_CARDS);
    assert_eq!(all.matches("<tr class=").count(), MAX_ROWS);
    assert!(all.len() < 400_000, "{}", all.len());
}

#[test]
fn a_part_leads_back_to_the_whole() {
    let view = status(vec![target("a", Health::Up)]);
    let part = render(&view, "/metrics", true);
    assert_has(&part, "<a href=\"./\">all targets</a>");
}

#[test]
fn nothing_on_the_page_needs_an_exception_in_the_policy() {
    let mut support = target("support", Health::Up);
    support.calls = vec![calls(CallType::VOICE, 0, 1)];
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
        assert_eq!(RoughDuration(seconds).to_string(), text);
    }
    let ahead = ago_at(Some(NOW + 300), NOW).0;
    assert_eq!(
        ahead,
        "5 min ahead of this clock <time>2026-03-01 02:08:04 UTC</time>"
    );
    assert_eq!(ago(None, NOW), "not yet");
    assert_eq!(Utc(0).to_string(), "1970-01-01 00:00:00 UTC");
    assert_eq!(Utc(u32::MAX).to_string(), "2106-02-07 06:28:15 UTC");
    let took = [
        (0, "0 ms"),
        (999, "999 ms"),
        (1250, "1.2 s"),
        (9_999, "10.0 s"),
    ];
    let long = [(10_900, "10 s"), (1_800_000, "30 min")];
    for (milliseconds, text) in took.into_iter().chain(long) {
        assert_eq!(
            ShortDuration(Duration::from_millis(milliseconds)).to_string(),
            text
        );
    }
}
