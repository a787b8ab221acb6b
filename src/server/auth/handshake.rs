//! The start of a connection: detects TLS or plain HTTP, and does the TLS handshake.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::{Authenticator, UNUSABLE};

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 22;

/// A fatal TLS alert, internal_error, which clients distinguish from a broken network.
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// How much is read from a client that is refused, so that it receives the response.
const MAX_DRAINED: usize = 64 * 1024;

/// A connection that is ready for requests: plain, or after the TLS handshake.
type Accepted = Either<TcpStream, TlsStream<TcpStream>>;

/// Prepares a connection for requests. `None` if it is to be closed; the client has got a response
/// if possible.
///
/// It has no time limit of its own.
pub(in super::super) async fn accept(
    authenticator: &Authenticator,
    stream: TcpStream,
) -> Option<Accepted> {
    let Some(tls) = authenticator.tls().await.transpose() else {
        return Some(Either::Left(stream));
    };
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    let speaks_tls = first[0] == HANDSHAKE;
    // rustls would answer a plain request in TLS.
    if !speaks_tls && first[0].is_ascii_alphabetic() {
        let response = match tls.is_ok() || authenticator.speaks_tls() {
            true => http(
                "400 Bad Request",
                "Client sent an HTTP request to an HTTPS server.",
            ),
            false => http("500 Internal Server Error", UNUSABLE),
        };
        dismiss(stream, response.as_bytes()).await;
        return None;
    }
    let Ok(tls) = tls else {
        dismiss(stream, if speaks_tls { ALERT } else { b"" }).await;
        return None;
    };
    match TlsAcceptor::from(tls).accept(stream).await {
        Ok(stream) => Some(Either::Right(stream)),
        Err(error) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
    }
}

/// A response to a request that is not read.
fn http(status: &str, message: &str) -> String {
    let length = message.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{message}\n"
    )
}

/// Sends a final response, then reads what the client has sent: closing a socket with unread bytes
/// resets the connection, and the response would be lost.
async fn dismiss(mut stream: TcpStream, response: &[u8]) {
    if stream.write_all(response).await.is_err() || stream.shutdown().await.is_err() {
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
