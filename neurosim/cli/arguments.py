"""The words of the command line: commands, their options, and settings of models."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import __version__
from ..analysis.comparison import Bounds
from ..errors import NetworkError, describe_unknown
from . import catalogue

DESCRIPTION = (
    "Spiking networks described once, in equations with units, and run on several backends."
)
EPILOG = """\
examples:
  neurosim list                                       models and backends on this machine
  neurosim run prediction-reservoir --seed 1          run a published model; results in out/prediction-reservoir
  neurosim run my_network.py                          run a script of your own
  neurosim check prediction-reservoir --backend cpu   what a backend would run exactly, approximate or refuse
  neurosim verify prediction-reservoir --checks B1,B4 judge a model against its published numbers
  neurosim compare a.npz b.npz --statistical          two recordings, table and exit code
  neurosim export ca3-memory folder --backend nest    a plain script for another simulator
  neurosim doctor                                     what is installed, and what to do about what is not

exit codes:
  0 done   1 a verification failed, recordings differ   2 bad input   3 a backend refuses   4 a value that is not finite   130 interrupted
"""
BOUNDS = {
    "rate": "share of the rate by which rates may differ",
    "cv": "by which coefficients of variation may differ",
    "correlation": "by which mean correlations may differ",
    "weight": "share of the weights by which their means may differ",
    "bin": "of correlations, ms",
}


def parser(commands: Mapping[str, Callable[..., int]]) -> argparse.ArgumentParser:
    """Return the parser of the command line; ``commands`` are the functions by name."""
    raw = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(
        "neurosim", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw
    )
    made.add_argument("--version", action="version", version=f"neurosim {__version__}")
    words = made.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, text: str, **options: Any) -> argparse.ArgumentParser:
        added = words.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", **options
        )
        added.add_argument(
            "--traceback", action="store_true", help="show where in the code an error was raised"
        )
        added.set_defaults(command=commands[name])
        return added

    command("list", "models and backends, with what is installed")
    run = command(
        "run",
        "run a published model, or a script of your own",
        usage="neurosim run MODEL [options]\n       neurosim run [--traceback] SCRIPT.py [arguments of the script]",
        epilog="A script runs as __main__, with the arguments after its name, and the exit codes of neurosim. "
        "It names backend and options itself: ns.simulate(network, time, backend=..., threads=2).",
    )
    run.add_argument(
        "target",
        metavar="MODEL or SCRIPT.py",
        help="name of a model (see neurosim list), or path of a script",
    )
    run.add_argument(
        "--out", metavar="DIR", help="folder for pictures and results.json (default: out/MODEL)"
    )
    check = command(
        "check", "what a backend would run exactly, approximate or refuse; nothing is run"
    )
    verify = command(
        "verify", "run a model's experiments on all cores and judge its acceptance checks"
    )
    verify.add_argument("--checks", metavar="B1,B4", help="only these checks (default: all)")
    verify.add_argument(
        "--json", metavar="FILE", help="write the list of {id, measured, expected, pass} here"
    )
    both = command(
        "compare", "two recordings: equal, or statistically alike; exit code 1 where they differ"
    )
    both.add_argument(
        "recordings", metavar="FILE", nargs=2, help="what Recording.save or a stream wrote"
    )
    both.add_argument(
        "--statistical",
        action="store_true",
        help="rates, intervals, correlations and weights within bounds, instead of every spike",
    )
    both.add_argument("--picture", metavar="FILE", help="draw both side by side")
    for name, default in vars(Bounds()).items():
        both.add_argument(
            f"--{name}",
            type=float,
            default=default,
            metavar="X",
            help=f"{BOUNDS[name]} (default: {default:g})",
        )
    export = command("export", "write a model as a folder that another simulator runs by itself")
    plan = command("map", "lay a model out on a machine, without running it")
    plan.add_argument("--picture", metavar="FILE", help="draw the chips and what lies on them")
    for each in (check, verify, export, plan):
        each.add_argument("model", metavar="MODEL", help="name of a model (see neurosim list)")
    export.add_argument("folder", metavar="DIR", help="a new or empty folder")
    export.add_argument("--time", default="1 s", help="what the script runs (default: 1 s)")
    for each in (run, check, export, plan):
        each.add_argument("--seed", type=_seed, default=0, help="of every random draw (default: 0)")
        each.add_argument(
            "--set",
            dest="settings",
            metavar="name=value",
            action="append",
            default=[],
            help="change a setting of the model; may be repeated",
        )
    for each, default in (
        (run, "cpu"),
        (check, "cpu"),
        (verify, "cpu"),
        (export, "nest"),
        (plan, "spinnaker"),
    ):
        each.add_argument(
            "--backend",
            default=default,
            metavar="NAME",
            help=f"what runs the network (see neurosim list; default: {default})",
        )
    for each, example in ((run, "threads=2"), (check, "mode=equations"), (plan, "version=248")):
        each.add_argument(
            "--option",
            dest="options",
            metavar="name=value",
            action="append",
            default=[],
            help=f"an option of the backend, such as {example}; may be repeated",
        )
    cure = command("doctor", "what is installed, what is missing, and the command that installs it")
    cure.add_argument(
        "--clear-cache",
        action="store_true",
        help="remove the compiled code that backends keep on disk",
    )
    return made


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of 0 or more")
    return int(text)


def settings(model: catalogue.Model, given: Sequence[str]) -> dict[str, Any]:
    """Return the settings of ``--set name=value``, each of the kind of its default.

    Raises
    ------
    NetworkError
        If a setting is no ``name=value``, unknown, or of another kind.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            example = next(iter(model.settings), "name")
            raise NetworkError(
                f"--set {text}: found no '=', expected name=value. Write it such as --set {example}=1."
            )
        if name not in model.settings:
            raise NetworkError(
                describe_unknown("setting", name, model.settings, owner=f"model {model.name!r}")
            )
        found[name] = _setting(name, value, model.settings[name])
    return found


def choices(given: Sequence[str]) -> dict[str, Any]:
    """Return the options of ``--option name=value``; numbers and True or False as such, all else as text.

    Raises
    ------
    NetworkError
        If one is no ``name=value``.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise NetworkError(
                f"--option {text}: found no 'name=', expected name=value. Write it such as --option threads=2."
            )
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def _setting(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval(
            {"true": "True", "false": "False", "none": "None"}.get(text.lower(), text)
        )
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if isinstance(default, list | tuple):
        value = type(default)(value if isinstance(value, list | tuple) else [value])
    if default is not None and type(value) is not type(default):
        raise NetworkError(
            f"--set {name}: found {text!r}, expected a value of the kind of its default, {default!r}. Correct it."
        )
    return value
