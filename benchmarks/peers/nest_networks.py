"""The networks of the comparison in PyNEST, from their published definitions."""

from __future__ import annotations

import math
from typing import Any

from .job import Job, Laps, received, report

LEAK = 10.0  # nS; with 200 pF a membrane of 20 ms


def cuba(nest: Any, *, size: int = 4000, inputs: int = 80, delay: float = 0.1) -> dict[str, Any]:
    """Benchmark 2 of Brette et al. 2007. NEST has no delay of 0."""
    cell = {
        "C_m": 200.0,
        "tau_m": 20.0,
        "E_L": -49.0,
        "V_th": -50.0,
        "V_reset": -60.0,
        "t_ref": 5.0,
        "tau_syn_ex": 5.0,
        "tau_syn_in": 10.0,
    }
    neurons = nest.Create(
        "iaf_psc_exp", size, params=cell | {"V_m": nest.random.uniform(-60.0, -50.0)}
    )
    scale = 80 / inputs
    return _balanced(
        nest, neurons, inputs=inputs, shared=(16.2 * scale, -90.0 * scale), delay=max(delay, 0.1)
    )


def coba(nest: Any, *, size: int = 4000, delay: float = 0.1) -> dict[str, Any]:
    """Benchmark 1 of Brette et al. 2007; NEST integrates it with an adaptive method."""
    cell = {
        "C_m": 200.0,
        "g_L": LEAK,
        "E_L": -60.0,
        "V_th": -50.0,
        "V_reset": -60.0,
        "t_ref": 5.0,
        "tau_syn_ex": 5.0,
        "tau_syn_in": 10.0,
        "E_ex": 0.0,
        "E_in": -80.0,
    }
    start = {
        "V_m": nest.random.normal(-65.0, 5.0),
        "g_ex": nest.random.normal(40.0, 15.0),
        "g_in": nest.random.normal(200.0, 120.0),
    }
    neurons = nest.Create("iaf_cond_exp", size, params=cell)
    for name, values in start.items():
        neurons.set({name: values})
    return _balanced(nest, neurons, inputs=80, shared=(6.0, -67.0), delay=max(delay, 0.1))


def izhikevich_2003(nest: Any, *, size: int = 1000, inputs: int | None = None) -> dict[str, Any]:
    """Izhikevich 2003; its program has the numerics of ``consistent_integration=False``."""
    import numpy as np

    first = size * 4 // 5
    draw = np.random.default_rng(nest.rng_seed)
    rho, excites = draw.random(size), np.arange(size) < first
    b = np.where(excites, 0.2, 0.25 - 0.05 * rho)
    neurons = nest.Create(
        "izhikevich",
        size,
        params={
            "a": np.where(excites, 0.02, 0.02 + 0.08 * rho),
            "b": b,
            "c": np.where(excites, -65 + 15 * rho**2, -65.0),
            "d": np.where(excites, 8 - 6 * rho**2, 2.0),
            "V_m": -65.0,
            "U_m": -65.0 * b,
            "consistent_integration": False,
        },
    )
    scale = 1000 / (inputs or size)
    rule = (
        {"rule": "all_to_all"}
        if inputs is None
        else {"rule": "pairwise_bernoulli", "p": inputs / size}
    )
    groups = {"excitatory": neurons[:first], "inhibitory": neurons[first:]}
    weights = nest.random.uniform(0.0, 0.5 * scale), nest.random.uniform(-scale, 0.0)
    for group, weight, noise in zip(groups.values(), weights, (5.0, 2.0), strict=True):
        nest.Connect(nest.Create("noise_generator", params={"std": noise, "dt": 1.0}), group)
        nest.Connect(group, neurons, rule, {"weight": weight, "delay": 1.0})
    return _recorded(nest, groups)


