//! Why a connection failed or broke: host name, route, proxy or TLS, by the error of a library.

use std::error::Error as StdError;
use std::io;
use std::iter;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;

use super::failure::Diagnosis;
use super::private_trust::is_ca_rejection;
use super::redact::Secrets;

/// The configuration keys to check.
#[derive(Clone, Copy)]
pub(super) struct ConfigKeys {
    /// Address of the server or proxy that the client connects to.
    pub(super) peer: &'static str,
    /// Address of the host that presents a certificate.
    pub(super) certificate: &'static str,
}

/// How far a request got.
#[derive(Clone, Copy)]
pub(super) enum Phase {
    Connecting,
    Sent { is_plain_http: bool },
}

/// Whether the peer answered something else than HTTP.
pub(super) fn is_not_http(error: &(dyn StdError + 'static)) -> bool {
    let mut hyper = chain(error).filter_map(|error| error.downcast_ref::<hyper::Error>());
    hyper.any(hyper::Error::is_parse)
}

/// Diagnoses an error of a connection.
pub(super) fn explain(
    error: &(dyn StdError + 'static),
    phase: Phase,
    keys: ConfigKeys,
    secrets: &Secrets,
) -> Diagnosis {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
        PermissionDenied, TimedOut, UnexpectedEof,
    };
    let text = || secrets.redact(&root_cause(error).to_string());
    let peer = keys.peer;
    let mut kind = None;
    for error in chain(error) {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return handshake_failed(tls, keys.certificate);
        }
        // The types of resolver and proxy errors are private, so match their texts. Another tunnel
        // error wraps one that says more.
        match error.to_string().as_str() {
            "dns error" => return unresolved(&text(), peer),
            "tunnel error: proxy authorization required" => return tunnel_refused(true, peer),
            "tunnel error: unsuccessful" => return tunnel_refused(false, peer),
            _ => {}
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            kind = Some(io.kind());
        }
    }
    match (kind, phase) {
        (Some(ConnectionRefused), _) => Diagnosis::about(
            peer,
            "the connection was refused",
            "nothing listens there; check host and port of {key}, and that no firewall rejects it",
        ),
        (Some(NetworkUnreachable | HostUnreachable), _) => Diagnosis::new(
            format!("there is no route to the host of {peer}"),
            "this machine's network is down or has no route there",
        ),
        (Some(PermissionDenied), _) => Diagnosis::new(
            "this machine does not allow the connection",
            "a firewall on this machine, or the sandbox that cec_exporter runs in, forbids it",
        ),
        (Some(TimedOut), _) => unreachable("the connection timed out", peer),
        (_, Phase::Sent { is_plain_http }) => {
            let hint = match is_plain_http {
                true => "; if the port speaks TLS, write https://",
                false => "",
            };
            let cause = "the vendor, or a firewall or proxy on the way, closed it; if it persists, \
                         check scheme and port of {key}";
            let message = "the connection broke before a response arrived";
            Diagnosis::about(peer, message, &(cause.to_owned() + hint))
        }
        (Some(ConnectionReset | ConnectionAborted | UnexpectedEof), _) => Diagnosis::about(
            peer,
            "the connection was closed at once",
            "a firewall on the way closes it, or another service than the vendor's runs there; \
             check scheme, host and port of {key}",
        ),
        _ => Diagnosis::new(
            format!("no connection ({})", text()),
            format!("this machine cannot reach host or port of {peer}"),
        ),
    }
}

/// The resolver found no address. `text` is its error.
pub(super) fn unresolved(text: &str, key: &str) -> Diagnosis {
    Diagnosis::new(
        format!("its host name cannot be resolved ({text})"),
        format!("the host in {key} is misspelled, or this machine's DNS does not work"),
    )
}

/// The peer sent nothing, not even a refusal.
pub(super) fn unreachable(message: &str, key: &str) -> Diagnosis {
    let cause = "a firewall may be dropping packets, or nothing listens there; check host and port \
                 of {key}";
    Diagnosis::about(key, message, cause)
}

fn tunnel_refused(needs_credentials: bool, key: &str) -> Diagnosis {
    match needs_credentials {
        true => Diagnosis::about(
            key,
            "the proxy requires credentials (407)",
            "user or password in {key} is missing or wrong; or the proxy accepts only NTLM or \
             Kerberos, which needs a local proxy that speaks it, such as cntlm",
        ),
        false => Diagnosis::about(
            key,
            "the proxy refused to connect to the vendor",
            "the proxy of {key} does not allow the vendor's host or port, or cannot reach it; see \
             its log",
        ),
    }
}

