"""The networks of the comparison in Brian 2, C++ standalone; the argument is a job.

The first process of a job builds a program in the job's folder; each further one only runs it.
Every run draws its own random numbers, but for the wiring of the plastic balanced network, which
the program holds.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .job import Job, Laps, received, report

# What Izhikevich 2003 and 2006 do in a step of 1 ms, v in mV.
HALF_STEP = "v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + I)"
PUBLISHED_STEP = f"{HALF_STEP}\n{HALF_STEP}\nu += a * (b * v - u)\nI = 0"
QUADRATIC = (
    "v : 1\nu : 1\nI : 1\na : 1 (constant)\nb : 1 (constant)\nc : 1 (constant)\nd : 1 (constant)"
)


def cuba(b: Any, *, size: int = 4000, inputs: int = 80, delay: float = 0.0) -> list[Any]:
    """Benchmark 2 of Brette et al. 2007."""
    neurons = b.NeuronGroup(
        size,
        """dv/dt = (ge + gi - (v - El)) / taum : volt (unless refractory)
                                     dge/dt = -ge / taue : volt
                                     dgi/dt = -gi / taui : volt""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * b.ms,
        method="exact",
        name="neurons",
        namespace=_taus(b) | {"El": -49 * b.mV, "Vt": -50 * b.mV, "Vr": -60 * b.mV},
    )
    neurons.v = "Vr + rand() * (Vt - Vr)"
    scale = 80 / inputs * b.mV
    return _balanced(
        b,
        neurons,
        inputs=inputs,
        names=("ge", "gi"),
        weights=(1.62 * scale, -9 * scale),
        delay=delay,
    )


def coba(b: Any, *, size: int = 4000, delay: float = 0.0) -> list[Any]:
    """Benchmark 1 of Brette et al. 2007."""
    neurons = b.NeuronGroup(
        size,
        """dv/dt = (ge * (Ee - v) + gi * (Ei - v) - (v - El)) / taum : volt (unless refractory)
                                     dge/dt = -ge / taue : 1
                                     dgi/dt = -gi / taui : 1""",
        threshold="v > Vt",
        reset="v = El",
        refractory=5 * b.ms,
        method="exponential_euler",
        name="neurons",
        namespace=_taus(b) | {"El": -60 * b.mV, "Vt": -50 * b.mV, "Ee": 0 * b.mV, "Ei": -80 * b.mV},
    )
    neurons.v = "El + (randn() * 5 - 5) * mV"
    neurons.ge = "randn() * 1.5 + 4"
    neurons.gi = "randn() * 12 + 20"
    return _balanced(b, neurons, inputs=80, names=("ge", "gi"), weights=(0.6, 6.7), delay=delay)


def izhikevich_2003(b: Any, *, size: int = 1000, inputs: int | None = None) -> list[Any]:
    """Izhikevich 2003, with the statements of its program."""
    first, scale = size * 4 // 5, 1000 / (inputs or size)
    neurons = b.NeuronGroup(
        size,
        QUADRATIC + "\nrho : 1 (constant)\nnoise : 1 (constant)",
        threshold="v >= 30",
        reset="v = c\nu += d",
        name="neurons",
    )
    neurons.rho = "rand()"
    for name, excitatory, inhibitory in (
        ("a", "0.02", "0.02 + 0.08 * rho"),
        ("b", "0.2", "0.25 - 0.05 * rho"),
        ("c", "-65 + 15 * rho**2", "-65"),
        ("d", "8 - 6 * rho**2", "2"),
        ("noise", "5", "2"),
    ):
        setattr(neurons[:first], name, excitatory)
        setattr(neurons[first:], name, inhibitory)
    neurons.v = -65
    neurons.u = "b * v"
    neurons.run_regularly("I += noise * randn()\n" + PUBLISHED_STEP, when="groups")
    parts: list[Any] = [neurons]
    for sources, weight in (
        (neurons[:first], f"{0.5 * scale} * rand()"),
        (neurons[first:], f"-{scale} * rand()"),
    ):
        synapses = b.Synapses(sources, neurons, "w : 1 (constant)", on_pre="I_post += w")
        synapses.connect() if inputs is None else synapses.connect(p=inputs / size)
        synapses.w = weight
        parts.append(synapses)
    return [*parts, *_recorded(b, {"excitatory": neurons[:first], "inhibitory": neurons[first:]})]


