"""Memory that is free for new arrays: on the machine, in a container, within a user's limits."""

from __future__ import annotations

import os
from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")


def available() -> float:
    """Return the bytes that this process may still take; infinity if they are unknown."""
    # A container sees the numbers of the whole machine, but is stopped at its own limit; so is a
    # process at the limits of its user.
    return min(_machine_memory(), _container_memory(), _process_memory())


def _process_memory() -> float:
    """Return the bytes that this process may still take by ``ulimit -v`` and ``ulimit -d``."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return float("inf")
    free = float("inf")
    try:
        # In pages: all addresses first, then those of data and stack.
        pages = Path("/proc/self/statm").read_text().split()
        page = os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return free
    for limit, taken in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
        bytes_allowed, _ = resource.getrlimit(limit)
        if bytes_allowed != resource.RLIM_INFINITY:
            free = min(free, max(bytes_allowed - float(taken) * page, 0.0))
    return free


def _machine_memory() -> float:
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return float("inf")


def _container_memory() -> float:
    """Return the bytes that a control group (Linux, version 2) may still take.

    Memory that the system can drop counts as free.
    """
    try:
        limit, taken = ((_GROUP / name).read_text() for name in ("memory.max", "memory.current"))
        dropped = next(
            line.split()[1]
            for line in (_GROUP / "memory.stat").read_text().splitlines()
            if line.startswith("inactive_file ")
        )
        return float(limit) - float(taken) + float(dropped)
    except (OSError, ValueError, StopIteration):  # ValueError: the limit is "max", there is none
        return float("inf")
