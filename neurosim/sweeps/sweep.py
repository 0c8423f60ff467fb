"""The verb for many runs: `ns.sweep`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..backend.discovery import find
from ..backend.lowering import Backend
from ..compiled.cores import cores
from ..errors import NetworkError, describe
from ..network.validation import read_duration, read_whole_number
from ..recording.files import read_path
from ..run.launch import check, require_no_loading
from ..run.progress import count_jobs
from . import functions
from .grid import Point, points, read_grid, read_seeds, require_arguments, require_function
from .jobs import Outcome, Task, load_recording, measure_recording
from .keys import settings_digest
from .processes import Processes, require_data
from .schedule import Submit, machine, run_all, run_here
from .store import Store, open_store
from .table import SweepRow, SweepTable

# Options that a job sets or cannot have.
_REFUSED = {
    "stream": "recordings are kept in the sweep's folder (keep=True)",
    "batch": "each job is a run of its own",
}


def sweep(
    build: Callable[..., Any],
    grid: Mapping[str, Iterable[Any]],
    *,
    time: Any,
    measure: Callable[..., Any],
    folder: str | Path,
    seeds: Iterable[int] = (0,),
    backend: str | Backend = "cpu",
    workers: int | None = None,
    cluster: Any = None,
    keep: bool = True,
    retry: bool = False,
    progress: bool = True,
    **options: Any,
) -> SweepTable:
    """Run a network at every point of a grid with every seed, and measure each run.

    Each result is written to the folder when it is there. The same call continues a sweep that
    was ended, in whatever way, and runs only what is missing: jobs whose network, time, options or
    ``measure`` are new. Results are those of single runs, with any number of workers.

    Parameters
    ----------
    build : function
        Called with a value of each axis and ``seed=``, by name; returns a Network.
    grid : mapping of str to values
        Axes: numbers, texts or other JSON data.
    time : quantity
        A multiple of dt; a plain number is in ms.
    measure : function (Recording) -> numbers
        Returns a dictionary of numbers or arrays, or one number. If its source changes, kept
        recordings are measured again, without a run. Functions that it calls are not compared.
    folder : path
        New, empty, or that of this sweep.
    seeds : iterable of int
    backend : str or Backend
    workers : int, optional
        Processes at most; as many as cores and memory allow unless given, each with one thread,
        or with several if fewer networks fit into memory than there are cores. 0: all jobs run in
        this process.
    cluster : executor, optional
        Anything with ``submit(function, task)`` that returns a future: of `concurrent.futures`,
        ``mpi4py.futures``, or a client of Dask.
    keep : bool
        Whether recordings are kept in the folder.
    retry : bool
        Whether jobs that failed are tried again.
    progress : bool
        Show a progress bar if it takes more than two seconds.
    **options
        Of the backend.

    Returns
    -------
    SweepTable
        With a row for every job; a job that failed has its error there.

    Raises
    ------
    NetworkError
        If an argument is wrong, the folder holds anything else or is in use, `measure` returns no
        numbers, or the disk is full. What was stored before stays.
    """
    functions.end_script_here(locals())
    require_no_loading("sweep")
    axes = read_grid(grid)
    listed_seeds = read_seeds(seeds)
    require_arguments(require_function(build, "build"), axes)
    require_function(measure, "measure")
    _require_options(options)
    duration = read_duration(time, where="sweep: time")
    find(backend)
    jobs = list(points(axes, listed_seeds))
    # Digests are read from files, which a sweep may outlast: once, before the first job.
    task = Task(
        jobs[0],
        build,
        measure,
        build_digest=functions.digest(build),
        measure_digest=functions.digest(measure),
        settings=settings_digest(backend, options, duration),
        time=duration,
        backend=backend,
        options=dict(options),
        keep=keep,
    )
    pool = _Pool.choose(task, len(jobs), workers=workers, cluster=cluster)
    _require_known_options(task)
    store_folder = Path(os.path.abspath(read_path(folder, where="sweep, folder")))
    name = getattr(build, "__qualname__", type(build).__name__)
    with open_store(store_folder, build=name, axes=list(axes)) as store:
        outcomes = _run(store, task, jobs, pool=pool, retry=retry, progress=progress)
    rows = [SweepRow(p, o.values, o.failure) for p, o in zip(jobs, outcomes, strict=True)]
    return SweepTable(axes, listed_seeds, tuple(rows))


def _require_options(options: Mapping[str, Any]) -> None:
    for name in options.keys() & _REFUSED.keys():
        raise NetworkError(
            f"sweep, {name}: found {describe(options[name])}, expected no such option: "
            f"{_REFUSED[name]}. Leave it out."
        )


def _require_known_options(task: Task) -> None:
    """Raise NetworkError for an option that the backend does not have, if that is cheap to know."""
    if not task.options or not find(task.backend).held_open:
        return  # a simulator of its own makes all draws for its report
    try:
        network = task.build(**task.point.values, seed=task.point.seed)
    except Exception:  # the job itself will say why
        return
    check(network, backend=task.backend, **task.options)


# ---- where jobs run


@dataclass(frozen=True)
class _Pool:
    """Where jobs run: in this process, in others on this machine, or in an executor.

    Attributes
    ----------
    count : int
        Processes on this machine; 0: this one.
    cluster : executor or None
    """

    count: int
    cluster: Any

    @staticmethod
    def choose(
        task: Task,
        jobs: int,
        *,
        workers: Any,
        cluster: Any,
    ) -> _Pool:
        """Return the place for jobs like this one, or raise NetworkError.

        Parameters
        ----------
        task : Task
        jobs : int
            How many.
        workers, cluster
            Of the user.
        """
        if cluster is not None:
            if workers is not None or not callable(getattr(cluster, "submit", None)):
                raise NetworkError(
                    f"sweep, cluster: found {describe(cluster)}"
                    f"{'' if workers is None else f' and workers={describe(workers)}'}, expected "
                    "an executor with submit(), and no workers, whose number it knows. Give one, "
                    "such as concurrent.futures.ProcessPoolExecutor()."
                )
            return _Pool(0, cluster)
        if workers is not None:
            read_whole_number(workers, where="sweep, workers", least=0)
        if workers == 0:
            return _Pool(0, None)
        try:
            functions.refer(task.build, "build")
            functions.refer(task.measure, "measure")
            require_data(task.backend, task.options)
        except NetworkError as error:
            if workers is not None:
                raise
            text = f"{error} All jobs run in this process now, one after the other."
            warnings.warn(text, stacklevel=3)
            return _Pool(0, None)
        return _Pool(min(workers or cores(), jobs), None)

    @contextmanager
    def submitting(self) -> Iterator[Submit]:
        """Yield the function that hands over jobs; processes of this machine end afterwards."""
        if self.cluster is not None:
            yield self.cluster.submit
        elif not self.count:
            yield run_here
        else:
            processes = Processes(self.count)
            try:
                yield processes.submit
            finally:
                processes.close()


def _run(
    store: Store,
    task: Task,
    jobs: list[Point],
    *,
    pool: _Pool,
    retry: bool,
    progress: bool,
) -> list[Outcome]:
    """Return the outcome of each job; those that are new have been stored."""
    outcomes: dict[int, Outcome] = {}
    is_local = pool.cluster is None
    # Processes of a cluster may not see this machine's folders, and have memory of their own.
    recordings = str(store.recordings) if is_local else None
    room = machine(max(pool.count, 1)) if is_local else None

    def tasks() -> Iterator[Task]:
        for number, point in enumerate(jobs):
            yield replace(
                task,
                point=point,
                number=number,
                known=store.known(point, with_failures=not retry),
                recorded=store.recorded(point),
                recordings=recordings,
            )

    with (
        pool.submitting() as submit,
        count_jobs(len(jobs), name="sweep", wanted=progress) as advance,
    ):
        for done, outcome in run_all(tasks(), submit, room=room):
            outcomes[done.number] = _settle(store, done, outcome)
            advance(outcome.state == "known")
    return [outcomes[number] for number in range(len(jobs))]


def _settle(store: Store, task: Task, outcome: Outcome) -> Outcome:
    """Return an outcome with its values, and store it if it is new."""
    is_new = outcome.state != "known"
    if outcome.state == "recorded":
        # The recording lies here, where the executor may not see it.
        recording = load_recording(store.recordings, outcome.run)
        if recording is None:
            raise NetworkError(
                f"sweep, {task.point.text()}: its recording in {store.recordings} cannot be read, "
                "expected what a run wrote. Remove it, and call again."
            )
        outcome = measure_recording(task.measure, recording, key=outcome.key, run=outcome.run)
    if not is_new:
        outcome = store.outcomes[outcome.key]
    failure = outcome.failure
    # Of errors that stop the sweep, one of the measure is kept: its recording is found by it.
    if is_new and (failure is None or not failure.stops or failure.phase == "measure"):
        store.put(task.point, outcome)
        if outcome.key != task.early_key:
            # An error of before that the job has left behind.
            store.remove(task.point, task.early_key)
    if failure is not None and failure.stops:
        at = f"\n  at {failure.place}" if failure.place else ""
        raise NetworkError(f"sweep, {task.point.text()}: {failure.error}{at}")
    return outcome
