"""The command line: one function for each command, and what ends it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import datasets
from ..analysis.changes import find_spike_changes, find_weight_changes
from ..analysis.comparison import Bounds, compare
from ..backend.discovery import find
from ..backend.lowering import Configured
from ..backend.report import Report
from ..datasets.read import VARIABLE
from ..errors import LoweringError, NetworkError, NeurosimError, SimulationError
from ..network.network import Network
from ..recording.recording import Recording
from ..run import launch
from . import catalogue, doctor, scripts
from .arguments import choices, parser, settings
from .changes_text import changes_text
from .tables import columns, verdict_table

DONE = 0
FAILED = 1
BAD_INPUT = 2
REFUSED = 3
NOT_FINITE = 4
INTERRUPTED = 130
PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors go to stderr as one message."""
    words, script = _cut(list(sys.argv[1:] if arguments is None else arguments))
    options = parser(COMMANDS).parse_args(words)
    # A script that is loaded for its network or functions: its lines, too, are named in errors.
    if not script:
        script = _loaded_script(options)
    try:
        with _ctrl_c() as pressed, _folder_of_data(options):
            code = options.command(options, script)
            sys.stdout.flush()  # so that a closed pipe is noticed here
            # A run may end cleanly by Ctrl-C and return its results; the shell must still learn of
            # it.
            if pressed():
                raise KeyboardInterrupt
            return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough, as in ``neurosim check MODEL | head``. Python would complain
        # once more when it flushes its output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except NeurosimError as error:
        if options.traceback:
            traceback.print_exception(scripts.traced_from(script, error))
        else:
            # Errors of neurosim say all that a user needs; the traceback would bury it.
            line = scripts.line_in(script, error)
            print(f"{type(error).__name__}: {error}{line}", file=sys.stderr)
        return _code(error)
    except Exception as error:  # a mistake of the script's own, which Python shows
        if not script:
            raise
        sys.excepthook(type(error), scripts.traced_from(script, error), error.__traceback__)
        return FAILED


def _loaded_script(options: argparse.Namespace) -> list[str]:
    """Return the script that a command loads, as a list of one; empty if it loads none."""
    if getattr(options, "script", None):
        return options.script
    model = getattr(options, "model", "")
    return [scripts.path_of(model)] if scripts.is_script(model) else []


def list_command(options: argparse.Namespace, _: list[str]) -> int:
    """Print the models and backends on this machine."""
    models = [("", name, summary) for name, summary in doctor.models()]
    backends = [("", *row) for row in doctor.backends()]
    print("models\n" + columns(models or [("", "none", "")]))
    print("\nbackends\n" + columns(backends or [("", "none", "", "")]))
    return DONE


def run_command(options: argparse.Namespace, script: list[str]) -> int:
    """Run a model, or a script."""
    if script:
        # A script names its own backend and options, so none are read here.
        scripts.run_script(Path(script[0]), script)
        return DONE
    if options.target.endswith(".py"):
        raise NetworkError(
            f"run {options.target}: found options before the script, expected none: they are for "
            "models. Give a script its own arguments after its name."
        )
    if Path(options.target).is_file() and options.target not in catalogue.names():
        raise NetworkError(
            f"run {options.target}: found a file, expected a Python script, whose name ends in "
            ".py, or the name of a model. Rename it, or see neurosim list."
        )
    model = catalogue.find(options.target)
    values = settings(model, options.settings)
    backend = Configured(find(options.backend), choices(options.options))
    # Unknown options are refused before the work, which may take minutes.
    if options.options:
        backend.lower(model.network(seed=options.seed, **values))
    with _folder(Path(options.out or Path("out") / model.name)) as out:
        print(f"{model.name} on {backend}, seed {options.seed}")
        # Two seconds earlier: file systems store times in coarse steps.
        began = time.time() - 2.0
        rows = model.demonstrate(
            seed=options.seed, backend=backend, out=out, progress=sys.stderr.isatty(), **values
        )
        print(verdict_table(rows))
        files = _files_since(began, out)
    print("\n" + "\n".join(map(str, files)))
    return DONE


def _files_since(moment: float, folder: Path) -> list[Path]:
    """Return the files below a folder that are no older than a moment, in seconds of the clock."""
    # Files of earlier runs may lie beside those of this one.
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if path.stat().st_mtime >= moment)


def check_command(options: argparse.Namespace, _: list[str]) -> int:
    """Print the report of a backend: the exact, approximated and impossible parts of a network."""
    network = _network(options)
    report = launch.check(network, backend=options.backend, **choices(options.options))
    _print_report(report, options)
    return DONE if report.possible else REFUSED


