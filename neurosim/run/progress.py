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


def bar(
    steps: int,
    *,
    dt: float,
    name: str,
    wanted: bool,
) -> Bar:
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

    Returns
    -------
    Bar
        A context that gives the function to call with each number of steps done.
    """
    display = _Display(name, _BAR, total=steps * dt, unit="ms") if wanted else None
    return Bar(display, steps, dt)


# Written out and not as a generator: entering one takes as long as a step of a small network.
class Bar:
    """A progress bar in model time.

    Parameters
    ----------
    display : _Display, optional
        None: nothing is displayed.
    steps : int
        Length of the run.
    dt : float, ms
    """

    def __init__(self, display: _Display | None, steps: int, dt: float) -> None:
        self._display = display
        self._steps = steps
        self._dt = dt
        self._done = 0

    def __enter__(self) -> Callable[[int], None]:
        return self.advance

    def __exit__(self, *error: object) -> None:
        if self._display is not None:
            self._display.close()

    def advance(self, count: int) -> None:
        """Display that so many more steps were done."""
        self._done += count
        # A bar that opens at the end would only flicker.
        if self._display is None or self._done >= self._steps and self._display.opened is None:
            return
        opened = self._display.open_when_due(True)
        if opened is not None:
            # From the whole number of steps: a sum of many small times would drift.
            opened.update(self._done * self._dt - opened.n)


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
    with _Display(name, _CLOCK) as clock_display:

        def tick(stage: str = "") -> None:
            display = clock_display.open_when_due(wanted)
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
    with _Display(name, _JOBS, total=jobs, unit="job") as bar_of_jobs:

        def advance(was_done: bool) -> None:
            nonlocal done, before
            done += 1
            before += was_done
            display = bar_of_jobs.open_when_due(wanted and done < jobs)
            if display is not None:
                display.initial = before
                display.update(done - display.n)

        yield advance


class _Display:
    """A display of tqdm, which opens when asked to after two seconds.

    Parameters
    ----------
    name : str
        Its title.
    text : str
        Its format.
    **options
        Of tqdm.

    Attributes
    ----------
    opened : tqdm, optional
    """

    def __init__(self, name: str, text: str, **options: Any) -> None:
        self._name = name
        self._text = text
        self._options = options
        self._began = time.perf_counter()
        self.opened: tqdm | None = None

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the display if it is open."""
        if self.opened is not None:
            self.opened.close()

    def open_when_due(self, wanted: bool) -> tqdm | None:
        """Return the display if it is open, or is wanted and due."""
        if self.opened is None and wanted and time.perf_counter() - self._began > PATIENCE:
            from tqdm.auto import tqdm  # slow to import, and short runs need none

            self.opened = tqdm(
                desc=self._name,
                disable=None,  # nothing is displayed if stderr is no terminal
                leave=False,
                bar_format=self._text,
                **self._options,
            )
            if not self.opened.disable:
                self.opened.start_t -= PATIENCE  # the time before it opened counts
        return self.opened
