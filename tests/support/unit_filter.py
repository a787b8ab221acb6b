"""Writes what a unit's SystemCallFilter= comes to, as a program for the kernel, to stdout.

    unit_filter.py UNIT

Needs Debian's python3-seccomp, and systemd-analyze, which knows the groups.
"""

import pathlib
import subprocess
import sys

import seccomp


def members(group):
    """The system calls of a group, and of those in it."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True
    )
    for line in listed.stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            yield from members(name)
        elif name and not name.startswith("#"):
            yield name


# What systemd adds to every list of what is allowed.
allowed = set(members("@default"))
for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
    if not line.startswith("SystemCallFilter="):
        continue
    value = line.split("=", 1)[1]
    for group in value.lstrip("~").split():
        if value.startswith("~"):
            allowed.difference_update(members(group))
        else:
            allowed.update(members(group))

program = seccomp.SyscallFilter(seccomp.ERRNO(1))
for name in sorted(allowed):
    try:
        program.add_rule(seccomp.ALLOW, name)
    except RuntimeError:
        pass  # Not a system call of this machine.
program.export_bpf(sys.stdout.buffer)
