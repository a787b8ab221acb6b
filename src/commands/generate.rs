//! `completions` and `man`: generated from the definition of the command line.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{Cli, NAME};
use crate::process::Fatal;

/// Prints the completion script of a shell.
pub fn completions(shell: Shell) -> Result<ExitCode, Fatal> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), NAME, &mut script);
    print(&script)
}

/// Prints the manual page.
pub fn man() -> Result<ExitCode, Fatal> {
    print(&page()?)
}

/// One page for all commands: pages of a few lines for each would be many files to install.
fn page() -> io::Result<Vec<u8>> {
    let definition = Cli::definition();
    let main = Man::new(definition.clone());
    let mut page = Vec::new();
    main.render_title(&mut page)?;
    main.render_name_section(&mut page)?;
    main.render_synopsis_section(&mut page)?;
    main.render_description_section(&mut page)?;
    main.render_options_section(&mut page)?;
    for command in definition.get_subcommands() {
        let name = command.get_name();
        writeln!(page, ".SH \"COMMAND {}\"", name.to_uppercase())?;
        // The sections of a command's own page become subsections here.
        let own = command.clone().display_name(format!("{NAME} {name}"));
        let own = Man::new(own.mut_args(|argument| {
            // These are among the options of the program.
            let is_common = argument.is_global_set() || argument.get_id() == "help";
            argument.hide(is_common)
        }));
        let mut parts = Vec::new();
        own.render_description_section(&mut parts)?;
        own.render_synopsis_section(&mut parts)?;
        own.render_options_section(&mut parts)?;
        let parts = String::from_utf8_lossy(&parts).replace("\n.SH ", "\n.SS ");
        page.extend_from_slice(parts.as_bytes());
    }
    let mut examples = Vec::new();
    main.render_extra_section(&mut examples)?;
    let examples = String::from_utf8_lossy(&examples).replace(".SH EXTRA", ".SH EXAMPLES");
    page.extend_from_slice(examples.as_bytes());
    main.render_version_section(&mut page)?;
    Ok(page)
}

/// The reader may stop early: `| head` is not a failure.
fn print(bytes: &[u8]) -> Result<ExitCode, Fatal> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
