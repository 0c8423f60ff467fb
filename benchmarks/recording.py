"""The cost of recording spikes, and the bounded memory of streaming them to disk.

Run with ``python -m benchmarks.recording``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.models.balanced_networks import coba, cuba

from .memory import resident
from .report import RESULTS, held, machine, spread, verdicts, write

SIZE, RATE = 10_000, 10.0  # neurons and Hz of what is streamed


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repetitions",
        type=int,
        default=9,
        metavar="N",
        help="of runs with and without recording, in turn (9)",
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of the model that are streamed (10)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="where the JSON goes (benchmarks/results)",
    )
    parser.add_argument("--stream", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stream:
        print(json.dumps(stream(Path(chosen.stream), chosen.minutes)))
        return
    described = machine()
    values = [
        overhead(name, build, chosen.repetitions)
        for name, build in (("CUBA 16 000", lambda: cuba(16_000)), ("COBA 4000", coba))
    ]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "benchmarks.recording",
            "--stream",
            f"{folder}/spikes",
            "--minutes",
            str(chosen.minutes),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).parents[1]
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        streamed = json.loads(done.stdout.splitlines()[-1])
    what = (
        f"process that streams {chosen.minutes:g} min of {SIZE} neurons at "
        f"{streamed['rate']:.1f} Hz"
    )
    values.append(held(what, streamed["MB"], 300.0, unit="MB", **streamed))
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        "",
        verdicts(values),
        sep="\n",
    )
    write(chosen.out, "recording", {"machine": described, "measures": values})


def overhead(name: str, build: Any, repetitions: int) -> dict[str, Any]:
    """Return how much longer a second takes when all spikes are recorded; both runs in turn from
    the same state.
    """
    nets = {recorded: build() for recorded in (True, False)}
    nets[False].probes.clear()
    runs = {recorded: ns.prepare(net, backend="cpu", threads=1) for recorded, net in nets.items()}
    start = {recorded: run.snapshot() for recorded, run in runs.items()}
    wall: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(repetitions + 1):
        for recorded, run in runs.items():
            run.restore(start[recorded], clock=True)
            began = perf_counter()
            run.run("1 s", progress=False)
            wall[recorded].append(perf_counter() - began)
    more = spread((np.divide(wall[True], wall[False])[1:] - 1) * 100)
    count = runs[True].result()["neurons"].spikes.index.size
    return held(
        f"recording of all spikes, {name}, longer by",
        more["median"],
        10.0,
        unit="%",
        spread=more,
        spikes=count,
    )


def stream(folder: Path, minutes: float) -> dict[str, float]:
    """Return the greatest size of this process in MB when it has streamed a long run, the size of
    the files, and the rate.
    """
    net = ns.Network("streamed", dt="1 ms", seed=1)
    net.record(net.poisson("neurons", SIZE, rate=RATE), "spikes")
    run = ns.prepare(net, backend="cpu", stream=folder)
    began = perf_counter()
    run.run(minutes * 60_000, progress=False)
    seconds, peak = perf_counter() - began, resident("VmHWM")
    spikes = sum(
        ns.Recording.load(part)["neurons"].spikes.index.size
        for part in sorted(folder.glob("part-*.npz"))
    )
    return {
        "MB": peak / 1e6,
        "files, MB": sum(f.stat().st_size for f in folder.iterdir()) / 1e6,
        "rate": spikes / SIZE / minutes / 60,
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
