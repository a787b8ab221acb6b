//! Clients that take all they can get of a real exporter, while Prometheus goes on scraping it.
//!
//! Over loopback, and bounded: some thousands of connections and some megabytes.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::client::ask;
use crate::support::process::{Exporter, LISTEN, configuration, configured, target};
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::wait_until;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the exporter may grow by, whatever clients do. All its connections together may hold
/// 8 MiB of headers; the rest is for what sockets, tasks and the allocator keep.
const MAX_GROWTH: usize = 64 << 20;

/// An exporter that may have only so many files open.
fn start(vendor: &SimulatedVendor, files: u32) -> Exporter {
    start_with(vendor, files, None)
}

/// With this web configuration.
fn start_with(vendor: &SimulatedVendor, files: u32, web: Option<&str>) -> Exporter {
    let targets = [target("a", &vendor.endpoint, "min_pull_interval: 1h")];
    let directory = configured(&configuration(&targets));
    let web = web.map_or("", |web| {
        std::fs::write(directory.path().join("web.yml"), web).unwrap();
        "--web.config.file=web.yml"
    });
    let program = env!("CARGO_BIN_EXE_cec_exporter");
    let script = format!("ulimit -n {files} && exec {program} --storage.in-memory {LISTEN} {web}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(directory.path());
    Exporter::spawn(&mut command).keeping(directory)
}

/// Bytes of memory that the process has in use.
fn memory(exporter: &Exporter) -> usize {
    let status = format!("/proc/{}/status", exporter.process.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: usize = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kilobytes * 1024
}

/// A connection on which the server's silence does not hold up the test.
fn connect(exporter: &Exporter) -> TcpStream {
    let stream = TcpStream::connect(&exporter.address).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// Sends as much as the other side takes without being waited for; `false` once it has closed.
fn push(mut stream: &TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
    true
}

/// How many connections the test may have besides what it needs for itself.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let files = limit.maximum.map_or(2000, |files| files.min(2000));
    usize::try_from(files).unwrap() - 300
}

/// What each kind of client does with its connections.
fn attack(exporter: &Exporter, connections: usize, scrapes: &AtomicUsize, most: &mut usize) {
    let mut look = |_: &[TcpStream]| {
        *most = memory(exporter).max(*most);
        // Not before some scrapes have been answered with all that there is now.
        let before = scrapes.load(Ordering::SeqCst);
        wait_until("scrapes go on", || {
            scrapes.load(Ordering::SeqCst) >= before + 3
        });
        *most = memory(exporter).max(*most);
    };
    let open = |count: usize, bytes: &[u8]| -> Vec<TcpStream> {
        let each = (0..count).map(|_| {
            let stream = connect(exporter);
            push(&stream, bytes);
            stream
        });
        each.collect()
    };
    let head = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n";

    let idle = open(connections, b"");
    look(&idle);

    let half = format!("{head}X-Slow: {}", "x".repeat(12 * 1024));
    let slow = open(connections / 2, half.as_bytes());
    look(&slow);
    for stream in &slow {
        push(stream, b"x");
    }
    look(&slow);
    drop((idle, slow));

    let endless = format!("{head}X-Long: {}", "x".repeat(1 << 20));
    let many = format!("{head}{}", "A: b\r\n".repeat(100_000));
    for bytes in [endless, many] {
        look(&open(connections / 8, bytes.as_bytes()));
    }

    // Answers that nobody takes, with garbage behind.
    let page = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000) + "\0\x16\x03garbage\r\n\r\n";
    look(&open(connections / 8, page.as_bytes()));

    let bodies = [
        "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        "POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    ];
    for head in bodies {
        let body = format!("{head}{}", "x".repeat(1 << 20));
        look(&open(connections / 8, body.as_bytes()));
    }
}

fn hold_against_all(files: u32) {
    let vendor = SimulatedVendor::frozen(settled(1000));
    let exporter = start(&vendor, files);
    let first = exporter.scrape();
    assert_eq!(first.one("cec_up", &[]), 1.0);
    let calm = memory(&exporter);
    let (stop, scrapes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut most = calm;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each is answered, over a connection of its own and at once, as Prometheus asks for.
            while !stop.load(Ordering::SeqCst) {
                let samples = exporter.scrape_within(10);
                assert_eq!(samples.one("cec_up", &[]), 1.0);
                scrapes.fetch_add(1, Ordering::SeqCst);
            }
        });
        let connections = room();
        assert!(connections > 2 * 512, "too few files for this test");
        let attacked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            attack(&exporter, connections, &scrapes, &mut most);
        }));
        stop.store(true, Ordering::SeqCst);
        if let Err(panic) = attacked {
            std::panic::resume_unwind(panic);
        }
    });
    let growth = most - calm;
    eprintln!(
        "{} scrapes, {calm} bytes, {growth} more",
        scrapes.into_inner()
    );
    assert!(growth < MAX_GROWTH, "{calm} bytes grew by {growth}");
    assert_eq!(exporter.get("/").status, 200);
    let log = exporter.end();
    assert!(log.len() < 10_000, "clients fill the log: {log}");
}

#[test]
fn more_connections_than_there_is_room_for() {
    hold_against_all(4096);
}

#[test]
fn more_connections_than_the_process_may_have_files() {
    hold_against_all(128);
}

