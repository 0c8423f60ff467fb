"""One billion static edges on one machine of 24 GB: memory beside what was foretold, and time.

Run with ``python -m benchmarks.billion``; it takes 5 GB and some minutes of a quiet machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter
from typing import Any

import neurosim as ns
from neurosim.backend.free_memory import available
from neurosim.backend.memory_estimate import items
from neurosim.models import cells

from .memory import resident
from .report import RESULTS, held, machine, verdicts, write

EDGES = 1_000_000_000
NEURONS = 100_000
RUN = 100.0  # ms
TOLERANCE = 0.1  # of the memory foretold
RATE = 5.0  # Hz, about, of the input of each neuron


def main() -> None:
    """Build, run, print and write."""
    options = _options()
    foretold = sum(size for _, size in items(network(options.edges), rounded=True))
    free = available()
    if free < 1.5 * foretold:
        raise SystemExit(
            f"found {free / 1e9:.1f} GB of free memory, expected {1.5 * foretold / 1e9:.1f}: "
            "others must not be driven out of memory. Close something, or give fewer --edges."
        )
    result = measure(options.edges)
    described = machine()
    measures = [
        held(
            f"memory of {options.edges:.3g} static edges beside the estimate, difference",
            abs(result["peak"] / foretold - 1.0),
            TOLERANCE,
            unit="of the estimate",
            foretold=foretold,
            **result,
        )
    ]
    print(verdicts(measures))
    print(
        f"{result['edges']} edges: foretold {foretold / 1e9:.2f} GB, "
        f"taken {result['peak'] / 1e9:.2f} GB; built in {result['build']:.1f} s, "
        f"{RUN:g} ms in {result['run']:.1f} s, {result['spikes']} spikes"
    )
    write(options.out, "billion", {"machine": described, "measures": measures})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=lambda text: int(float(text)), default=EDGES, metavar="N")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    return parser.parse_args()


def network(edges: int) -> ns.Network:
    """Return neurons with so many edges of one weight, driven by Poisson input.

    Parameters
    ----------
    edges : int
        A multiple of the number of neurons.
    """
    size = min(NEURONS, max(edges // 1000, 1000))
    net = ns.Network("billion", dt="1 ms", seed=1)
    neurons = net.population("neurons", size, cells.lif_delta())
    # A weight of 30 mV above rest makes a neuron fire; edges only cost their time.
    net.poisson_drive(neurons, n=1, rate=RATE, weight="30 mV", port="synaptic", name="input")
    net.project(
        neurons,
        neurons,
        ns.fixed_outdegree(edges // size),
        weight="1e-9 mV",
        delay="1 ms",
        port="synaptic",
        name="edges",
    )
    net.record(neurons, "spikes")
    return net


def measure(edges: int) -> dict[str, Any]:
    """Return memory (bytes) and times (s) of building and running.

    Parameters
    ----------
    edges : int
    """
    options = {"precision": "float32"}
    # Code and libraries are loaded by a small network of the same kind.
    small = ns.prepare(network(100_000), backend="cpu", **options)
    small.run(5, progress=False)
    del small
    before = resident()
    began = perf_counter()
    run = ns.prepare(network(edges), backend="cpu", **options)
    built = perf_counter()
    run.run(RUN, progress=False)
    ended = perf_counter()
    spikes = run.result()["neurons"].spikes
    return {
        "edges": edges,
        "peak": resident("VmHWM") - before,
        "after": resident() - before,
        "build": built - began,
        "run": ended - built,
        "spikes": len(spikes),
    }


if __name__ == "__main__":
    main()
