"""Processes of this machine that execute the jobs of a sweep, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ..backend.lowering import Backend
from ..errors import NetworkError, describe
from .functions import refer
from .jobs import Failure, Outcome, Task

# Each job says how many threads its engine takes; libraries of linear algebra would take all.
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_START = "from neurosim.sweeps.worker import main; main()"


class ProcessDiedError(Exception):
    """A process ended before its job."""


class Processes:
    """Up to ``count`` processes; each is started when it is first needed.

    Jobs travel as lines of JSON, and functions as names, so that a script needs no
    ``if __name__ == "__main__"``.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="sweep")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._closed = False

    def submit(self, function: Any, task: Task) -> Future[Outcome]:
        """Execute a task as soon as a process is free.

        Parameters
        ----------
        function : function
            Of an executor's protocol; processes know their function.
        task : Task
            Its functions must be in files, and its backend and options be data.
        """
        return self._threads.submit(self._ask, json.dumps(describe_task(task)))

    def _ask(self, line: str) -> Outcome:
        """Send a job to this thread's process, and wait for the answer."""
        process = getattr(self._own, "process", None)
        if process is None or process.poll() is not None:
            process = self._own.process = self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise ProcessDiedError(_describe_end(process.wait()))
        return read_outcome(json.loads(answer))

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._closed:
                raise ProcessDiedError("the sweep has ended")
            process = subprocess.Popen(
                # The same modules, in whatever way this process found them.
                [
                    sys.executable,
                    "-c",
                    f"import sys; sys.path[:] = {[*map(str, sys.path)]!r}; {_START}",
                ],
                env={**os.environ, **_ONE_THREAD},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._running.add(process)
        return process

    def close(self) -> None:
        """End all processes, at once."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._running:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _describe_end(code: int) -> str:
    if code < 0:
        return (
            f"the process of the job was ended by signal {-code}, as systems do when memory runs "
            "out. Use fewer workers, and retry=True"
        )
    return f"the process of the job ended by itself (exit code {code}). Try it with workers=0"


def describe_task(task: Task) -> dict[str, Any]:
    """Return a task as JSON data; see `worker.read_task`.

    Parameters
    ----------
    task : Task
    """
    # Points and functions have no JSON of their own; everything else of a task has.
    data = dict(vars(task))
    data["point"] = task.point.data()
    data["build"] = refer(task.build, "build")
    data["measure"] = refer(task.measure, "measure")
    return data


def read_outcome(data: Mapping[str, Any]) -> Outcome:
    """Undo `describe_outcome`."""
    values = dict(data)
    if values["failure"] is not None:
        values["failure"] = Failure(**values["failure"])
    return Outcome(**values)


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome without its recording as JSON data."""
    return {**asdict(outcome), "recording": None}


def require_data(backend: str | Backend, options: Mapping[str, Any]) -> None:
    """Raise NetworkError unless another process can be told backend and options.

    Parameters
    ----------
    backend : str or Backend
    options : mapping
        Of the backend.
    """
    if not isinstance(backend, str):
        raise NetworkError(
            f"sweep, backend: found {describe(backend)}, expected the name of one, since jobs run "
            "in other processes. Give its name, or workers=0, which runs all jobs in this one."
        )
    for name, value in options.items():
        if not isinstance(value, str | int | float | None):
            raise NetworkError(
                f"sweep, {name}: found {describe(value)}, expected a number or text, since jobs "
                "run in other processes. Give one, or workers=0, which runs all jobs in this one."
            )
