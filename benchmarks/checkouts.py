"""Two checkouts in turn: whether a change of code cost speed.

``python -m benchmarks.checkouts OTHER`` holds the same networks open in two processes, one of this
checkout and one of OTHER, lets them run the same stretch in alternating turns, checks that both
counted the same spikes, and prints the median of the paired ratios (above 1: this one is slower).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

HERE = Path(__file__).parents[1]
NETWORKS = {
    "cuba-4000": "balanced_networks.cuba(4000, seed=1)",
    "cuba-40000": "balanced_networks.cuba(40000, seed=1)",
    "izhikevich-10000": "balanced_networks.izhikevich_2003(10000, inputs=1000, seed=1)",
    "plastic-balanced": "plastic_balanced_network.plastic_balanced_network(size=4000, seed=1)",
    "polychronous": "polychronous_network.polychronous_network(seed=1)",
}
STRETCH = {  # ms of model time in a turn: about half a second of computing
    "cuba-4000": 15_000.0,
    "cuba-40000": 1000.0,
    "izhikevich-10000": 2000.0,
    "plastic-balanced": 1000.0,
    "polychronous": 20_000.0,
}
# A worker answers each line of its input with one line: processor seconds, wall seconds, spikes.
WORKER = """
import json, sys, time
import neurosim as ns
from neurosim.models import balanced_networks, plastic_balanced_network, polychronous_network
run = ns.prepare({network}, backend="cpu", threads=1)
run.run(20.0, progress=False)
start = run.snapshot()
print(json.dumps([ns.__file__]), flush=True)
for line in sys.stdin:
    run.restore(start, clock=True)
    cpu, wall = time.process_time(), time.perf_counter()
    run.run({stretch}, progress=False)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    recordings = run.result().populations.values()
    spikes = sum(r.spikes.index.size for r in recordings if r.spikes is not None)
    print(json.dumps([cpu, wall, spikes]), flush=True)
"""
START_UP = """
import neurosim as ns
from neurosim.models import balanced_networks
ns.prepare(balanced_networks.cuba(1000, seed=1), backend="cpu", threads=1).run(1.0, progress=False)
"""


def environment(checkout: Path, caches: Path) -> dict[str, str]:
    """Return the environment in which Python imports neurosim from a checkout."""
    cache = caches / str(abs(hash(checkout)))
    return os.environ | {"PYTHONPATH": str(checkout), "NEUROSIM_CACHE": str(cache)}


class Worker:
    """A process of one checkout that holds a network open."""

    def __init__(self, checkout: Path, name: str, caches: Path) -> None:
        code = WORKER.format(network=NETWORKS[name], stretch=STRETCH[name])
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment(checkout, caches),
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        (imported,) = self._answer()
        if not Path(imported).is_relative_to(checkout):
            raise SystemExit(f"{checkout}: the worker imported {imported}")

    def turn(self) -> tuple[float, float, int]:
        """Run the stretch once; return processor seconds, wall seconds and the spikes so far."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        cpu, wall, spikes = self._answer()
        return cpu, wall, spikes

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> list:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def compare(name: str, ours: Path, other: Path, turns: int, caches: Path) -> str:
    """Return one line of the table: medians of paired ratios of this checkout to the other."""
    workers = [Worker(checkout, name, caches) for checkout in (ours, other)]
    pairs = []
    for turn in range(turns + 1):
        order = (0, 1) if turn % 2 else (1, 0)
        answers = {i: workers[i].turn() for i in order}
        if answers[0][2] != answers[1][2]:
            raise SystemExit(f"{name}: {answers[0][2]} spikes here, {answers[1][2]} in the other")
        pairs.append((answers[0], answers[1]))
    for worker in workers:
        worker.close()
    pairs = pairs[1:]  # the first turn warms caches of the processor
    cpu = statistics.median(a[0] / b[0] for a, b in pairs)
    wall = statistics.median(a[1] / b[1] for a, b in pairs)
    here, there = (statistics.median(pair[i][1] for pair in pairs) for i in (0, 1))
    spikes = pairs[0][0][2]
    return f"{name:18} {here:8.3f} s {there:8.3f} s {wall:8.3f} {cpu:8.3f} {spikes:9} spikes"


def start_up(ours: Path, other: Path, turns: int, caches: Path) -> str:
    """Return the line of start-up: a process that imports, prepares and runs, compiled before."""

    def seconds(checkout: Path) -> float:
        began = perf_counter()
        subprocess.run(
            [sys.executable, "-c", START_UP],
            env=environment(checkout, caches),
            cwd=checkout,
            check=True,
        )
        return perf_counter() - began

    pairs = [(seconds(ours), seconds(other)) for _ in range(turns + 1)][1:]
    ratio = statistics.median(a / b for a, b in pairs)
    medians = [statistics.median(pair[i] for pair in pairs) for i in (0, 1)]
    return f"{'start-up':18} {medians[0]:8.3f} s {medians[1]:8.3f} s {ratio:8.3f}"


def main() -> None:
    """Compare this checkout with another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--row", choices=[*NETWORKS, "start-up"], help="this row alone")
    options = parser.parse_args()
    other = options.other.resolve()
    print(f"{'network':18} {'here':>10} {'other':>10} {'wall':>8} {'cpu':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            if options.row in (None, name):
                line = compare(name, HERE, other, options.turns, Path(folder))
                print(line, flush=True)
        if options.row in (None, "start-up"):
            print(start_up(HERE, other, options.turns, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
