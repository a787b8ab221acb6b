use std::collections::HashSet;

use super::super::args::SimulateArgs;
use super::super::faults::Faults;
use super::super::spec::Spec;
use super::{DAY, START};

#[derive(Debug, clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    simulate: SimulateArgs,
}

#[test]
fn the_command_line_sets_spec_and_faults() {
    use clap::{CommandFactory, Parser};
    CommandLine::command().debug_assert();
    let args = |flags: &[&str]| {
        CommandLine::try_parse_from([&["simulate"], flags].concat()).map(|line| line.simulate)
    };
    let usual = args(&[]).unwrap();
    assert_eq!(usual.listen_address.to_string(), "127.0.0.1:10043");
    assert_eq!(usual.faults(), Faults::default());
    let spec = Spec {
        start: START - DAY,
        ..Spec::default()
    };
    assert_eq!(usual.spec(START), spec);
    let other = args(&[
        "--web.listen-address=:99",
        "--history=36h",
        "--page-limit-max=50",
        r#"--faults={"down": true}"#,
    ])
    .unwrap();
    assert_eq!(other.listen_address.port(), 99);
    assert_eq!(other.spec(START).start, START - 36 * 3600);
    assert_eq!(other.faults().paging.clamp_above, Some(50));
    assert!(other.faults().down);
    for bad in [
        "--history=1w",
        "--pipeline-speed=0",
        "--text-share=2",
        "--faults={",
    ] {
        assert!(args(&[bad]).is_err(), "{bad}");
    }
    let names: HashSet<_> = CommandLine::command()
        .get_arguments()
        .filter(|arg| arg.get_help().is_none())
        .map(|arg| arg.get_id().to_string())
        .collect();
    assert_eq!(names, HashSet::new(), "flags without help");
}