def polychronous_pairs(nest: Any) -> dict[str, Any]:
    """The neurons, wiring and delays of Izhikevich 2006, whose rule NEST lacks, with additive pair
    STDP.
    """
    import numpy as np

    neurons = nest.Create(
        "izhikevich",
        1000,
        params={"consistent_integration": False, "V_m": -65.0, "U_m": -13.0, "tau_minus": 20.0},
    )
    excitatory, inhibitory = neurons[:800], neurons[800:]
    excitatory.set({"a": 0.02, "d": 8.0})
    inhibitory.set({"a": 0.1, "d": 2.0})
    _additive(nest, most=10.0, rate=0.01, ratio=1.2)
    draw = np.random.default_rng(nest.rng_seed)
    rule = {
        "rule": "fixed_outdegree",
        "outdegree": 100,
        "allow_autapses": False,
        "allow_multapses": False,
    }
    nest.Connect(inhibitory, excitatory, rule, {"weight": -5.0, "delay": 1.0})
    for source in excitatory.global_id:
        targets = np.sort(
            draw.choice(np.setdiff1d(neurons.global_id, [source]), 100, replace=False)
        )
        nest.Connect(
            np.full(100, source),
            targets,
            "one_to_one",
            {
                "synapse_model": "learning",
                "weight": np.full(100, 6.0),
                "delay": draw.permutation(np.repeat(np.arange(1.0, 21.0), 5)),
            },
        )
    nest.Connect(
        nest.Create("poisson_generator", params={"rate": 1.0}),
        neurons,
        syn_spec={"weight": 20.0, "delay": 1.0},
    )
    return _recorded(nest, {"excitatory": excitatory, "inhibitory": inhibitory})