def polychronous_network(b: Any) -> list[Any]:
    """Izhikevich 2006: nearest spikes change ``sd``, which once per second changes the weight;
    resets, which set ``ltd``, come first.

    Delays are drawn independently, so that a source has five of each only on average.
    """
    neurons = b.NeuronGroup(
        1000,
        QUADRATIC + "\nltd : 1\nchosen : integer (shared)",
        threshold="v >= 30",
        reset="v = c\nu += d\nltd = 0.12",
        name="neurons",
    )
    excitatory, inhibitory = neurons[:800], neurons[800:]
    for name, (first, second) in {
        "a": (0.02, 0.1),
        "b": (0.2, 0.2),
        "c": (-65, -65),
        "d": (8, 2),
    }.items():
        setattr(excitatory, name, first)
        setattr(inhibitory, name, second)
    neurons.v, neurons.u = -65, -13
    neurons.run_regularly("chosen = int(1000 * rand())", when="start")
    neurons.run_regularly(
        f"I += 20 * int(chosen == i)\n{PUBLISHED_STEP}\nltd *= 0.95", when="groups"
    )
    learning = b.Synapses(
        excitatory,
        neurons,
        """w : 1
                                                  sd : 1
                                                  dltp/dt = -ltp / tau : 1 (event-driven)""",
        on_pre="I_post += w\nsd -= ltd_post\nltp = 0.1 / 0.95",
        on_post="sd += ltp",
        namespace={"tau": -1 / math.log(0.95) * b.ms},
    )
    _post_first(learning)
    learning.connect(j="k for k in sample(N_post, size=100) if k != i")
    learning.w = 6
    learning.pre.delay = "int(20 * rand()) * ms"
    learning.run_regularly("w = clip(w + 0.01 + sd, 0, 10)\nsd *= 0.9", dt=1 * b.second, when="end")
    inhibition = b.Synapses(inhibitory, excitatory, on_pre="I_post -= 5")
    inhibition.connect(j="k for k in sample(N_post, size=100)")
    return [
        neurons,
        learning,
        inhibition,
        *_recorded(b, {"excitatory": excitatory, "inhibitory": inhibitory}),
    ]


