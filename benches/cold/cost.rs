//! CPU time, wall time and memory of a measurement.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The cost of one measurement.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// Resident memory before the work, KiB.
    pub(crate) base: u64,
    /// Resident memory after it, KiB.
    pub(crate) resident: u64,
    /// Peak memory, KiB.
    pub(crate) peak: u64,
}

impl Cost {
    /// Adds the current memory of this process.
    pub(crate) fn with_memory(calls: u64, (cpu, wall): (Duration, Duration), base: u64) -> Self {
        Self {
            calls,
            bytes: 0,
            cpu,
            wall,
            base,
            resident: resident("VmRSS"),
            peak: resident("VmHWM"),
        }
    }

    pub(crate) fn cpu_per_call(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.calls as f64
    }

    pub(crate) fn memory_per_call(&self) -> f64 {
        (self.resident as f64 - self.base as f64) * 1024.0 / self.calls as f64
    }
}

/// Start of the work, in CPU time and wall time.
pub(crate) struct Start {
    cpu: Duration,
    wall: Instant,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self {
            cpu: cpu(),
            wall: Instant::now(),
        }
    }

    pub(crate) fn elapsed(&self) -> (Duration, Duration) {
        (cpu() - self.cpu, self.wall.elapsed())
    }
}

/// User and system CPU time of this process.
fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime)
        .try_into()
        .expect("CPU time is not negative")
}

/// A size of this process from the kernel, KiB.
pub(crate) fn resident(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(key)?
                .strip_prefix(':')?
                .split_whitespace()
                .next()
        })
        .and_then(|size| size.parse().ok())
        .expect("a size in KiB")
}
