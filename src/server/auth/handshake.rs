//! The start of a connection: detects TLS or plain HTTP, and does the TLS handshake.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Authenticator, Unusable};

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 22;

/// The answer to plain HTTP if TLS is expected.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 48\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// The answer to plain HTTP if the web configuration cannot be used.
const BROKEN: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; \
    charset=utf-8\r\nContent-Length: 56\r\nConnection: close\r\n\r\n\
    The web configuration file cannot be used; see the log.\n";

/// A fatal TLS alert, internal_error, which clients distinguish from a broken network.
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// How much is read from a client that is refused, so that it receives the answer.
const MAX_DRAINED: usize = 64 * 1024;

/// A connection that is ready for requests.
pub(in super::super) enum Accepted {
    /// Without TLS.
    Plain(TcpStream),
    /// After the TLS handshake.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Prepares a connection for requests. `None` if it is to be closed; the client has got an answer
/// if possible.
///
/// It has no time limit of its own.
pub(in super::super) async fn accept(
    authenticator: &Authenticator,
    stream: TcpStream,
) -> Option<Accepted> {
    let tls = authenticator.tls().await;
    if let Ok(None) = tls {
        return Some(Accepted::Plain(stream));
    }
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    let speaks_tls = first[0] == HANDSHAKE;
    match tls {
        // rustls would answer a plain request in TLS.
        _ if !speaks_tls && first[0].is_ascii_alphabetic() => {
            let is_tls = matches!(tls, Ok(Some(_))) || authenticator.speaks_tls();
            dismiss(stream, if is_tls { PLAIN } else { BROKEN }).await;
            None
        }
        Err(Unusable) => {
            dismiss(stream, if speaks_tls { ALERT } else { b"" }).await;
            None
        }
        Ok(Some(tls)) => match TlsAcceptor::from(tls).accept(stream).await {
            Ok(stream) => Some(Accepted::Tls(Box::new(stream))),
            Err(error) => {
                tracing::debug!(%error, "TLS handshake failed");
                None
            }
        },
        Ok(None) => None,
    }
}

/// Sends a final answer, then reads what the client has sent: closing a socket with unread bytes
/// resets the connection, and the answer would be lost.
async fn dismiss(mut stream: TcpStream, answer: &[u8]) {
    if stream.write_all(answer).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut buffer = [0; 4096];
    let mut drained = 0;
    while drained < MAX_DRAINED {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => drained += read,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answers_have_the_length_that_they_declare() {
        for word in [super::PLAIN, super::BROKEN] {
            let word = std::str::from_utf8(word).unwrap();
            let (head, body) = word.split_once("\r\n\r\n").unwrap();
            let length = format!("Content-Length: {}\r\n", body.len());
            assert!(head.contains(&length), "{} {word}", body.len());
        }
    }
}
