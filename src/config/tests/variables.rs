//! A target from the environment, and which of file and environment wins.

use std::fs;
use std::path::PathBuf;

use super::super::{DEFAULT_FILE, Target, load};
use super::{REST, environment};

const VARIABLES: [(&str, &str); 4] = [
    ("CEC_ENDPOINT", "https://h:1"),
    ("CEC_APP_KEY", "k"),
    ("CEC_APP_SECRET", "hunter2"),
    ("CEC_USER_ID", "u"),
];

/// An environment of [`VARIABLES`], overridden by `others`.
fn from_variables(others: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let all = || others.iter().chain(&VARIABLES);
        all()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| (*value).to_owned())
    }
}

fn environment_only(others: &[(&str, &str)]) -> Result<Target, String> {
    let absent = PathBuf::from("/nonexistent/cec_exporter.yml");
    load(None, &absent, &from_variables(others))
        .map(|mut config| config.targets.remove(0))
        .map_err(|error| error.to_string())
}

#[test]
fn the_environment_describes_one_target() {
    let target = environment_only(&[]).unwrap();
    assert_eq!(target.name, "default");
    assert_eq!(target.endpoint.as_str(), "https://h:1/");
    assert_eq!(
        target.token_endpoint.as_str(),
        "https://h:1/apigovernance/api/oauth/tokenByAkSk"
    );
    assert_eq!(
        (target.app_key.expose(), target.app_secret.expose()),
        ("k", "hunter2")
    );
    assert_eq!(
        (target.user_id.as_str(), target.tenant_space_id),
        ("u", None)
    );
    assert_eq!(target.page_size, 100);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    fs::write(&file, "from a file\n").unwrap();
    let target = environment_only(&[
        ("CEC_APP_SECRET", ""),
        ("CEC_APP_SECRET_FILE", file.to_str().unwrap()),
        ("CEC_TENANT_SPACE_ID", "t"),
        ("CEC_TOKEN_ENDPOINT", "http://h:28070/token"),
    ])
    .unwrap();
    assert_eq!(target.app_secret.expose(), "from a file");
    assert_eq!(target.tenant_space_id.as_deref(), Some("t"));
    assert_eq!(target.token_endpoint.as_str(), "http://h:28070/token");
}

#[test]
fn a_mistake_in_a_variable_names_it() {
    for (variable, value, expected) in [
        (
            "CEC_ENDPOINT",
            "h",
            "CEC_ENDPOINT: expected a URL with http:// or https:// and a host, such as https://service.besclouds.com, got h",
        ),
        (
            "CEC_TOKEN_ENDPOINT",
            "https://u:hunter2@h",
            "CEC_TOKEN_ENDPOINT: expected a URL without a user name or password",
        ),
        (
            "CEC_APP_KEY",
            "",
            "CEC_APP_KEY: expected a value, as CEC_ENDPOINT is set",
        ),
        (
            "CEC_APP_SECRET",
            "",
            "CEC_APP_SECRET: expected CEC_APP_SECRET or CEC_APP_SECRET_FILE, as CEC_ENDPOINT is set",
        ),
        (
            "CEC_APP_SECRET",
            "hunter2\n",
            "CEC_APP_SECRET: expected printable ASCII characters only, without spaces around them",
        ),
        (
            "CEC_APP_SECRET_FILE",
            "/x",
            "CEC_APP_SECRET_FILE: expected either CEC_APP_SECRET or CEC_APP_SECRET_FILE, got both",
        ),
        (
            "CEC_USER_ID",
            "",
            "CEC_USER_ID: expected a value, as CEC_ENDPOINT is set",
        ),
        (
            "CEC_TENANT_SPACE_ID",
            "\t",
            "CEC_TENANT_SPACE_ID: expected printable ASCII characters only, without spaces around them",
        ),
        (
            "CEC_ENDPOINT",
            "",
            "no configuration: expected the file cec_exporter.yml in this directory, another file given by --config.file, or the environment variables CEC_ENDPOINT, CEC_APP_KEY, CEC_APP_SECRET and CEC_USER_ID; to try it without an account, run `cec_exporter demo`",
        ),
    ] {
        assert_eq!(
            environment_only(&[(variable, value)]).unwrap_err(),
            expected
        );
    }
}

#[test]
fn a_file_at_the_default_place_wins_over_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DEFAULT_FILE);
    fs::write(&path, format!("targets: [{{name: from_file, {REST}}}]")).unwrap();
    let config = load(None, &path, &from_variables(&[])).unwrap();
    assert_eq!(config.targets[0].name, "from_file");
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.yml");
    let error = load(Some(&path), &path, &environment)
        .unwrap_err()
        .to_string();
    let reason = "cannot be read: No such file or directory (os error 2)";
    assert_eq!(error, format!("{}: {reason}", path.display()));
    fs::write(&path, b"# ok\n  \xe4\xbb\xb7 \xff\n").unwrap();
    let error = load(Some(&path), &path, &environment)
        .unwrap_err()
        .to_string();
    assert_eq!(error, format!("{}:2:5: not valid UTF-8", path.display()));
    // The environment is used only if the file does not exist.
    let error = load(None, directory.path(), &from_variables(&[]))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("cannot be read: Is a directory (os error 21)"),
        "{error}"
    );
}