/// An error and its sources, outermost first.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error = *error;
        // `io::Error::source` skips the error that it wraps.
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// The innermost error, which is the specific one.
pub(super) fn root_cause<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    chain(error).last().unwrap_or(error)
}

fn handshake_failed(error: &rustls::Error, key: &str) -> Diagnosis {
    use rustls::CertificateError as Bad;
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    const EXPIRED: &str = "the vendor has not renewed it, or the clock of this machine is wrong";
    const TOO_NEW: &str = "it is too new, or the clock of this machine is wrong";
    match error {
        InvalidCertificate(Bad::UnknownIssuer) => Diagnosis::new(
            "TLS: the authority that issued its certificate is not trusted",
            "a private authority issued it: add that authority's certificate to ca_file; or a proxy in \
             between presents a certificate of its own",
        ),
        InvalidCertificate(Bad::Expired) => {
            Diagnosis::new("TLS: its certificate has expired", EXPIRED)
        }
        InvalidCertificate(Bad::ExpiredContext { not_after, .. }) => {
            let message = format!("TLS: its certificate expired on {}", date(*not_after));
            Diagnosis::new(message, EXPIRED)
        }
        InvalidCertificate(Bad::NotValidYet) => {
            Diagnosis::new("TLS: its certificate is not valid yet", TOO_NEW)
        }
        InvalidCertificate(Bad::NotValidYetContext { not_before, .. }) => {
            let date = date(*not_before);
            Diagnosis::new(
                format!("TLS: its certificate is not valid before {date}"),
                TOO_NEW,
            )
        }
        InvalidCertificate(Bad::NotValidForNameContext { presented, .. })
            if presented.is_empty() =>
        {
            Diagnosis::new(
                "TLS: its certificate names no host (a common name alone does not count)",
                "the certificate lacks a subjectAltName: have a new one issued",
            )
        }
        InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            Diagnosis::new(
                "TLS: its certificate is for another host name",
                format!("the host name in {key} differs from the one in the certificate"),
            )
        }
        InvalidCertificate(
            Bad::UnsupportedSignatureAlgorithmContext { .. }
            | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => Diagnosis::new(
            "TLS: its certificate has a signature that is no longer accepted, such as SHA-1",
            "the certificate is old or made by old software: have a new one issued, signed with \
             SHA-256",
        ),
        InvalidCertificate(other) => Diagnosis::new(
            match is_ca_rejection(other) {
                true => {
                    "TLS: it presents the certificate of an authority as its server certificate"
                }
                false => "TLS: its certificate was not accepted",
            },
            "it is not a server certificate, or damaged; add a private authority's to ca_file",
        ),
        InvalidMessage(_) => Diagnosis::new(
            "TLS: the server does not speak TLS",
            format!("scheme or port of {key} is wrong"),
        ),
        AlertReceived(alert) => Diagnosis::about(
            key,
            format!("TLS: the server ended the handshake ({alert:?})"),
            "it does not serve the host name in {key}, supports only other versions of TLS, or \
             requires a client certificate",
        ),
        other => Diagnosis::new(
            format!("TLS: the handshake failed ({other})"),
            format!("the server speaks an incompatible TLS; check host and port of {key}"),
        ),
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.to_string()
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError as Bad;
    use rustls::Error::InvalidCertificate;
    use rustls::pki_types::ServerName;

    use super::*;

    fn assert_says(diagnosis: Diagnosis, parts: [&str; 2]) {
        let text = format!(
            "{}; {}",
            diagnosis.message,
            diagnosis.cause.unwrap_or_default()
        );
        for part in parts {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn an_old_certificate_or_proxy_gets_its_remedy() {
        let without_names = Bad::NotValidForNameContext {
            expected: ServerName::try_from("vendor.test").unwrap(),
            presented: Vec::new(),
        };
        let error = InvalidCertificate(without_names);
        assert_says(
            handshake_failed(&error, "endpoint"),
            ["common name", "subjectAltName"],
        );
        let sha1 = Bad::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![1],
            supported_algorithms: Vec::new(),
        };
        let error = InvalidCertificate(sha1);
        assert_says(
            handshake_failed(&error, "endpoint"),
            ["SHA-1", "signed with SHA-256"],
        );
        assert_says(tunnel_refused(true, "proxy_url"), ["NTLM", "cntlm"]);
        assert_says(tunnel_refused(false, "proxy_url"), ["refused", "proxy_url"]);
    }
}
