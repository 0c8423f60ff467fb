"""Bytes that a process grows by per edge, and the time to build 100 million edges; run with ``python -m benchmarks.memory``."""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from .report import RESULTS, held, machine, spread, verdicts, write

KINDS = {"one weight per edge": ("float64", 13.0), "one weight per edge, float32": ("float32", 9.0), "a shared weight": ("float64", 5.0),
         "one weight per edge, delays that differ": ("float64", 16.0),
         "plastic (pair STDP)": ("float64", 24.0)}  # precision, and bytes at most; a shared weight leaves the target, and no array
EDGES = 20_000_000
FEW = 200  # inputs per neuron of the network of the same kind that is prepared before, so that code and libraries are there
MANY, MANY_NEURONS, SECONDS = 100_000_000, 100_000, 10.0


def main() -> None:
    """Measure, print and write."""
    chosen = _options()
    if chosen.kind:
        print(json.dumps(grow(chosen.kind) if chosen.kind in KINDS else build()))
        return
    described, values = machine(), []
    for kind, (_, asked) in KINDS.items():
        found = [_process(kind) for _ in range(chosen.repetitions)]
        if "refused" in found[0]:
            print(f"{kind}: skipped: {found[0]['refused']}")
            continue
        per_edge, peak = (spread([f[name] for f in found]) for name in ("bytes", "peak"))
        values.append(held(f"growth of the process, {kind}", per_edge["median"], asked, unit="bytes per edge", spread=per_edge, peak=peak))
    built = spread([_process("build")["seconds"] for _ in range(chosen.repetitions)])
    values.append(held(f"building {MANY // 1_000_000} million random edges", built["median"], SECONDS, unit="s", spread=built))
    print("\n".join(f"{name}: {value}" for name, value in described.items()), "", verdicts(values), sep="\n")
    print("\nGreatest size while building, bytes per edge: " + ", ".join(f"{v['peak']['median']:.1f}" for v in values if "peak" in v))
    write(chosen.out, "memory", {"machine": described, "measures": values})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="of every measurement, each in a new process (3)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the JSON goes (benchmarks/results)")
    parser.add_argument("--kind", choices=[*KINDS, "build"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _process(kind: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "benchmarks.memory", "--kind", kind], capture_output=True, text=True,
                          cwd=Path(__file__).parents[1], env=os.environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def grow(kind: str) -> dict[str, Any]:
    """Return bytes per edge by which this process grows when a network is prepared and has run for a step, and at most while it is made."""
    import neurosim as ns

    precision, _ = KINDS[kind]
    options = {} if precision == "float64" else {"precision": precision}
    try:
        small = ns.prepare(network(kind, inputs=FEW), backend="cpu", **options)
    except ns.NeurosimError as error:
        return {"refused": str(error)}
    small.run(1.0, progress=False)
    few = _edges(small)
    del small
    gc.collect()
    before = resident()
    large = ns.prepare(network(kind, inputs=EDGES // 20_000), backend="cpu", **options)
    large.run(1.0, progress=False)
    gc.collect()
    made = _edges(large)
    return {"bytes": (resident() - before) / made, "peak": (resident("VmHWM") - before) / made, "edges": made, "edges before": few}


def network(kind: str, *, inputs: int, size: int = 20_000) -> Any:
    """Return 20 000 silent neurons with random edges of a kind."""
    import neurosim as ns
    from neurosim.models import cells, plasticity

    net = ns.Network("edges", dt="1 ms", seed=1)
    neurons = net.population("neurons", size, cells.lif())
    weight = "1 pA" if kind == "a shared weight" else ns.uniform("0 pA", "1 pA")
    delay = ns.integers(1, 21) if kind.endswith("delays that differ") else 0.0
    net.project(neurons, neurons, ns.fixed_probability(inputs / size), weight=weight, delay=delay, port="synaptic", name="edges",
                rule=plasticity.stdp(w_max="1 nA") if kind.startswith("plastic") else None)
    return net


def build() -> dict[str, float]:
    """Return the seconds to describe and prepare 100 000 neurons with 100 million random edges and weights."""
    import neurosim as ns

    ns.prepare(network("one weight per edge", inputs=FEW), backend="cpu")
    began = perf_counter()
    run = ns.prepare(network("one weight per edge", inputs=MANY // MANY_NEURONS, size=MANY_NEURONS), backend="cpu")
    return {"seconds": perf_counter() - began, "edges": _edges(run)}


def _edges(run: Any) -> int:
    return sum(p.targets.size for p in run.program.projections.values())


def resident(what: str = "VmRSS") -> int:
    """Return the resident size of this process, or the greatest until now (``VmHWM``), in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(what))


if __name__ == "__main__":
    main()
