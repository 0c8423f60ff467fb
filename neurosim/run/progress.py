"""Progress bar and clock of long computations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tqdm import tqdm

PATIENCE = 2.0  # seconds before anything is displayed
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}]"
_CLOCK = "{desc} [{elapsed}]"
_JOBS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} jobs [{elapsed}<{remaining}]"


class Tick(Protocol):
    """Shows that a computation goes on, and the stage that it has reached."""

    def __call__(self, stage: str = "") -> None: ...


@contextmanager
def bar(steps: int, *, dt: float, name: str, wanted: bool) -> Iterator[Callable[[int], None]]:
    """Show a progress bar in model time if a run takes more than two seconds.

    Parameters
    ----------
    steps : int
        Length of the run.
    dt : float, ms
    name : str
        Title of the bar.
    wanted : bool
        Without it nothing is displayed.

    Yields
    ------
    Function to call with each number of steps done.
    """
    if not wanted:
        yield _ignore
        return
    done = 0
    with _display(name, _BAR, total=steps * dt, unit="ms") as open_when_due:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            # A bar that opens at the end would only flicker.
            display = open_when_due(wanted and done < steps)
            if display is not None:
                # From the whole number of steps: a sum of many small times would drift.
                display.update(done * dt - display.n)

        yield advance


def _ignore(count: int) -> None:
    """Display nothing."""


@contextmanager
def clock(name: str, *, wanted: bool) -> Iterator[Tick]:
    """Show the duration of a computation whose progress is unknown, after two seconds.

    Parameters
    ----------
    name : str
        Title of the clock.
    wanted : bool
        Without it nothing is displayed.

    Yields
    ------
    Function to call now and then, with the stage that the computation has reached.
    """
    with _display(name, _CLOCK) as open_when_due:

        def tick(stage: str = "") -> None:
            display = open_when_due(wanted)
            if display is not None and stage:
                display.set_description_str(f"{name}: {stage}")
            elif display is not None:
                display.refresh()

        yield tick


@contextmanager
def count_jobs(jobs: int, *, name: str, wanted: bool) -> Iterator[Callable[[bool], None]]:
    """Show a progress bar over jobs if they take more than two seconds.

    Parameters
    ----------
    jobs : int
        How many.
    name : str
        Title of the bar.
    wanted : bool
        Without it nothing is displayed.

    Yields
    ------
    Function to call at the end of each job, with whether it was done before: the time left is
    reckoned from the others.
    """
    done = 0
    before = 0
    with _display(name, _JOBS, total=jobs, unit="job") as open_when_due:

        def advance(was_done: bool) -> None:
            nonlocal done, before
            done += 1
            before += was_done
            display = open_when_due(wanted and done < jobs)
            if display is not None:
                display.initial = before
                display.update(done - display.n)

        yield advance


@contextmanager
def _display(name: str, text: str, **options: Any) -> Iterator[Callable[[bool], tqdm | None]]:
    """Yield a function that returns a display, which opens when asked to after two seconds."""
    display: tqdm | None = None
    began = time.perf_counter()

    def open_when_due(wanted: bool) -> tqdm | None:
        nonlocal display
        if display is None and wanted and time.perf_counter() - began > PATIENCE:
            from tqdm.auto import tqdm  # slow to import, and short runs need none

            # `disable=None`: nothing is displayed if stderr is no terminal.
            display = tqdm(desc=name, disable=None, leave=False, bar_format=text, **options)
            if not display.disable:
                display.start_t -= PATIENCE  # the time before it opened counts
        return display

    try:
        yield open_when_due
    finally:
        if display is not None:
            display.close()
