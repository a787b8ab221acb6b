//! The program as a process that does not outlive its test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Answer, ask};
use super::eventually;
use super::samples::Samples;

/// The binary, in a directory of its own and with nothing of the test's environment.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cec_exporter"));
    command.current_dir(directory).env_clear();
    command
}

/// Runs the binary to its end.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Output {
    command(directory).args(arguments).output().unwrap()
}

/// A child that is killed when this is dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process and what it has said so far. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Killed,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            child: Killed(child),
        }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text.lock().unwrap().clone()
    }

    /// A line may be missing that the process has just logged: a thread of its own writes it. After
    /// [`Self::ended`], all are there.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text.lock().unwrap().clone()
    }

    /// Waits for a line of either that holds `mark`, and gives what follows it, up to a blank.
    pub(crate) fn told(&mut self, mark: &str) -> String {
        eventually(mark, || {
            let said = format!("{}{}", self.stdout(), self.stderr());
            if let Some((_, rest)) = said.split_once(mark)
                && let Some(end) = rest.find(char::is_whitespace)
            {
                return Some(rest[..end].to_owned());
            }
            let ended = self.child.0.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?} before {mark:?}: {said}");
            None
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.id();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end, and until all that it wrote has been read.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = eventually("the end of the process", || {
            self.child.0.try_wait().unwrap()
        });
        for lines in [&mut self.stdout, &mut self.stderr] {
            if let Some(reader) = lines.reader.take() {
                reader.join().unwrap();
            }
        }
        status
    }

    /// Ends it as a service manager does. Gives its whole log.
    pub(crate) fn end(mut self) -> String {
        self.signal("TERM");
        assert_eq!(self.ended().code(), Some(0), "{}", self.stderr());
        self.stderr()
    }
}

/// What a process writes, whole lines only.
#[derive(Debug)]
struct Lines {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                *sink.lock().unwrap() += &(line + "\n");
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }
}

/// A target of a configuration; `more` are further keys, such as `lookback: 2h, page_size: 10`.
pub(crate) fn target(name: &str, endpoint: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!("- {{name: {name}, endpoint: \"{endpoint}\"{comma}{more}}}\n")
}

/// A configuration. Nothing holds pulls or requests apart, unless a target says so.
pub(crate) fn configuration(targets: &[String]) -> String {
    format!(
        "defaults:
  app_key: test-key
  app_secret: test-secret
  user_id: test-user
  lookback: 2h
  min_pull_interval: 0s
  max_requests_per_second: 1000
targets:
{}",
        targets.concat()
    )
}

/// Writes the configuration of a program that runs in this directory.
pub(crate) fn configure(directory: &Path, config: &str) {
    std::fs::write(directory.join("cec_exporter.yml"), config).unwrap();
}

/// A directory with this configuration.
pub(crate) fn configured(config: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), config);
    directory
}

/// Any free port of this machine.
pub(crate) const LISTEN: &str = "--web.listen-address=127.0.0.1:0";

/// The program while it serves.
pub(crate) struct Exporter {
    pub(crate) process: Process,
    /// Host and port.
    pub(crate) address: String,
    /// The working directory, if it is to be removed in the end.
    directory: Option<TempDir>,
}

impl Exporter {
    pub(crate) fn start(targets: &[String]) -> Self {
        Self::start_with(&configuration(targets), &[])
    }

    pub(crate) fn start_with(config: &str, flags: &[&str]) -> Self {
        Self::start_in(config, &[], flags)
    }

    /// With these variables as well.
    pub(crate) fn start_in(config: &str, variables: &[(&str, &str)], flags: &[&str]) -> Self {
        Self::in_memory(configured(config), variables, flags)
    }

    /// With these variables and without a file.
    pub(crate) fn start_with_variables(variables: &[(&str, &str)]) -> Self {
        Self::in_memory(tempfile::tempdir().unwrap(), variables, &[])
    }

    fn in_memory(directory: TempDir, variables: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut command = command(directory.path());
        command
            .envs(variables.iter().copied())
            .args(["--storage.in-memory", LISTEN])
            .args(flags);
        Self::spawn(&mut command).keeping(directory)
    }

    /// What this command starts, once it has logged its address.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = Process::spawn(command);
        let port = process.told("address=127.0.0.1:");
        Self {
            process,
            address: format!("127.0.0.1:{port}"),
            directory: None,
        }
    }

    /// The demonstration, with more flags, once it has read its first day.
    pub(crate) fn demo(command: &mut Command, flags: &[&str]) -> Self {
        let mut process = Process::spawn(command.args(["demo", LISTEN]).args(flags));
        let port = process.told("status page: http://localhost:");
        Self {
            process,
            address: format!("127.0.0.1:{}", port.trim_end_matches('/')),
            directory: None,
        }
    }

    /// Removes the directory together with the process.
    pub(crate) fn keeping(self, directory: TempDir) -> Self {
        Self {
            directory: Some(directory),
            ..self
        }
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        let directory = self.directory.as_ref().unwrap();
        directory.path().join("cec_exporter.yml")
    }

    pub(crate) fn configure(&self, config: &str) {
        configure(self.directory.as_ref().unwrap().path(), config);
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask("GET", &self.address, path, &[])
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        ask("POST", &self.address, path, &[])
    }

    /// A scrape that waits for its pull.
    pub(crate) fn scrape(&self) -> Samples {
        scrape(&self.address, 30)
    }

    /// A scrape of a Prometheus with this timeout, in seconds.
    pub(crate) fn scrape_within(&self, timeout: u32) -> Samples {
        scrape(&self.address, timeout)
    }

    /// Scrapes until something is to be seen.
    pub(crate) fn scrape_until(&self, what: &str, seen: impl Fn(&Samples) -> bool) -> Samples {
        eventually(what, || Some(self.scrape()).filter(&seen))
    }

    /// Its log, as soon as that has `part`.
    pub(crate) fn logged(&self, part: &str) -> String {
        eventually(part, || {
            Some(self.process.stderr()).filter(|log| log.contains(part))
        })
    }

    /// Ends it, and gives its whole log.
    pub(crate) fn end(self) -> String {
        self.process.end()
    }
}

/// Whatever state the targets are in, the answer is 200.
pub(crate) fn scrape(address: &str, timeout: u32) -> Samples {
    let timeout = timeout.to_string();
    let headers = [("X-Prometheus-Scrape-Timeout-Seconds", &*timeout)];
    let answer = ask("GET", address, "/metrics", &headers);
    assert_eq!(answer.status, 200, "{}", answer.body);
    Samples::parse(&answer.body)
}

/// A moment, for what cannot be waited for: that something does not happen.
pub(crate) fn a_moment() {
    std::thread::sleep(Duration::from_millis(300));
}
