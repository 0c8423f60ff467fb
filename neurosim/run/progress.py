"""What surrounds a long computation: a progress bar in model time, a clock where there is none, and
Ctrl-C that waits for the end of a step.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 2.0  # seconds without a bar


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C instead of stopping in the middle of a step."""
    caught: list[int] = []
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is None
    ):  # one that Python could not put back
        yield caught
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def bar(steps: int, *, dt: float, name: str, wanted: bool) -> Iterator[Callable[[int], None]]:
    """Show a progress bar where a run takes more than two seconds; yields a function that is told
    how many steps were done.
    """
    shown: Any = None
    began, done = time.perf_counter(), 0

    def advance(by: int) -> None:
        nonlocal shown, done
        done += by
        if shown is None and wanted and time.perf_counter() - began > PATIENCE and done < steps:
            from tqdm.auto import tqdm

            shown = tqdm(
                total=steps * dt,
                unit="ms",
                desc=name,
                disable=None,
                leave=False,
                bar_format=(
                    "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} ms "
                    "[{elapsed}<{remaining}]"
                ),
            )
            if not shown.disable:
                shown.start_t -= PATIENCE
        if shown is not None:
            shown.update(done * dt - shown.n)

    try:
        yield advance
    finally:
        if shown is not None:
            shown.close()


@contextmanager
def clock(name: str, *, wanted: bool) -> Iterator[Callable[[], None]]:
    """Show for how long something has gone on that does not say how far it is, after two seconds;
    yields a function that is called now and then.
    """
    shown: Any = None
    began = time.perf_counter()

    def tick() -> None:
        nonlocal shown
        if shown is None and wanted and time.perf_counter() - began > PATIENCE:
            from tqdm.auto import tqdm

            shown = tqdm(desc=name, disable=None, leave=False, bar_format="{desc} [{elapsed}]")
            if not shown.disable:
                shown.start_t -= PATIENCE
        if shown is not None:
            shown.refresh()

    try:
        yield tick
    finally:
        if shown is not None:
            shown.close()
