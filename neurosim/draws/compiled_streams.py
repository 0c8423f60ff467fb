"""The random draws for Numba: code objects of `draws.streams` over compiled functions."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from ..compiled.functions import FUNCTIONS, compiled
from . import streams

_NAMESPACE = {
    **vars(streams),
    **{f"_{name}": FUNCTIONS[name] for name in ("log", "sqrt", "sin", "cos")},
}


def _same(body: Any) -> Any:
    return compiled(FunctionType(body.__code__, _NAMESPACE, body.__name__))


philox4x32 = _same(streams.philox4x32)
uniform_block = _same(streams.uniform_block)
normal_block = _same(streams.normal_block)
