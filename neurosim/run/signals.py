"""Signals during the work of a run: their handlers are called between steps and not within one."""

from __future__ import annotations

import _signal  # pyright: ignore[reportMissingModuleSource, reportMissingImports]
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

# Raised by the processor: the faulty instruction would be executed again and again.
_SYNCHRONOUS = {
    getattr(signal, name, None) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP")
}
_DEFERRED = sorted(int(number) for number in signal.valid_signals() - _SYNCHRONOUS)
# The functions of `signal` make members of enumerations: for all signals, that takes longer than a
# step of a small network.
_handler_of: Callable[[int], Any] = getattr(_signal, "getsignal", signal.getsignal)
_put_handler: Callable[[int, Handler], object] = getattr(_signal, "signal", signal.signal)


class Installed:
    """Which signals have a function of Python as handler, found anew only after a change.

    Nearly all have the default handler: to look at each takes as long as a step of a small network.
    """

    def __init__(self) -> None:
        self._handlers: list[object] = []
        self._numbers: list[int] = []

    def numbers(self) -> list[int]:
        """Return the numbers of these signals."""
        handlers = list(map(_handler_of, _DEFERRED))
        if handlers != self._handlers:
            self._handlers = handlers
            pairs = zip(_DEFERRED, handlers, strict=True)
            self._numbers = [number for number, handler in pairs if callable(handler)]
        return self._numbers


class SignalQueue:
    """Signals that arrived, and the handlers of the program that wait to be called.

    As a context it collects signals until its end, or until `deliver`.

    Parameters
    ----------
    installed : Installed, optional
        Of earlier queues of the same run.
    """

    def __init__(self, installed: Installed | None = None) -> None:
        self._installed = Installed() if installed is None else installed
        self._handlers: dict[int, Handler] = {}
        self._pending: dict[int, FrameType | None] = {}
        self._is_open = True

    def __enter__(self) -> SignalQueue:
        try:
            self.install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        if self._pending:
            self.deliver()

    def __bool__(self) -> bool:
        return bool(self._pending)

    def collect(self, number: int, frame: FrameType | None) -> None:
        """Stand in for the handler of a signal."""
        if self._is_open:
            # As the system does, a signal that waits already is counted once.
            self._pending.setdefault(number, frame)
        else:
            self._handlers[number](number, frame)

    def deliver(self) -> None:
        """Call the handlers of all signals that arrived, also if one of them raises."""
        if self._pending:
            number = next(iter(self._pending))
            frame = self._pending.pop(number)
            try:
                self._handlers[number](number, frame)
            finally:
                self.deliver()

    def install(self) -> None:
        """Take the place of every handler that is a function of Python, in the main thread.

        Signals that are ignored, or end the process, do so still.
        """
        # Only the main thread receives signals.
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._installed.numbers():
            self._handlers[number] = _unwrap(number, _handler_of(number))
            _put_handler(number, self.collect)

    def close(self) -> None:
        """Return their places to the handlers, but for those that were replaced meanwhile."""
        # First: a handler that raises below leaves others with this queue, which passes on then.
        self._is_open = False
        for number, handler in self._handlers.items():
            if _handler_of(number) == self.collect:
                _put_handler(number, handler)


def _unwrap(number: int, handler: Handler) -> Handler:
    """Return the handler behind a queue that was closed but kept its place."""
    queue = getattr(handler, "__self__", None)
    if isinstance(queue, SignalQueue) and not queue._is_open:
        return queue._handlers[number]
    return handler
