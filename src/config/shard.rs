//! Which of several instances a target belongs to.
//!
//! Rendezvous hashing: each shard draws a number for the target, and the highest one has it. A
//! shard more takes its share of the targets from all the others and moves no other one.

use std::fmt;
use std::num::NonZeroU32;

use ring::digest::{SHA256, digest};

use super::Environment;

/// The most shards there may be; a bound to what a mistyped number costs.
pub const MOST_SHARDS: u32 = 1024;

/// One of several instances that share the targets among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    ordinal: u32,
    total: NonZeroU32,
}

impl Shard {
    /// The only one: every target is its own.
    pub const WHOLE: Self = Self {
        ordinal: 0,
        total: NonZeroU32::MIN,
    };

    /// Shard number `ordinal`, from 0, of `total`; `None` if there is no such shard.
    pub fn new(ordinal: u32, total: u32) -> Option<Self> {
        let total = NonZeroU32::new(total).filter(|total| total.get() <= MOST_SHARDS)?;
        (ordinal < total.get()).then_some(Self { ordinal, total })
    }

    /// Its number, from 0.
    pub fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// How many there are.
    pub fn total(self) -> u32 {
        self.total.get()
    }

    /// Whether the target of this name belongs to it. The same in every version and on every
    /// machine: two that disagreed would both pull a target, or neither.
    pub fn owns(self, target: &str) -> bool {
        let owner = (0..self.total.get()).max_by_key(|ordinal| draw(*ordinal, target));
        owner == Some(self.ordinal)
    }

    /// The shard of a pod of a StatefulSet, by the number at the end of its name. The name is that
    /// in `POD_NAME`, and without it that in `HOSTNAME`, which Kubernetes sets to the same.
    ///
    /// # Errors
    ///
    /// One line that names the variable, if there is no such number or no such shard.
    pub fn of_pod(total: u32, environment: Environment<'_>) -> Result<Self, NoShard> {
        let found = ["POD_NAME", "HOSTNAME"]
            .into_iter()
            .find_map(|name| Some((name, environment(name).filter(|value| !value.is_empty())?)));
        let Some((variable, pod)) = found else {
            return Err(NoShard::Nameless { total });
        };
        let ordinal = pod.rsplit_once('-').and_then(|(_, end)| number(end));
        ordinal
            .and_then(|ordinal| Self::new(ordinal, total))
            .ok_or(NoShard::Misnamed {
                total,
                variable,
                pod,
            })
    }
}

/// Digits and nothing else: `parse` would take a sign as well.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// What a shard draws for a target: the first 64 bits of SHA-256, which is nowhere implemented
/// differently. Shards that draw the same, which hardly happens, are told apart by their order.
fn draw(ordinal: u32, target: &str) -> u64 {
    let hash = digest(&SHA256, format!("{ordinal}/{target}").as_bytes());
    let first = hash.as_ref().iter().take(8);
    first.fold(0, |draw, byte| draw << 8 | u64::from(*byte))
}

/// Why it cannot be told which shard this is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoShard {
    /// No variable has the name of the pod.
    Nameless {
        /// Of `--total-shards`.
        total: u32,
    },
    /// The name does not end in the number of a shard.
    Misnamed {
        /// Of `--total-shards`.
        total: u32,
        /// The variable that has the name.
        variable: &'static str,
        /// The name.
        pod: String,
    },
}

impl fmt::Display for NoShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, found) = match self {
            Self::Nameless { total } => (total, "there is neither POD_NAME nor HOSTNAME".into()),
            Self::Misnamed {
                total,
                variable,
                pod,
            } => (total, format!("{variable} is {pod:?}")),
        };
        let last = total - 1;
        write!(
            f,
            "--total-shards={total}: which one is this? Give --shard, 0 to {last}, or run as a \
             StatefulSet whose pods' names end in -0 to -{last}; {found}"
        )
    }
}

impl std::error::Error for NoShard {}

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
        fn every_target_has_one_shard_and_a_new_shard_takes_and_moves_none_else(
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
    fn shards_hold_about_the_same_and_a_new_one_its_share() {
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
    fn the_split_is_the_same_for_ever() {
        // As any other implementation of SHA-256 has it.
        let owners: Vec<u32> = ["support", "sales", "default", "客服", "a", "b", "c", "d"]
            .map(|name| owner(name, 3))
            .into();
        assert_eq!(owners, [1, 1, 1, 1, 0, 2, 1, 2]);
    }

    #[test]
    fn one_shard_has_everything_and_there_is_none_beyond_the_last() {
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
        let shard = Shard::of_pod(total, &variable);
        shard.map(Shard::ordinal).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pod_has_its_number_at_the_end_of_its_name() {
        assert_eq!(of_pod(4, &[("POD_NAME", "cec-exporter-3")]), Ok(3));
        let both = [("HOSTNAME", "cec-1"), ("POD_NAME", "cec-2")];
        assert_eq!(of_pod(4, &both), Ok(2));
        let empty = [("HOSTNAME", "cec-1"), ("POD_NAME", "")];
        assert_eq!(of_pod(12, &empty), Ok(1));
        assert_eq!(of_pod(12, &[("HOSTNAME", "cec-11")]), Ok(11));
    }

    #[test]
    fn a_pod_of_another_name_is_told_what_is_wanted() {
        let wanted = "--total-shards=4: which one is this? Give --shard, 0 to 3, or run as a \
            StatefulSet whose pods' names end in -0 to -3; ";
        let nameless = format!("{wanted}there is neither POD_NAME nor HOSTNAME");
        assert_eq!(of_pod(4, &[]), Err(nameless));
        for pod in [
            "web",
            "web-4",
            "web-",
            "web-+1",
            "web-1x",
            "7",
            "web-99999999999",
        ] {
            let told = format!("{wanted}POD_NAME is {pod:?}");
            assert_eq!(of_pod(4, &[("POD_NAME", pod)]), Err(told));
        }
    }
}
