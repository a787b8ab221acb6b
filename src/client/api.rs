//! The vendor's APIs: where each is, and how metrics call it.

use url::Url;

use crate::config::{Proxy, Target};

/// Path of the list of calls, from the vendor's documentation.
const DETAILS_PATH: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
/// Path of the inspection result of a call: documented below another service than the list.
const CREDIT_PATH: &str = "/apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit";

/// An API. `Display` gives the label `api`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Api {
    Token,
    /// The list of calls.
    Details,
    /// The inspection result of a call.
    Credit,
}

impl Api {
    /// In the order of the exposition.
    pub const ALL: [Self; 3] = [Self::Credit, Self::Details, Self::Token];

    /// Those that a target uses, depending on whether it reads inspection results.
    pub fn in_use(with_results: bool) -> &'static [Self] {
        &Self::ALL[usize::from(!with_results)..]
    }

    pub(super) fn url(self, target: &Target) -> Url {
        match self {
            Self::Token => target.token_endpoint.clone(),
            Self::Details => target.url(DETAILS_PATH),
            Self::Credit => target.url(CREDIT_PATH),
        }
    }

    /// The label `api`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Details => "details",
            Self::Credit => "credit",
        }
    }

    /// The configuration key that determines its URL.
    pub(super) fn endpoint_key(self, target: &Target) -> &'static str {
        match self {
            Self::Token if target.has_own_token_endpoint() => "token_endpoint",
            Self::Token | Self::Details | Self::Credit => "endpoint",
        }
    }

    pub(super) fn proxy(self, target: &Target) -> Option<&Proxy> {
        match self {
            Self::Token => target.token_proxy.as_ref(),
            Self::Details | Self::Credit => target.proxy.as_ref(),
        }
    }
}
