"""Guard of a run: one thread at a time, signals between steps, no use of a run that was torn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ..errors import NetworkError
from .signals import SignalQueue, deferred_signals


class Guard:
    """The rules of use that all verbs of a run share.

    Parameters
    ----------
    name : str
        Of the network, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()  # handlers of signals use the run in the same thread
        self._torn: str | None = None
        self._is_readable = True
        self._is_changing = False

    @property
    def is_torn(self) -> bool:
        """Whether an exception or a value that is not finite left the run within a step."""
        return self._torn is not None

    @contextmanager
    def alone(self, verb: str) -> Iterator[None]:
        """Refuse a verb while another thread uses the run.

        Parameters
        ----------
        verb : str
            Begins messages.
        """
        if not self._lock.acquire(blocking=False):
            raise NetworkError(
                f"{verb}: found the run of {self._name!r} in use by another thread, expected one "
                "thread at a time. Wait for it, or prepare a run for each thread."
            )
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def working(self, verb: str) -> Iterator[SignalQueue]:
        """Let a verb work alone; handlers of signals are called at its end, or when it says so."""
        with self.alone(verb), deferred_signals() as signals:
            yield signals

    @contextmanager
    def changing(self, verb: str) -> Iterator[None]:
        """Regard the run as torn unless a change of it reaches its end."""
        if self._is_changing:
            yield  # a part of a greater change
            return
        self._torn = f"an exception left {verb!r} within a change"
        self._is_readable = False
        self._is_changing = True
        try:
            yield
        finally:
            self._is_changing = False
        self._torn = None

    def spare(self) -> None:
        """Regard the run as whole although an exception is about to leave its change."""
        self._torn = None

    def tear(self, reason: str) -> None:
        """Refuse all but reading from now on."""
        self._torn = reason
        self._is_readable = True

    def require_whole(self, verb: str, *, reading: bool = False) -> None:
        """Raise NetworkError if the run is torn."""
        if self._torn is not None and not (reading and self._is_readable):
            raise NetworkError(
                f"{verb}: found a run of {self._name!r} that is no longer whole ({self._torn}), "
                "expected a whole one. Restore a snapshot, or load a file; run.result() still "
                "returns everything that was recorded before."
            )


class Guarded(Protocol):
    """Anything that has a guard."""

    _guard: Guard


Owner = TypeVar("Owner", bound=Guarded)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Method = Callable[Concatenate[Owner, Arguments], Result]


def guarded(
    method: Method[Owner, Arguments, Result],
) -> Method[Owner, Arguments, Result]:
    """Return a method that works alone, on a whole run, with handlers of signals called after."""
    verb = method.__name__

    @wraps(method)
    def call(self: Owner, /, *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with self._guard.working(verb):
            self._guard.require_whole(verb)
            return method(self, *args, **options)

    return call


def reading(method: Method[Owner, Arguments, Result]) -> Method[Owner, Arguments, Result]:
    """Return a method that reads the run alone; after a value that is not finite as well."""
    verb = method.__name__

    @wraps(method)
    def call(self: Owner, /, *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with self._guard.alone(verb):
            self._guard.require_whole(verb, reading=True)
            return method(self, *args, **options)

    return call


def mending(method: Method[Owner, Arguments, Result]) -> Method[Owner, Arguments, Result]:
    """Return a method that works alone, also on a run that was torn."""
    verb = method.__name__

    @wraps(method)
    def call(self: Owner, /, *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with self._guard.working(verb):
            return method(self, *args, **options)

    return call
