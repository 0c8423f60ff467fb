"""The command line: list, run, check, verify and doctor."""

from __future__ import annotations

import argparse
import ast
import runpy
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import __version__, backend, catalogue, doctor
from .columns import columns, judged
from .errors import LoweringError, NetworkError, NeurosimError, SimulationError, unknown

DONE, FAILED, BAD_INPUT, REFUSED, NOT_FINITE, INTERRUPTED = 0, 1, 2, 3, 4, 130

DESCRIPTION = "Spiking networks described once, in equations with units, and run on several backends."
EPILOG = """\
examples:
  neurosim list                                       models and backends on this machine
  neurosim run prediction-reservoir --seed 1          run a published model; results in out/prediction-reservoir
  neurosim run my_network.py                          run a script of your own
  neurosim check prediction-reservoir --backend cpu   what a backend would run exactly, approximate or refuse
  neurosim verify prediction-reservoir --checks B1,B4 judge a model against its published numbers
  neurosim doctor                                     what is installed, and what to do about what is not

exit codes:
  0 done   1 a verification failed   2 bad input   3 a backend refuses   4 a value that is not finite   130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors go to stderr as one message."""
    words, script = _cut(list(sys.argv[1:] if arguments is None else arguments))
    options = _parser().parse_args(words)
    try:
        with _ctrl_c() as pressed:
            code = options.command(options, script)
            if pressed():
                raise KeyboardInterrupt
            return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except NeurosimError as error:
        if options.traceback:
            traceback.print_exc()
        else:
            print(f"{type(error).__name__}: {error}{_line(error, options)}", file=sys.stderr)
        return _code(error)


def list_command(options: argparse.Namespace, _: list[str]) -> int:
    """Print the models and backends on this machine."""
    print("models\n" + columns([("", name, summary) for name, summary in doctor.models()] or [("", "none", "")]))
    print("\nbackends\n" + columns([("", *row) for row in doctor.backends()] or [("", "none", "", "")]))
    return DONE


def run_command(options: argparse.Namespace, script: list[str]) -> int:
    """Run a model, or a script."""
    if script:
        return _script(Path(script[0]), script)
    if options.target.endswith(".py"):
        raise NetworkError(f"run {options.target}: found options before the script, expected none: they are for models. "
                           "Give a script its own arguments after its name.")
    model = catalogue.find(options.target)
    given = settings(model, options.settings)
    backend.find(options.backend)
    out = _folder(Path(options.out or Path("out") / model.name))
    print(f"{model.name} on {options.backend}, seed {options.seed}")
    began = time.time() - 2.0  # file systems keep time in coarse steps
    rows = model.demonstrate(seed=options.seed, backend=options.backend, out=out, progress=sys.stderr.isatty(), **given)
    print(judged(rows))
    left = sorted(path for path in out.rglob("*") if path.is_file() and path.stat().st_mtime >= began)
    print("\n" + "\n".join(map(str, left)))
    return DONE


def check_command(options: argparse.Namespace, _: list[str]) -> int:
    """Print what a backend would run exactly, approximate or refuse."""
    model = catalogue.find(options.model)
    network = model.network(seed=options.seed, **settings(model, options.settings))
    report = backend.find(options.backend).check(network)
    print(report)
    return DONE if report.possible else REFUSED


def verify_command(options: argparse.Namespace, _: list[str]) -> int:
    """Judge a model against its published numbers."""
    from . import verification

    model = catalogue.find(options.model)
    backend.find(options.backend)
    if options.json:
        _folder(Path(options.json).parent)  # before the work, not after it
    checks = [part.strip() for part in options.checks.split(",") if part.strip()] if options.checks is not None else None
    rows = verification.verify(model, backend=options.backend, checks=checks)
    print(judged(rows))
    passed = sum(row["pass"] for row in rows)
    print(f"\n{passed} of {len(rows)} checks passed")
    if options.json:
        print(verification.write(options.json, rows))
    return DONE if passed == len(rows) else FAILED