def plastic_balanced_network(b: Any, *, size: int = 11_250) -> list[Any]:
    """After Brunel 2000, with additive pair STDP from excitatory to excitatory neurons; delays are
    axonal.
    """
    first = size * 4 // 5
    neurons = b.NeuronGroup(
        size,
        "dv/dt = -v / tau : 1 (unless refractory)",
        threshold="v > 20",
        reset="v = 10",
        refractory=2 * b.ms,
        method="exact",
        name="neurons",
        namespace={"tau": 20 * b.ms},
    )
    neurons.v = "20 * rand()"
    groups = {"excitatory": neurons[:first], "inhibitory": neurons[first:]}
    learning = b.Synapses(
        groups["excitatory"],
        groups["excitatory"],
        """w : 1
                             dx/dt = -x / tau : 1 (event-driven)
                             dy/dt = -y / tau : 1 (event-driven)""",
        on_pre="w = clip(w - 0.02 * 1.05 * 0.3 * y, 0, 0.3)\nv_post += w\nx += 1",
        on_post="w = clip(w + 0.02 * 0.3 * x, 0, 0.3)\ny += 1",
        delay={"pre": 1.5 * b.ms},
        namespace={"tau": 20 * b.ms},
    )
    parts = [neurons, learning]
    wiring = (
        ("excitatory", "inhibitory", 0.1),
        ("inhibitory", "excitatory", -0.5),
        ("inhibitory", "inhibitory", -0.5),
    )
    for source, target, weight in wiring:
        parts.append(
            b.Synapses(
                groups[source],
                groups[target],
                on_pre="v_post += w",
                delay=1.5 * b.ms,
                namespace={"w": weight},
            )
        )
    _post_first(learning)
    for synapses in parts[1:]:
        _fixed_indegree(synapses, inputs=len(synapses.source) // 10)
    learning.w = 0.1
    drive = b.PoissonInput(neurons, "v", N=1000, rate=15 * b.Hz, weight=0.1)
    return [*parts, drive, *_recorded(b, groups)]


NETWORKS = {
    f.__name__: f
    for f in (cuba, coba, izhikevich_2003, polychronous_network, plastic_balanced_network)
}
STEPS = {"izhikevich_2003": 1.0, "polychronous_network": 1.0}  # ms; others 0.1


def main() -> None:
    """Run a job and report it, building it first where its folder holds no program."""
    job = received()
    laps = Laps(job.clock)
    folder = Path(job.folder or ".")
    built = folder / "built.json"
    compiled = 0.0
    if not built.exists():
        compiled = _build(job, laps, folder)
    known = json.loads(built.read_text())
    began = time.perf_counter()
    subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    simulated = float((folder / "results/last_run_info.txt").read_text().split()[0])
    construction = laps.seconds.get("construction", 0.0) + wall - simulated
    seconds = laps.seconds | {
        "compilation": compiled,
        "construction": construction,
        "simulation": simulated,
    }
    spikes = {
        name: ((folder / "results" / file).stat().st_size // 4, size)
        for name, (file, size) in known["spikes"].items()
    }
    edges = sum(
        int.from_bytes((folder / "results" / file).read_bytes(), sys.byteorder)
        for file in known["edges"]
    )
    report(seconds, spikes, job, threads=job.threads or 1, version=known["version"], edges=edges)


def _build(job: Job, laps: Laps, folder: Path) -> float:
    """Write and compile the program of a job; return the seconds that compiling took."""
    import brian2 as b

    laps.lap("import")
    b.set_device("cpp_standalone", build_on_run=False)
    b.prefs.devices.cpp_standalone.openmp_threads = 0 if (job.threads or 1) == 1 else job.threads
    if job.target:
        flags = b.prefs.codegen.cpp.extra_compile_args_gcc
        others = [flag for flag in flags if not flag.startswith("-march")]
        b.prefs.codegen.cpp.extra_compile_args_gcc = [*others, f"-march={job.target}"]
    b.defaultclock.dt = STEPS.get(job.network, 0.1) * b.ms
    parts = NETWORKS[job.network](b, **job.arguments)
    network = b.Network(parts)
    if job.network == "polychronous_network":
        network.schedule = ["start", "groups", "thresholds", "resets", "synapses", "end"]
    network.run(job.time * b.ms)
    laps.lap("construction")
    b.device.build(directory=str(folder), compile=True, run=False, debug=False)
    laps.lap("written and compiled")
    monitors = [part for part in parts if isinstance(part, b.SpikeMonitor)]
    files = {
        m.name: (b.device.get_array_filename(m.variables["i"]), len(m.source)) for m in monitors
    }
    edges = [
        b.device.get_array_filename(part.variables["N"])
        for part in parts
        if isinstance(part, b.Synapses)
    ]
    (folder / "built.json").write_text(
        json.dumps({"version": b.__version__, "spikes": files, "edges": edges})
    )
    return laps.seconds["written and compiled"]


def _taus(b: Any) -> dict[str, Any]:
    return {"taum": 20 * b.ms, "taue": 5 * b.ms, "taui": 10 * b.ms}


def _balanced(
    b: Any,
    neurons: Any,
    *,
    inputs: int,
    names: tuple[str, str],
    weights: tuple[Any, Any],
    delay: float,
) -> list[Any]:
    """Join excitatory and inhibitory neurons to all, with one weight each, and record them."""
    first = len(neurons) * 4 // 5
    groups = {"excitatory": neurons[:first], "inhibitory": neurons[first:]}
    parts: list[Any] = [neurons]
    for group, name, weight in zip(groups.values(), names, weights, strict=True):
        synapses = b.Synapses(
            group, neurons, on_pre=f"{name}_post += w", delay=delay * b.ms, namespace={"w": weight}
        )
        synapses.connect(p=inputs / len(neurons))
        parts.append(synapses)
    return [*parts, *_recorded(b, groups)]


def _post_first(synapses: Any) -> None:
    """Where both come in one step, let the target's spike act before the source's, as in our rules
    and the program of Izhikevich 2006.
    """
    synapses.post.order, synapses.pre.order = 0, 1


def _fixed_indegree(synapses: Any, *, inputs: int) -> None:
    """Give every target so many sources; sorted by source, for so Brian 2 goes through synapses
    when a source spikes.

    Its own way to draw them sorts by target, which makes such a network slower.
    """
    import numpy as np

    draw = np.random.default_rng(0)
    sources = [
        draw.choice(len(synapses.source), inputs, replace=False)
        for _ in range(len(synapses.target))
    ]
    source, target = np.concatenate(sources), np.repeat(np.arange(len(sources)), inputs)
    order = np.argsort(source, kind="stable")
    synapses.connect(i=source[order], j=target[order])


def _recorded(b: Any, groups: dict[str, Any]) -> list[Any]:
    return [b.SpikeMonitor(group, name=name) for name, group in groups.items()]


if __name__ == "__main__":
    main()
