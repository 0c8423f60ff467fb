"""One job of a sweep: build, run and measure, and whatever became of it."""

from __future__ import annotations

import errno
import os
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import NetworkError, describe
from ..ir.concretise import concretise
from ..network.network import Network
from ..recording.recording import Recording
from ..run.launch import simulate
from .grid import SEED, Point
from .keys import early_key, result_key, run_key

# Of "known" the result is stored already; of "recorded" the recording is, where only the
# process that asked can read it.
State = Literal["done", "known", "recorded", "failed"]
Phase = Literal["build", "run", "measure", "process"]
_ROOT = Path(__file__).resolve().parents[2]
# Beginnings of the files that are not the user's: of neurosim, and of Python itself.
_NOT_THE_USERS = (
    *(f"{_ROOT / name}{os.sep}" for name in ("neurosim", "models", "backends")),
    f"{sysconfig.get_path('stdlib')}{os.sep}",
    "<frozen",
)


class _NoNumbersError(NetworkError):
    """A measure that returned something else than numbers: every job would meet it."""


@dataclass(frozen=True)
class Failure:
    """The error of a job.

    Attributes
    ----------
    phase : "build", "run", "measure" or "process"
        "process": the process of the job ended.
    error : str
        Type and message.
    place : str
        File, line and function of the user's code; empty: none.
    traceback : str
    stops : bool
        Whether other jobs would meet it too, so that the sweep ends.
    """

    phase: Phase
    error: str
    place: str = ""
    traceback: str = ""
    stops: bool = False

    def __str__(self) -> str:
        place = f" ({self.place})" if self.place else ""
        return f"{self.phase}: {self.error}{place}"


@dataclass(frozen=True)
class Task:
    """All that a process needs for a job.

    Attributes
    ----------
    point : Point
    build, measure : function
    build_digest, measure_digest, settings : str
        Of the functions, and of backend, options, time and versions.
    time : float, ms
    backend : str or Backend
    options : dict
        Of the backend.
    known, recorded : tuple of str
        Keys of results, and of recordings, that are stored of this point.
    recordings : str or None
        Folder of recordings, if this process can read and write it.
    keep : bool
        Whether recordings are kept.
    number : int
        Different for each task of a call, so that no executor takes two for the same.
    """

    point: Point
    build: Callable[..., Any]
    measure: Callable[..., Any]
    build_digest: str
    measure_digest: str
    settings: str
    time: float
    backend: Any
    options: dict[str, Any]
    known: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    recordings: str | None = None
    keep: bool = True
    number: int = 0

    @property
    def early_key(self) -> str:
        """Key of a failure before the network was known."""
        return early_key(self.point, self.build_digest, self.settings)


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    Attributes
    ----------
    state : State
    key : str
        Of the result.
    run : str
        Key of the run; empty: not known.
    values : dict of str to number or array, or None
        Measured.
    failure : Failure or None
    recording : bytes or None
        A file of the recording, if it is to be kept and could not be written.
    """

    state: State
    key: str
    run: str = ""
    values: dict[str, Any] | None = None
    failure: Failure | None = None
    recording: bytes | None = field(default=None, repr=False)


def run_job(task: Task) -> Outcome:
    """Build, run and measure, unless the result is known; an error is an outcome.

    Parameters
    ----------
    task : Task
    """
    if task.early_key in task.known:
        return Outcome("known", task.early_key)
    try:
        network = _build(task)
        # Of a point that was never met no key can be known: its draws are made once, by the run.
        run = _run_key(task, network) if task.known or task.recorded else ""
    except Exception as error:  # the code of a user may raise anything
        return _failed(task, "build", error)
    key = result_key(run, task.measure_digest)
    if run and key in task.known:
        return Outcome("known", key, run)
    recording = None
    if run in task.recorded:
        if task.recordings is None:
            return Outcome("recorded", key, run)
        recording = load_recording(Path(task.recordings), run)
    if recording is not None:
        return measure_recording(task.measure, recording, key=key, run=run)
    return _run(task, network, run)


def _build(task: Task) -> Network:
    network = task.build(**task.point.values, **{SEED: task.point.seed})
    if not isinstance(network, Network):
        name = getattr(task.build, "__name__", "build")
        raise NetworkError(
            f"sweep, {name}: found {describe(network)}, expected that it returns a Network. "
            "Add the line that returns it."
        )
    return network


def _run_key(task: Task, network: Network, drawn: str | None = None) -> str:
    if drawn is None:
        drawn = concretise(network).hash()
    return run_key(task.point, network, drawn=drawn, settings=task.settings)


def _run(task: Task, network: Network, run: str) -> Outcome:
    try:
        recording = simulate(
            network, task.time, backend=task.backend, progress=False, **task.options
        )
    except Exception as error:  # likewise
        return _failed(task, "run", error, run=run or _key_after_error(task, network))
    if recording.header.get("finished") is False:
        raise KeyboardInterrupt  # it was pressed, and a part of a run is no result
    run = run or _run_key(task, network, recording.header.get("hash"))
    key = result_key(run, task.measure_digest)
    content = None
    if task.keep:
        try:
            content = _keep(task, recording, run)
        except NetworkError as error:
            # A full disk: all other jobs would meet it too.
            return _failed(task, "run", error, run=run, stops=True)
    return measure_recording(task.measure, recording, key=key, run=run, content=content)


def _key_after_error(task: Task, network: Network) -> str:
    """Return the key of a run that failed; empty if the draws failed, too."""
    try:
        return _run_key(task, network)
    except Exception:  # the same error, which has been noted
        return ""


def _keep(task: Task, recording: Recording, run: str) -> bytes | None:
    """Write a recording, or return its file if this process cannot write to the sweep's folder."""
    if task.recordings is not None:
        recording.save(recording_path(Path(task.recordings), run))
        return None
    with tempfile.TemporaryDirectory(prefix="neurosim-") as folder:
        return recording.save(Path(folder) / "recording.npz").read_bytes()


