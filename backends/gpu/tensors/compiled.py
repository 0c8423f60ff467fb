"""Parts of a step compiled by `torch.compile`; if that fails, they run as they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import Any

import torch

from .draws import PLAIN, DrawFunctions

# One thread, since sums keep their order then. Operations stay as written: Inductor neither
# contracts nor reorders them unless it is told to.
_OPTIONS: dict[str, Any] = {"cpp.threads": 1}


@dataclass
class Compiler:
    """Compiles functions for one run; after the first failure all run as they are.

    Attributes
    ----------
    network : str
        Begins the message.
    has_failed : bool
    """

    network: str
    has_failed: bool = False

    def compiled(
        self, function: Callable[..., Any], *, dynamic: bool | None = None
    ) -> Callable[..., Any]:
        """Return a function that compiles itself when it is first called with such shapes.

        Parameters
        ----------
        function : function of tensors
        dynamic : bool, optional
            Whether tensors of any size run the same code; None: of those that were met in two
            sizes, which spares each call a change of the compiler's settings.
        """
        fast = torch.compile(with_own_code(function), dynamic=dynamic, options=_OPTIONS)

        def call(*arguments: Any) -> Any:
            if not self.has_failed:
                try:
                    return fast(*arguments)
                # All failures of the compiler of torch, and of the one of C++ that it calls.
                except (RuntimeError, OSError, ImportError) as error:
                    self._give_up(error)
            return function(*arguments)

        return call

    @cached_property
    def draws(self) -> DrawFunctions:
        """The parts of draws, compiled once for any number of neurons, key and step."""
        # Part by part: one function of all would take Inductor many minutes.
        parts = {
            name: self.compiled(getattr(PLAIN, name), dynamic=True)
            for name in ("words", "uniform", "normal")
        }
        return DrawFunctions(**parts, takes_numbers=False)

    def _give_up(self, error: Exception) -> None:
        self.has_failed = True
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        warnings.warn(
            f"backend 'gpu', network {self.network!r}: torch.compile failed ({reason}). The run "
            "takes one operation of PyTorch after the other, which gives the same numbers and is "
            "slower. Install the C++ compiler that it needs, or leave out compile=True.",
            RuntimeWarning,
            stacklevel=4,
        )


def with_own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same function with a code object of its own.

    The compiler counts the variants of a code object, and compiles no more than eight of them: of
    functions of the same text, such as the phases of nine populations, the last one would be left.

    Parameters
    ----------
    function : function of Python
    """
    assert isinstance(function, FunctionType)
    copy = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
