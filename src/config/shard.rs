//! Distributes targets over several instances.
//!
//! Rendezvous hashing: each shard hashes the target with its own number, and the highest hash
//! wins. An added shard takes its share from all others and moves no other target.

use ring::digest::{SHA256, digest};

use super::Environment;

/// The most shards. Limits the cost of a mistyped number.
pub const MOST_SHARDS: u32 = 1024;

/// One of several instances that share the targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    ordinal: u32,
    total: u32,
}

impl Shard {
    /// The only shard, which owns every target.
    pub const WHOLE: Self = Self {
        ordinal: 0,
        total: 1,
    };

    /// Shard number `ordinal`, from 0, of `total`; `None` if there is no such shard.
    pub fn new(ordinal: u32, total: u32) -> Option<Self> {
        let exists = ordinal < total && total <= MOST_SHARDS;
        exists.then_some(Self { ordinal, total })
    }

    /// From 0.
    pub fn ordinal(self) -> u32 {
        self.ordinal
    }

    pub fn total(self) -> u32 {
        self.total
    }

    /// Whether this shard owns the target. Every version and machine must agree: otherwise two
    /// shards pull a target, or none does.
    pub fn owns(self, target: &str) -> bool {
        let owner = (0..self.total).max_by_key(|ordinal| weight(*ordinal, target));
        owner == Some(self.ordinal)
    }

    /// The shard of a StatefulSet's pod, by the number at the end of its name. The name is in
    /// `POD_NAME`, or else in `HOSTNAME`, which Kubernetes sets. The error says what is expected.
    pub fn of_pod(total: u32, environment: Environment<'_>) -> Result<Self, String> {
        let found = ["POD_NAME", "HOSTNAME"]
            .into_iter()
            .find_map(|name| Some((name, environment(name).filter(|value| !value.is_empty())?)));
        let ordinal = found.as_ref().and_then(|(_, pod)| {
            let (_, end) = pod.rsplit_once('-')?;
            number(end)
        });
        let shard = ordinal.and_then(|ordinal| Self::new(ordinal, total));
        shard.ok_or_else(|| {
            let last = total - 1;
            let reason = match found {
                Some((variable, pod)) => format!("{variable} is {pod:?}"),
                None => "neither POD_NAME nor HOSTNAME is set".to_owned(),
            };
            format!(
                "--total-shards={total}: expected --shard with a number from 0 to {last}, or a \
                 StatefulSet whose pods' names end in -0 to -{last}; {reason}"
            )
        })
    }
}

/// Only digits: `parse` alone accepts a sign.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The first 64 bits of SHA-256, which is the same everywhere. On a tie the last shard wins.
fn weight(ordinal: u32, target: &str) -> u64 {
    let hash = digest(&SHA256, format!("{ordinal}/{target}").as_bytes());
    let first = hash.as_ref().first_chunk();
    first.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(target: &str, total: u32) -> u32 {
        let shards = (0..total).filter_map(|ordinal| Shard::new(ordinal, total));
        let owners: Vec<Shard> = shards.filter(|shard| shard.owns(target)).collect();
        assert_eq!(owners.len(), 1, "{target:?} of {total}");
        owners[0].ordinal()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_target_has_one_shard_and_a_new_shard_moves_only_what_it_takes(
            names in prop::collection::hash_set("\\PC{1,20}", 1..40),
            total in 1_u32..40,
        ) {
            for name in &names {
                let (before, after) = (owner(name, total), owner(name, total + 1));
                prop_assert!(after == before || after == total, "{before} became {after}");
            }
        }
    }

    #[test]
    fn shards_are_of_similar_size_and_a_new_one_takes_its_share() {
        let names: Vec<String> = (0..2000).map(|n| format!("centre-{n}")).collect();
        let held = |total| {
            let mut held = vec![0_usize; total as usize];
            names
                .iter()
                .for_each(|name| held[owner(name, total) as usize] += 1);
            held
        };
        for count in held(4) {
            assert!((430..=570).contains(&count), "{count} of 500");
        }
        let moved = names.iter().filter(|n| owner(n, 4) != owner(n, 5)).count();
        assert!((330..=470).contains(&moved), "{moved} of 400");
    }

    #[test]
    fn the_distribution_never_changes() {
        // Computed with another implementation of SHA-256.
        let owners: Vec<u32> = ["support", "sales", "default", "客服", "a", "b", "c", "d"]
            .map(|name| owner(name, 3))
            .into();
        assert_eq!(owners, [1, 1, 1, 1, 0, 2, 1, 2]);
    }

    #[test]
    fn one_shard_owns_everything_and_numbers_end_at_the_last() {
        assert!(Shard::WHOLE.owns("support") && Shard::new(0, 1) == Some(Shard::WHOLE));
        for (ordinal, total) in [(0, 0), (1, 1), (7, 4), (0, MOST_SHARDS + 1)] {
            assert_eq!(Shard::new(ordinal, total), None, "{ordinal} of {total}");
        }
    }

    fn of_pod(total: u32, variables: &[(&str, &str)]) -> Result<u32, String> {
        let variable = |name: &str| {
            let mut found = variables.iter().filter(|(n, _)| *n == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        Shard::of_pod(total, &variable).map(Shard::ordinal)
    }

    #[test]
    fn the_number_is_at_the_end_of_the_pods_name() {
        assert_eq!(of_pod(4, &[("POD_NAME", "cec-exporter-3")]), Ok(3));
        let both = [("HOSTNAME", "cec-1"), ("POD_NAME", "cec-2")];
        assert_eq!(of_pod(4, &both), Ok(2));
        let empty = [("HOSTNAME", "cec-1"), ("POD_NAME", "")];
        assert_eq!(of_pod(12, &empty), Ok(1));
        assert_eq!(of_pod(12, &[("HOSTNAME", "cec-11")]), Ok(11));
    }

    #[test]
    fn a_pod_without_a_number_is_an_error() {
        let expected = "--total-shards=4: expected --shard with a number from 0 to 3, or a \
            StatefulSet whose pods' names end in -0 to -3; ";
        let no_name = format!("{expected}neither POD_NAME nor HOSTNAME is set");
        assert_eq!(of_pod(4, &[]), Err(no_name));
        for pod in [
            "web",
            "web-4",
            "web-",
            "web-+1",
            "web-1x",
            "7",
            "web-99999999999",
        ] {
            let error = format!("{expected}POD_NAME is {pod:?}");
            assert_eq!(of_pod(4, &[("POD_NAME", pod)]), Err(error));
        }
    }
}
