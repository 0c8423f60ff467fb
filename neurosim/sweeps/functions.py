"""Functions of the user: a digest of their source, and how another process gets them."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ..errors import NetworkError, describe

Function = Callable[..., Any]
SCRIPT = "neurosim_sweep_script"  # name of a script that is loaded for its functions
_is_loading: ContextVar[bool] = ContextVar("is_loading", default=False)


class SweepCall(BaseException):
    """Raised by `ns.sweep` in a script that is loaded for its functions; ends the script there.

    It passes every ``except Exception`` of the script.

    Parameters
    ----------
    arguments : mapping of str to value
        Of the call.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = dict(arguments)


def end_script_here(arguments: Mapping[str, Any]) -> None:
    """Raise `SweepCall` if a script is being loaded for its functions."""
    if _is_loading.get():
        raise SweepCall(arguments)


@contextmanager
def _loading() -> Iterator[None]:
    token = _is_loading.set(True)
    try:
        yield
    finally:
        _is_loading.reset(token)


# ---- digests


def digest(function: Function) -> str:
    """Return a digest of a function's own source, or of its code if it has no source.

    Functions that it calls are not read.
    """
    parts: list[str] = []
    while isinstance(function, functools.partial):
        parts.append(repr((function.args, sorted(function.keywords.items()))))
        function = function.func
    try:
        parts.append(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):  # typed into a prompt, or an object with __call__
        parts.append(_code_text(function))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _code_text(function: Function) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return type(function).__qualname__
    constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    return repr((code.co_code, constants, code.co_names))


# ---- references


def refer(function: Function, noun: str) -> dict[str, str]:
    """Return JSON data by which another process on this machine loads a function.

    A function of a module is found by the module's name; one of the script that Python runs by
    the script's file, whose lines are executed up to the call of `ns.sweep`.

    Parameters
    ----------
    function : function
    noun : str
        Of the argument, for messages.

    Raises
    ------
    NetworkError
        If it has no name in a module or file, such as a function in a notebook, or in a function.
    """
    name = getattr(function, "__qualname__", "")
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is None or _attribute(module, name) is not function:
        raise _cannot_send(function, noun, "which is not defined at the top of a file")
    if module.__name__ not in ("__main__", SCRIPT):
        return {"module": module.__name__, "name": name}
    file = getattr(module, "__file__", None)
    if file is None or not os.path.isfile(file):
        raise _cannot_send(function, noun, "which was typed into a notebook or a prompt")
    package = getattr(module, "__package__", None) or ""
    return {"file": str(Path(file).resolve()), "package": package, "name": name}


def _cannot_send(function: Function, noun: str, reason: str) -> NetworkError:
    name = getattr(function, "__name__", None) or describe(function)
    return NetworkError(
        f"sweep, {noun}: found {name}, {reason}, expected one that other processes can import. "
        "Put it at the top of a .py file and import it from there, or give workers=0, which runs "
        "all jobs in this process."
    )


def _attribute(owner: object, name: str) -> object:
    try:
        return functools.reduce(getattr, name.split("."), owner)
    except AttributeError:
        return None


def load(reference: Mapping[str, str]) -> Function:
    """Return the function of a reference.

    Raises
    ------
    NetworkError
        If it is not there: defined below the call of `ns.sweep`, or only under
        ``if __name__ == "__main__"``.
    """
    if "module" in reference:
        with _loading():
            module = importlib.import_module(reference["module"])
    else:
        module = _script_module(Path(reference["file"]), reference["package"])
    function = _attribute(module, reference["name"])
    if not callable(function):
        raise NetworkError(
            f"sweep: found no function {reference['name']!r} in {module.__file__} above the first "
            "call of ns.sweep, expected it there, at the top of the file. Move it there."
        )
    return function


@functools.cache
def _script_module(file: Path, package: str) -> types.ModuleType:
    """Return a script as a module; it is executed once, though both functions may be its."""
    return load_script(file, package=package)[0]


def load_script(
    file: Path, *, package: str = "", name: str = SCRIPT
) -> tuple[types.ModuleType, SweepCall | None]:
    """Execute a script up to its first call of `ns.sweep`, as a module that Python knows.

    Parameters
    ----------
    file : path
    package : str
        To which it belongs; empty: none.
    name : str
        Its ``__name__``.

    Returns
    -------
    module
        With all names that were defined until then.
    SweepCall or None
        The call; None if there was none.
    """
    module = types.ModuleType(name)
    module.__file__ = str(file)
    module.__package__ = package
    # It stays there: dataclasses of the script look up their module.
    sys.modules[name] = module
    try:
        with _loading():
            exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    except SweepCall as call:
        return module, call
    return module, None
