//! CPU time and memory of another process.

use std::fs;
use std::time::Duration;

/// The kernel's unit of CPU time: 1 / `USER_HZ`, which is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// User and system CPU time; `None` if the process has ended.
pub(crate) fn cpu(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may contain spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    Some(ticks * TICK)
}

/// A size in KiB, such as `VmRSS`; `None` if the process has ended.
pub(crate) fn memory(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let size = line.strip_prefix(':')?.trim().strip_suffix(" kB")?;
    size.parse().ok()
}
