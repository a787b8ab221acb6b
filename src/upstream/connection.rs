//! The HTTP client underneath: TLS, trust, proxy, pool.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::{BuildError, ClientSettings};

/// Below the minute after which load balancers drop idle connections, so that this side does.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// The share of a request's time that connecting may take. Less than all of it, so that a
/// connection that does not come is told apart from an answer that does not.
const CONNECTING: f64 = 0.9;

/// A client for one target. Blocks for as long as reading the certificates takes.
pub(super) fn client(settings: &ClientSettings) -> Result<reqwest::Client, BuildError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cec_exporter/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls(settings.ca_file.as_deref())?)
        // Not HTTP/2: all requests would share one connection, and when that one dies silently
        // each of them runs into its timeout until the kernel gives the connection up.
        .http1_only()
        // A key must not follow a redirect to wherever it leads.
        .redirect(reqwest::redirect::Policy::none())
        // Retries that are not decided here would escape the pace and the counters.
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(settings.request_timeout.mul_f64(CONNECTING))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(settings.max_concurrent_requests);
    if let Some(url) = &settings.proxy_url {
        if !matches!(url.scheme(), "http" | "https") {
            let reason = format!("expected http or https, not {}", url.scheme());
            return Err(BuildError::setting("proxy_url", reason));
        }
        // The client's own text may hold the address, and that a password.
        let proxy = reqwest::Proxy::all(url.clone())
            .map_err(|_| BuildError::setting("proxy_url", "this is no address of a proxy"))?;
        builder = builder.proxy(proxy);
    }
    builder
        .build()
        .map_err(|error| BuildError::Client(error.without_url().to_string()))
}

/// Whom to trust, and how to speak to them. Blocks like [`client`].
pub(super) fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, BuildError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        // An image with nothing but this program in it has no certificates.
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    // The provider is named here: a process-wide default would have to be installed first by
    // everyone who uses this, each test included.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), BuildError> {
    let refuse =
        |reason: String| BuildError::setting("ca_file", format!("{}: {reason}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let mut found = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refuse(format!("not PEM: {error}")))?;
        found += 1;
        roots
            .add(certificate)
            .map_err(|error| refuse(format!("certificate {found} cannot be trusted: {error}")))?;
    }
    match found {
        0 => Err(refuse("no certificate in it; PEM is expected".into())),
        _ => Ok(()),
    }
}
