"""A job that a process runs in one simulator, and the report that it returns."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from time import perf_counter, process_time
from typing import Any


@dataclass(frozen=True)
class Job:
    """What to run.

    Attributes
    ----------
    network : str
    arguments : mapping
        Of the network: size, inputs, delay in ms.
    time : ms
    threads : int, optional
        None: as many as the simulator chooses.
    precision : ``float64`` or ``float32``
    folder : str, optional
        Where a simulator keeps what it compiled for this job.
    clock : ``wall`` or ``processor``
        What seconds of the simulation are: time on the wall, or of the processor.
    target : str
        Processor that code is compiled for; empty: this one.
    """

    network: str
    time: float
    seed: int = 0
    threads: int | None = None
    precision: str = "float64"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None
    clock: str = "wall"
    target: str = ""

    def dump(self) -> str:
        return json.dumps(asdict(self) | {"arguments": dict(self.arguments)})


class Laps:
    """Seconds between laps, by name; a name that comes again adds up.

    Parameters
    ----------
    clock : str
        As of `Job`.
    """

    def __init__(self, clock: str) -> None:
        self.seconds: dict[str, float] = {}
        self._now = process_time if clock == "processor" else perf_counter
        self._last = self._now()

    def lap(self, name: str) -> None:
        now = self._now()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def received() -> Job:
    """Return the job on the command line."""
    return Job(**json.loads(sys.argv[1]))


def report(
    laps: Mapping[str, float], spikes: Mapping[str, tuple[int, int]], job: Job, **more: Any
) -> None:
    """Print seconds and rates as the last line of the output.

    Parameters
    ----------
    laps : mapping
        Seconds of ``import``, ``construction``, ``compilation`` and ``simulation``.
    spikes : mapping
        For each population its number of spikes and of neurons.
    """
    seconds = {
        part: laps.get(part, 0.0)
        for part in ("import", "construction", "compilation", "simulation")
    }
    rates = {name: count / size / job.time * 1000 for name, (count, size) in spikes.items()}
    print(
        json.dumps(
            {
                "seconds": seconds,
                "rates": rates,
                "spikes": sum(count for count, _ in spikes.values()),
                **more,
            }
        )
    )


def refuse(reason: str) -> None:
    """Print why there is no result."""
    print(json.dumps({"refused": reason}))
