"""Guard of a run: one thread at a time, signals between steps, no use of a run that was torn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ..errors import NetworkError
from .signals import Installed, SignalQueue


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
        self._installed = Installed()

    @property
    def is_torn(self) -> bool:
        """Whether an exception or a value that is not finite left the run within a step."""
        return self._torn is not None

    def alone(self, verb: str) -> Alone:
        """Refuse a verb while another thread uses the run.

        Parameters
        ----------
        verb : str
            Begins messages.
        """
        return Alone(self, verb)

    def working(self, verb: str) -> Working:
        """Let a verb work alone; handlers of signals are called at its end, or when it says so."""
        return Working(self, verb, SignalQueue(self._installed))

    def changing(self, verb: str) -> Change:
        """Regard the run as torn unless a change of it reaches its end."""
        return Change(self, verb)

    def take(self, verb: str) -> None:
        """Give the run to this thread.

        Raises
        ------
        NetworkError
            If another thread has it.
        """
        if not self._lock.acquire(blocking=False):
            raise NetworkError(
                f"{verb}: found the run of {self._name!r} in use by another thread, expected one "
                "thread at a time. Wait for it, or prepare a run for each thread."
            )

    def release(self) -> None:
        """Let other threads have the run."""
        self._lock.release()

    def begin_change(self, verb: str) -> bool:
        """Regard the run as torn; return False within a greater change."""
        if self._is_changing:
            return False
        self._torn = f"an exception left {verb!r} within a change"
        self._is_readable = False
        self._is_changing = True
        return True

    def end_change(self, *, whole: bool) -> None:
        """Regard the run as whole again, or leave it torn."""
        self._is_changing = False
        if whole:
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


# Written out and not as generators: entering one takes as long as a step of a small network.


class Alone:
    """The part of a verb in which no other thread uses the run."""

    def __init__(self, guard: Guard, verb: str) -> None:
        self._guard = guard
        self._verb = verb

    def __enter__(self) -> None:
        self._guard.take(self._verb)

    def __exit__(self, *error: object) -> None:
        self._guard.release()


class Working:
    """The part of a verb in which the run is changed: alone, and handlers of signals wait."""

    def __init__(self, guard: Guard, verb: str, signals: SignalQueue) -> None:
        self._guard = guard
        self._verb = verb
        self._signals = signals

    def __enter__(self) -> SignalQueue:
        self._guard.take(self._verb)
        try:
            return self._signals.__enter__()
        except BaseException:
            self._guard.release()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            self._signals.__exit__()
        finally:
            self._guard.release()


class Change:
    """The part of a verb after which a run is whole only if no exception left it."""

    def __init__(self, guard: Guard, verb: str) -> None:
        self._guard = guard
        self._verb = verb
        self._is_outermost = False

    def __enter__(self) -> None:
        self._is_outermost = self._guard.begin_change(self._verb)

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        if self._is_outermost:
            self._guard.end_change(whole=error_type is None)


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