def export_command(options: argparse.Namespace, _: list[str]) -> int:
    """Write a network as a folder that another simulator runs by itself."""
    path, report = launch.export_with_report(
        _network(options), options.folder, backend=options.backend, time=options.time
    )
    _print_report(report, options, path=str(path))
    return DONE


def map_command(options: argparse.Namespace, _: list[str]) -> int:
    """Lay a network out on a machine, and print the cores and the memory that it takes."""
    # The picture's path is checked before the layout is computed.
    with _picture(options.picture) as picture:
        mapping = launch.map(_network(options), backend=options.backend, **choices(options.options))
        if options.as_json:
            print(json.dumps(mapping.data(), indent=1))
        else:
            print(mapping)
        if picture:
            _draw(mapping.plot().figure, picture)
    return DONE


def _print_report(report: Report, options: argparse.Namespace, *, path: str = "") -> None:
    """Print a report as the options say; JSON is one object, with the path that was written."""
    if options.as_json:
        data = report.data()
        if path:
            data["written"] = path
        print(json.dumps(data, indent=1))
        return
    # Files and other programs get whole lines, so that they can be searched.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(report.text(every=options.every, width=width))
    if path:
        print(f"\nwritten: {path}")


def sweep_command(options: argparse.Namespace, _: list[str]) -> int:
    """Run a network at every point of a grid."""
    from .sweeping import run_sweep  # its machinery for processes is needed by no other command

    return DONE if run_sweep(options) else FAILED


def compare_command(options: argparse.Namespace, _: list[str]) -> int:
    """Compare two recordings."""
    for path in options.recordings:
        if not Path(path).exists():
            raise NetworkError(
                f"compare {path}: there is no such file, expected what Recording.save or a stream "
                "wrote. Give its path."
            )
    with _picture(options.picture) as picture:
        first, second = (Recording.load(path) for path in options.recordings)
        bounds = Bounds(**{name: getattr(options, name) for name in vars(Bounds())})
        rows = compare(first, second, statistical=options.statistical, bounds=bounds)
        print(verdict_table(rows))
        changes = find_spike_changes(first, second, within=options.within)
        print(changes_text(changes, find_weight_changes(first, second)), end="")
        if picture:
            from .. import plot  # slow to import, and most comparisons draw nothing

            names = Path(options.recordings[0]).stem, Path(options.recordings[1]).stem
            figure = plot.comparison(first, second, names=names, within=options.within)
            _draw(figure, picture)
    return DONE if all(row["pass"] for row in rows) else FAILED


def _draw(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=120)
    print(f"\nwritten: {path}")


def verify_command(options: argparse.Namespace, _: list[str]) -> int:
    """Judge a model against its published numbers."""
    from . import verification  # it imports machinery for processes that no other command needs

    model = catalogue.find(options.model)
    if options.seeds is not None:
        model = model.over_seeds(catalogue.read_seeds(options.seeds))
    if options.full:
        model = model.in_full()
    checks = None
    if options.checks is not None:
        ids = (text.strip() for text in options.checks.split(","))
        checks = [text for text in ids if text]
    with _file(options.json) as path:
        rows = verification.verify(model, backend=options.backend, checks=checks)
        print(verdict_table(rows))
        passed = sum(row["pass"] for row in rows)
        print(f"\n{passed} of {len(rows)} checks passed")
        if path:
            print(verification.write(path, rows))
    return DONE if passed == len(rows) else FAILED


def data_command(options: argparse.Namespace, _: list[str]) -> int:
    """List the data sets, or fetch one."""
    if options.action == "list":
        known = datasets.KNOWN.items()
        print(columns([("", name, data.summary, data.source) for name, data in known]))
        return DONE
    if options.name is None:
        fetchable = [name for name, data in datasets.KNOWN.items() if data.mirrors]
        raise NetworkError(
            f"data fetch: found no name, expected one of {', '.join(fetchable)}. Write it such "
            "as neurosim data fetch mnist --data DIR."
        )
    print(datasets.fetch(options.name, progress=sys.stderr.isatty()))
    return DONE


