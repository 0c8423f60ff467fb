"""Time of ``import neurosim``, and from there to the first step, with empty and full caches.

Run with ``python -m benchmarks.startup``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .report import held, machine, options, spread, table, verdicts, write

# seconds at most with an empty cache; the second has the largest rule
NEW = {
    "CUBA 4000": 6.0,
    "prediction reservoir": 10.0,
}
KNOWN = 1.0  # seconds at most with a full one

IMPORTS = """
import json, time
began = time.perf_counter()
import numpy
numpy_there = time.perf_counter()
import neurosim
ended = time.perf_counter()
parts = {"numpy": numpy_there - began, "neurosim besides": ended - numpy_there}
print(json.dumps(parts | {"together": ended - began}))
"""

FIRST_STEP = """
import json, sys, time
marks = [time.perf_counter()]
import neurosim as ns
marks.append(time.perf_counter())
if sys.argv[1] == "CUBA 4000":
    from neurosim.models.balanced_networks import cuba
    net = cuba(seed=1)
else:
    from neurosim.models.prediction_reservoir.network import network
    net = network(seed=1)
marks.append(time.perf_counter())
run = ns.prepare(net, backend="cpu")
marks.append(time.perf_counter())
run.run(net.dt)
marks.append(time.perf_counter())
names = ["import", "describe", "prepare", "first step"]
parts = dict(zip(names, (b - a for a, b in zip(marks, marks[1:]))))
print(json.dumps(parts | {"in all": marks[-1] - marks[0]}))
"""


def main() -> None:
    """Measure, print and write."""
    chosen = options(__doc__, repetitions=7)
    described = machine()
    with tempfile.TemporaryDirectory() as folder:
        caches = Path(folder)
        imports = _repeat(
            IMPORTS, "", chosen.repetitions, environment=_environment(caches, "unused")
        )
        starts = []
        for name in NEW:
            cold = [
                _once(FIRST_STEP, name, _environment(caches, f"{name} {n}"))
                for n in range(max(chosen.repetitions // 2, 1))
            ]
            warm = _repeat(
                FIRST_STEP, name, chosen.repetitions, environment=_environment(caches, f"{name} 0")
            )
            starts += [
                {"network": name, "cache": cache, "seconds": _spreads(times)}
                for cache, times in (("empty", cold), ("full", warm))
            ]
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    print("\nimport neurosim, with bytecode on disk\n")
    print(
        table(
            ["", "s", "quartiles"], [_row(part, value) for part, value in _spreads(imports).items()]
        )
    )
    print("\nFrom the import to the end of the first step, in a new process; seconds\n")
    parts = list(starts[0]["seconds"])
    rows = [
        [
            f"{s['network']}, {s['cache']} cache",
            *(f"{s['seconds'][part]['median']:.2f}" for part in parts),
        ]
        for s in starts
    ]
    print(table(["", *parts], rows))
    values = bounded(starts)
    print(f"\n{verdicts(values)}")
    write(
        chosen.out,
        "startup",
        {
            "machine": described,
            "imports": _spreads(imports),
            "first step": starts,
            "measures": values,
        },
    )


def bounded(starts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the seconds to the end of the first step beside what is asked of them."""
    values = []
    for s in starts:
        seconds, most = s["seconds"]["in all"], KNOWN if s["cache"] == "full" else NEW[s["network"]]
        name = f"{s['network']}: from the import to the end of the first step, {s['cache']} cache"
        values.append(held(name, seconds["median"], most, unit="s", spread=seconds))
    return values


def _environment(folder: Path, cache: str) -> dict[str, str]:
    """Return an environment with a cache of its own, in which Python may keep bytecode, but not
    beside the sources.
    """
    wanted = {
        "NEUROSIM_CACHE": str(folder / cache),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }
    return {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    } | wanted


def _once(script: str, argument: str, environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", script, argument], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def _repeat(
    script: str, argument: str, repetitions: int, *, environment: dict[str, str]
) -> list[dict[str, float]]:
    """Run a script in new processes; the first fills the cache of the others, uncounted."""
    return [_once(script, argument, environment) for _ in range(repetitions + 1)][1:]


def _spreads(times: list[dict[str, float]]) -> dict[str, Any]:
    return {part: spread([t[part] for t in times]) for part in times[0]}


def _row(part: str, value: dict[str, Any]) -> list[str]:
    return [part, f"{value['median']:.3f}", " - ".join(f"{q:.3f}" for q in value["quartiles"])]


if __name__ == "__main__":
    main()
