//! Builds responses.

use std::fmt::Display;

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// The body of a response: always complete, so that the client gets its length.
pub(super) type Body = Bytes;

const TEXT: &str = "text/plain; charset=utf-8";

/// A refusal for now.
pub(super) fn retry_later(reason: &(impl Display + ?Sized)) -> Response<Body> {
    let mut refusal = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    set(&mut refusal, header::RETRY_AFTER, "1");
    refusal
}

/// A response of one line.
pub(super) fn text(status: StatusCode, message: &(impl Display + ?Sized)) -> Response<Body> {
    response(status, TEXT, format!("{message}\n"))
}

pub(super) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    // Names and errors come from outside; a browser must not guess another type.
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// The same response to a HEAD, with the length of the body. Over HTTP/2, hyper would send the body.
pub(super) fn without_body(mut response: Response<Body>) -> Response<Body> {
    let length = std::mem::take(response.body_mut()).len();
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length.into());
    response
}

/// The body, which keeps `guard` until its last byte is written: hyper drops it then.
pub(super) fn guarded(body: Body, guard: impl Send + 'static) -> Body {
    Bytes::from_owner(Guarded {
        body,
        _guard: guard,
    })
}

struct Guarded<G> {
    body: Body,
    _guard: G,
}

impl<G> AsRef<[u8]> for Guarded<G> {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

pub(super) fn set(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
}
