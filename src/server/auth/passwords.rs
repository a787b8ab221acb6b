//! Checks passwords. bcrypt is slow by design, so right passwords are remembered, and only one is
//! checked at a time.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;

use super::credentials::Credentials;
use super::queue::{Peer, Queue};
use crate::config::Secret;

/// How many right passwords are remembered. Wrong ones are not: guesses would push out the right
/// ones.
const REMEMBERED: usize = 256;

/// Checked for an unknown user, so that the response takes about as long. It has the cost of the
/// examples of htpasswd and the exporter-toolkit, and not that of the most expensive user: that
/// would make invented names the cheapest way to keep the machine busy.
const DUMMY_HASH: &str = "$2b$10$.....................................................";

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PasswordCheck {
    Right,
    Wrong,
    /// Too many passwords are waiting to be checked.
    Busy,
}

pub(super) struct Passwords {
    /// New in every process, so that a memory dump does not allow guessing elsewhere. Without
    /// random numbers nothing is remembered.
    key: Option<hmac::Key>,
    /// Right passwords, the oldest in front: few enough to be searched one by one.
    right: Mutex<VecDeque<Digest>>,
    queue: Arc<Queue>,
}

type Digest = [u8; 32];

fn remember(right: &mut VecDeque<Digest>, digest: Digest) {
    if right.contains(&digest) {
        return;
    }
    if right.len() == REMEMBERED {
        right.pop_front();
    }
    right.push_back(digest);
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok(),
            right: Mutex::default(),
            queue: Arc::default(),
        }
    }
}

impl Passwords {
    /// Whether `credentials` are those of one of `users`, given with their bcrypt hashes.
    pub(super) async fn check(
        self: &Arc<Self>,
        users: &BTreeMap<String, Secret>,
        credentials: Credentials,
        peer: IpAddr,
    ) -> PasswordCheck {
        let name = std::str::from_utf8(&credentials.name).ok();
        let known = name.and_then(|name| users.get(name));
        let is_known = known.is_some();
        let hash = known.map_or(DUMMY_HASH, Secret::expose).to_owned();
        let digest = self.digest(&[&credentials.name, hash.as_bytes(), &credentials.password]);
        if let Some(digest) = digest
            && is_known
            && self.right.lock().contains(&digest)
        {
            return PasswordCheck::Right;
        }
        // One at a time leaves the other processors to the scrapes.
        let peer = Peer::of(peer);
        let Some(turn) = self.queue.turn(peer).await else {
            return PasswordCheck::Busy;
        };
        let passwords = Arc::clone(self);
        let checked = tokio::task::spawn_blocking(move || {
            // The turn is held until the end, even if the client has left.
            let matches = bcrypt::verify(&credentials.password, &hash).unwrap_or(false);
            let is_right = matches && is_known;
            if is_right && let Some(digest) = digest {
                remember(&mut passwords.right.lock(), digest);
            }
            turn.used(peer, is_right);
            is_right
        })
        .await;
        match checked {
            Ok(true) => PasswordCheck::Right,
            _ => PasswordCheck::Wrong,
        }
    }

    fn digest(&self, parts: &[&[u8]]) -> Option<Digest> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in parts {
            // The length separates the parts.
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Users = BTreeMap<String, Secret>;

    fn users(users: &[(&str, &str)]) -> Users {
        let hashed = |(name, password): &(&str, &str)| {
            let hash = bcrypt::hash(password, 4).unwrap();
            ((*name).to_owned(), Secret::new(hash))
        };
        users.iter().map(hashed).collect()
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials {
            name: name.into(),
            password: password.into(),
        }
    }

    async fn assert_check(
        passwords: &Arc<Passwords>,
        users: &Users,
        pair: (&str, &str),
        expected: PasswordCheck,
    ) {
        let credentials = credentials(pair.0, pair.1);
        let check = passwords.check(users, credentials, PEER).await;
        assert_eq!(check, expected, "{pair:?}");
    }

    #[tokio::test]
    async fn right_ones_are_remembered_and_wrong_ones_are_not() {
        let passwords = Arc::<Passwords>::default();
        let first = users(&[("alice", "one"), ("bob", "two")]);
        for _ in 0..2 {
            for pair in [("alice", "two"), ("bob", "one"), ("eve", "one"), ("", "")] {
                assert_check(&passwords, &first, pair, PasswordCheck::Wrong).await;
            }
            assert_check(&passwords, &first, ("alice", "one"), PasswordCheck::Right).await;
            assert_eq!(passwords.right.lock().len(), 1);
        }
        // Remembered, it needs no turn.
        let _held = passwords.queue.turn(Peer::of(PEER)).await;
        assert_check(&passwords, &first, ("alice", "one"), PasswordCheck::Right).await;
    }

    #[tokio::test]
    async fn a_changed_hash_is_not_the_remembered_one() {
        let passwords = Arc::<Passwords>::default();
        let old = users(&[("alice", "one")]);
        assert_check(&passwords, &old, ("alice", "one"), PasswordCheck::Right).await;
        let new = users(&[("alice", "two")]);
        assert_check(&passwords, &new, ("alice", "one"), PasswordCheck::Wrong).await;
        assert_check(&passwords, &new, ("alice", "two"), PasswordCheck::Right).await;
        let gone = users(&[("bob", "two")]);
        assert_check(&passwords, &gone, ("alice", "two"), PasswordCheck::Wrong).await;
    }

    #[test]
    fn an_unknown_name_has_a_fixed_cost() {
        let parts: bcrypt::HashParts = DUMMY_HASH.parse().unwrap();
        assert_eq!(parts.get_cost(), 10);
        // It is worked through, and not turned down for its looks.
        assert!(bcrypt::verify("", DUMMY_HASH).is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut right = VecDeque::new();
        for n in 0..10_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&(n % 1000).to_le_bytes());
            remember(&mut right, digest);
            remember(&mut right, digest);
            assert_eq!(right.len(), REMEMBERED.min(n as usize + 1));
            assert_eq!(right.back(), Some(&digest));
        }
    }
}
