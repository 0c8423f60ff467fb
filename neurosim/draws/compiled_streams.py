"""The random draws for Numba: code objects of `draws.streams` over compiled functions."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from ..compiled.functions import FUNCTIONS, compiled
from . import streams

# The same code objects see compiled functions under the names of NumPy's ones.
_NAMESPACE = {
    **vars(streams),
    **{f"_{name}": FUNCTIONS[name] for name in ("log", "sqrt", "sin", "cos")},
}


def _compile(body: Any) -> Any:
    return compiled(FunctionType(body.__code__, _NAMESPACE, body.__name__))


philox4x32 = _compile(streams.philox4x32)
uniform_block = _compile(streams.uniform_block)
normal_block = _compile(streams.normal_block)
