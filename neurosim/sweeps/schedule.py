"""When the jobs of a sweep run: as many at once as cores and memory allow."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass, replace
from typing import Any

from ..backend.discovery import find
from ..backend.free_memory import available
from ..backend.memory_estimate import items
from ..compiled.cores import cores
from ..errors import NetworkError
from ..network.network import Network
from ..network.populations import View
from .jobs import Failure, Outcome, Task, describe_failure, run_job

Submit = Callable[[Callable[[Task], Outcome], Task], Any]

_OF_A_PROCESS = 2.5e8  # bytes of Python, NumPy and Numba, as measured
_SHARE = 0.9  # of free memory; the rest is left to the system and to recordings


@dataclass(frozen=True)
class Load:
    """The share of the machine that a job takes.

    Attributes
    ----------
    memory : float, bytes
    threads : int
        Cores that it takes.
    is_alone : bool
        Whether no other job fits beside it.
    """

    memory: float
    threads: int
    is_alone: bool


@dataclass
class Machine:
    """The processes of this machine, and how much of it the jobs at work take.

    Parameters
    ----------
    count : int
        Processes at most.
    memory : float, bytes
        Free when the sweep began.
    """

    count: int
    memory: float
    taken: float = 0.0
    threads: int = 0
    at_work: int = 0

    def load_of(self, task: Task) -> Load:
        """Return the memory of a job by its network's estimate, and threads for free cores.

        Parameters
        ----------
        task : Task
        """
        memory = _OF_A_PROCESS + estimate(task)
        # So many jobs like this one fit side by side; they share the cores.
        beside = max(1, min(self.count, int(self.memory // memory)))
        return Load(memory, max(1, cores() // beside), beside == 1)

    def has_room(self, load: Load) -> bool:
        """Return whether a job may begin now; one alone always may."""
        if not self.at_work:
            return True
        return (
            self.at_work < self.count
            and self.threads + load.threads <= max(cores(), self.count)
            and self.taken + load.memory <= self.memory
        )

    def begin(self, load: Load) -> None:
        """Count a job that begins."""
        self._add(load, 1)

    def end(self, load: Load) -> None:
        """Count a job that has ended."""
        self._add(load, -1)

    def _add(self, load: Load, sign: int) -> None:
        self.at_work += sign
        self.taken += sign * load.memory
        self.threads += sign * load.threads


def machine(count: int) -> Machine:
    """Return this machine with so many processes, and the memory that is free now."""
    return Machine(count, _SHARE * available())


def estimate(task: Task) -> float:
    """Return the bytes of a job's network and its recorded traces.

    Parameters
    ----------
    task : Task
        0 if its network cannot be built: the job itself will say why.
    """
    try:
        network = task.build(**task.point.values, seed=task.point.seed)
        if not isinstance(network, Network):
            return 0.0
        precision = task.options.get("precision")
        sizes = items(network, rounded=precision == "float32")
        return sum(size for _, size in sizes) + _bytes_of_traces(network, task.time)
    except Exception:  # the code of a user may raise anything
        return 0.0


def _bytes_of_traces(network: Network, time: float) -> float:
    """Return the bytes of sampled values, which a recording holds twice."""
    size = 0.0
    for probe in network.probes:
        if probe.unit is not None and not probe.at_spikes and isinstance(probe.owner, View):
            samples = time / (network.dt * probe.every)
            size += 16.0 * samples * len(probe.owner)
    return size


def with_threads(task: Task, load: Load) -> Task:
    """Return a task whose engine takes its share of the cores, if it can and the user gave none.

    Alone, an engine chooses itself: a small network is slower on several threads.
    """
    has_threads = getattr(find(task.backend), "has_threads", False)
    # Ranks of a job have threads of their own, as many as its options say.
    if load.is_alone or not has_threads or task.options.keys() & {"threads", "ranks"}:
        return task
    return replace(task, options={**task.options, "threads": load.threads})


def run_here(function: Callable[[Task], Outcome], task: Task) -> Future[Outcome]:
    """Execute a job in this process, as the method ``submit`` of an executor."""
    future: Future[Outcome] = Future()
    future.set_result(function(task))
    return future


def run_all(
    tasks: Iterable[Task], submit: Submit, *, room: Machine | None
) -> Iterator[tuple[Task, Outcome]]:
    """Yield each job with its outcome, in the order in which they end.

    Parameters
    ----------
    tasks : tasks
    submit : function
        Of an executor.
    room : Machine, optional
        Unless given, the executor decides how many jobs run at once.

    Raises
    ------
    NetworkError
        If the executor is broken.
    """
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    at_work: dict[int, tuple[Task, Load | None, Any]] = {}
    for task in tasks:
        load = None if room is None else room.load_of(task)
        while room is not None and load is not None and not room.has_room(load):
            yield _end(at_work, ended.get(), room)
        if room is not None and load is not None:
            room.begin(load)
            task = with_threads(task, load)
        future = _submit(submit, task)
        at_work[task.number] = (task, load, future)
        future.add_done_callback(lambda _, number=task.number: ended.put(number))
        # Before the next one, which may take its time to begin: what is done can be stored.
        while not ended.empty():
            yield _end(at_work, ended.get(), room)
    while at_work:
        yield _end(at_work, ended.get(), room)


def _submit(submit: Submit, task: Task) -> Any:
    try:
        return submit(run_job, task)
    except (BrokenExecutor, RuntimeError) as error:
        raise _broken(error) from error


def _broken(error: BaseException) -> NetworkError:
    return NetworkError(
        f"sweep, cluster: found an executor that takes no more jobs ({type(error).__name__}: "
        f"{error}), expected one at work. What was done is stored: start another executor, and "
        "call again."
    )


def _end(
    at_work: dict[int, tuple[Task, Load | None, Any]], number: int, room: Machine | None
) -> tuple[Task, Outcome]:
    task, load, future = at_work.pop(number)
    if room is not None and load is not None:
        room.end(load)
    return task, _outcome_of(task, future)


def _outcome_of(task: Task, future: Any) -> Outcome:
    """Return the outcome of a job, also if its process or machine has failed."""
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise _broken(error) from error
    except Exception as error:  # of an executor, which may be anybody's
        failure = describe_failure("process", error)
        return Outcome("failed", task.early_key, failure=Failure("process", failure.error))
