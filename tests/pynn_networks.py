"""Small networks for the tests of the PyNN backends."""

import neurosim as ns
from neurosim.models import cells, plasticity
from neurosim.models.prediction_reservoir.network import DEFAULTS, cue
from neurosim.models.prediction_reservoir.network import neuron as reservoir_neuron


def varied(dt: str = "0.1 ms") -> ns.Network:
    """Return a network with something of everything that PyNN can take, recording all of it."""
    net = ns.Network("varied", dt=dt, seed=7)
    main = net.population(
        "main", 20, cells.lif(current=ns.uniform("0.1 nA", "0.3 nA")), v="rest + 0.5 * mV * i"
    )
    other = net.population("other", 10, cells.lif_conductance(), v="rest")
    chance, coins = net.poisson("chance", 10, rate=50), net.bernoulli("coins", 5, p=0.01)
    given = net.spike_source("given", 2, steps=[[1, 5, 10], [7]])
    net.project(given, main, ns.all_to_all(), weight="0.5 nA", delay="3 ms", name="first")
    net.project(
        chance,
        main,
        ns.fixed_probability(0.5),
        weight=ns.normal("0.1 nA", "0.1 nA"),
        delay=0,
        name="mixed",
    )
    net.project(
        coins,
        other[:5],
        ns.one_to_one(),
        weight="4 nS",
        delay=ns.integers(1, 5),
        port="excitatory",
        name="views",
    )
    loop = net.project(
        main,
        main,
        ns.fixed_probability(0.3),
        weight="0.05 nA",
        delay="1 ms",
        rule=plasticity.stdp(w_max="0.1 nA", relative=True),
        name="loop",
        back="1 ms",
    )
    net.poisson_drive(main, n=100, rate=20, weight="0.01 nA", name="drive")
    net.record(main, "spikes")
    net.record(main[:5], "v")
    net.record(main[[3, 1]], "synaptic", every="2 ms")
    net.record(loop, "w", every="10 ms")
    net.record(other, "spikes", "v", "excitatory")
    net.record(chance, "spikes")
    return net


def one_pair(
    cell: ns.Cell,
    steps: list[int],
    *,
    weight: object,
    delay: object,
    port: str | None = None,
    size: int = 1,
) -> ns.Network:
    """Return given spikes into one population, neuron by neuron, which records its spikes and voltage."""
    net = ns.Network("pair", dt="0.1 ms")
    source = net.spike_source("source", size, steps=[steps] * size)
    target = net.population("target", size, cell)
    net.project(source, target, ns.one_to_one(), weight=weight, delay=delay, port=port, name="edge")
    net.record(target, "spikes", "v")
    return net


def cue_only(size: int, *, strength: float = 1.0) -> ns.Network:
    """Return the reservoir of the prediction model with fixed weights, cues and no readouts; no delays, as there.

    ``strength`` multiplies all weights.
    """
    net = ns.Network("reservoir", dt="1 ms", seed=3)
    excitatory, top = round(0.8 * size), 2 * strength / (0.1 * size) ** 0.5
    where = f"where(i < {excitatory}, "
    cells_ = net.population(
        "reservoir",
        size,
        reservoir_neuron(),
        rho=ns.uniform(0, 1),
        share=ns.uniform(0, 1),
        cue_draw=ns.normal(0, 1),
        v_draw=ns.uniform(0, 10),
        a=where + "0.02, 0.02 + 0.08*rho)",
        b=where + "0.2, 0.25 - 0.05*rho)",
        c=where + "-65 + 15*rho**2, -65)",
        d=where + "8 - 6*rho**2, 2)",
        bias="share * " + where + "8, 4)",
        cue="30 * abs(cue_draw)",
        cue_on=cue(DEFAULTS),
        tau_s=DEFAULTS.tau_s,
        v="-65 + v_draw",
        u="b*v",
    )
    wiring = ns.fixed_probability(0.1, autapses=False)
    for name, source, weight in (
        ("excitation", cells_[:excitatory], ns.uniform(0, top)),
        ("inhibition", cells_[excitatory:], ns.uniform(-4 * top, 0)),
    ):
        net.project(source, cells_, wiring, weight=weight, port="synaptic", name=name)
    net.record(cells_, "spikes")
    return net
