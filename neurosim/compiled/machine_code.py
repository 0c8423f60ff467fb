"""Machine code of functions by address: packed for the cache, and linked again without Numba.

Numba takes longer to import than a small network takes to run. A process that compiles nothing
needs none of it: LLVM links the code that an earlier process has stored.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

# What code may call besides the operations of LLVM: it is in every process.
_EVERYWHERE = {"usleep", "Sleep"}

_loaded: list[Any] = []  # code lives until the process ends, since addresses of it are passed on


@dataclass(frozen=True)
class Function:
    """A compiled function of whole numbers (int64) that returns one.

    Attributes
    ----------
    address : int
    call : function
        Calls it; other threads run meanwhile.
    """

    address: int
    call: Callable[..., int]


def function_at(address: int, arguments: int) -> Function:
    """Return the function at an address that takes a number of arguments."""
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)
    return Function(address, prototype(address))


def functions_of(module: Mapping[str, Any]) -> dict[str, Function]:
    """Return the functions that executed source has compiled, by name."""
    return {
        name: function_at(callback.address, len(callback._sig.args))
        for name, callback in _callbacks(module).items()
    }


def pack(module: Mapping[str, Any]) -> bytes | None:
    """Return the machine code that executed source has compiled; see `link`.

    None: a part of it belongs to this process alone.
    """
    index = []
    code = []
    for name, callback in _callbacks(module).items():
        library = callback._library
        called = {f.name for f in library._final_module.functions if f.is_declaration}
        # LLVM ends the process if it does not find a function that it links.
        if any(not f.startswith("llvm.") and f not in _EVERYWHERE for f in called):
            return None
        if library.has_dynamic_globals:
            return None
        code.append(library._get_compiled_object())
        index.append([name, callback._wrapper_name, len(callback._sig.args), len(code[-1])])
    return b"\n".join((json.dumps(index).encode(), b"".join(code)))


def link(data: bytes) -> dict[str, Function]:
    """Return the functions whose machine code was packed, by name."""
    head, _, code = data.partition(b"\n")
    functions = {}
    begin = 0
    for name, symbol, arguments, size in json.loads(head):
        address = _link(code[begin : begin + size], symbol)
        functions[name] = function_at(address, arguments)
        begin += size
    return functions


def _link(code: bytes, symbol: str) -> int:
    import llvmlite.binding as llvm

    _prepare_linker()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    # An engine for each: names that two pieces of code share do not meet.
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _loaded.append(engine)
    return engine.get_function_address(symbol)


@cache
def _prepare_linker() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _callbacks(module: Mapping[str, Any]) -> dict[str, Any]:
    from numba.core.ccallback import CFunc

    return {name: value for name, value in module.items() if isinstance(value, CFunc)}
