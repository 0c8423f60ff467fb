"""The words of the command line: commands, their options, and settings of models."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import __version__
from ..analysis.changes import WITHIN
from ..analysis.comparison import Bounds
from ..datasets.read import VARIABLE
from ..errors import NetworkError, describe_unknown
from . import catalogue

DESCRIPTION = (
    "Spiking networks described once, in equations with units, and run on several backends."
)
EPILOG = """\
examples:
  neurosim list                                 models and backends on this machine
  neurosim run prediction-reservoir --seed 1    run a model; results in out/prediction-reservoir
  neurosim run my_network.py                    run a script of your own
  neurosim check ca3-memory --backend nest      report: exact, approximated or impossible
  neurosim check my_network.py:build            the same of the network that a script builds
  neurosim verify ca3-memory --checks A1,A4     judge a model against its published numbers
  neurosim compare a.npz b.npz --statistical    compare two recordings; table and exit code
  neurosim export ca3-memory folder             write a plain script for another simulator
  neurosim sweep my.py --grid g=3,4 --seeds 5   run build(g, seed) at every point, and measure
  neurosim data fetch mnist --data data         download a data set, with checksums
  neurosim doctor                               installed and missing packages, with remedies

exit codes:
  0 done
  1 a verification or a job of a sweep failed, or recordings differ
  2 bad input
  3 a backend refuses
  4 a value is not finite
  130 interrupted
  141 the reader of the output has gone
"""
BOUNDS = {
    "rate": "largest difference of rates, as a fraction of the rate",
    "cv": "largest difference of coefficients of variation",
    "correlation": "largest difference of mean correlations",
    "weight": "largest difference of mean weights, as a fraction of the mean",
    "bin": "width of a bin of correlations, ms",
}


def parser(commands: Mapping[str, Callable[..., int]]) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Parameters
    ----------
    commands : mapping of str to function
        One for each command, called with the parsed options and the words of a script.
    """
    root = argparse.ArgumentParser(
        "neurosim",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"neurosim {__version__}")
    words = root.add_subparsers(metavar="COMMAND", required=True)
    add_options = {
        "list": _add_list,
        "run": _add_run,
        "check": _add_check,
        "verify": _add_verify,
        "compare": _add_compare,
        "export": _add_export,
        "map": _add_map,
        "sweep": _add_sweep,
        "data": _add_data,
        "doctor": _add_doctor,
    }
    # In the order of the commands, so that help lists them as the documentation does.
    for name, function in commands.items():
        command = add_options[name](words)
        command.add_argument(
            "--traceback", action="store_true", help="show where in the code an error was raised"
        )
        # The function travels with the options, so that no second table of commands is needed.
        command.set_defaults(command=function)
    return root


def _add(
    words: Any,
    name: str,
    text: str,
    **options: Any,
) -> argparse.ArgumentParser:
    description = text[0].upper() + text[1:] + "."
    return words.add_parser(name, help=text, description=description, **options)


def _add_list(words: Any) -> argparse.ArgumentParser:
    return _add(words, "list", "list models and backends, with their state of installation")


def _add_run(words: Any) -> argparse.ArgumentParser:
    command = _add(
        words,
        "run",
        "run a published model, or a script of your own",
        usage=(
            # Written out: what follows a script belongs to the script, which argparse cannot say.
            "neurosim run MODEL [options]\n"
            "       neurosim run [--traceback] SCRIPT.py [arguments of the script]"
        ),
        epilog=(
            "A script runs as __main__, with the arguments after its name, and the exit codes of "
            "neurosim. It names backend and options itself: "
            "ns.simulate(network, time, backend=..., threads=2)."
        ),
    )
    command.add_argument(
        "target",
        metavar="MODEL or SCRIPT.py",
        help="name of a model (see neurosim list), or path of a script",
    )
    command.add_argument(
        "--out", metavar="DIR", help="folder for pictures and results.json (default: out/MODEL)"
    )
    _add_settings(command)
    _add_folder_of_data(command)
    _add_backend(command, "cpu", example="threads=2")
    return command


def _add_check(words: Any) -> argparse.ArgumentParser:
    text = "report the exact, approximated and impossible parts of a network; nothing is run"
    command = _add(words, "check", text)
    _add_network(command)
    _add_report(command)
    _add_backend(command, "cpu", example="mode=equations")
    return command