def plastic_balanced_network(nest: Any, *, size: int = 11_250) -> dict[str, Any]:
    """After Brunel 2000, with additive pair STDP from excitatory to excitatory neurons; NEST's
    delays are dendritic.
    """
    jump, relative, delay = 0.1, 5.0, 1.5
    cell = {
        "tau_m": 20.0,
        "C_m": 200.0,
        "E_L": 0.0,
        "V_reset": 10.0,
        "V_th": 20.0,
        "t_ref": 2.0,
        "tau_minus": 20.0,
    }
    neurons = nest.Create("iaf_psc_delta", size, params=cell)
    neurons.V_m = nest.random.uniform(0.0, 20.0)
    excitatory, inhibitory = neurons[: size * 4 // 5], neurons[size * 4 // 5 :]
    _additive(nest, most=0.3, rate=0.02, ratio=1.05)
    excites = _shared(nest, "excites", jump, delay)
    inhibits = _shared(nest, "inhibits", -relative * jump, delay)
    learns = {"synapse_model": "learning", "weight": jump, "delay": delay}
    for source, target, synapses in (
        (excitatory, excitatory, learns),
        (excitatory, inhibitory, excites),
        (inhibitory, neurons, inhibits),
    ):
        nest.Connect(
            source,
            target,
            {"rule": "fixed_indegree", "indegree": len(source) // 10, "allow_multapses": False},
            synapses,
        )
    nest.Connect(
        nest.Create("poisson_generator", params={"rate": 15_000.0}), neurons, syn_spec=excites
    )
    return _recorded(nest, {"excitatory": excitatory, "inhibitory": inhibitory})


def cortical_microcircuit(nest: Any, *, scale: float = 0.1) -> dict[str, Any]:
    """Potjans & Diesmann 2014 with the downscaling of van Albada et al. 2015; numbers from our
    model, statements from theirs.
    """
    import numpy as np

    from neurosim.models import cortical_microcircuit as published

    sizes, counts = published.scaled_sizes(scale), published.scaled_edges(scale)
    weights = published.mean_weights() / math.sqrt(scale) * 1000
    external = published.peak_current() / math.sqrt(scale) * 1000
    cell = {
        "C_m": 250.0,
        "tau_m": 10.0,
        "E_L": -65.0,
        "V_reset": -65.0,
        "V_th": -50.0,
        "t_ref": 2.0,
        "tau_syn_ex": 0.5,
        "tau_syn_in": 0.5,
    }
    populations = {}
    currents = published.missing_current(scale) * 1000
    for name, size, current, inputs in zip(
        published.NAMES, sizes, currents, published.EXTERNAL, strict=True
    ):
        populations[name] = nest.Create("iaf_psc_exp", int(size), params=cell | {"I_e": current})
        populations[name].V_m = nest.random.normal(-58.0, 10.0)
        drive = nest.Create(
            "poisson_generator", params={"rate": published.BACKGROUND * round(inputs * scale)}
        )
        nest.Connect(drive, populations[name], syn_spec={"weight": external, "delay": 1.5})
    groups = list(populations.values())
    for target, source in np.argwhere(counts > 0):
        weight, delay = weights[target, source], published.DELAYS[source % 2]
        bounds = (0.0, np.inf) if weight > 0 else (-np.inf, 0.0)
        drawn = nest.math.redraw(
            nest.random.normal(weight, published.SPREAD * abs(weight)), *bounds
        )
        late = nest.math.redraw(
            nest.random.normal(delay, published.DELAY_SPREAD * delay), 0.1, np.inf
        )
        nest.Connect(
            groups[source],
            groups[target],
            {"rule": "fixed_total_number", "N": int(counts[target, source])},
            {"weight": drawn, "delay": late},
        )
    return _recorded(nest, populations)


NETWORKS = {
    f.__name__: f
    for f in (
        cuba,
        coba,
        izhikevich_2003,
        polychronous_pairs,
        plastic_balanced_network,
        cortical_microcircuit,
    )
}
STEPS = {"izhikevich_2003": 1.0, "polychronous_pairs": 1.0}  # ms; others 0.1


def main() -> None:
    """Run a job and report it."""
    job = received()
    laps = Laps(job.clock)
    import nest

    laps.lap("import")
    if job.network == "cortical_microcircuit":
        import neurosim.models.cortical_microcircuit  # noqa: F401  its numbers are taken from there, which is no lap of NEST's

        laps.lap("import of numbers")
    nest.set_verbosity("M_ERROR")
    nest.set(
        resolution=STEPS.get(job.network, 0.1),
        local_num_threads=job.threads or 1,
        rng_seed=job.seed + 1,
        print_time=False,
    )
    recorders = _construct(nest, job)
    nest.Prepare()
    laps.lap("construction")
    nest.Run(job.time)
    laps.lap("simulation")
    spikes = {name: (recorder.n_events, size) for name, (recorder, size) in recorders.items()}
    edges = nest.num_connections - _of_devices(nest, recorders)
    report(
        laps.seconds, spikes, job, threads=job.threads or 1, version=nest.__version__, edges=edges
    )


def _construct(nest: Any, job: Job) -> dict[str, Any]:
    return NETWORKS[job.network](nest, **job.arguments)


def _of_devices(nest: Any, recorders: dict[str, Any]) -> int:
    """Return how many connections join neurons to recorders and generators."""
    generators = nest.GetNodes({"element_type": "stimulator"})
    return sum(size for _, size in recorders.values()) + (
        len(nest.GetConnections(source=generators)) if len(generators) else 0
    )


def _additive(nest: Any, *, most: float, rate: float, ratio: float) -> None:
    """Make the synapse ``learning``: additive pair STDP of 20 ms, whose steps are ``rate * most``,
    down ``ratio`` times as large.

    Of NEST's models of this rule it is the one whose parameters are shared by all edges, which
    takes half as many bytes per edge.
    """
    additive = {"mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": 20.0}
    nest.CopyModel(
        "stdp_synapse_hom", "learning", additive | {"Wmax": most, "lambda": rate, "alpha": ratio}
    )


def _shared(nest: Any, name: str, weight: float, delay: float) -> dict[str, Any]:
    """Return the synapses of a model of their own, whose edges share one weight."""
    nest.CopyModel("static_synapse_hom_w", name, {"weight": weight})
    return {"synapse_model": name, "delay": delay}


def _balanced(
    nest: Any, neurons: Any, *, inputs: int, shared: tuple[float, float], delay: float
) -> dict[str, Any]:
    """Join excitatory and inhibitory neurons to all, with one weight each."""
    first = len(neurons) * 4 // 5
    groups = {"excitatory": neurons[:first], "inhibitory": neurons[first:]}
    rule = {"rule": "pairwise_bernoulli", "p": inputs / len(neurons)}
    for (name, group), weight in zip(groups.items(), shared, strict=True):
        nest.Connect(group, neurons, rule, _shared(nest, f"from {name}", weight, delay))
    return _recorded(nest, groups)


def _recorded(nest: Any, groups: dict[str, Any]) -> dict[str, Any]:
    """Record the spikes of groups, and return recorder and size of each."""
    recorders = {}
    for name, group in groups.items():
        recorder = nest.Create("spike_recorder")
        nest.Connect(group, recorder)
        recorders[name] = recorder, len(group)
    return recorders


if __name__ == "__main__":
    main()
