//! What the vendor measures of a call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A measured value in billionths of its unit.
///
/// An integer, so that a sum does not depend on the order of the calls: the same calls give the same
/// histogram to the last digit, even if some were read twice or in a different order. Billionths,
/// because rounding errors add up over all calls; the vendor sends up to six decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Measure(pub u64);

impl Measure {
    /// Upper limit of a plausible value, so that one absurd record cannot spoil a sum for ever.
    pub const MAX_UNITS: f64 = 1e9;
    /// Billionths per unit. 64 bits hold 18 billion units.
    pub const PER_UNIT: u64 = 1_000_000_000;

    /// `None` for an implausible value: negative, not finite, or above [`Self::MAX_UNITS`].
    pub fn from_units(value: f64) -> Option<Self> {
        (0.0..=Self::MAX_UNITS).contains(&value).then(|| {
            // Convert integer and fraction separately: together they have more digits than a float
            // holds. Values with up to nine decimals are exact up to four million units.
            let integer = value as u64;
            let fraction = value - integer as f64;
            Self(integer * Self::PER_UNIT + (fraction * Self::PER_UNIT as f64 + 0.5) as u64)
        })
    }

    pub const fn from_integer(units: u32) -> Self {
        Self(units as u64 * Self::PER_UNIT)
    }

    /// The nearest float, in units.
    pub fn units(self) -> f64 {
        Self::sum_units(self.0.into())
    }

    /// The float nearest to a sum of measures, in units.
    pub fn sum_units(sum: u128) -> f64 {
        // Divide as integers, with at least 98 bits and a last bit that stands for the remainder. So
        // the only rounding is the conversion to a float.
        let shift = sum.leading_zeros().min(u128::BITS - 1);
        let (scaled, unit) = (sum << shift, u128::from(Self::PER_UNIT));
        let quotient = (scaled / unit) | u128::from(scaled % unit != 0);
        quotient as f64 / (1_u128 << shift) as f64
    }
}

/// The measures of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measures {
    /// Seconds.
    pub duration: Option<Measure>,
    /// The left and the right channel.
    pub channels: [Speech; 2],
}

/// The measures of one channel, and so of one speaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Speech {
    pub role: Role,
    /// Mean speaking speed, characters per minute.
    pub speed: Option<Measure>,
    /// Seconds in which this speaker is silent.
    pub silence: Option<Measure>,
    /// Share of the call in which this speaker speaks, 0 to 1.
    pub ratio: Option<Measure>,
}

/// Who speaks on a channel. `Display` gives the label `role`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub enum Role {
    Customer,
    /// The agent.
    Staff,
    /// The vendor named no speaker, or an unexpected one.
    #[default]
    Unknown,
}

impl Role {
    /// Parses the vendor's `left_channel` or `right_channel`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
        if is(&["customer", "客户"]) {
            Self::Customer
        } else if is(&["staff", "agent", "座席", "坐席"]) {
            Self::Staff
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Unknown => "unknown",
        })
    }
}
