"""Keeps threads that wait for each other from sharing a core while others are idle.

The system may leave two threads that often wait on one core for tens of milliseconds, in which they take turns instead of running side by
side. A thread found there is moved once and not bound: where it runs later is for the system to say. Only Linux tells and lets one do this.
"""

from __future__ import annotations

import ctypes
import os
import threading

_POSSIBLE = hasattr(os, "sched_setaffinity") and hasattr(ctypes.CDLL(None), "sched_getcpu")


class Cores:
    """The cores taken by the threads of one call; each thread calls `take` when it begins."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Move the calling thread if another has taken its core and one is left."""
        if not _POSSIBLE:
            return
        with self._lock:
            core = ctypes.CDLL(None).sched_getcpu()
            allowed = os.sched_getaffinity(0)
            if core in self._taken and allowed - self._taken:
                os.sched_setaffinity(0, allowed - self._taken)
                core = ctypes.CDLL(None).sched_getcpu()
                os.sched_setaffinity(0, allowed)
            self._taken.add(core)
