"""Nanoseconds per neuron update and per event, beside the bandwidths of memory.

Run with ``python -m benchmarks.cost``.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.models.cells import lif_exponential

from .limit import Memory, Traffic, measure_memory
from .report import machine, options, spread, table, write

SIZES = (1000, 4000, 10_000, 40_000, 100_000)
INPUTS = 500  # of each neuron; every spike is as many events
UPDATES = 2e7  # of one repetition, whatever the size
STATE = Traffic(numbers=7)  # voltage and two currents twice, refractoriness once


def driven(size: int, *, inputs: int) -> ns.Network:
    """Return neurons above their threshold, which fire at about 19 Hz whatever arrives, for all
    weights are 0; so only the work differs.
    """
    net = ns.Network("driven", dt="0.1 ms", seed=1)
    cell = lif_exponential(
        tau="20 ms",
        tau_exc="5 ms",
        tau_inh="10 ms",
        rest="-49 mV",
        reset="-60 mV",
        refractory="5 ms",
    )
    neurons = net.population("neurons", size, cell, v=ns.uniform("-60 mV", "-50 mV"))
    if inputs:
        net.project(
            neurons,
            neurons,
            ns.fixed_probability(inputs / size),
            weight=ns.uniform(0.0, 0.0),
            port="excitatory",
            name="edges",
        )
    net.record(neurons, "spikes")
    return net


def main() -> None:
    """Measure, print and write."""
    chosen = options(__doc__, repetitions=5)
    described, memory = machine(), measure_memory()
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        f"memory: {memory.plain()}",
        sep="\n",
    )
    rows = [
        measure(size, threads, chosen.repetitions, memory) for size in SIZES for threads in (1, 2)
    ]
    heads = [
        "neurons",
        "threads",
        "ns per update",
        "quartiles",
        "GB/s",
        "of copying",
        "ns per event",
        "quartiles",
        "M edges",
    ]
    print(
        "\nOne number for each of 500 inputs per neuron; "
        "updates from a run without edges, events from the difference.\n"
    )
    print(table(heads, [_row(r) for r in rows]))
    write(chosen.out, "cost", {"machine": described, "memory": memory.plain(), "rows": rows})


def measure(size: int, threads: int, repetitions: int, memory: Memory) -> dict[str, Any]:
    """Return the cost of an update and of an event, from runs with and without edges in turn, each
    repetition the same computation.
    """
    runs = {
        inputs: ns.prepare(driven(size, inputs=inputs), backend="cpu", threads=threads)
        for inputs in (0, INPUTS)
    }
    time = max(round(UPDATES / size / 10) * 10, 100) * 0.1  # ms
    wall: dict[int, list[float]] = {inputs: [] for inputs in runs}
    for run in runs.values():
        run.run("10 ms", progress=False)
    start = {inputs: run.snapshot() for inputs, run in runs.items()}
    for _ in range(repetitions):
        for inputs, run in runs.items():
            run.restore(start[inputs], clock=True)
            began = perf_counter()
            run.run(time, progress=False)
            wall[inputs].append(perf_counter() - began)
    spikes = {inputs: run.result()["neurons"].spikes for inputs, run in runs.items()}
    if spikes[0] != spikes[INPUTS]:
        raise SystemExit(
            f"{size} neurons: edges without weight change the spikes, so their cost cannot be told."
        )
    index = spikes[0].index[spikes[0].step >= 100]
    pointer = runs[INPUTS].program.projections["edges"].pointer
    events = int(np.diff(pointer)[index].sum())
    update = np.array(wall[0]) / (size * round(time / 0.1)) * 1e9
    event = (np.array(wall[INPUTS]) - wall[0]) / events * 1e9
    moved, level = STATE.update(memory, size, threads=threads)
    bandwidth = moved / float(np.median(update))
    return {
        "neurons": size,
        "threads": threads,
        "ns per update": spread(update),
        "ns per event": spread(event),
        "GB/s": bandwidth,
        "level": level,
        "share": bandwidth * 1e9 / memory.copy[level, threads],
        "edges": int(pointer[-1]),
    }


def _row(r: dict[str, Any]) -> list[str]:
    update, event = (
        [
            f"{r[f'ns per {what}']['median']:.3f}",
            " - ".join(f"{q:.3f}" for q in r[f"ns per {what}"]["quartiles"]),
        ]
        for what in ("update", "event")
    )
    reached = [f"{r['GB/s']:.0f}", f"{r['share']:.0%} of {r['level']}"]
    return [
        str(r["neurons"]),
        str(r["threads"]),
        *update,
        *reached,
        *event,
        f"{r['edges'] / 1e6:.1f}",
    ]


if __name__ == "__main__":
    main()
