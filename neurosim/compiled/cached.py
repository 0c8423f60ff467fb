"""Decorators of generated source: compiled by Numba, with machine code kept in a `cache.Store`.

Numba's own cache trusts its files: damaged machine code ends the process. Here each file begins
with a digest of its content, and there is no index that could be damaged. Functions that are
called by address have a cache that needs no Numba, see `cache.functions`.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import NullCache
from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature

from .cache import Store


def njit(function: Callable[..., Any]) -> Any:
    """Compile a function of generated source for the types of its arguments."""
    dispatcher = numba.njit(error_model="numpy", nogil=True)(function)
    dispatcher._cache = _cache_of(function)  # pyright: ignore[reportAttributeAccessIssue]
    return dispatcher


def cfunc(signature: str) -> Callable[[Callable[..., Any]], CFunc]:
    """Compile a function of generated source for callers that have its address.

    Parameters
    ----------
    signature : str
        Types of its result and its arguments.
    """

    def decorate(function: Callable[..., Any]) -> CFunc:
        types = normalize_signature(signature)
        callback = CFunc(function, types, locals={}, options={"error_model": "numpy"})
        callback.compile()
        return callback

    return decorate


def _cache_of(function: Callable[..., Any]) -> NullCache:
    store = function.__globals__.get("STORE")
    # Source that was executed by itself, as by a test, has no store.
    if not isinstance(store, Store):
        return NullCache()
    return _Overloads(store, f"{function.__module__}-{function.__name__}")


class _Overloads(NullCache):
    """The machine code of one function, by the types of its arguments, as Numba asks for it.

    Parameters
    ----------
    store : Store
    stem : str
        Begins the names of its files.
    """

    def __init__(self, store: Store, stem: str) -> None:
        self._store = store
        self._stem = stem

    def load_overload(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, sig: Any, target_context: Any
    ) -> CompileResult | None:
        """Return the machine code for some types, None if there is none."""
        target_context.refresh()
        data = self._store.load(self._name(sig, target_context.codegen()))
        if data is None:
            return None
        # The digest is right, so this is what `save_overload` wrote.
        return CompileResult._rebuild(target_context, *pickle.loads(data))

    def save_overload(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, sig: Any, data: CompileResult
    ) -> None:
        """Store the machine code for some types."""
        # Its addresses are those of this process alone.
        if data.library.has_dynamic_globals or any(not part.can_cache for part in data.lifted):
            return
        self._store.save(self._name(sig, data.codegen), dumps(data._reduce()))

    def _name(self, sig: Any, codegen: Any) -> str:
        digest = hashlib.blake2b(repr((sig, codegen.magic_tuple())).encode(), digest_size=8)
        return f"{self._stem}-{digest.hexdigest()}.nbc"
