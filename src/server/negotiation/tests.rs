use super::*;

const PROTO: &str = "application/vnd.google.protobuf;\
    proto=io.prometheus.client.MetricFamily;encoding=delimited";

#[track_caller]
fn assert_offer(accept: &[&str], expected: Offer) {
    assert_eq!(offer(&accept.join(",")), expected, "{accept:?}");
}

#[test]
fn every_version_of_prometheus_gets_its_preferred_format() {
    for (accept, expected) in [
        // 2.42, and with native histograms
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
             version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                .to_owned(),
            OPENMETRICS_1,
        ),
        (
            format!(
                "{PROTO},application/openmetrics-text;version=1.0.0;q=0.8,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            PROTOBUF,
        ),
        // 2.20
        (
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,\
             */*;q=0.1"
                .to_owned(),
            OPENMETRICS_0,
        ),
        // 3, as it comes, and for one protocol alone
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
                .to_owned(),
            OPENMETRICS_1,
        ),
        (
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5".to_owned(),
            TEXT,
        ),
        (
            format!("{PROTO};escaping=underscores;q=0.6,*/*;q=0.5"),
            PROTOBUF,
        ),
    ] {
        assert_offer(&[&accept], expected);
    }
}

#[test]
fn quality_decides_then_the_order_then_ours() {
    for (accept, expected) in [
        (
            "text/plain;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4",
            TEXT,
        ),
        (
            "text/plain;q=0.4,application/openmetrics-text;version=1.0.0;q=0.5",
            OPENMETRICS_1,
        ),
        (
            "application/openmetrics-text;version=1.0.0,text/plain",
            OPENMETRICS_1,
        ),
        (
            "text/plain,application/openmetrics-text;version=1.0.0",
            TEXT,
        ),
        ("*/*", TEXT),
        ("text/*;q=0.1,*/*;q=0.5", OPENMETRICS_1),
        ("application/*", OPENMETRICS_1),
        ("application/*;q=0.9,*/*;q=0.8", OPENMETRICS_1),
        // A wildcard does not apply to what is named.
        ("*/*;q=0.9,text/plain;q=0.1", OPENMETRICS_1),
        ("*/*,text/plain;q=0", OPENMETRICS_1),
        ("text/plain;q=0,application/*;q=0.1", OPENMETRICS_1),
        (
            "*/*;q=0,application/openmetrics-text;q=0.001",
            OPENMETRICS_0,
        ),
        // The better of two versions of one.
        (
            "text/plain;version=1.0.0;q=0.1,text/plain;q=0.3,\
          application/openmetrics-text;q=0.2",
            TEXT,
        ),
        // A browser.
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
            TEXT,
        ),
    ] {
        assert_offer(&[accept], expected);
    }
    assert_offer(
        &["text/plain;q=0.2", "application/openmetrics-text;q=0.3"],
        OPENMETRICS_0,
    );
}

#[test]
fn parameters_count_and_their_spelling_does_not() {
    for (accept, expected) in [
        (
            "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; charset=utf-8",
            OPENMETRICS_1,
        ),
        ("application/openmetrics-text;charset=utf-8", OPENMETRICS_0),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        (
            "text/plain;version=7,application/openmetrics-text;q=0.1",
            OPENMETRICS_0,
        ),
        ("application/vnd.google.protobuf", TEXT),
        (
            "application/vnd.google.protobuf;proto=a.b;encoding=delimited",
            TEXT,
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
          encoding=text",
            TEXT,
        ),
        (
            "application/vnd.google.protobuf;encoding=delimited;\
          proto=io.prometheus.client.MetricFamily",
            PROTOBUF,
        ),
        // A comma and a semicolon in quotes are no separators.
        (
            "text/plain;x=\",application/openmetrics-text;version=1.0.0,\";q=0.5",
            TEXT,
        ),
        (
            "a/b;x=\"\\\",\",application/openmetrics-text;version=1.0.0",
            OPENMETRICS_1,
        ),
    ] {
        assert_offer(&[accept], expected);
    }
}

#[test]
fn junk_is_ignored() {
    let long = ",;=\"/*".repeat(2000);
    for junk in [
        "",
        " ",
        ",,,",
        ";",
        "/",
        "*",
        "text",
        "text/",
        ";q=1",
        "*/plain",
        "image/*",
        "application/openmetrics-text;q=",
        "application/openmetrics-text;q=x",
        "application/openmetrics-text;q=-1",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=NaN",
        "application/openmetrics-text;q=inf",
        "application/openmetrics-text;q=0",
        "\"application/openmetrics-text",
        &long,
    ] {
        assert_offer(&[junk], TEXT);
        let mixed = format!("application/openmetrics-text;version=1.0.0,{junk}");
        assert_offer(&[&mixed], OPENMETRICS_1);
    }
    assert_offer(&[], TEXT);
}

#[test]
fn gzip_is_used_if_requested() {
    for (accept, expected) in [
        ("gzip", true),
        ("GZip;q=0.1", true),
        ("x-gzip", true),
        ("deflate, gzip;q=1.0, *;q=0.5", true),
        ("*", true),
        ("gzip, identity", true),
        ("identity;q=0, gzip;q=0.1", true),
        ("", false),
        ("br", false),
        ("gzip;q=0", false),
        ("gzip;q=0.000", false),
        ("gzip;q=0, *", false),
        ("*;q=0", false),
        ("identity", false),
        ("identity, gzip;q=0.5", false),
        ("gzip;q=x", false),
        ("gzipped", false),
    ] {
        assert_eq!(wants_gzip(accept), expected, "{accept}");
    }
    assert!(wants_gzip("br,gzip"));
}
