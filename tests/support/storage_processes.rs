//! The program with a ledger on disk: processes that are ended, killed and started again in the
//! same directory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::PATIENCE;
use super::client::Answer;
use super::process::{Process, command, configuration};

/// A directory with a configuration and ledgers, for one process after the other.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(targets: &[String]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.configure(targets);
        place
    }

    pub(crate) fn configure(&self, targets: &[String]) {
        let file = self.path().join("cec_exporter.yml");
        std::fs::write(file, configuration(targets)).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where the ledger of a target lies.
    pub(crate) fn ledger(&self, target: &str) -> PathBuf {
        self.path().join("data").join(format!("{target}.redb"))
    }

    /// Names of all files and directories in it.
    pub(crate) fn listed(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(directory)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    fn serving(&self, flags: &[&str]) -> Command {
        let mut command = command(self.path());
        command
            .args(["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"])
            .args(flags);
        command
    }

    pub(crate) fn start(&self, flags: &[&str]) -> Serving {
        Serving::of(Process::spawn(&mut self.serving(flags)))
    }

    /// A process that is told when it has written too much, and not killed for it.
    pub(crate) fn start_that_can_be_limited(&self) -> Serving {
        let program = self.serving(&[]);
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(self.path())
            .env_clear();
        Serving::of(Process::spawn(&mut shell))
    }

    /// One that may be killed before it has said anything.
    pub(crate) fn spawn(&self, log: &Path) -> Doomed {
        let log = std::fs::File::create(log).unwrap();
        let mut command = self.serving(&[]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Doomed(command.spawn().unwrap())
    }

    /// Runs the program to an end that is expected to come by itself.
    pub(crate) fn run(&self, flags: &[&str]) -> Output {
        self.serving(flags).output().unwrap()
    }
}

/// A process that is killed when this is dropped, and waited for.
pub(crate) struct Doomed(Child);

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Doomed {
    pub(crate) fn has_ended_by_itself(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

/// A process that serves.
pub(crate) struct Serving {
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl Serving {
    fn of(mut process: Process) -> Self {
        let port = process.told("address=127.0.0.1:");
        Self {
            process,
            address: format!("127.0.0.1:{port}"),
        }
    }

    /// Ends it, and gives its whole log.
    pub(crate) fn end(self) -> String {
        self.process.end()
    }
}

/// The answer to a request, if there is a whole one.
pub(crate) fn try_ask(method: &str, address: &str, path: &str, body: &str) -> Option<Answer> {
    try_ask_within("30", method, address, path, body)
}

/// The same of a client that waits so many seconds.
pub(crate) fn try_ask_within(
    timeout: &str,
    method: &str,
    address: &str,
    path: &str,
    body: &str,
) -> Option<Answer> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         X-Prometheus-Scrape-Timeout-Seconds: {timeout}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let announced = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    // One that was cut off by a kill is none.
    let is_whole = announced.1.parse() == Ok(body.len());
    is_whole.then(|| Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: body.to_owned(),
    })
}
