"""Tests without compiled kernels: a test is skipped when it asks for its first one.

Compiling is most of the time of the tests. `make test-fast` leaves the compiled engines to
`make test`, but for tests that are marked ``kernels``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

from neurosim.compiled import cache

REASON = "it compiles kernels, which make test runs"


class WithoutKernels:
    """A plugin of pytest.

    A kernel is all that `cache.functions` returns, and all that Numba compiles when it is called.
    Those that an earlier run has compiled are refused too: the tests that run do not depend on the
    machine's cache.
    """

    def __init__(self) -> None:
        self._functions, self._compile = cache.functions, Dispatcher.compile
        self._allowed = False
        cache.functions = self._load
        Dispatcher.compile = lambda dispatcher, types: self._compile_for(dispatcher, types)

    def pytest_unconfigure(self) -> None:
        """Let this process use kernels again."""
        cache.functions, Dispatcher.compile = self._functions, self._compile

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Allow kernels in tests that are marked so."""
        self._allowed = item.get_closest_marker("kernels") is not None
        return (yield)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test of the compiled engine before it begins.

        A test that is skipped amid its work leaves a timer behind, which may interrupt another.
        """
        parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
        names_engine = any(isinstance(p, str) and p == "cpu" for p in parameters)
        is_marked = item.get_closest_marker("compiled") is not None
        fixtures = getattr(item, "fixturenames", ())
        if not self._allowed and (is_marked or names_engine or "fast_backend" in fixtures):
            pytest.skip(REASON)

    def _load(self, *args: Any, **options: Any) -> Any:
        if not self._allowed:
            pytest.skip(REASON)
        return self._functions(*args, **options)

    def _compile_for(self, dispatcher: Dispatcher, types: Any) -> Any:
        if not self._allowed:
            pytest.skip(REASON)
        return self._compile(dispatcher, types)
