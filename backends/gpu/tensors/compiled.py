"""Functions of cells compiled by `torch.compile`; if that fails, they run as they are.

Draws are not compiled: for some keys the code that Inductor of torch 2.13 makes of them on the CPU
gives other numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from .cells import CellFunctions

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

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that compiles itself when it is first called with such shapes.

        Parameters
        ----------
        function : function of tensors that changes nothing
        """
        fast = torch.compile(function, dynamic=False, options=_OPTIONS)

        def call(*arguments: Any) -> Any:
            if not self.has_failed:
                try:
                    return fast(*arguments)
                # All failures of the compiler of torch, and of the one of C++ that it calls.
                except (RuntimeError, OSError, ImportError) as error:
                    self._give_up(error)
            return function(*arguments)

        return call

    def cell(self, functions: CellFunctions) -> CellFunctions:
        """Return the functions of a cell, compiled."""
        detect = functions.detect
        return replace(
            functions,
            integrate=self.compiled(functions.integrate),
            detect=None if detect is None else self.compiled(detect),
            after=self.compiled(functions.after),
        )

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
