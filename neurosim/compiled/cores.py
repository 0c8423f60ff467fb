"""The number of cores that this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the number of threads or processes that may run side by side."""
    # A container or a batch system may grant fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
