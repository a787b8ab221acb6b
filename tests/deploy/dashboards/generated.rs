//! Completions and the manual page, as shells and readers use them.

use crate::support::tools::is_installed;
use std::path::Path;
use std::process::Command;

use cec_exporter::cli::Cli;
use clap::CommandFactory;

fn exporter(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cec_exporter"));
    command.args(arguments);
    command
}

fn printed(arguments: &[&str]) -> String {
    let output = exporter(arguments).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.is_empty(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

/// All long flags of a command, and what it may be followed by.
fn flags(command: &clap::Command) -> Vec<String> {
    let flags = command.get_arguments().filter_map(clap::Arg::get_long);
    flags.map(|flag| format!("--{flag}")).collect()
}

#[test]
fn each_shell_gets_a_script_with_every_flag() {
    let mut cli = Cli::command();
    cli.build();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
            for flag in flags(command) {
                let flag = match shell {
                    "fish" => format!("-l {}", &flag[2..]),
                    _ => flag,
                };
                assert!(script.contains(&flag), "{shell}: {flag}");
            }
            assert!(script.contains(command.get_name()), "{shell}");
        }
    }
}

/// What a bash offers for the last of these words, with the script read as a shell reads it.
fn offered(directory: &Path, words: &[&str]) -> Vec<String> {
    let script = r#"
        source ./completions
        function=$(complete -p cec_exporter | grep -o -- '-F [^ ]*')
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        "${function#-F }" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-euc", script, "bash"])
        .args(words)
        .current_dir(directory)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {told}");
    let offered = String::from_utf8(output.stdout).unwrap();
    offered.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_flags_values_and_commands() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("completions");
    std::fs::write(&file, printed(&["completions", "bash"])).unwrap();
    let checked = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(checked.status.success() && checked.stderr.is_empty());

    let mut expected = flags(&Cli::command());
    expected.retain(|flag| flag.starts_with("--web."));
    assert!(expected.len() > 5, "{expected:?}");
    let of_web = offered(directory.path(), &["cec_exporter", "--web."]);
    assert_eq!(of_web, expected);
    let commands = offered(directory.path(), &["cec_exporter", "de"]);
    assert_eq!(commands, ["demo"]);
    let levels = offered(
        directory.path(),
        &["cec_exporter", "check", "--log.level", "w"],
    );
    assert_eq!(levels, ["warn"]);
    let shells = offered(directory.path(), &["cec_exporter", "completions", "z"]);
    assert_eq!(shells, ["zsh"]);
}

#[test]
fn the_manual_has_every_command_and_flag() {
    let page = printed(&["man"]).replace("\\-", "-");
    assert!(page.contains(".TH cec_exporter 1 "), "{page}");
    let mut cli = Cli::command();
    cli.build();
    for command in cli.get_subcommands() {
        let heading = format!(
            ".SH \"COMMAND {}\"\n",
            command.get_name().to_ascii_uppercase()
        );
        let (_, section) = page.split_once(&heading).unwrap();
        let section = section.split("\n.SH ").next().unwrap();
        let synopsis = format!("cec_exporter {}", command.get_name());
        assert!(section.contains(&synopsis), "{section}");
        let own = command.get_arguments().filter(|a| !a.is_global_set());
        for flag in own.filter_map(clap::Arg::get_long).filter(|f| *f != "help") {
            let option = format!(".TP\n\\fB--{flag}\\fR");
            assert!(section.contains(&option), "{flag} in {section}");
        }
    }
    for flag in flags(&cli) {
        assert!(page.contains(&flag), "{flag}");
    }
}

#[test]
fn the_manual_can_be_set_without_a_warning() {
    if !is_installed("groff") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cec_exporter.1");
    std::fs::write(&file, printed(&["man"])).unwrap();
    let set = Command::new("groff")
        .args(["-man", "-ww", "-Tascii", "-P-cbou"])
        .arg(&file)
        .output()
        .unwrap();
    let warnings = String::from_utf8(set.stderr).unwrap();
    assert!(set.status.success() && warnings.is_empty(), "{warnings}");
    let text = String::from_utf8(set.stdout).unwrap();
    for part in ["NAME", "SYNOPSIS", "COMMAND CHECK", "EXAMPLES", "VERSION"] {
        assert!(text.lines().any(|line| line == part), "{part}: {text}");
    }
    assert!(text.contains("--web.max-requests <NUMBER> [default: 0]"));
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    for arguments in [&["man"][..], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = exporter(arguments).stdout(writer).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.is_empty(), "{told}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = exporter(&["man"]).stdout(full).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("No space left"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}
