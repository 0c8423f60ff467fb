"""The networks of the comparison in neurosim; the argument is a job."""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any

from .job import Job, Laps, received, refuse, report


def main() -> None:
    """Run a job and report it."""
    job = received()
    laps = Laps(job.clock)
    import neurosim as ns
    from neurosim.backends.cpu import cache
    from neurosim.models import (
        balanced_networks,
        cortical_microcircuit,
        plastic_balanced_network,
        polychronous_network,
    )

    laps.lap("import")
    compiling = _timed(cache, "functions")
    modules = (
        balanced_networks,
        cortical_microcircuit,
        plastic_balanced_network,
        polychronous_network,
        sys.modules[__name__],
    )
    build = next(getattr(module, job.network) for module in modules if hasattr(module, job.network))
    options = {"threads": job.threads} | (
        {} if job.precision == "float64" else {"precision": job.precision}
    )
    try:
        run = ns.prepare(
            build(seed=job.seed, **job.arguments),
            backend="cpu",
            **{k: v for k, v in options.items() if v is not None},
        )
    except ns.NeurosimError as error:
        refuse(str(error))
        return
    laps.lap("construction")
    if job.network == "polychronous_network":
        polychronous_network.run_for(run, round(job.time / 1000))
    else:
        run.run(job.time, progress=False)
    laps.lap("simulation")
    seconds = laps.seconds | {
        "compilation": compiling[0],
        "construction": laps.seconds["construction"] - compiling[0],
    }
    report(
        seconds,
        _counts(run, job),
        job,
        threads=run.engine.partitions,
        version=ns.__version__,
        **_work(run),
    )


def polychronous_pairs(*, seed: int) -> Any:
    """The neurons, wiring and delays of Izhikevich 2006 with the rule and the input that NEST has:
    additive pair STDP, whose delays are
    dendritic, and a Poisson train for each neuron."""
    from neurosim import Network
    from neurosim.models import polychronous_network as published
    from neurosim.models.plasticity import stdp
    from neurosim.network.wiring import connectors as connect

    excites = f"i < {published.EXCITATORY}"
    net = Network("polychronous_pairs", dt="1 ms", seed=seed)
    neurons = net.population(
        "neurons",
        1000,
        published.neuron(),
        a=f"where({excites}, 0.02, 0.1) / ms",
        d=f"where({excites}, 8, 2) * mV/ms",
    )
    excitatory, inhibitory = neurons[: published.EXCITATORY], neurons[published.EXCITATORY :]
    rule = stdp(relative=True, a_plus=0.01, a_minus=0.012, w_max=f"{published.MOST} mV/ms")
    net.project(
        excitatory,
        neurons,
        connect.fixed_outdegree(published.SYNAPSES, autapses=False),
        rule=rule,
        weight=published.START,
        delay=published.delays(seed),
        dendritic_fraction=1.0,
        port="injected",
        name="excitation",
    )
    net.project(
        inhibitory,
        excitatory,
        connect.fixed_outdegree(published.SYNAPSES),
        weight=published.INHIBITION,
        port="injected",
        name="inhibition",
    )
    net.poisson_drive(
        neurons, n=1, rate="1 Hz", weight=published.INPUT, port="injected", name="input"
    )
    net.record(neurons, "spikes")
    return net


def _timed(module: ModuleType, name: str) -> list[float]:
    """Let a function of a module add the seconds it takes to a list of one number."""
    plain, total = getattr(module, name), [0.0]

    def measured(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return plain(*arguments, **options)
        finally:
            total[0] += time.perf_counter() - began

    setattr(module, name, measured)
    return total


def _counts(run: Any, job: Job) -> dict[str, tuple[int, int]]:
    """Return spikes and neurons of each population; the first four fifths of ``neurons`` excite."""
    counts = {}
    for name, recorded in run.result().populations.items():
        spikes = recorded.spikes
        if name == "neurons":
            first = spikes.size * 4 // 5
            excited = int((spikes.index < first).sum())
            counts |= {
                "excitatory": (excited, first),
                "inhibitory": (spikes.index.size - excited, spikes.size - first),
            }
        elif spikes is not None:
            counts[name] = spikes.index.size, spikes.size
    return counts


def _work(run: Any) -> dict[str, int]:
    """Return neuron updates, edges and the bytes of their targets, deliveries of static and of
    plastic edges, and visits of plastic edges by spikes of their targets. Edges that no spike
    passes bring input, for which peers have no
    synapses: they do not count."""
    import numpy as np

    work = {
        "neurons": sum(p.size for p in run.program.populations.values()),
        "edges": 0,
        "targets": 0,
        "static": 0,
        "plastic": 0,
        "back": 0,
    }
    recorded = run.result().populations
    fired = {
        name: np.bincount(recorded[name].spikes.index, minlength=p.size)
        for name, p in run.program.populations.items()
        if name in recorded and recorded[name].spikes is not None
    }
    work["updates"] = work["neurons"] * run.step
    for p in (p for p in run.program.projections.values() if p.source in fired):
        work["edges"] += p.targets.size
        work["targets"] += p.targets.nbytes
        static = p.name not in run.program.plastic
        work["static" if static else "plastic"] += int((np.diff(p.pointer) * fired[p.source]).sum())
        work["back"] += 0 if static else int(fired[p.target][p.targets].sum())
    return work


if __name__ == "__main__":
    main()
