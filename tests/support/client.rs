//! A client that asks one thing on one connection.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use super::PATIENCE;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let (head, body) = (head.to_owned(), body.to_owned());
        Some(Self { status, head, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub(crate) fn is_whole(&self) -> bool {
        let length = self.header("content-length").unwrap_or("0");
        self.body.len() >= length.parse().unwrap()
    }
}

/// Sends a request after which the server closes the connection. An answer that is cut off is an
/// error.
pub(crate) fn exchange(address: impl ToSocketAddrs, request: &str) -> io::Result<Answer> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let answer = Answer::parse(text.as_bytes()).filter(Answer::is_whole);
    answer.ok_or_else(|| io::Error::other(format!("no whole answer: {text:?}")))
}

/// A request that the server may not answer. `address` is host and port.
pub(crate) fn try_ask(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         {length}{headers}\r\n{body}"
    );
    exchange(address, &request)
}

/// A request without a body.
pub(crate) fn ask(method: &str, address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = try_ask(method, address, path, headers, "");
    answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}
