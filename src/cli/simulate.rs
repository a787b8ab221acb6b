//! Flags of `simulate`.

use std::time::Duration;

use crate::config::duration;
use crate::model::whole_seconds;
use crate::server::ListenAddress;
use crate::simulator::faults::Faults;
use crate::simulator::paging::{Order, Unit};
use crate::simulator::spec::{Scenario, Spec};

#[derive(Clone, PartialEq, Debug, clap::Args)]
pub struct SimulateArgs {
    /// Address to listen on: host:port, or :port for all addresses of this machine; an IPv6 host
    /// needs brackets. The port is a number or a name such as https
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:10043"
    )]
    pub listen_address: ListenAddress,

    /// Seed of the contact centre: the same seed, flags and start time give the same calls
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Calls uploaded per day
    #[arg(long, value_name = "CALLS", default_value_t = 20_000.0, value_parser = parse_calls)]
    pub calls_per_day: f64,

    /// How far before the start the simulated calls begin, such as 90m or 7d
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = parse_seconds)]
    pub history: u32,

    /// Distribute calls evenly, without nights and busy hours
    #[arg(long)]
    pub flat: bool,

    /// Share of text calls, 0 to 1; the others are voice
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = parse_share)]
    pub text_share: f64,

    /// Number of agents
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub agents: u32,

    /// Speed of transcription and inspection; at 1, the median call takes four minutes
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_speed)]
    pub pipeline_speed: f64,

    /// Share of calls that appear in the list later than their upload, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = parse_share)]
    pub late_share: f64,

    /// Maximum delay of late calls (--late-share), such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_seconds)]
    pub late_max: u32,

    /// Share of calls that are inspected a second time, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = parse_share)]
    pub reinspected_share: f64,

    /// Share of calls that are deleted within a day, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0005, value_parser = parse_share)]
    pub deleted_share: f64,

    /// Maximum number of calls in a call group
    #[arg(long, value_name = "CALLS", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    pub group_max: u8,

    /// Maximum rows per page: a larger limit is silently reduced to this
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    pub page_limit_max: Option<u32>,

    /// Apply the limit of a page to call groups instead of calls
    #[arg(long)]
    pub page_counts_groups: bool,

    /// List the earliest upload first instead of the latest
    #[arg(long)]
    pub oldest_first: bool,

    /// Maximum requests for pages per second; further ones get 429
    #[arg(long, value_name = "REQUESTS")]
    pub requests_per_second: Option<u32>,

    /// Initial faults, as for PUT /-/faults. --page-limit-max, --page-counts-groups, --oldest-first and
    /// --requests-per-second take precedence
    #[arg(long, value_name = "JSON", value_parser = |json: &str| Faults::parse(json))]
    pub faults: Option<Faults>,

    /// Initial scenario, as for PUT /-/scenario
    #[arg(long, value_name = "JSON", value_parser = |json: &str| Scenario::parse(json))]
    pub scenario: Option<Scenario>,
}

impl SimulateArgs {
    /// The contact centre, if the simulator starts at `now` (Unix seconds).
    pub fn spec(&self, now: u32) -> Spec {
        Spec {
            seed: self.seed,
            start: now.saturating_sub(self.history),
            calls_per_day: self.calls_per_day,
            flat: self.flat,
            text_share: self.text_share,
            agents: self.agents,
            pipeline_speed: self.pipeline_speed,
            late_share: self.late_share,
            late_max_seconds: self.late_max,
            reinspected_share: self.reinspected_share,
            deleted_share: self.deleted_share,
            group_max: self.group_max,
            ..Spec::default()
        }
    }

    pub fn faults(&self) -> Faults {
        let mut faults = self.faults.clone().unwrap_or_default();
        faults.paging.clamp_above = self.page_limit_max.or(faults.paging.clamp_above);
        if self.page_counts_groups {
            faults.paging.limit_counts = Unit::Groups;
        }
        if self.oldest_first {
            faults.paging.order = Order::OldestFirst;
        }
        faults.requests_per_second = self.requests_per_second.or(faults.requests_per_second);
        faults
    }
}

/// A duration, or a bare number of seconds.
fn parse_seconds(text: &str) -> Result<u32, String> {
    let duration = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => duration::parse(text)?,
    };
    Ok(whole_seconds(duration))
}

pub(super) fn parse_number(
    text: &str,
    expected: &str,
    is_valid: impl Fn(f64) -> bool,
) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&number| is_valid(number));
    number.ok_or_else(|| format!("expected {expected}"))
}

fn parse_share(text: &str) -> Result<f64, String> {
    parse_number(text, "a share from 0 to 1", |share| {
        (0.0..=1.0).contains(&share)
    })
}

fn parse_calls(text: &str) -> Result<f64, String> {
    // More would exhaust memory with the default history.
    parse_number(text, "a number from 0 to 100 million", |calls| {
        (0.0..=1e8).contains(&calls)
    })
}

fn parse_speed(text: &str) -> Result<f64, String> {
    parse_number(text, "a factor above 0", |factor| factor > 0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const START: u32 = 1_700_000_000;
    const DAY: u32 = 86_400;

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
        assert_eq!(other.listen_address.to_string(), ":99");
        assert_eq!(other.spec(START).start, START - 36 * 3600);
        assert_eq!(other.faults().paging.clamp_above, Some(50));
        assert!(other.faults().down);
        for bad in [
            "--history=1x",
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
}
