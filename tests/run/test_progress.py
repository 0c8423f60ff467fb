"""Displays of progress: when they open, their contents, and that they are closed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neurosim.run import progress


class Display:
    """Takes the place of tqdm's, and remembers."""

    opened: list[Display] = []

    def __init__(self, **options) -> None:
        self.options, self.disable, self.start_t, self.n = options, False, 10.0, 0.0
        self.refreshed, self.closed = 0, False
        Display.opened.append(self)

    def update(self, more: float) -> None:
        self.n += more

    def refresh(self) -> None:
        self.refreshed += 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def watch(monkeypatch) -> SimpleNamespace:
    """A clock that the test sets; displays are those of `Display`."""
    watch = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: watch.now))
    monkeypatch.setattr("tqdm.auto.tqdm", Display)
    monkeypatch.setattr(Display, "opened", [])
    return watch


def test_a_bar_opens_after_two_seconds_and_shows_the_time_that_was_simulated(watch):
    with progress.bar(100, dt=0.5, name="net", wanted=True) as advance:
        advance(10)
        watch.now = 2.0
        advance(10)
        assert not Display.opened
        watch.now = 2.1
        advance(20)
        advance(30)
    (display,) = Display.opened
    assert display.n == 35.0 and display.closed and display.start_t == 8.0
    assert display.options["total"] == 50.0 and display.options["desc"] == "net"


def test_no_bar_opens_at_the_end_of_a_run_or_unasked(watch):
    for wanted, steps in ((True, 100), (False, 50)):
        with progress.bar(100, dt=0.5, name="net", wanted=wanted) as advance:
            watch.now += 3.0
            advance(steps)
    assert not Display.opened


def test_a_clock_opens_after_two_seconds_and_is_refreshed_until_its_end(watch):
    with progress.clock("waiting", wanted=True) as tick:
        tick()
        assert not Display.opened
        watch.now = 2.1
        tick()
        tick()
    (display,) = Display.opened
    assert display.refreshed == 2 and display.closed and display.options["desc"] == "waiting"


def test_a_display_is_closed_when_an_error_ends_the_run(watch):
    with pytest.raises(ValueError), progress.clock("waiting", wanted=True) as tick:
        watch.now = 2.1
        tick()
        raise ValueError
    assert Display.opened[0].closed
