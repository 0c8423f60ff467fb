"""Keeps threads that wait for each other from sharing a core while others are idle.

The system may leave two threads that often wait on one core for tens of milliseconds, in which they take turns instead of running side by
side. A thread found there is moved once and not bound: where it runs later is for the system to say. Only Linux tells and lets one do this.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

_SYSTEM = ctypes.CDLL(None) if sys.platform == "linux" else None


def current_core() -> int | None:
    """Return the core that the calling thread runs on; None where the system does not tell."""
    return (
        _SYSTEM.sched_getcpu() if _SYSTEM is not None and hasattr(_SYSTEM, "sched_getcpu") else None
    )


class Cores:
    """The cores taken by the threads of one call; each thread calls `take` when it begins.

    Attributes
    ----------
    taken : set of int
        Where threads began.
    """

    def __init__(self) -> None:
        self.taken: set[int | None] = set()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Move the calling thread if another has taken its core and one is left."""
        with self._lock:
            core = current_core()
            if core is not None and core in self.taken:
                with suppress(
                    OSError
                ):  # moving is a favour: a container may forbid it, or the cores allowed may change meanwhile
                    allowed = os.sched_getaffinity(0)
                    if allowed - self.taken:
                        os.sched_setaffinity(0, allowed - self.taken)
                        core = current_core()
                        os.sched_setaffinity(0, allowed)
            self.taken.add(core)
