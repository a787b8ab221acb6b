//! The identity of a call.

use std::collections::HashSet;
use std::fmt;

use super::UnixSeconds;

/// The bits of the call's UUID, or a 128-bit hash if the vendor sent another string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u128);

/// A call on disk: upload time and identity, big-endian, so that keys sort by upload time.
pub type CallKey = [u8; 20];

/// A set of calls. The hasher is seeded per process, and faster than the standard library's.
pub type CallSet = HashSet<CallId, CallHasher>;
/// The hasher of every map and set of calls.
pub type CallHasher = hashbrown::DefaultHashBuilder;

/// Namespace of hashed identities, so that they differ from other programs' UUIDs of version 5.
const NAMESPACE: uuid::Uuid = uuid::uuid!("8f2b7f43-5e0c-4e57-9b40-6a1f0f8f5c1e");

impl CallId {
    /// Parses an identity; `None` if the text is blank or a placeholder, which would make one call of
    /// all rows that have it.
    ///
    /// Only the hyphenated form of a UUID is parsed as one. Any other text is hashed (UUID version 5:
    /// SHA-1 truncated to 122 bits), so that two different spellings never become the same call.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if matches!(text, "" | "-") || text.eq_ignore_ascii_case("null") {
            return None;
        }
        let uuid = match text.len() {
            36 => uuid::Uuid::try_parse(text).ok(),
            _ => None,
        };
        let uuid = uuid.unwrap_or_else(|| uuid::Uuid::new_v5(&NAMESPACE, text.as_bytes()));
        Some(Self(uuid.as_u128()))
    }

    /// The key of this call, uploaded at this time.
    pub fn key(self, uploaded: UnixSeconds) -> CallKey {
        let mut key = CallKey::default();
        key[..4].copy_from_slice(&uploaded.to_be_bytes());
        key[4..].copy_from_slice(&self.0.to_be_bytes());
        key
    }

    /// The upload time and the identity in a key.
    pub fn from_key([a, b, c, d, id @ ..]: CallKey) -> (UnixSeconds, Self) {
        let uploaded = UnixSeconds::from_be_bytes([a, b, c, d]);
        (uploaded, Self(u128::from_be_bytes(id)))
    }

    /// The vendor's UUID. `None` for a hash, which means nothing to the vendor. A hash has version 5,
    /// so a vendor's UUID of version 5 gives `None` too.
    pub fn uuid(self) -> Option<impl fmt::Display> {
        let uuid = uuid::Uuid::from_u128(self.0);
        (uuid.get_version_num() != 5).then_some(uuid)
    }

    /// Whether [`CallId::uuid`] gives this text.
    pub fn is_written(self, text: &str) -> bool {
        let uuid = uuid::Uuid::from_u128(self.0);
        let written = uuid.hyphenated();
        let mut buffer = uuid::Uuid::encode_buffer();
        uuid.get_version_num() != 5 && written.encode_lower(&mut buffer) == text
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_u128(self.0))
    }
}