def recording_path(folder: Path, run: str) -> Path:
    """Return the file of the recording of a run."""
    return folder / f"{run}.npz"


def load_recording(folder: Path, run: str) -> Recording | None:
    """Return the recording of a run; None if it cannot be read, so that the run is repeated."""
    try:
        return Recording.load(recording_path(folder, run))
    except (NetworkError, FileNotFoundError):
        return None


def measure_recording(
    measure: Callable[..., Any],
    recording: Recording,
    *,
    key: str,
    run: str,
    content: bytes | None = None,
) -> Outcome:
    """Measure a recording; an error is an outcome.

    Parameters
    ----------
    measure : function (Recording) -> numbers
    recording : Recording
    key, run : str
        Of the result, and of the run.
    content : bytes, optional
        File of the recording, which the outcome carries.
    """
    try:
        values = read_values(measure(recording), getattr(measure, "__name__", "measure"))
    except Exception as error:  # the code of a user may raise anything
        failure = describe_failure("measure", error, stops=isinstance(error, _NoNumbersError))
        return Outcome("failed", key, run, failure=failure, recording=content)
    return Outcome("done", key, run, values=values, recording=content)


def read_values(values: Any, name: str) -> dict[str, Any]:
    """Return what a measure returned as names with numbers or arrays; one number is "value".

    Parameters
    ----------
    values : object
    name : str
        Of the function, for messages.

    Raises
    ------
    NetworkError
        If it is anything else.
    """
    listed = values if isinstance(values, Mapping) else {"value": values}
    read = {str(key): _read_number(value) for key, value in listed.items()}
    wrong = [key for key, value in read.items() if value is None]
    if wrong or not read:
        what = f"{wrong[0]!r}: {describe(listed[wrong[0]])}" if read else "nothing"
        raise _NoNumbersError(
            f"sweep, {name}: found {what if isinstance(values, Mapping) else describe(values)}, "
            "expected that it returns numbers by name. "
            'Return such as {"rate": result["e"].rate()}.'
        )
    return read


def _read_number(value: Any) -> Any:
    """Return a number or a list of numbers, of Python's own types; None for anything else."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # lists of different lengths
        return None
    return array.tolist() if array.dtype.kind in "biuf" else None


def _failed(
    task: Task,
    phase: Phase,
    error: BaseException,
    *,
    run: str = "",
    stops: bool = False,
) -> Outcome:
    key = result_key(run, task.measure_digest) if run else task.early_key
    # A run that failed gives no other result under another measure, but its key does not say so:
    # an edited measure tries it again.
    return Outcome("failed", key, run, failure=describe_failure(phase, error, stops=stops))


def describe_failure(phase: Phase, error: BaseException, *, stops: bool = False) -> Failure:
    """Return an error as data, with the last place in the user's code.

    Parameters
    ----------
    phase : Phase
    error : exception
    stops : bool
        As of `Failure`.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if _is_the_users(f.filename)]
    place = ""
    if own:
        place = f"{own[-1].filename}, line {own[-1].lineno}, in {own[-1].name}"
    text = "".join(traceback.format_exception(error))
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    message = f"{type(error).__name__}: {error}".strip().removesuffix(":")
    return Failure(phase, message, place, text, stops or is_full)


def _is_the_users(file: str) -> bool:
    return not file.startswith(_NOT_THE_USERS) and f"{os.sep}site-packages{os.sep}" not in file
