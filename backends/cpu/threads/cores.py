"""Keeps threads that wait for each other from sharing a core while others are idle.

The system may leave two threads that often wait on one core for tens of milliseconds, in which they
take turns instead of running side by side. Such a thread is moved once and not bound: the system
decides where it runs later. Only Linux tells the core of a thread, and lets one change it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

_SYSTEM = ctypes.CDLL(None) if sys.platform == "linux" else None


def current_core() -> int | None:
    """Return the core that the calling thread runs on; None if the system does not tell."""
    if _SYSTEM is None or not hasattr(_SYSTEM, "sched_getcpu"):
        return None
    return _SYSTEM.sched_getcpu()


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
                # A container may forbid it, or the allowed cores may change meanwhile: the thread
                # then runs where it is, only slower.
                with suppress(OSError):
                    allowed = os.sched_getaffinity(0)
                    if allowed - self.taken:
                        os.sched_setaffinity(0, allowed - self.taken)
                        core = current_core()
                        os.sched_setaffinity(0, allowed)
            self.taken.add(core)
