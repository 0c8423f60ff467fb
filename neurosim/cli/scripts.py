"""Scripts on the command line: run as __main__, or loaded for the networks that they build."""

from __future__ import annotations

import runpy
import sys
import tokenize
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import NetworkError, describe, describe_unknown
from ..network.network import Network
from ..run.launch import forbidding_runs
from .catalogue import NetworkSource, source_of_function

_MODULE = "__neurosim_script__"  # not "__main__": a guarded part of a script does not run


def is_script(target: str) -> bool:
    """Return whether a target is ``SCRIPT.py`` or ``SCRIPT.py:name``, and no model."""
    return _split(target)[0].endswith(".py")


def path_of(target: str) -> str:
    """Return the path of a script without the name behind its colon."""
    return _split(target)[0]


def run_script(path: Path, arguments: list[str]) -> None:
    """Run a script as Python would, with its own arguments.

    Parameters
    ----------
    path : path
    arguments : list of str
        The script and the words after it.

    Raises
    ------
    NetworkError
        If there is no such file.
    """
    _require_file(path, "run", "Give its path, or the name of a model (neurosim list).")
    with _as_started(path, arguments):
        runpy.run_path(str(path), run_name="__main__")


def source_in_script(target: str) -> NetworkSource:
    """Return the network of a script, or the function of a script that builds one.

    Parameters
    ----------
    target : str
        ``SCRIPT.py``, or ``SCRIPT.py:name`` of a function or of a network.

    Raises
    ------
    NetworkError
        If there is no such file, or not exactly one network; a name is unknown or of something
        else; or the script runs a network while it is loaded.
    """
    file, name = _split(target)
    path = Path(file)
    _require_file(path, "script", "Give its path, or the name of a model (neurosim list).")
    with _as_started(path, [file]):
        values = _load(path)
        if not name:
            network = _only_network(values, file)
            return NetworkSource(file, {}, lambda: network, takes_seed=False)
        if name not in values:
            valid = [*_networks(values), *_functions(values)]
            raise NetworkError(describe_unknown("function", name, valid, owner=f"script {file}"))
        value = values[name]
        if isinstance(value, Network):
            return NetworkSource(target, {}, lambda: value, takes_seed=False)
        if not callable(value):
            raise NetworkError(
                f"script {file}: {name} is {describe(value)}, expected a network, or a function "
                "that returns one. Name such a function."
            )
        return source_of_function(target, _check_result(value, target, path))


def line_in(script: Sequence[str], error: BaseException) -> str:
    """Return the line of a script that caused an error, as text; empty without a script."""
    if not script:
        return ""
    file = str(Path(script[0]))
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    # The innermost line of the script: its outer ones only lead there.
    return f"\n  at {script[0]}, line {lines[-1]}" if lines else ""


def traced_from(script: Sequence[str], error: Exception) -> Exception:
    """Return the error with a traceback that begins in the script, as if Python ran it."""
    trace = error.__traceback__
    if script:
        file = str(Path(script[0]))
        while trace and trace.tb_frame.f_code.co_filename != file:
            trace = trace.tb_next
    return error.with_traceback(trace)


def _split(target: str) -> tuple[str, str]:
    # The last colon: a path on Windows has one behind its drive.
    path, _, name = target.rpartition(":")
    if path.endswith(".py"):
        return path, name
    return target, ""


def _require_file(path: Path, where: str, remedy: str) -> None:
    if not path.is_file():
        raise NetworkError(
            f"{where} {path}: there is no such file, expected a Python script. {remedy}"
        )


@contextmanager
def _as_started(path: Path, arguments: list[str]) -> Iterator[None]:
    """Let a script find its arguments and the modules beside it, as Python itself starts it."""
    # Restored at the end: the caller may be a test or a notebook.
    before = sys.argv, sys.path[:]
    sys.argv, sys.path[:] = arguments, [str(path.parent.resolve()), *sys.path]
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before


def _load(path: Path) -> dict[str, Any]:
    """Return the names that a script defines; it is executed, and nothing in it may run."""
    module = ModuleType(_MODULE)
    module.__file__ = str(path)
    # Dataclasses read the module of their class.
    sys.modules[_MODULE] = module
    try:
        with tokenize.open(path) as file:
            code = compile(file.read(), str(path), "exec")
        with forbidding_runs(str(path)):
            exec(code, module.__dict__)
    except SystemExit as end:
        raise NetworkError(
            f"script {path}: it ended itself (exit code {end.code}) while it was loaded for its "
            "network, expected that it only builds one. Move the rest under "
            'if __name__ == "__main__":'
        ) from end
    finally:
        del sys.modules[_MODULE]
    return dict(module.__dict__)


def _networks(values: Mapping[str, Any]) -> dict[str, Network]:
    return {name: value for name, value in values.items() if isinstance(value, Network)}


def _functions(values: Mapping[str, Any]) -> list[str]:
    """Return the functions that the script itself defines."""
    return [
        name
        for name, value in values.items()
        if isfunction(value) and value.__module__ == _MODULE and not name.startswith("_")
    ]


def _only_network(values: Mapping[str, Any], file: str) -> Network:
    networks = _networks(values)
    # Two names of one network are one network.
    different = {id(network): network for network in networks.values()}
    if len(different) == 1:
        return next(iter(different.values()))
    if different:
        raise NetworkError(
            f"script {file}: found {len(different)} networks ({', '.join(networks)}), expected "
            f"one. Name it, such as {file}:{next(iter(networks))}."
        )
    functions = _functions(values)
    if functions:
        remedy = (
            f"Name the function that returns it, such as {file}:{functions[0]} (functions here: "
            f"{', '.join(functions)})."
        )
    else:
        remedy = (
            "Build one, such as net = ns.Network('net', dt='0.1 ms'), outside of any "
            'if __name__ == "__main__":'
        )
    raise NetworkError(
        f"script {file}: found no network among its variables, expected one. {remedy}"
    )


def _check_result(function: Callable[..., Any], target: str, path: Path) -> Callable[..., Network]:
    """Return a function that runs like a script while it builds, and must return a network."""

    # The signature of the user's function says which settings it has.
    @wraps(function)
    def build(**settings: Any) -> Network:
        with _as_started(path, [str(path)]), forbidding_runs(target):
            network = function(**settings)
        if not isinstance(network, Network):
            raise NetworkError(
                f"script {target}: it returned {describe(network)}, expected a Network. "
                "Return the network that it builds."
            )
        return network

    return build
