//! What the command line takes, and what it refuses.

use std::time::Duration;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let words = std::iter::once("cec_exporter").chain(line.split_whitespace());
    Cli::from_arguments(words)
}

fn mistake(line: &str) -> String {
    let error = parse(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

#[test]
fn verify_cli() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_means_to_serve_with_the_defaults() {
    let expected = Cli {
        command: None,
        serve: ServeArgs {
            config: ConfigArgs { file: None },
            listen_addresses: vec![":10042".parse().unwrap()],
            systemd_socket: false,
            external_url: None,
            route_prefix: None,
            telemetry_path: "/metrics".to_owned(),
            web_config_file: None,
            healthy_without_auth: false,
            enable_lifecycle: false,
            timeout_offset: Duration::from_millis(500),
            max_requests: 0,
            storage_path: "data".into(),
            in_memory: false,
            shard: None,
            total_shards: 1,
            metrics: MetricsArgs {
                exemplars: false,
                created_timestamps: false,
            },
        },
        log: LogArgs {
            level: LogLevel::Info,
            format: LogFormat::Logfmt,
        },
    };
    assert_eq!(parse("").unwrap(), expected);
}

#[test]
fn every_flag_is_taken() {
    let cli = parse(
        "--config.file=a.yml --web.listen-address=:1 --web.listen-address [::1]:2 \
         --web.systemd-socket --web.external-url http://gate.example/cec --web.route-prefix=/ \
         --web.telemetry-path /m --web.config.file web.yml --web.healthy-without-auth --web.enable-lifecycle \
         --web.timeout-offset 1s500ms --web.max-requests 9 --storage.path /d --storage.in-memory \
         --shard 2 --total-shards 3 --metrics.exemplars --metrics.created-timestamps \
         --log.level debug --log.format json",
    );
    let expected = Cli {
        command: None,
        serve: ServeArgs {
            config: ConfigArgs {
                file: Some("a.yml".into()),
            },
            listen_addresses: vec![":1".parse().unwrap(), "[::1]:2".parse().unwrap()],
            systemd_socket: true,
            external_url: Some("http://gate.example/cec".parse().unwrap()),
            route_prefix: Some(String::new()),
            telemetry_path: "/m".to_owned(),
            web_config_file: Some("web.yml".into()),
            healthy_without_auth: true,
            enable_lifecycle: true,
            timeout_offset: Duration::from_millis(1500),
            max_requests: 9,
            storage_path: "/d".into(),
            in_memory: true,
            shard: Some(2),
            total_shards: 3,
            metrics: MetricsArgs {
                exemplars: true,
                created_timestamps: true,
            },
        },
        log: LogArgs {
            level: LogLevel::Debug,
            format: LogFormat::Json,
        },
    };
    assert_eq!(cli.unwrap(), expected);
}

#[test]
fn the_path_of_the_external_url_is_the_prefix_unless_another_is_given() {
    for (flags, expected) in [
        ("", ""),
        ("--web.external-url=http://gate.example/cec/", "/cec"),
        (
            "--web.external-url=http://gate.example/cec --web.route-prefix=/",
            "",
        ),
        ("--web.route-prefix=/own", "/own"),
    ] {
        let cli = parse(flags).unwrap();
        assert_eq!(cli.serve.prefix(), expected, "{flags}");
    }
    let none = parse("--web.config.file=").unwrap().serve;
    assert_eq!(none.web_config_file(), None);
}

#[test]
fn commands_have_flags_of_their_own() {
    let cli = parse("check --config.file a.yml").unwrap();
    assert_eq!(
        cli.command,
        Some(Command::Check(CheckArgs {
            config: ConfigArgs {
                file: Some("a.yml".into())
            },
            format: CheckFormat::Text,
        }))
    );
    let cli = parse("check --format json").unwrap();
    assert_eq!(
        cli.command,
        Some(Command::Check(CheckArgs {
            config: ConfigArgs { file: None },
            format: CheckFormat::Json,
        }))
    );
    let cli = parse("demo --seed 7 --metrics.exemplars --web.listen-address localhost:1").unwrap();
    let listen_addresses = vec!["localhost:1".parse().unwrap()];
    assert_eq!(
        cli.command,
        Some(Command::Demo(DemoArgs {
            listen_addresses,
            seed: 7,
            metrics: MetricsArgs {
                exemplars: true,
                created_timestamps: false,
            },
            history: DemoHistoryArgs {
                history: None,
                output: None,
                labels: ["job=cec_exporter", "instance=localhost:10042"]
                    .map(|label| label.split_once('=').unwrap())
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
            },
        }))
    );
    let shell = clap_complete::Shell::Fish;
    assert_eq!(
        parse("completions fish").unwrap().command,
        Some(Command::Completions { shell })
    );
    assert_eq!(parse("man").unwrap().command, Some(Command::Man));
    let cli = parse("healthcheck --web.listen-address [::1]:1").unwrap();
    let listen_address = "[::1]:1".parse().unwrap();
    assert_eq!(cli.command, Some(Command::Healthcheck { listen_address }));
    let cli = parse("simulate").unwrap();
    let Some(Command::Simulate(arguments)) = cli.command else {
        panic!("{:?}", cli.command);
    };
    assert_eq!(arguments.listen_address, "127.0.0.1:10043".parse().unwrap());
}

#[test]
fn the_log_flags_go_anywhere() {
    for line in [
        "--log.level warn demo",
        "demo --log.level warn",
        "check --log.level=warn",
    ] {
        assert_eq!(parse(line).unwrap().log.level, LogLevel::Warn, "{line}");
    }
}

#[test]
fn a_flag_before_the_wrong_command_is_not_ignored() {
    for (line, expected) in [
        (
            "--config.file a.yml check",
            "put --config.file after the command: cec_exporter check --config.file <FILE>",
        ),
        (
            "--web.enable-lifecycle demo",
            "--web.enable-lifecycle is a flag of serving; demo does not have it",
        ),
        (
            "--web.listen-address :1 simulate",
            "put --web.listen-address after the command: cec_exporter simulate --web.listen-address <",
        ),
    ] {
        let error = mistake(line);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn bad_usage_exits_with_2() {
    for (line, expected) in [
        (
            "--web.listen-address 10042",
            "expected host:port, [IPv6]:port or :port",
        ),
        (
            "--web.listen-address :99999",
            "expected a port from 0 to 65535",
        ),
        (
            "--web.telemetry-path metrics",
            "expected a path that begins with /",
        ),
        ("--web.telemetry-path /probe", "expected a path other than"),
        (
            "--web.timeout-offset 1",
            "expected a duration such as 90s, 1h30m or 1d",
        ),
        ("--web.max-requests=-1", "--web.max-requests"),
        (
            "--log.level trace",
            "[possible values: debug, info, warn, error]",
        ),
        ("--log.format text", "[possible values: logfmt, json]"),
        (
            "--config.fil a",
            "a similar argument exists: '--config.file'",
        ),
        ("serve", "'serve'"),
        ("completions", "<SHELL>"),
        (
            "completions tcsh",
            "[possible values: bash, elvish, fish, powershell, zsh]",
        ),
        ("man bash", "'bash'"),
        ("demo --config.file a.yml", "--config.file"),
        ("demo --seed x", "invalid digit"),
        ("--web.max-requests=1e3", "expected a whole number"),
        ("demo --label a=b", "--history"),
        (
            "backfill --from 1d --output h --label job=a --label job=b",
            "job is given more than once",
        ),
        (
            "backfill --from 1d --output h --label call_type=a",
            "call_type is a label of the exporter's metrics: choose another one",
        ),
        ("simulate --agents 0", "0 is not in 1.."),
    ] {
        let error = mistake(line);
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn the_version_is_written_as_other_exporters_write_it() {
    let error = parse("--version").unwrap_err();
    assert_eq!(error.exit_code(), 0);
    let Build {
        version,
        revision,
        rustc,
    } = BUILD;
    let expected =
        format!("cec_exporter, version {version} (revision: {revision})\n  rustc: {rustc}\n");
    assert_eq!(error.to_string(), expected);
    assert!(
        !revision.is_empty() && rustc.starts_with("1."),
        "{expected}"
    );
}

#[test]
fn every_flag_is_explained() {
    let mut command = Cli::command();
    command.build();
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{} {argument}",
                command.get_name()
            );
        }
    }
    let help = parse("--help").unwrap_err().to_string();
    for part in [
        "Usage: cec_exporter [OPTIONS] [COMMAND]",
        "cec_exporter demo",
        "[default: 500ms]",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn a_shard_that_is_not_there_is_bad_usage() {
    for (line, expected) in [
        (
            "--shard 1",
            "--shard=1 needs --total-shards above 1 (it is 1)",
        ),
        (
            "--shard 4 --total-shards 4",
            "--shard=4 needs --total-shards above 4 (it is 4)",
        ),
    ] {
        let error = mistake(line);
        assert!(error.contains(expected), "{error}");
    }
    for line in ["--total-shards 0", "--total-shards 1025", "--shard -1"] {
        mistake(line);
    }
}
