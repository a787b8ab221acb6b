//! What is made of the definition of the command line: completions and the manual page.

use std::io::{self, ErrorKind, Write};

use clap_complete::Shell;
use clap_mangen::Man;

use super::Stop;
use crate::cli::{Cli, NAME};

/// Prints the script that completes the command line in a shell.
pub(super) fn completions(shell: Shell) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), NAME, &mut script);
    print(&script)
}

/// Prints the manual page.
pub(super) fn man() -> Result<(), Stop> {
    print(&page()?)
}

/// One page for all commands: a page for each would be many files to install, of a few lines.
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
        // What would be sections of a page of its own are parts of a section here.
        let own = command.clone().display_name(format!("{NAME} {name}"));
        let own = Man::new(own.mut_args(|argument| {
            // These stand among the options of the program.
            let is_everyones = argument.is_global_set() || argument.get_id() == "help";
            argument.hide(is_everyones)
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

/// Whoever reads may stop reading: `| head` is no failure.
fn print(bytes: &[u8]) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
