//! Random distributions.

use fastrand::Rng;

/// Mixes two numbers into a seed. Uses SplitMix64's finaliser, so that similar inputs give
/// unrelated seeds.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a
        .wrapping_add(b.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Maps a seed to a number in [0, 1).
pub(super) fn unit(seed: u64) -> f64 {
    (seed >> 11) as f64 / (1_u64 << 53) as f64
}

/// Standard normal distribution (Box-Muller).
pub(super) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

pub(super) fn log_normal(rng: &mut Rng, median: f64, sigma: f64) -> f64 {
    median * (sigma * normal(rng)).exp()
}

pub(super) fn poisson(rng: &mut Rng, mean: f64) -> usize {
    if mean > 50.0 {
        // The normal approximation is good here, and its cost does not grow with the mean.
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0) as usize;
    }
    let floor = (-mean).exp();
    let mut product = rng.f64();
    let mut count = 0;
    while product > floor {
        product *= rng.f64();
        count += 1;
    }
    count
}
