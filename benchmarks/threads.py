"""Two threads beside one, the engine's own choice, and a machine whose cores are busy.

Run with ``python -m benchmarks.threads``.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.models.balanced_networks import cuba, izhikevich_2003
from neurosim.models.plastic_balanced_network import plastic_balanced_network

from .report import held, machine, options, spread, verdicts, write

# Network, how long one repetition runs (ms), and by how much two threads have to be faster than
# one; None: no number is asked.
NETWORKS: dict[str, tuple[Callable[[], ns.Network], float, float | None]] = {
    "Izhikevich 1000": (izhikevich_2003, 1000.0, None),
    "CUBA 4000": (cuba, 2000.0, None),
    "CUBA 16 000": (lambda: cuba(16_000), 300.0, None),
    "CUBA 40 000": (lambda: cuba(40_000), 300.0, 1.5),
    "CUBA 100 000": (lambda: cuba(100_000), 200.0, 1.5),
    "balanced, 1.1 million plastic edges": (
        lambda: plastic_balanced_network(size=4200),
        100.0,
        1.5,
    ),
    "balanced, 8.1 million plastic edges": (plastic_balanced_network, 50.0, 1.5),
}
NOISE = 0.95  # "never slower" is asked of the choice up to what repetitions differ by
BUSY = ("CUBA 4000", "CUBA 40 000")


def main() -> None:
    """Measure, print and write."""
    chosen = options(__doc__, repetitions=7)
    described, values = machine(), []
    for name, (build, time, asked) in NETWORKS.items():
        values += speed_up(name, build(), time, asked, chosen.repetitions)
    values += [value for name in BUSY for value in crowded(name, chosen.repetitions)]
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        "",
        verdicts(values),
        sep="\n",
    )
    write(chosen.out, "threads", {"machine": described, "measures": values})


def speed_up(
    name: str, net: ns.Network, time: float, asked: float | None, repetitions: int
) -> list[dict[str, Any]]:
    """Return how much faster than one thread two are and what the engine chooses by itself, and how
    many of its steps ran on two.
    """
    runs = {threads: ns.prepare(net, backend="cpu", threads=threads) for threads in (1, 2, None)}
    wall = in_turn(runs, time, repetitions)
    two, own = (spread(np.divide(wall[1], wall[threads])) for threads in (2, None))
    rows = [
        held(
            f"{name}: the engine's choice of threads over 1",
            own["median"],
            NOISE,
            unit="times faster",
            least=True,
            spread=own,
        )
    ]
    forced = f"{name}: 2 threads over 1"
    rows.append(
        held(forced, two["median"], asked, unit="times faster", least=True, spread=two)
        if asked
        else noted(forced, two["median"], unit="times faster", spread=two)
    )
    steps = runs[None].engine.pace.steps  # the warming up included
    rows.append(
        noted(
            f"{name}: steps that the engine's choice ran on 2 threads",
            100 * steps.get(2, 0) / sum(steps.values()),
            unit="%",
        )
    )
    return rows


def noted(measure: str, value: float, *, unit: str, **more: Any) -> dict[str, Any]:
    """Return a measured value of which no number is asked, in the form of `held`."""
    return {
        "measure": measure,
        "value": value,
        "unit": unit,
        "asked": "no number",
        "outcome": "",
        **more,
    }


def in_turn(runs: dict[Any, ns.Run], time: float, repetitions: int) -> dict[Any, list[float]]:
    """Return the seconds of runs that take turns, each repetition from the same state; the first,
    which warms up, does not count.
    """
    start = {key: run.snapshot() for key, run in runs.items()}
    wall: dict[Any, list[float]] = {key: [] for key in runs}
    for _ in range(repetitions + 1):
        for key, run in runs.items():
            run.restore(start[key], clock=True)
            began = perf_counter()
            run.run(time, progress=False)
            wall[key].append(perf_counter() - began)
    return {key: seconds[1:] for key, seconds in wall.items()}


def crowded(name: str, repetitions: int) -> list[dict[str, Any]]:
    """Return how much slower a run is, while a busy loop holds every core, than one thread alone on
    the machine.
    """
    build, time, _ = NETWORKS[name]
    net = build()
    alone = float(
        np.median(in_turn({1: ns.prepare(net, backend="cpu", threads=1)}, time, repetitions)[1])
    )
    with busy_cores():
        among = in_turn(
            {threads: ns.prepare(net, backend="cpu", threads=threads) for threads in (None, 2)},
            time,
            repetitions,
        )
    slower = {threads: spread(np.divide(seconds, alone)) for threads, seconds in among.items()}
    return [
        held(
            f"{name}: {'the engine' if threads is None else '2 threads'} among busy loops, over 1 "
            "thread alone",
            slowdown["median"],
            3.0,
            unit="times slower",
            spread=slowdown,
            worst=max(among[threads]) / alone,
        )
        for threads, slowdown in slower.items()
    ]


@contextmanager
def busy_cores():
    """Keep every core of this process busy with a loop of another process."""
    loops = [
        multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
        for _ in os.sched_getaffinity(0)
    ]
    for loop in loops:
        loop.start()
    sleep(1.0)  # until they have started
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.join()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
