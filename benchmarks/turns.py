"""The contestants of a row, and their turns, every run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .peers.job import Job
from .rows import PRECISIONS, Against, Row

PACKAGES = {"brian": "brian2", "nest": "nest"}
PATIENCE = 1800.0  # seconds for one process
# a number of threads that is slower than the other by this factor, in every trial, is not measured
# further
HOPELESS = 1.5
DOUBTFUL = 3.0  # below this factor one trial does not decide: there is a second

Contestant = tuple[str, int | None, str, str]  # program, threads, precision, arguments as JSON
Report = dict[str, Any]


@dataclass
class Entry:
    """What a contestant did.

    Attributes
    ----------
    trials : list
        Reports of runs that do not count: they compile, and show who is hopelessly slow.
    runs : dict
        Reports of those that count, by seed.
    refused : str
        Why there are no further ones; empty if nothing was refused.
    """

    trials: list[Report] = field(default_factory=list)
    runs: dict[int, Report] = field(default_factory=dict)
    refused: str = ""

    def take(self, report: Report, seed: int = 0) -> None:
        """Keep a report, of a trial if no seed is given."""
        if "refused" in report:
            self.refused = f"{report['refused']} ({f'turn {seed}' if seed else 'trial'})"
        elif seed:
            self.runs[seed] = report
        else:
            self.trials.append(report)

    def tried(self) -> list[float]:
        """Return the seconds of the trials."""
        return [report["seconds"]["simulation"] for report in self.trials]


def contestants(row: Row) -> list[Contestant]:
    """Return all that take turns: neurosim with its own choice of threads, peers with one and with
    two; all with one if the processor's clock counts.
    """
    entrants: dict[Contestant, None] = {}
    for against in row.against:
        for precision in PRECISIONS:
            entrants[ours(row, against, precision)] = None
        if find_spec(PACKAGES[against.program]):
            entrants |= dict.fromkeys(theirs(row, against))
    return list(entrants)


def ours(row: Row, against: Against, precision: str) -> Contestant:
    threads = 1 if row.clock == "processor" else None
    return "neurosim", threads, precision, json.dumps({**row.arguments, **against.ours})


def theirs(row: Row, against: Against) -> list[Contestant]:
    return [
        (against.program, threads, "float64", json.dumps({**row.arguments, **against.theirs}))
        for threads in ((1,) if row.clock == "processor" else (1, 2))
    ]


def compete(row: Row, repetitions: int, folder: Path) -> dict[Contestant, Entry]:
    """Let all contestants run in turn. Who refuses, or is hopelessly slower than with another
    number of threads, does not run again.
    """
    entries = {c: Entry() for c in contestants(row)}
    for c, entry in entries.items():
        entry.take(_run_and_print(c, row, 0, folder, "trial"))
    for c in [c for c in entries if HOPELESS < slower(c, entries) <= DOUBTFUL]:
        for other in rivals(c, entries):
            entries[other].take(_run_and_print(other, row, 0, folder, "second trial"))
    going = [
        c for c, entry in entries.items() if not entry.refused and slower(c, entries) <= HOPELESS
    ]
    for seed in range(1, repetitions + 1):
        for c in going:
            if not entries[c].refused:
                entries[c].take(_run_and_print(c, row, seed, folder, f"{seed}/{repetitions}"), seed)
    return entries


def rivals(c: Contestant, entries: Mapping[Contestant, Entry]) -> list[Contestant]:
    """Return a contestant and all that differ from it in the number of threads only, without those
    of them that refused.
    """
    return [
        other
        for other, entry in entries.items()
        if (other[0], *other[2:]) == (c[0], *c[2:]) and (other == c or not entry.refused)
    ]


def slower(c: Contestant, entries: Mapping[Contestant, Entry]) -> float:
    """Return how many times as long as with the best number of threads it took, in the trial that
    was kindest to it.
    """
    trials = zip(
        entries[c].tried(), *(entries[other].tried() for other in rivals(c, entries)), strict=False
    )
    return min((mine / min(every) for mine, *every in trials), default=1.0)


def _run_and_print(c: Contestant, row: Row, seed: int, folder: Path, turn: str) -> Report:
    """Run, and say what came of it."""
    report = run(c, row, seed, folder)
    outcome = (
        f"{report['seconds']['simulation']:.4g} s"
        if "seconds" in report
        else f"refused: {report['refused']}"
    )
    print(
        f"{row.name}, {turn}: {' '.join(str(part) for part in c if part is not None)}: {outcome}",
        file=sys.stderr,
    )
    return report


def run(c: Contestant, row: Row, seed: int, folder: Path) -> Report:
    """Return what a process reports, or why it does not."""
    program, threads, precision, arguments = c
    job_folder = folder / f"{program}-{threads}-{abs(hash(c))}"
    job_folder.mkdir(exist_ok=True)
    job = Job(
        row.network,
        row.time,
        seed,
        threads,
        precision,
        json.loads(arguments),
        str(job_folder),
        row.clock,
        row.target,
    )
    environment = os.environ | {"NEUROSIM_CACHE": str(folder / "cache")}
    if row.target:  # without features, LLVM takes those of the processor that is named
        environment |= {"NUMBA_CPU_NAME": row.target, "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-m", f"benchmarks.peers.{program}_networks", job.dump()]
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return {"refused": f"no result within {PATIENCE:.0f} s"}
    if done.returncode or not done.stdout.strip():
        return {
            "refused": (
                done.stderr.strip().splitlines() or [f"exit code {done.returncode} and no words"]
            )[-1]
        }
    return json.loads(done.stdout.strip().splitlines()[-1])
