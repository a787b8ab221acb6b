//! Why no answer came at all: from the error of a connection to words.

use std::error::Error as StdError;
use std::io;
use std::iter;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;

use super::failure::Diagnosis;

/// The keys of the configuration that can be to blame.
#[derive(Clone, Copy)]
pub(super) struct ConfigKeys {
    /// Whom the connection is made to.
    pub(super) peer: &'static str,
    /// Who shows a certificate.
    pub(super) certificate: &'static str,
}

/// What an error of a connection means. `connecting`: it broke before anything was sent. `quote`
/// makes text of others fit to be shown, `not_http` tells what an answer means that is no HTTP.
pub(super) fn explain(
    error: &(dyn StdError + 'static),
    connecting: bool,
    blame: ConfigKeys,
    quote: &dyn Fn(&str) -> String,
    not_http: impl FnOnce() -> Diagnosis,
) -> Diagnosis {
    let text = || quote(&root(error).to_string());
    let peer = blame.peer;
    match cause(error) {
        Cause::NotHttp => not_http(),
        Cause::Tls(error) => untrusted(&error, blame.certificate),
        Cause::Dns => unresolved(&text(), peer),
        Cause::Proxy { wants_credentials } => refused_tunnel(wants_credentials, peer),
        Cause::Io(io::ErrorKind::ConnectionRefused) => Diagnosis::new(
            "the connection was refused",
            format!(
                "nothing listens there; check host and port of {peer}, and that no firewall refuses"
            ),
        ),
        Cause::Io(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
            Diagnosis::new(
                format!("there is no route to the host of {peer}"),
                "this machine's network is down or lacks a route there",
            )
        }
        Cause::Io(io::ErrorKind::PermissionDenied) => Diagnosis::new(
            "this machine does not allow the connection",
            "a firewall on this machine, or the sandbox that cec_exporter runs in, forbids it",
        ),
        Cause::Io(io::ErrorKind::TimedOut) => silent("no connection came", peer),
        Cause::Io(_) | Cause::Other if !connecting => Diagnosis::new(
            "the connection broke before an answer came",
            format!(
                "the vendor, or a firewall or proxy on the way, closed it; if it stays, check \
                 scheme and port of {peer}"
            ),
        ),
        Cause::Io(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof,
        ) => Diagnosis::new(
            "the connection was closed at once",
            format!(
                "a firewall on the way ends it, or something else than the vendor answers there; \
                 check scheme, host and port of {peer}"
            ),
        ),
        Cause::Io(_) | Cause::Other => Diagnosis::new(
            format!("no connection ({})", text()),
            format!("host or port of {peer} cannot be reached from this machine"),
        ),
    }
}

/// A name without an address. `text` is what the resolver said.
pub(super) fn unresolved(text: &str, key: &str) -> Diagnosis {
    Diagnosis::new(
        format!("its host name cannot be resolved ({text})"),
        format!("the host in {key} is misspelled, or this machine's DNS does not work"),
    )
}

/// Nobody answers, not even with a refusal.
pub(super) fn silent(what: &str, key: &str) -> Diagnosis {
    Diagnosis::new(
        what,
        format!(
            "a firewall may be dropping packets, or nothing answers there; check host and port of \
             {key}"
        ),
    )
}

/// A proxy that does not let a TLS connection through.
fn refused_tunnel(wants_credentials: bool, key: &str) -> Diagnosis {
    match wants_credentials {
        true => Diagnosis::new(
            "the proxy wants credentials (407)",
            format!(
                "user or password in {key} is missing or wrong; or the proxy takes only NTLM or \
                 Kerberos, which needs a local proxy that speaks it, such as cntlm"
            ),
        ),
        false => Diagnosis::new(
            "the proxy refused to connect to the vendor",
            format!(
                "the proxy of {key} does not allow the vendor's host or port, or cannot reach it; \
                 its log says which"
            ),
        ),
    }
}

enum Cause {
    Tls(rustls::Error),
    NotHttp,
    Dns,
    Proxy { wants_credentials: bool },
    Io(io::ErrorKind),
    Other,
}

fn cause(error: &(dyn StdError + 'static)) -> Cause {
    let mut cause = Cause::Other;
    for error in causes(error) {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Cause::Tls(tls.clone());
        }
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
        {
            return Cause::NotHttp;
        }
        // Errors of the resolver and of proxies have no types of their own that could be seen
        // from here.
        let text = error.to_string();
        if text == "dns error" {
            return Cause::Dns;
        }
        if let Some(tunnel) = text.strip_prefix("tunnel error: ") {
            match tunnel {
                "proxy authorization required" => {
                    return Cause::Proxy {
                        wants_credentials: true,
                    };
                }
                "unsuccessful" => {
                    return Cause::Proxy {
                        wants_credentials: false,
                    };
                }
                // What is inside tells more.
                _ => {}
            }
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            cause = Cause::Io(io.kind());
        }
    }
    cause
}

/// An error and all that it was made of, outermost first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error = *error;
        // `io::Error` gives the source of what it holds, and leaves out what it holds.
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(held) => Some(held as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// The innermost error: those around it only say that something went wrong, and where.
pub(super) fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    causes(error).last().unwrap_or(error)
}

/// Why a TLS handshake failed.
fn untrusted(error: &rustls::Error, key: &str) -> Diagnosis {
    use rustls::CertificateError as Bad;
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    const CLOCK: &str = "or the clock of this machine is wrong";
    match error {
        InvalidCertificate(Bad::UnknownIssuer) => Diagnosis::new(
            "TLS: its certificate comes from an authority that is not trusted here",
            "the authority is a private one: name its certificate in ca_file; or something on the \
             way shows a certificate of its own",
        ),
        InvalidCertificate(Bad::Expired) => Diagnosis::new(
            "TLS: its certificate has expired",
            format!("the vendor has not renewed it, {CLOCK}"),
        ),
        InvalidCertificate(Bad::ExpiredContext { not_after, .. }) => Diagnosis::new(
            format!("TLS: its certificate has expired on {}", date(*not_after)),
            format!("the vendor has not renewed it, {CLOCK}"),
        ),
        InvalidCertificate(Bad::NotValidYet) => Diagnosis::new(
            "TLS: its certificate is not valid yet",
            format!("it is too new, {CLOCK}"),
        ),
        InvalidCertificate(Bad::NotValidYetContext { not_before, .. }) => Diagnosis::new(
            format!(
                "TLS: its certificate is not valid before {}",
                date(*not_before)
            ),
            format!("it is too new, {CLOCK}"),
        ),
        InvalidCertificate(Bad::NotValidForNameContext { presented, .. })
            if presented.is_empty() =>
        {
            Diagnosis::new(
                "TLS: its certificate names no host (a common name alone does not count)",
                "the certificate is made the old way: have one made with a subjectAltName",
            )
        }
        InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            Diagnosis::new(
                "TLS: its certificate is for another host name",
                format!("{key} names the host otherwise than its certificate does"),
            )
        }
        InvalidCertificate(
            Bad::UnsupportedSignatureAlgorithmContext { .. }
            | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => Diagnosis::new(
            "TLS: its certificate is signed in a way that is no longer accepted, such as SHA-1",
            "the certificate is old or made by old software: have a new one made, signed with \
             SHA-256",
        ),
        InvalidCertificate(other) => Diagnosis::new(
            match is_authority(other) {
                true => "TLS: it shows the certificate of an authority as its own",
                false => "TLS: its certificate was not accepted",
            },
            "it is not made for a server, or damaged; a private authority's belongs into ca_file",
        ),
        InvalidMessage(_) => Diagnosis::new(
            "TLS: what answers there does not speak it",
            format!("scheme or port of {key} is wrong"),
        ),
        AlertReceived(alert) => Diagnosis::new(
            format!("TLS: the other side ended the handshake ({alert:?})"),
            format!(
                "it does not serve the host name in {key}, speaks only other versions of TLS, or \
                 wants a client certificate"
            ),
        ),
        other => Diagnosis::new(
            format!("TLS: the handshake failed ({other})"),
            format!("what answers there speaks another TLS; check host and port of {key}"),
        ),
    }
}

fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Whether a certificate was refused for being an authority's, which has no variant of its own.
fn is_authority(error: &rustls::CertificateError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}