def _add_verify(words: Any) -> argparse.ArgumentParser:
    text = "run a model's experiments on all cores and judge its acceptance checks"
    command = _add(words, "verify", text)
    command.add_argument("--checks", metavar="B1,B4", help="only these checks (default: all)")
    command.add_argument(
        "--seeds", metavar="100-109", help="run and judge over these seeds (default: the model's)"
    )
    command.add_argument(
        "--full", action="store_true", help="checks of full size as well, which take hours"
    )
    command.add_argument(
        "--json", metavar="FILE", help="write the list of {id, measured, expected, pass} here"
    )
    _add_model(command)
    _add_folder_of_data(command)
    _add_backend(command, "cpu")
    return command


def _add_compare(words: Any) -> argparse.ArgumentParser:
    text = "compare two recordings: equal, or statistically alike; exit code 1 if they differ"
    command = _add(words, "compare", text)
    command.add_argument(
        "recordings", metavar="FILE", nargs=2, help="a file or folder that a recording was saved to"
    )
    command.add_argument(
        "--statistical",
        action="store_true",
        help="rates, intervals, correlations and weights within bounds, instead of every spike",
    )
    command.add_argument(
        "--picture", metavar="FILE", help="draw both side by side, with the differences marked"
    )
    command.add_argument(
        "--within",
        type=int,
        default=WITHIN,
        metavar="STEPS",
        help=f"steps by which a spike may move and count as the same one (default: {WITHIN})",
    )
    # From the fields of Bounds: another bound is an option without a change here.
    for name, default in vars(Bounds()).items():
        text = f"{BOUNDS[name]} (default: {default:g})"
        command.add_argument(f"--{name}", type=float, default=default, metavar="X", help=text)
    return command


def _add_export(words: Any) -> argparse.ArgumentParser:
    text = "write a network as a folder that another simulator runs by itself"
    command = _add(words, "export", text)
    _add_network(command)
    command.add_argument("folder", metavar="DIR", help="a new or empty folder")
    command.add_argument(
        "--time", default="1 s", help="duration that the script runs (default: 1 s)"
    )
    _add_report(command)
    _add_backend(command, "nest")
    return command


def _add_map(words: Any) -> argparse.ArgumentParser:
    command = _add(words, "map", "lay a network out on a machine, without running it")
    command.add_argument("--picture", metavar="FILE", help="draw the chips and their contents")
    command.add_argument(
        "--json", dest="as_json", action="store_true", help="print JSON, with every row"
    )
    _add_network(command)
    _add_backend(command, "spinnaker", example="version=248")
    return command


def _add_sweep(words: Any) -> argparse.ArgumentParser:
    command = _add(
        words,
        "sweep",
        "run the network of a script at every point of a grid, and measure each run",
        epilog=(
            "The script has the functions build and measure, or calls ns.sweep; what is given here "
            "replaces the arguments of its call. Called again, a sweep runs only what is missing."
        ),
    )
    command.add_argument("script", metavar="SCRIPT.py", nargs=1, help="a Python script")
    command.add_argument(
        "--grid",
        metavar="name=value,value",
        action="append",
        default=[],
        help="an axis and its values; may be repeated",
    )
    command.add_argument(
        "--seeds", metavar="5", help="how many seeds, from 0 on; or such as 3,7 or 100-109"
    )
    command.add_argument("--time", help="duration of each run (default: the script's, or 1 s)")
    command.add_argument(
        "--out", metavar="DIR", help="folder of the sweep (default: the script's, or sweeps/NAME)"
    )
    command.add_argument(
        "--workers",
        type=_seed,
        metavar="N",
        help="processes at most (default: by cores and memory; 0: this one)",
    )
    command.add_argument("--retry", action="store_true", help="try jobs that failed again")
    command.add_argument(
        "--no-recordings",
        action="store_true",
        help="keep results alone; another measure then needs other runs",
    )
    _add_backend(command, "cpu", example="precision=float32")
    command.set_defaults(backend=None)
    return command


def _add_data(words: Any) -> argparse.ArgumentParser:
    text = "list the data sets that models read, or fetch one from its usual mirrors"
    command = _add(words, "data", text)
    command.add_argument("action", choices=("list", "fetch"), help="what to do")
    command.add_argument("name", nargs="?", help="of the data set to fetch")
    _add_folder_of_data(command)
    return command


def _add_doctor(words: Any) -> argparse.ArgumentParser:
    text = "list installed and missing packages, and the command that installs them"
    command = _add(words, "doctor", text)
    command.add_argument(
        "--clear-cache",
        action="store_true",
        help="remove the compiled code that backends keep on disk",
    )
    return command


