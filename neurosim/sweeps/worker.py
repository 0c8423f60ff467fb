"""A process that executes jobs of a sweep: a line of JSON for each, and one for its outcome."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from .functions import load
from .grid import Point
from .jobs import Outcome, Task, describe_failure, run_job
from .keys import early_key
from .processes import describe_outcome


def main() -> None:
    """Answer jobs until the input ends, and with it the process that asks."""
    # Ctrl-C reaches the whole group; the process that asks ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Prints of the user's functions must not be taken for answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, jobs), daemon=True).start()
    while True:
        outcome = execute(json.loads(jobs.get()))
        answers.write(json.dumps(describe_outcome(outcome)) + "\n")
        answers.flush()


def _listen(source: TextIO, jobs: queue.SimpleQueue[str]) -> None:
    """Pass on lines; end the process with the input, also in the midst of a job."""
    for line in source:
        jobs.put(line)
    os._exit(0)


def execute(data: Mapping[str, Any]) -> Outcome:
    """Execute a job; functions that cannot be loaded end the sweep.

    Parameters
    ----------
    data : mapping
        Of `processes.describe_task`.
    """
    point = Point(**data["point"])
    try:
        task = Task(
            **{
                **data,
                "point": point,
                "build": load(data["build"]),
                "measure": load(data["measure"]),
                "known": tuple(data["known"]),
                "recorded": tuple(data["recorded"]),
            }
        )
    except Exception as error:  # the script of a user may raise anything
        key = early_key(point, data["build_digest"], data["settings"])
        failure = describe_failure("process", error, stops=True)
        return Outcome("failed", key, failure=failure)
    return run_job(task)
