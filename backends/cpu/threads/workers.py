"""Calls compiled functions side by side, each on a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from neurosim.backend.engine import NothingDone

from .cores import Cores

# A compiled function and its arguments, int64 all of them.
CompiledCall = Sequence[Any]


class Workers:
    """The threads that run beside the caller's.

    Parameters
    ----------
    threads : int
        Most that run side by side, the caller's included.
    fail : function
        Tells the running threads that one failed before it began: they would wait for it.
    """

    def __init__(self, threads: int, fail: Callable[[], None]) -> None:
        self._threads = threads
        self._fail = fail
        # The process that made the pool: after a fork, the threads of the parent do not exist.
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def call(self, calls: Sequence[CompiledCall], *, together: bool = False) -> int:
        """Call functions side by side; return the result of the first.

        Parameters
        ----------
        calls : sequence of (function, *arguments)
        together : bool
            Whether each function waits for all others before it begins.

        Raises
        ------
        NothingDone
            If they wait for each other and one of them was never called.
        """
        if len(calls) == 1:
            (function, *arguments), *_ = calls
            return function.call(*arguments)
        cores = Cores()
        entered: list[CompiledCall] = []

        def execute(call: CompiledCall) -> int:
            try:
                cores.take()
                function, *arguments = call
                entered.append(call)
                return function.call(*arguments)
            except BaseException:
                self._fail()
                raise

        others: list[Future[int]] = []
        try:
            for call in calls[1:]:
                others.append(self._executor().submit(execute, call))
            result = execute(calls[0])
            for other in others:
                other.result()
            return result
        except BaseException as error:
            self._fail()
            if self._pool is not None:
                self._pool[1].shutdown(cancel_futures=True)  # nothing submitted may run later
            self._pool = None
            if together and len(entered) < len(calls):
                raise NothingDone(error) from error
            raise

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = os.getpid(), ThreadPoolExecutor(self._threads - 1)
        return self._pool[1]