def _add_folder_of_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        metavar="DIR",
        help=f"folder of all data sets (default: the environment variable {VARIABLE})",
    )


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help="name of a model (see neurosim list)")


def _add_network(command: argparse.ArgumentParser) -> None:
    """Add the words that name a network, and its settings."""
    command.add_argument(
        "model",
        metavar="MODEL or SCRIPT.py[:NAME]",
        help="name of a model or network (see neurosim list), or a script: its only network, or "
        "NAME, a network or a function that returns one; a script is loaded and not run",
    )
    _add_settings(command, seed=None)


def _add_report(command: argparse.ArgumentParser) -> None:
    """Add the ways in which a report is printed."""
    command.add_argument(
        "--all", dest="every", action="store_true", help="every row by itself, in order"
    )
    command.add_argument(
        "--json", dest="as_json", action="store_true", help="print JSON, with every row"
    )


def _add_settings(command: argparse.ArgumentParser, *, seed: int | None = 0) -> None:
    command.add_argument(
        "--seed", type=_seed, default=seed, help="of every random draw (default: 0)"
    )
    command.add_argument(
        "--set",
        dest="settings",
        metavar="name=value",
        action="append",
        default=[],
        help="change a setting of the model; may be repeated",
    )


def _add_backend(command: argparse.ArgumentParser, default: str, *, example: str = "") -> None:
    """Add ``--backend``, and ``--option`` if an example of one is given."""
    text = f"backend that runs the network (see neurosim list; default: {default})"
    command.add_argument("--backend", default=default, metavar="NAME", help=text)
    if example:
        command.add_argument(
            "--option",
            dest="options",
            metavar="name=value",
            action="append",
            default=[],
            help=f"an option of the backend, such as {example}; may be repeated",
        )


def _seed(text: str) -> int:
    # int() alone would also take "-1", "1_000" and spaces.
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of 0 or more")
    return int(text)


def settings(
    model: catalogue.Model | catalogue.NetworkSource, words: Sequence[str]
) -> dict[str, Any]:
    """Return the settings of ``--set name=value``, each of the type of its default.

    Raises
    ------
    NetworkError
        If a setting is no ``name=value``, unknown, or of another type.
    """
    values = {}
    for text in words:
        name, equals, value = text.partition("=")
        if not equals:
            # An example with a setting that this model has.
            example = next(iter(model.settings), "name")
            raise NetworkError(
                f"--set {text}: found no '=', expected name=value. Write it such as --set "
                f"{example}=1."
            )
        if name not in model.settings:
            owner = f"model {model.name!r}"
            raise NetworkError(describe_unknown("setting", name, model.settings, owner=owner))
        values[name] = _setting(name, value, model.settings[name])
    return values


def choices(words: Sequence[str]) -> dict[str, Any]:
    """Return the options of ``--option name=value``: literals of Python, or else text.

    Raises
    ------
    NetworkError
        If one is no ``name=value``.
    """
    values = {}
    for text in words:
        name, equals, value = text.partition("=")
        # Options are passed on as keyword arguments, so their names must be identifiers.
        if not equals or not name.isidentifier():
            raise NetworkError(
                f"--option {text}: found no 'name=', expected name=value. "
                "Write it such as --option threads=2."
            )
        values[name] = read_literal(value)
    return values


def _setting(name: str, text: str, default: Any) -> Any:
    # A literal such as 16 must stay text if the setting is one.
    if isinstance(default, str):
        return text
    # Shells, and most other tools, write them in lower case.
    words = {"true": "True", "false": "False", "none": "None"}
    value = read_literal(words.get(text.lower(), text))
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if isinstance(default, list | tuple):
        # One value without commas is meant as a list of one.
        entries = value if isinstance(value, list | tuple) else [value]
        value = type(default)(entries)
    # The exact type: True is an int to isinstance, and no number of neurons.
    if default is not None and type(value) is not type(default):
        raise NetworkError(
            f"--set {name}: found {text!r}, expected a value of the kind of its default, "
            f"{default!r}. Correct it."
        )
    return value


def read_literal(text: str) -> Any:
    """Return a number, list or the like; text that is none of these stays text.

    Parameters
    ----------
    text : str
    """
    # Literals only, never `eval`: the command line is data.
    try:
        return ast.literal_eval(text)
    # The last two: a set of lists, and brackets nested by the thousand.
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text
