"""The command for many runs: the functions of a script, and the grid of the command line."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import NetworkError
from ..sweeps.functions import SCRIPT, load_script
from ..sweeps.sweep import sweep
from ..sweeps.table import SweepTable
from .arguments import choices, read_literal
from .catalogue import read_seeds

_FUNCTIONS = ("build", "measure")


def run_sweep(options: argparse.Namespace) -> bool:
    """Run a sweep and print its table; return whether all jobs succeeded.

    Parameters
    ----------
    options : Namespace
        Of the command.
    """
    (name,) = options.script
    with _script_arguments(Path(name)) as arguments:
        arguments |= _read_given(options, arguments.get("grid", {}))
        defaults = {"folder": Path("sweeps") / Path(name).stem, "time": "1 s", "grid": {}}
        call: dict[str, Any] = {**defaults, **arguments}
        table = sweep(progress=sys.stderr.isatty(), **call)
    print(table)
    _write(table, Path(call["folder"]))
    return not table.failed


def _write(table: SweepTable, folder: Path) -> None:
    """Write the table and its picture beside the results, and say so."""
    names = ["table.csv"]
    table.to_csv(folder / "table.csv")
    if table.grid and table.numbers:
        names.append("picture.png")
        table.plot_all().savefig(folder / "picture.png", dpi=120)
    print(f"\nwritten: {', '.join(str(folder / name) for name in names)}")


def _read_given(options: argparse.Namespace, grid: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the command line gives; its axes replace those of the script."""
    # Only what was said: all else is left to the call in the script.
    arguments: dict[str, Any] = choices(options.options)
    for name in ("backend", "time", "workers"):
        if getattr(options, name) is not None:
            arguments[name] = getattr(options, name)
    if options.out is not None:
        arguments["folder"] = options.out
    if options.grid:
        arguments["grid"] = {**grid, **read_axes(options.grid)}
    if options.seeds is not None:
        arguments["seeds"] = _read_count_of_seeds(options.seeds)
    if options.retry:
        arguments["retry"] = True
    if options.no_recordings:
        arguments["keep"] = False
    return arguments


def read_axes(words: Sequence[str]) -> dict[str, list[Any]]:
    """Return the axes of ``--grid name=value,value``: literals of Python, or else text.

    Parameters
    ----------
    words : sequence of str

    Raises
    ------
    NetworkError
        If one is no ``name=values``, or names an axis twice.
    """
    axes: dict[str, list[Any]] = {}
    for text in words:
        name, equals, values = text.partition("=")
        if not equals or name in axes:
            problem = "this axis twice" if equals else "no '='"
            raise NetworkError(
                f"--grid {text}: found {problem}, expected name=value,value. "
                "Write it such as --grid rate=5,10,20."
            )
        listed = (value.strip() for value in values.split(","))
        axes[name] = [read_literal(value) for value in listed if value]
    return axes


def _read_count_of_seeds(text: str) -> Sequence[int]:
    """Return seeds: ``5`` means the five seeds from 0 on."""
    return range(int(text)) if text.isdecimal() else read_seeds(text, "sweep")


@contextmanager
def _script_arguments(path: Path) -> Iterator[dict[str, Any]]:
    """Yield arguments of `ns.sweep` from a script: those of its call, or its two functions.

    Meanwhile the script is Python's main module, so that other processes find its functions.
    """
    text = _read(path)
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    sys.argv, sys.path[:] = [str(path)], [str(path.parent.resolve()), *sys.path]
    try:
        # A call may stand under `if __name__ == "__main__"`; without one, nothing there matters.
        name = "__main__" if _calls_sweep(text, str(path)) else SCRIPT
        module, call = load_script(path, name=name)
        if call is not None:
            arguments = dict(call.arguments)
            arguments |= arguments.pop("options")
            del arguments["progress"]
            yield arguments
        else:
            yield {function: _function(vars(module), function, path) for function in _FUNCTIONS}
    finally:
        sys.argv, sys.path[:], sys.modules["__main__"] = before


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(
            f"sweep {path}: cannot be read ({error}), expected a Python script with the functions "
            "build and measure. Give its path."
        ) from error


def _calls_sweep(text: str, file: str) -> bool:
    """Return whether a script calls `sweep`, as a name or of a module."""
    for node in ast.walk(ast.parse(text, file)):
        match node:
            case ast.Call(func=ast.Name(id="sweep") | ast.Attribute(attr="sweep")):
                return True
    return False


def _function(names: Mapping[str, Any], name: str, path: Path) -> Any:
    if not callable(names.get(name)):
        raise NetworkError(
            f"sweep {path}: found no function {name!r}, expected build and measure, or a call of "
            f"ns.sweep. Define def {name}(...): at the top of the file."
        )
    return names[name]
