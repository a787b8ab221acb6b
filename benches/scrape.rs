//! Duration of scrapes of the demo over one keep-alive connection. Few of them wait for a pull.
//!
//! `cargo bench --bench scrape`. The demo and this client share one core.

#[path = "common/spawned.rs"]
mod spawned;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use spawned::Spawned;

const SCRAPES: usize = 2000;
/// Time between two scrapes. With the demo's pull interval, one scrape in two hundred waits for a pull.
const PAUSE: Duration = Duration::from_millis(5);

fn main() {
    // The demo and all threads inherit the affinity.
    let mut core = CpuSet::new();
    core.set(0);
    let pinned = sched_setaffinity(None, &core).is_ok();
    let mut demo = Spawned::start(&["demo", "--web.listen-address", "127.0.0.1:0"]);
    let address = demo.wait_for_line("metrics:");
    let (host, path) = address
        .trim_start_matches("http://")
        .split_once('/')
        .expect("an address with a path");
    let (_, port) = host.split_once(':').expect("a port");
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the demo listens");
    stream.set_nodelay(true).expect("a socket has this option");
    let mut responses = BufReader::new(stream);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut bytes = 0;
    let mut took: Vec<Duration> = (0..SCRAPES)
        .map(|_| {
            sleep(PAUSE);
            let began = Instant::now();
            responses
                .get_mut()
                .write_all(request.as_bytes())
                .expect("the demo is running");
            bytes = read_response(&mut responses);
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    let cores = if pinned { "one core" } else { "all cores" };
    println!("{SCRAPES} scrapes of {bytes} bytes on {cores}");
    for (name, share) in [("median", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("max", 1.0)] {
        let index = ((SCRAPES - 1) as f64 * share) as usize;
        println!("{name:<8} {:>8.3} ms", took[index].as_secs_f64() * 1e3);
    }
}

/// Reads a response and returns the length of its body.
fn read_response(responses: &mut BufReader<TcpStream>) -> usize {
    let mut line = String::new();
    let mut length = None;
    let mut first = true;
    loop {
        line.clear();
        responses.read_line(&mut line).expect("the demo answers");
        if first {
            assert!(line.starts_with("HTTP/1.1 200"), "{line}");
            first = false;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let length = length.expect("Content-Length");
    let mut body = vec![0; length];
    responses.read_exact(&mut body).expect("a complete body");
    length
}
