"""Verification: runs the experiments of a model in processes and judges its checks."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.discovery import find
from ..compiled.cores import cores
from ..errors import NetworkError, describe_unknown
from ..recording.files import write_json
from .catalogue import Check, Model

Verdict = dict[str, Any]


def choose(model: Model, ids: Sequence[str] | None) -> tuple[Check, ...]:
    """Return the checks of these ids in the model's order, all of them for None.

    Raises
    ------
    NetworkError
        If the model has no checks, or none of this id, or none is asked for.
    """
    valid = [check.id for check in model.checks]
    if not valid:
        raise NetworkError(
            f"model {model.name!r}: found no acceptance checks, expected at least one. Run it "
            f"instead: neurosim run {model.name}"
        )
    if ids is not None and not ids:
        raise NetworkError(
            f"model {model.name!r}, checks: found none, expected one or more of "
            f"{', '.join(valid)}. Name them, or leave it out for all."
        )
    for name in ids or ():
        if name not in valid:
            owner = f"model {model.name!r}"
            raise NetworkError(describe_unknown("check", name, valid, owner=owner))
    return tuple(check for check in model.checks if ids is None or check.id in ids)


def verify(
    model: Model,
    *,
    backend: str = "cpu",
    checks: Sequence[str] | None = None,
    progress: bool = True,
) -> list[Verdict]:
    """Run the experiments that the checks need, one process per core, and judge.

    Parameters
    ----------
    model : Model
    backend : str
        Name of an engine.
    checks : sequence of str, optional
        Ids; all unless given.
    progress : bool
        Show a progress bar in a terminal.

    Returns
    -------
    list of {id, measured, expected, pass}
        In the model's order. A check that raises, or whose experiment raised, has failed; its
        message is the "measured" value.

    Raises
    ------
    NetworkError
        If the backend is a simulator with a clock of its own: experiments change their runs in
        progress, and such a run goes once from start to end.
    KeyboardInterrupt
        After Ctrl-C; the processes are ended.
    """
    chosen = choose(model, checks)
    # Refused before any process starts.
    if not find(backend).held_open:
        raise NetworkError(
            f"model {model.name!r}, backend {backend!r}: found a simulator with a clock of its "
            "own, expected an engine, such as 'cpu': experiments change their runs on the way, "
            "and here a run goes once from start to end. Verify on an engine; recordings of both "
            "can be compared: neurosim compare A B --statistical"
        )
    results = _run_in_processes(_needed_experiments(model, chosen), backend, progress)
    return [_judge(check, results) for check in chosen]


def _needed_experiments(model: Model, checks: Iterable[Check]) -> dict[str, Callable[[str], Any]]:
    """Return the experiments that checks judge; one that several of them judge runs once."""
    needed = {}
    for check in checks:
        for name in check.needs:
            if name not in model.experiments:
                known = model.experiments
                owner = f"model {model.name!r}"
                raise NetworkError(describe_unknown("experiment", name, known, owner=owner))
            needed[name] = model.experiments[name]
    return needed


def write(path: str | Path, rows: Iterable[Verdict]) -> Path:
    """Write rows as JSON and return the path; its folder is created if it is missing."""
    return write_json(path, plain_data(list(rows)))


def _run_in_processes(
    experiments: Mapping[str, Callable[[str], Any]], backend: str, progress: bool
) -> dict[str, Any]:
    """Return the result of each experiment, or the exception that it raised."""
    from tqdm.auto import tqdm

    # Spawned, not forked: a forked child of a process with threads (Numba's) may hang.
    pool = ProcessPoolExecutor(
        min(cores(), max(len(experiments), 1)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_belong_to_parent,
    )
    # Processes start when work is submitted, and copy the environment then.
    with _one_thread():
        futures = {
            pool.submit(experiment, backend): name for name, experiment in experiments.items()
        }
    try:
        bar = tqdm(
            as_completed(futures),
            total=len(futures),
            unit="experiment",
            disable=None if progress else True,
            leave=False,
        )
        # An exception is a result: it fails the checks that need the experiment, and no others.
        return {futures[done]: done.exception() or done.result() for done in bar}
    except KeyboardInterrupt:
        # Experiments take minutes, and the pool would wait for those that have begun.
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit linear algebra to one thread in processes that start meanwhile: each core has one."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= dict.fromkeys(before, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _belong_to_parent() -> None:
    """Leave Ctrl-C, which reaches the whole group, to the parent; end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # In the midst of an experiment: a parent that was killed could not stop it.
        os._exit(1)


def _judge(check: Check, results: Mapping[str, Any]) -> Verdict:
    for name in check.needs:
        # The first failure is enough: a judge must not see an exception in place of numbers.
        if isinstance(results[name], BaseException):
            message = _describe_error(results[name])
            return _row(check, f"experiment {name!r} raised {message}", passed=False)
    try:
        measured, passed = check.judge({name: results[name] for name in check.needs})
    except Exception as error:  # an error is the verdict of this check alone
        return _row(check, f"raised {_describe_error(error)}", passed=False)
    return _row(check, measured, passed=bool(passed))


def _row(check: Check, measured: Any, *, passed: bool) -> Verdict:
    return {
        "id": check.id,
        "measured": plain_data(measured),
        "expected": check.expected,
        "pass": passed,
    }


def _describe_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def plain_data(value: Any) -> Any:
    """Return plain JSON data; NaN and infinities, which JSON lacks, become text."""
    # Judges compute with NumPy, whose numbers JSON does not know.
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain_data(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
