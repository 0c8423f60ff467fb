"""Signals during the work of a run: their handlers are called between steps and not within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

# Raised by the processor: the faulty instruction would be executed again and again.
_SYNCHRONOUS = {
    getattr(signal, name, None) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP")
}
_DEFERRED = sorted(int(number) for number in signal.valid_signals() - _SYNCHRONOUS)


class SignalQueue:
    """Signals that arrived, and the handlers of the program that wait to be called."""

    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._pending: dict[int, FrameType | None] = {}
        self._is_open = True

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
        """Take the place of every handler that is a function of Python.

        Signals that are ignored, or end the process, do so still.
        """
        # The module's own function makes members of enumerations, which takes half a millisecond.
        handler_of = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
        for number in _DEFERRED:
            handler = handler_of(number)
            if callable(handler):
                self._handlers[number] = _unwrap(number, handler)
                signal.signal(number, self.collect)

    def close(self) -> None:
        """Return their places to the handlers, but for those that were replaced meanwhile."""
        # First: a handler that raises below leaves others with this queue, which passes on then.
        self._is_open = False
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self.collect:
                signal.signal(number, handler)


def _unwrap(number: int, handler: Handler) -> Handler:
    """Return the handler behind a queue that was closed but kept its place."""
    queue = getattr(handler, "__self__", None)
    if isinstance(queue, SignalQueue) and not queue._is_open:
        return queue._handlers[number]
    return handler


@contextmanager
def deferred_signals() -> Iterator[SignalQueue]:
    """Collect signals until the end, or until `SignalQueue.deliver`.

    Only the main thread receives signals; in other threads the queue stays empty.
    """
    queue = SignalQueue()
    if threading.current_thread() is not threading.main_thread():
        yield queue
        return
    try:
        queue.install()
        yield queue
    finally:
        queue.close()
        queue.deliver()