def doctor_command(options: argparse.Namespace, _: list[str]) -> int:
    """Print what is installed, what is missing, and what compiled code is kept."""
    if options.clear_cache:
        for cache in doctor.caches():
            print(f"compiled code of {cache.backend}: removed {cache.clear()} files")
        return DONE
    found = doctor.packages()
    print(doctor.machine() + "\n\npackages")
    print(columns([("", p.name, p.version or "missing", f"needs {p.needs or 'any version'}", p.feature) for p in found]))
    for feature in dict.fromkeys(p.feature for p in found):
        missing = [p for p in found if p.feature == feature and p.version is None]
        if missing:
            print(f"  to install what {feature} needs: {doctor.install_command(missing)}")
    print("\nbackends\n" + columns([("", *row) for row in doctor.backends()]))
    for cache in doctor.caches():
        files, megabytes = doctor.size(cache.folder)
        print(f"\ncompiled code of {cache.backend}: {files} files, {megabytes:.1f} MB in {cache.folder}")
        print("  to remove it: neurosim doctor --clear-cache")
    return DONE


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
            raise NetworkError(f"--set {text}: found no '=', expected name=value. Write it such as --set {example}=1.")
        if name not in model.settings:
            raise NetworkError(unknown("setting", name, model.settings, owner=f"model {model.name!r}"))
        found[name] = _setting(name, value, model.settings[name])
    return found


def _setting(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if isinstance(default, list | tuple):
        value = type(default)(value if isinstance(value, list | tuple) else [value])
    if default is not None and type(value) is not type(default):
        raise NetworkError(f"--set {name}: found {text!r}, expected a value of the kind of its default, {default!r}. Correct it.")
    return value


def _script(path: Path, arguments: list[str]) -> int:
    if not path.is_file():
        raise NetworkError(f"run {path}: there is no such file, expected a Python script. "
                           "Give its path, or the name of a model (neurosim list).")
    before = sys.argv, sys.path[:]
    sys.argv, sys.path[:] = arguments, [str(path.parent.resolve()), *sys.path]
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before
    return DONE


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetworkError(f"folder {path}: cannot be made ({error.strerror}), expected a place to write to. Choose another.") from error
    return path


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Notice Ctrl-C even where a run ends cleanly by it and goes on: Python writes the number of each signal into a socket."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def pressed() -> bool:
        writer.send(b"\0")  # so that reading never waits
        return signal.SIGINT in reader.recv(4096)

    try:
        yield pressed
    finally:
        signal.set_wakeup_fd(before)
        reader.close()
        writer.close()


def _code(error: NeurosimError) -> int:
    return REFUSED if isinstance(error, LoweringError) else NOT_FINITE if isinstance(error, SimulationError) else BAD_INPUT


def _line(error: BaseException, options: argparse.Namespace) -> str:
    """Return the user's own line, for errors of scripts."""
    target = getattr(options, "target", "")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == target]
    return f"\n  at {target}, line {lines[-1]}" if lines else ""


def _cut(words: list[str]) -> tuple[list[str], list[str]]:
    """Split off a script with its arguments, which are its own: ``run [--traceback] SCRIPT.py ...``."""
    for at in range(words.index("run") + 1 if "run" in words else len(words), len(words)):
        if words[at].endswith(".py"):
            return words[: at + 1], words[at:]
        if words[at] != "--traceback":
            break
    return words, []


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("neurosim", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"neurosim {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(function: Callable, name: str, text: str, **options: Any) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", **options)
        made.add_argument("--traceback", action="store_true", help="show where in the code an error was raised")
        made.set_defaults(command=function)
        return made

    command(list_command, "list", "models and backends, with what is installed")
    run = command(run_command, "run", "run a published model, or a script of your own",
                  usage="neurosim run MODEL [options]\n       neurosim run [--traceback] SCRIPT.py [arguments of the script]",
                  epilog="A script runs as __main__, with the arguments after its name, and the exit codes of neurosim.")
    run.add_argument("target", metavar="MODEL or SCRIPT.py", help="name of a model (see neurosim list), or path of a script")
    run.add_argument("--out", metavar="DIR", help="folder for pictures and results.json (default: out/MODEL)")
    check = command(check_command, "check", "what a backend would run exactly, approximate or refuse; nothing is run")
    verify = command(verify_command, "verify", "run a model's experiments on all cores and judge its acceptance checks")
    verify.add_argument("--checks", metavar="B1,B4", help="only these checks (default: all)")
    verify.add_argument("--json", metavar="FILE", help="write the list of {id, measured, expected, pass} here")
    for each in (check, verify):
        each.add_argument("model", metavar="MODEL", help="name of a model (see neurosim list)")
    for each in (run, check):
        each.add_argument("--seed", type=_seed, default=0, help="of every random draw (default: 0)")
        each.add_argument("--set", dest="settings", metavar="name=value", action="append", default=[],
                          help="change a setting of the model; may be repeated")
    for each in (run, check, verify):
        each.add_argument("--backend", default="cpu", metavar="NAME", help="what runs the network (see neurosim list; default: cpu)")
    cure = command(doctor_command, "doctor", "what is installed, what is missing, and the command that installs it")
    cure.add_argument("--clear-cache", action="store_true", help="remove the compiled code that backends keep on disk")
    return parser


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of 0 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
