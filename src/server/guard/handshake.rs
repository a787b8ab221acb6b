//! The beginning of a connection: which protocol, and the TLS handshake.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Guard, Refused};

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 22;

/// What a client gets that speaks HTTP where TLS is expected.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 48\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// What a client gets where HTTP was expected and now nobody knows what is.
const BROKEN: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; \
    charset=utf-8\r\nContent-Length: 56\r\nConnection: close\r\n\r\n\
    The web configuration file cannot be used; see the log.\n";

/// A fatal alert, internal_error: what Go's clients and others can tell from a network that broke.
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// How much more is read of a client that is not served, so that it gets to read why.
const MAX_DRAINED: usize = 64 * 1024;

/// A connection that requests may come over.
pub(in super::super) enum Accepted {
    /// As it came.
    Plain(TcpStream),
    /// With TLS in it.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Brings a connection to where requests may come. `None` if it is to be closed; the client has
/// been told why if that could be.
///
/// May wait for the client for ever: it is the caller who puts an end to that.
pub(in super::super) async fn accept(guard: &Guard, stream: TcpStream) -> Option<Accepted> {
    let tls = guard.tls().await;
    if let Ok(None) = tls {
        return Some(Accepted::Plain(stream));
    }
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    let speaks_tls = first[0] == HANDSHAKE;
    match tls {
        // Of TLS a request can only be the beginning, and rustls would answer it in TLS.
        _ if !speaks_tls && first[0].is_ascii_alphabetic() => {
            let is_tls = matches!(tls, Ok(Some(_))) || guard.speaks_tls();
            dismiss(stream, if is_tls { PLAIN } else { BROKEN }).await;
            None
        }
        Err(Refused) => {
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

/// Says a last word, and reads what the client has sent: closed with bytes unread, the system
/// would reset the connection and the word be lost.
async fn dismiss(mut stream: TcpStream, word: &[u8]) {
    if stream.write_all(word).await.is_err() || stream.shutdown().await.is_err() {
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
    fn the_last_words_have_the_length_that_they_tell() {
        for word in [super::PLAIN, super::BROKEN] {
            let word = std::str::from_utf8(word).unwrap();
            let (head, body) = word.split_once("\r\n\r\n").unwrap();
            let length = format!("Content-Length: {}\r\n", body.len());
            assert!(head.contains(&length), "{} {word}", body.len());
        }
    }
}
