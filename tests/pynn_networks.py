"""Small networks for the tests of the PyNN backends."""

import neurosim as ns
from neurosim.models import cells, plasticity


def varied(dt: str = "0.1 ms") -> ns.Network:
    """Return a network with something of everything that PyNN can take, recording all of it."""
    net = ns.Network("varied", dt=dt, seed=7)
    main = net.population("main", 20, cells.lif(current=ns.uniform("0.1 nA", "0.3 nA")), v="rest + 0.5 * mV * i")
    other = net.population("other", 10, cells.lif_conductance(), v="rest")
    chance, coins = net.poisson("chance", 10, rate=50), net.bernoulli("coins", 5, p=0.01)
    given = net.spike_source("given", 2, steps=[[1, 5, 10], [7]])
    net.project(given, main, ns.all_to_all(), weight="0.5 nA", delay="3 ms", name="first")
    net.project(chance, main, ns.fixed_probability(0.5), weight=ns.normal("0.1 nA", "0.1 nA"), delay=0, name="mixed")
    net.project(coins, other[:5], ns.one_to_one(), weight="4 nS", delay=ns.integers(1, 5), port="excitatory", name="views")
    loop = net.project(main, main, ns.fixed_probability(0.3), weight="0.05 nA", delay="1 ms", rule=plasticity.stdp(w_max="0.1 nA", relative=True),
                       name="loop", back="1 ms")
    net.poisson_drive(main, n=100, rate=20, weight="0.01 nA", name="drive")
    net.record(main, "spikes")
    net.record(main[:5], "v")
    net.record(main[[3, 1]], "synaptic", every="2 ms")
    net.record(loop, "w", every="10 ms")
    net.record(other, "spikes", "v", "excitatory")
    net.record(chance, "spikes")
    return net


def one_pair(cell: ns.Cell, steps: list[int], *, weight: object, delay: object, port: str | None = None, size: int = 1) -> ns.Network:
    """Return given spikes into one population, neuron by neuron, which records its spikes and voltage."""
    net = ns.Network("pair", dt="0.1 ms")
    source = net.spike_source("source", size, steps=[steps] * size)
    target = net.population("target", size, cell)
    net.project(source, target, ns.one_to_one(), weight=weight, delay=delay, port=port, name="edge")
    net.record(target, "spikes", "v")
    return net