/// How many of these have been answered 200.
fn answered(clients: &[TcpStream]) -> usize {
    let is_answered = |client: &&TcpStream| {
        let mut begin = [0; 12];
        matches!(client.peek(&mut begin), Ok(12)) && begin == *b"HTTP/1.1 200"
    };
    clients.iter().filter(is_answered).count()
}

/// How many of these have neither an answer nor been closed.
fn still_waiting(clients: &[TcpStream]) -> usize {
    let waits = |client: &&TcpStream| {
        let seen = client.peek(&mut [0; 1]);
        seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    clients.iter().filter(waits).count()
}

/// Patient clients, as many as there may be connections and more, while the vendor hangs.
#[test]
fn waiting_scrapes_leave_room_for_everybody_else() {
    const CLIENTS: usize = 600;
    const WAITING: usize = 64;
    let vendor = SimulatedVendor::frozen(settled(1000));
    let exporter = start(&vendor, 4096);
    assert_eq!(exporter.get("/").status, 200);
    assert!(room() > CLIENTS, "too few files for this test");
    let calm = memory(&exporter);
    let held = vendor.simulator.world();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\
        X-Prometheus-Scrape-Timeout-Seconds: 600\r\n\r\n";
    let clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let stream = connect(&exporter);
            push(&stream, request.as_bytes());
            stream
        })
        .collect();
    wait_until("those that need not wait are answered", || {
        let health = exporter.get("/-/healthy");
        assert_eq!(health.status, 200, "{}", health.body);
        still_waiting(&clients) <= WAITING
    });
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(exporter.get(path).status, 200);
    }
    let samples = exporter.scrape_within(10);
    assert!(samples.has("cec_window_seconds", &[("target", "a")]));
    assert_eq!(still_waiting(&clients), WAITING, "the others wait");
    // For each connection above the limit one may have had to go that was silent so far.
    let most_gone = CLIENTS + 64 - 512;
    assert!(answered(&clients) >= CLIENTS - WAITING - most_gone);
    let growth = memory(&exporter).saturating_sub(calm);
    assert!(growth < MAX_GROWTH, "{calm} bytes grew by {growth}");
    drop(held);
    wait_until("the others are answered", || still_waiting(&clients) == 0);
    assert!(answered(&clients) >= CLIENTS - most_gone);
}

/// Passwords that are not remembered yet, beside many that are guessed from the same address.
#[test]
fn guessers_lock_nobody_out() {
    const GUESSERS: usize = 40;
    const USERS: usize = 5;
    let user = |n| {
        format!(
            "  user{n}: {}\n",
            bcrypt::hash(format!("right{n}"), 6).unwrap()
        )
    };
    let users: String = (0..USERS).map(user).collect();
    let vendor = SimulatedVendor::frozen(settled(10));
    let web = format!("basic_auth_users:\n{users}");
    let exporter = start_with(&vendor, 4096, Some(&web));
    let ask_as = |name: &str, password: &str| {
        let pair = BASE64_STANDARD.encode(format!("{name}:{password}"));
        let headers = [("Authorization", &*format!("Basic {pair}"))];
        ask("GET", &exporter.address, "/-/healthy", &headers).status
    };
    let (stop, guesses) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let stopping = Stop(&stop);
        for guesser in 0..GUESSERS {
            let (stop, guesses, ask_as) = (&stop, &guesses, &ask_as);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let guess = guesses.fetch_add(1, Ordering::SeqCst);
                    let name = format!("user{}", guesser % USERS);
                    let status = ask_as(&name, &format!("wrong{guess}"));
                    assert!([401, 503].contains(&status), "{status}");
                }
            });
        }
        wait_until("all guess", || {
            guesses.load(Ordering::SeqCst) > 2 * GUESSERS
        });
        let right: Vec<u16> = (0..USERS)
            .map(|n| ask_as(&format!("user{n}"), &format!("right{n}")))
            .collect();
        drop(stopping);
        assert_eq!(right, [200; USERS]);
    });
}

/// Ends the guessing however the test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Bytes of the exporter's answers that its kernel keeps for this client.
fn queued(exporter: &Exporter, client: &TcpStream) -> usize {
    let port = |address: &str| usize::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    let client = usize::from(client.local_addr().unwrap().port());
    let server = exporter.address.rsplit_once(':').unwrap().1;
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queue = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = port(fields[1]) == server.parse().ok() && port(fields[2]) == Some(client);
        let (sent, _) = is_it.then(|| fields[4].split_once(':'))??;
        usize::from_str_radix(sent, 16).ok()
    });
    queue.expect("the connection is open")
}

#[test]
fn few_answers_wait_for_a_client_that_takes_none() {
    let vendor = SimulatedVendor::frozen(settled(1000));
    let exporter = start(&vendor, 4096);
    let client = connect(&exporter);
    push(
        &client,
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2000).as_bytes(),
    );
    let (mut before, mut unchanged) = (0, 0);
    wait_until("no more is sent", || {
        let now = queued(&exporter, &client);
        unchanged = if now == before { unchanged + 1 } else { 0 };
        before = now;
        now > 0 && unchanged == 25
    });
    assert!(before < 1 << 20, "{before} bytes are queued");
}
