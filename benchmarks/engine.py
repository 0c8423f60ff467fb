"""Neuron updates and synaptic events per second of the CPU engine, on one and two threads.

Run with ``python -m benchmarks.engine``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.models.balanced_networks import cuba
from neurosim.models.cells import lif
from neurosim.models.prediction_reservoir.network import Settings, build, neuron

from .report import machine, options, quartiles, spread, table, write


@dataclass(frozen=True)
class Workload:
    """A network, how long one repetition runs, how long it is compared with the reference, and the
    rates (Hz) that are believed.
    """

    name: str
    build: Callable[[], ns.Network]
    population: str
    time: float  # ms
    compared: float  # ms
    rates: tuple[float, float]


def recurrent(seed: int = 1) -> ns.Network:
    """Return the reservoir of the prediction model without its readouts: heterogeneous neurons,
    slow synapses, private noise.
    """
    s = Settings()
    net = ns.Network("recurrent", dt="1 ms", seed=seed)
    excitatory = round(s.size * (1 - s.inhibitory))
    cells = net.population(
        "reservoir",
        s.size,
        neuron(),
        rho=ns.uniform(0, 1),
        noise=s.noise,
        tau_s=s.tau_s,
        v=ns.uniform(-65, -55),
        u="b*v",
        a=f"where(i < {excitatory}, 0.02, 0.02 + 0.08*rho)",
        b=f"where(i < {excitatory}, 0.2, 0.25 - 0.05*rho)",
        c=f"where(i < {excitatory}, -65 + 15*rho**2, -65)",
        d=f"where(i < {excitatory}, 8 - 6*rho**2, 2)",
        bias=ns.uniform(0, 8),
    )
    top = 2 * s.weight / math.sqrt(s.density * s.size)
    wiring = ns.fixed_probability(s.density, autapses=False)
    net.project(
        cells[:excitatory],
        cells,
        wiring,
        weight=ns.uniform(0.0, top),
        port="synaptic",
        name="excitation",
    )
    net.project(
        cells[excitatory:],
        cells,
        wiring,
        weight=ns.uniform(-top * s.balance, 0.0),
        port="synaptic",
        name="inhibition",
    )
    net.record(cells, "spikes")
    return net


def reservoir(seed: int = 1) -> ns.Network:
    """Return the whole prediction model: reservoir, two families of plastic readouts, feedback."""
    net = build(Settings(), seed)
    net.record(net["reservoir"], "spikes")
    return net


WORKLOADS = (
    Workload("reservoir, recurrent part", recurrent, "reservoir", 2000.0, 100.0, (2.0, 20.0)),
    Workload("reservoir with readouts", reservoir, "reservoir", 2000.0, 100.0, (2.0, 20.0)),
    Workload("CUBA 4000", lambda: cuba(seed=1), "neurons", 1000.0, 30.0, (5.0, 6.2)),
)


def main() -> None:
    """Measure, compare, print and write."""
    chosen = options(__doc__, repetitions=15)
    described = machine()
    measured = [row for workload in WORKLOADS for row in measure(workload, chosen.repetitions)]
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    print(
        "\nSimulation only, not building and compiling. "
        "Spikes equal the reference's on a shortened run, and each other on any threads.\n"
    )
    heads = [
        "network",
        "threads",
        "ms per bio s",
        "quartiles",
        "least",
        "M updates/s",
        "M events/s",
        "rate Hz",
        "time ratio",
    ]
    print(table(heads, [_row(m) for m in measured]))
    open_run = [overhead(threads, chosen.repetitions) for threads in (1, 2)]
    print(
        "\nrun.run(one step), run.set(a parameter) and run.get(a state), CUBA of 1000 neurons: "
        "what this takes beyond the step's own time\n"
    )
    rows = [
        [o["threads"], f"{o['us']['median']:.0f}", quartiles(o["us"], "{:.0f}")] for o in open_run
    ]
    print(table(["threads", "us", "quartiles"], rows))
    loops = [closed_loop(size, 20 * chosen.repetitions) for size in (100, 1000)]
    print(
        "\nA step of a closed loop: run.run(one step), run.set(an array) and run.spikes, by "
        "processor time\n"
    )
    rows = [
        [
            o["neurons"],
            f"{o['us']['median']:.0f}",
            quartiles(o["us"], "{:.0f}"),
            f"{o['us']['least']:.0f}",
        ]
        for o in loops
    ]
    print(table(["neurons", "us", "quartiles", "least"], rows))
    results = {"networks": measured, "overhead": open_run, "closed loop": loops}
    write(chosen.out, "engine", {"machine": described, **results})


def measure(workload: Workload, repetitions: int) -> list[dict[str, Any]]:
    """Return the times of a network on one and two threads, repetitions in turn.

    Raises
    ------
    SystemExit
        If spikes differ from the reference's or between threads, or the rate is not to be believed:
        then no time means anything.
    """
    net = workload.build()
    runs = {threads: ns.prepare(net, backend="cpu", threads=threads) for threads in (1, 2)}
    if runs[2].engine.partitions == 1:
        del runs[2]
    _agree(workload, ns.prepare(net, backend="reference"), runs, workload.compared)
    start = {threads: run.snapshot() for threads, run in runs.items()}
    wall: dict[int, list[float]] = {threads: [] for threads in runs}
    for _ in range(repetitions):
        for threads, run in runs.items():
            run.restore(start[threads], clock=True)
            began = time.perf_counter()
            run.run(workload.time, progress=False)
            wall[threads].append(time.perf_counter() - began)
    spikes = _agree(workload, runs[1], runs, 0.0)
    rate = spikes.index.size / spikes.size / (runs[1].time / 1000)
    if not workload.rates[0] <= rate <= workload.rates[1]:
        raise SystemExit(
            f"{workload.name}: found a rate of {rate:.2f} Hz, expected {workload.rates[0]:g} to "
            f"{workload.rates[1]:g} Hz."
        )
    return [
        _result(workload, runs[threads], wall, threads=threads, spikes=spikes) for threads in runs
    ]


def _agree(workload: Workload, first: ns.Run, others: dict[int, ns.Run], duration: float) -> Any:
    """Run for a time, hold the spikes of all runs against the first, and return them."""
    first.run(duration, progress=False)
    right = first.result()[workload.population].spikes
    for threads, run in others.items():
        if run is not first:
            run.run(duration, progress=False)
        if run.result()[workload.population].spikes != right or not right.index.size:
            name = first.report.backend
            raise SystemExit(
                f"{workload.name}: spikes on {threads} threads differ from those of backend "
                f"{name!r}, or there are none."
            )
    return right


def _result(
    workload: Workload, run: ns.Run, wall: dict[int, list[float]], *, threads: int, spikes: Any
) -> dict[str, Any]:
    first = round(workload.compared / run.program.dt)
    index = spikes.index[spikes.step >= first]
    projections = run.program.projections.values()
    static = [p for p in projections if p.name not in run.program.plastic]
    degree = sum(np.diff(p.pointer) for p in static)
    steps = round(workload.time / run.program.dt)
    seconds = spread(wall[threads])
    return {
        "network": workload.name,
        "threads": threads,
        "dt": run.program.dt,
        "biological seconds": workload.time / 1000,
        "neurons": sum(p.size for p in run.program.populations.values()),
        "edges": sum(p.targets.size for p in run.program.projections.values()),
        "seconds": seconds,
        "ratio to one thread": float(np.median(np.divide(wall[threads], wall[1]))),
        "updates per second": spikes.size * steps / seconds["median"],
        "events per second": int(degree[index].sum()) / seconds["median"],
        "rate": index.size / spikes.size / (workload.time / 1000),
    }


def overhead(threads: int, repetitions: int, *, calls: int = 100) -> dict[str, Any]:
    """Return the time of a step in a closed loop (a call each of run, set and get), less the time
    of one step within a long run, in microseconds.
    """
    run = ns.prepare(cuba(1000, seed=1), backend="cpu", threads=threads)
    run.run("100 ms")
    overheads = []
    for _ in range(repetitions):
        began = time.perf_counter()
        for _ in range(calls):
            run.run(0.1, progress=False)
            run.set("neurons", rest="-49 mV")
            run.get("neurons", "v")
        short = time.perf_counter() - began
        began = time.perf_counter()
        run.run(0.1 * calls, progress=False)
        overheads.append((short - (time.perf_counter() - began)) / calls * 1e6)
    return {"threads": threads, "us": spread(overheads)}


def closed_loop(neurons: int, repetitions: int, *, calls: int = 20) -> dict[str, Any]:
    """Return the processor time of a step with a set of inputs and a get of spikes, in us.

    Processor time, since a step is so short that other processes would be measured instead. Inputs
    differ from step to step.
    """
    net = ns.Network("loop", dt="1 ms", seed=1)
    cells = net.population("cells", neurons, lif(), current=np.full(neurons, 0.25))
    net.project(cells, cells, ns.fixed_probability(0.1), weight="5 pA")
    net.record(cells, "spikes")
    run = ns.prepare(net, backend="cpu", threads=1)
    currents = np.full(neurons, 0.25), np.full(neurons, 0.26)
    run.run("50 ms", progress=False)
    seconds = []
    for _ in range(repetitions):
        began = time.process_time()
        for call in range(calls):
            run.run(1.0, progress=False)
            run.set("cells", current=currents[call % 2])
            run.spikes("cells")
        seconds.append((time.process_time() - began) / calls * 1e6)
    return {"neurons": neurons, "us": spread(seconds)}


def _row(m: dict[str, Any]) -> list[str]:
    per_second = 1000 / m["biological seconds"]
    return [
        m["network"],
        str(m["threads"]),
        f"{m['seconds']['median'] * per_second:.1f}",
        quartiles(m["seconds"], "{:.1f}", per_second),
        f"{m['seconds']['least'] * per_second:.1f}",
        f"{m['updates per second'] / 1e6:.0f}",
        f"{m['events per second'] / 1e6:.1f}",
        f"{m['rate']:.2f}",
        f"{m['ratio to one thread']:.2f}",
    ]


if __name__ == "__main__":
    main()