def doctor_command(options: argparse.Namespace, _: list[str]) -> int:
    """Print installed and missing packages, backends, and the compiled code on disk."""
    if options.clear_cache:
        for cache in doctor.caches():
            print(f"compiled code of {cache.backend}: removed {cache.clear()} files")
        return DONE
    print(doctor.machine())
    _print_packages()
    for rival in doctor.rivals():
        print(f"\n{doctor.advice(rival)}")
    print("\nbackends\n" + columns([("", *row) for row in doctor.backends()]))
    for cache in doctor.caches():
        files, megabytes = doctor.size(cache.folder)
        contents = f"{files} files, {megabytes:.1f} MB in {cache.folder}"
        print(f"\ncompiled code of {cache.backend}: {contents}")
        print("  to remove it: neurosim doctor --clear-cache")
    return DONE


def _print_packages() -> None:
    """Print all packages with their versions, and for each feature how to install what it lacks."""
    packages = doctor.packages()
    rows = []
    for package in packages:
        needs = f"needs {package.needs or 'any version'}"
        rows.append(("", package.name, package.version or "missing", needs, package.feature))
    print("\npackages\n" + columns(rows))
    missing: dict[str, list[doctor.Package]] = {}
    for package in packages:
        if package.version is None:
            missing.setdefault(package.feature, []).append(package)
    for feature, of_feature in missing.items():
        print(f"  to install what {feature} needs: {doctor.install_command(of_feature)}")


def _network(options: argparse.Namespace) -> Network:
    if scripts.is_script(options.model):
        source = scripts.source_in_script(options.model)
    else:
        source = catalogue.source_of(options.model)
    values = settings(source, options.settings)
    if source.takes_seed:
        values["seed"] = options.seed or 0
    elif options.seed is not None:
        raise NetworkError(
            f"--seed {options.seed}: {source.name} takes no seed, expected none. Leave it out, or "
            "name a function with an argument seed."
        )
    return source.build(**values)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Yield a folder that files can be written to; any other is refused before the work.

    Folders that were created and have stayed empty are removed at the end.
    """
    action = "made"
    created = []
    try:
        try:
            created += [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
            action = "written to"
            # Permissions do not tell of full or read-only disks; a file does.
            with tempfile.NamedTemporaryFile(dir=path):
                pass
        except OSError as error:
            raise NetworkError(
                f"folder {path}: cannot be {action} ({error.strerror}), expected a place to write "
                "to. Choose another."
            ) from error
        yield path
    finally:
        for folder in created:
            with suppress(OSError):  # it holds something
                folder.rmdir()


@contextmanager
def _file(name: str | None) -> Iterator[Path | None]:
    if name is None:
        yield None
        return
    path = Path(name)
    if path.is_dir():
        raise NetworkError(
            f"file {path}: found a folder, expected the name of a file. Add one, such as "
            f"{path / 'results.json'}."
        )
    with _folder(path.parent) as folder:
        yield folder / path.name


def _picture(name: str | None) -> AbstractContextManager[Path | None]:
    if name is not None:
        from matplotlib.backend_bases import FigureCanvasBase

        # The ending is checked before the work: saving would fail after it.
        path = Path(name)
        formats = sorted(FigureCanvasBase.get_supported_filetypes())
        if path.suffix[1:].lower() not in formats:
            raise NetworkError(
                f"picture {path}: found the ending {path.suffix!r}, expected one of "
                f"{', '.join(formats)}. Name it such as {path.stem}.png."
            )
    return _file(name)


@contextmanager
def _folder_of_data(options: argparse.Namespace) -> Iterator[None]:
    """Let ``--data`` replace the environment variable, for processes of the command as well."""
    before = os.environ.get(VARIABLE)
    if getattr(options, "data", None) is not None:
        os.environ[VARIABLE] = options.data
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed, even if a run ended cleanly by it.

    Python writes the number of each signal into a socket, whichever handler is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    reader, writer = socket.socketpair()
    # As Python demands of this socket: a full one must not stop the process.
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
    if isinstance(error, LoweringError):
        return REFUSED
    if isinstance(error, SimulationError):
        return NOT_FINITE
    return BAD_INPUT


def _cut(words: list[str]) -> tuple[list[str], list[str]]:
    """Split words into those of neurosim and, for ``run SCRIPT.py``, those of the script."""
    # argparse would take the options of the script for its own.
    if "run" not in words:
        return words, []
    for position in range(words.index("run") + 1, len(words)):
        if words[position].endswith(".py"):
            return words[: position + 1], words[position:]
        if words[position] != "--traceback":
            break
    return words, []


COMMANDS: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "list": list_command,
    "run": run_command,
    "check": check_command,
    "verify": verify_command,
    "compare": compare_command,
    "export": export_command,
    "map": map_command,
    "sweep": sweep_command,
    "data": data_command,
    "doctor": doctor_command,
}
