//! Whether a password is right: slow by intent, so remembered, and only one at a time.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ring::hmac;
use ring::rand::SystemRandom;

use super::Rules;
use super::credentials::Credentials;
use super::queue::{Peer, Queue};

/// How many right ones are remembered. Wrong ones are not: whoever tries many would push the right
/// ones out.
const REMEMBERED: usize = 256;

/// Compared with the password of a user that there is not, so that the answer takes about as long.
/// Its cost is that of htpasswd's and the toolkit's examples, whatever the dearest user costs:
/// otherwise names that are made up would be the cheapest way to keep the machine busy.
const DUMMY_HASH: &str = "$2b$10$.....................................................";

/// What comes of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// There are too many to check.
    Busy,
}

#[derive(Debug)]
pub(super) struct Passwords {
    /// New in every process, so that what is remembered is of no use to anybody.
    key: hmac::Key,
    right: Mutex<Remembered>,
    queue: Arc<Queue>,
}

type Digest = [u8; 32];

#[derive(Default, Debug)]
struct Remembered {
    set: HashSet<Digest>,
    /// The oldest in front.
    order: VecDeque<Digest>,
}

impl Remembered {
    fn insert(&mut self, digest: Digest) {
        if self.set.insert(digest) {
            self.order.push_back(digest);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.set.remove(&oldest);
            }
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            key: random_key(),
            right: Mutex::default(),
            queue: Arc::default(),
        }
    }
}

fn random_key() -> hmac::Key {
    let random = SystemRandom::new();
    hmac::Key::generate(hmac::HMAC_SHA256, &random).unwrap_or_else(|_| {
        // Without the system's random numbers there is no TLS either; std's are taken from there
        // too, once in a process.
        let seed: Vec<u8> = (0..8_u64)
            .flat_map(|n| {
                use std::hash::BuildHasher;
                std::hash::RandomState::new().hash_one(n).to_le_bytes()
            })
            .collect();
        hmac::Key::new(hmac::HMAC_SHA256, &seed)
    })
}

impl Passwords {
    /// Whether `credentials` are those of a user.
    ///
    /// A name that is unknown takes as long as one that is known with a hash of the usual cost.
    pub(super) async fn check(
        self: &Arc<Self>,
        rules: &Rules,
        credentials: Credentials,
        peer: IpAddr,
    ) -> Verdict {
        let name = std::str::from_utf8(&credentials.name).ok();
        let known = name.and_then(|name| rules.users.get(name));
        let is_known = known.is_some();
        let hash = known.map_or(DUMMY_HASH, String::as_str).to_owned();
        let digest = self.digest(&[&credentials.name, hash.as_bytes(), &credentials.password]);
        if is_known && self.right().set.contains(&digest) {
            return Verdict::Right;
        }
        // One at a time leaves the other cores to the scrapes.
        let Some(turn) = self.queue.turn(Peer::of(peer)).await else {
            return Verdict::Busy;
        };
        let passwords = Arc::clone(self);
        let checked = tokio::task::spawn_blocking(move || {
            // Until it is done, also if the client has left.
            let _turn = turn;
            let is_right =
                bcrypt::verify(&credentials.password, &hash).unwrap_or(false) && is_known;
            if is_right {
                passwords.right().insert(digest);
            }
            is_right
        })
        .await;
        match checked {
            Ok(true) => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }

    fn right(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            // With its length, so that no other parts give the same bytes.
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let tag = context.sign();
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(users: &[(&str, &str, u32)]) -> Rules {
        let hashed = |(name, password, cost): &(&str, &str, u32)| {
            let hash = bcrypt::hash(password, *cost).unwrap();
            ((*name).to_owned(), hash)
        };
        Rules {
            users: users.iter().map(hashed).collect(),
            ..Rules::default()
        }
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials {
            name: name.into(),
            password: password.into(),
        }
    }

    async fn check(passwords: &Arc<Passwords>, rules: &Rules, pair: (&str, &str)) -> Verdict {
        passwords
            .check(rules, credentials(pair.0, pair.1), PEER)
            .await
    }

    #[tokio::test]
    async fn right_ones_are_remembered_and_wrong_ones_are_not() {
        let passwords = Arc::<Passwords>::default();
        let first = rules(&[("alice", "one", 4), ("bob", "two", 4)]);
        for _ in 0..2 {
            for pair in [("alice", "two"), ("bob", "one"), ("eve", "one"), ("", "")] {
                assert_eq!(
                    check(&passwords, &first, pair).await,
                    Verdict::Wrong,
                    "{pair:?}"
                );
            }
            assert_eq!(
                check(&passwords, &first, ("alice", "one")).await,
                Verdict::Right
            );
            assert_eq!(passwords.right().set.len(), 1);
        }
        // Remembered, it needs no turn.
        let _held = passwords.queue.turn(Peer::of(PEER)).await;
        assert_eq!(
            check(&passwords, &first, ("alice", "one")).await,
            Verdict::Right
        );
    }

    #[tokio::test]
    async fn a_changed_hash_is_not_the_remembered_one() {
        let passwords = Arc::<Passwords>::default();
        let old = rules(&[("alice", "one", 4)]);
        assert_eq!(
            check(&passwords, &old, ("alice", "one")).await,
            Verdict::Right
        );
        let new = rules(&[("alice", "two", 4)]);
        assert_eq!(
            check(&passwords, &new, ("alice", "one")).await,
            Verdict::Wrong
        );
        assert_eq!(
            check(&passwords, &new, ("alice", "two")).await,
            Verdict::Right
        );
        let gone = rules(&[("bob", "two", 4)]);
        assert_eq!(
            check(&passwords, &gone, ("alice", "two")).await,
            Verdict::Wrong
        );
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
        let mut remembered = Remembered::default();
        for n in 0..10_000_u32 {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&(n % 1000).to_le_bytes());
            remembered.insert(digest);
            assert!(remembered.set.len() <= REMEMBERED);
            assert_eq!(remembered.set.len(), remembered.order.len());
        }
    }
}
