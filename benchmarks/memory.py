"""Bytes per edge that a process grows by, and the time to build 100 million edges.

Run with ``python -m benchmarks.memory``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from .report import RESULTS, held, machine, spread, verdicts, write

EDGES = 20_000_000
# edges of the network of the same kind that is prepared before, so that code and libraries are
# there
FEW = 4_000_000
MANY, MANY_NEURONS, SECONDS = 100_000_000, 100_000, 10.0
TIME = 200.0  # ms, of neurons that fire: ten times the longest delay


@dataclass(frozen=True)
class Kind:
    """Random edges among neurons, whose weights are too small to matter.

    Attributes
    ----------
    asked : bytes
        Per edge, at most.
    size : int
        Number of neurons: to 65 536 a target takes two bytes, beyond four.
    shared : bool
        Whether all edges have one weight, which leaves the target and no array.
    delays : bool
        Whether delays differ between edges, from 1 to 20 steps.
    rate : Hz
        At which Poisson input makes neurons fire, each by itself.
    together : bool
        Whether all neurons fire in one step, once.
    """

    asked: float
    precision: str = "float64"
    size: int = 20_000
    shared: bool = False
    delays: bool = False
    plastic: bool = False
    rate: float = 0.0
    together: bool = False


LARGE = 70_000
KINDS = {
    "one weight per edge": Kind(13.0),
    "one weight per edge, float32": Kind(9.0, precision="float32"),
    "a shared weight": Kind(5.0, shared=True),
    "one weight per edge, delays that differ": Kind(16.0, delays=True),
    "one weight per edge, delays that differ, firing at 10 Hz": Kind(16.0, delays=True, rate=10.0),
    "one weight per edge, delays that differ, firing at 30 Hz": Kind(16.0, delays=True, rate=30.0),
    "one weight per edge, delays that differ, all firing in one step": Kind(
        13.0, delays=True, together=True
    ),
    "plastic (pair STDP)": Kind(24.0, plastic=True),
    "plastic (pair STDP), firing at 10 Hz": Kind(24.0, plastic=True, rate=10.0),
    "one weight per edge, 70 000 neurons": Kind(13.0, size=LARGE),
    "one weight per edge, float32, 70 000 neurons": Kind(9.0, precision="float32", size=LARGE),
    "plastic (pair STDP), 70 000 neurons": Kind(24.0, plastic=True, size=LARGE),
}


def main() -> None:
    """Measure, print and write."""
    chosen = _options()
    if chosen.kind:
        print(json.dumps(grow(KINDS[chosen.kind]) if chosen.kind in KINDS else build()))
        return
    described, values = machine(), []
    for kind, wanted in KINDS.items():
        runs = [_process(kind) for _ in range(chosen.repetitions)]
        if "refused" in runs[0]:
            print(f"{kind}: skipped: {runs[0]['refused']}")
            continue
        per_edge, peak = (spread([f[name] for f in runs]) for name in ("bytes", "peak"))
        values.append(
            held(
                f"growth of the process, {kind}",
                per_edge["median"],
                wanted.asked,
                unit="bytes per edge",
                spread=per_edge,
                peak=peak,
            )
        )
    built = spread([_process("build")["seconds"] for _ in range(chosen.repetitions)])
    values.append(
        held(
            f"building {MANY // 1_000_000} million random edges",
            built["median"],
            SECONDS,
            unit="s",
            spread=built,
        )
    )
    print(
        "\n".join(f"{name}: {value}" for name, value in described.items()),
        "",
        verdicts(values),
        sep="\n",
    )
    print(
        "\nGreatest size while building, bytes per edge: "
        + ", ".join(f"{v['peak']['median']:.1f}" for v in values if "peak" in v)
    )
    write(chosen.out, "memory", {"machine": described, "measures": values})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repetitions",
        type=int,
        default=3,
        metavar="N",
        help="of every measurement, each in a new process (3)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="where the JSON goes (benchmarks/results)",
    )
    parser.add_argument("--kind", choices=[*KINDS, "build"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _process(kind: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", "--kind", kind],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=os.environ,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def grow(kind: Kind) -> dict[str, Any]:
    """Return bytes per edge by which this process grows when a network is prepared and has run, and
    at most while it is made.

    Neurons that fire run for ``TIME``, others for a step.
    """
    import neurosim as ns

    options = {} if kind.precision == "float64" else {"precision": kind.precision}
    time = TIME if kind.rate or kind.together else 1.0
    try:
        small = ns.prepare(network(kind, FEW), backend="cpu", **options)
    except ns.NeurosimError as error:
        return {"refused": str(error)}
    _fire(small, kind, time)
    del small
    gc.collect()
    before = resident()
    large = ns.prepare(network(kind, EDGES), backend="cpu", **options)
    _fire(large, kind, time)
    gc.collect()
    grown, most, edges = resident() - before, resident("VmHWM") - before, _edges(large)
    rate = large.result()["neurons"].spikes.index.size / kind.size / time * 1000
    wanted = 1000 / time if kind.together else kind.rate
    if abs(rate - wanted) > 0.1 * wanted:
        raise SystemExit(
            f"neurons fire at {rate:.1f} Hz, not at {wanted:g}: "
            "their memory is that of another network"
        )
    return {"bytes": grown / edges, "peak": most / edges, "edges": edges, "rate": rate}


def _fire(run: Any, kind: Kind, time: float) -> None:
    """Run; all neurons fire in the second step if they fire together."""
    if kind.together:
        run.run(1.0, progress=False)
        run.set("neurons", v="0 mV")
    run.run(time, progress=False)


def network(kind: Kind, edges: int) -> Any:
    """Return neurons with about so many random edges of a kind."""
    import neurosim as ns
    from neurosim.models import cells, plasticity

    net = ns.Network("edges", dt="1 ms", seed=1)
    neurons = net.population("neurons", kind.size, cells.lif_delta())
    weight = "1e-9 mV" if kind.shared else ns.uniform("0 mV", "1e-9 mV")
    delay = ns.integers(1, 21) if kind.delays else 0.0
    net.project(
        neurons,
        neurons,
        ns.fixed_probability(edges / kind.size**2),
        weight=weight,
        delay=delay,
        port="synaptic",
        name="edges",
        rule=plasticity.stdp(w_max="1e-9 mV", relative=True) if kind.plastic else None,
    )
    if kind.rate:
        net.poisson_drive(
            neurons, n=1, rate=f"{kind.rate} Hz", weight="25 mV", port="synaptic", name="input"
        )
    net.record(neurons, "spikes")
    return net


def build() -> dict[str, float]:
    """Return the seconds to describe and prepare 100 000 neurons with 100 million random edges and
    weights.
    """
    import neurosim as ns

    kind = Kind(asked=0.0, size=MANY_NEURONS)
    ns.prepare(network(kind, FEW), backend="cpu")
    began = perf_counter()
    run = ns.prepare(network(kind, MANY), backend="cpu")
    return {"seconds": perf_counter() - began, "edges": _edges(run)}


def _edges(run: Any) -> int:
    return sum(p.targets.size for p in run.program.projections.values())


def resident(what: str = "VmRSS") -> int:
    """Return the resident size of this process, or the greatest until now (``VmHWM``), in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(what))


if __name__ == "__main__":
    main()
