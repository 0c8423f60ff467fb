"""A network that refuses what is wrong and stays as it was, for the tests of messages."""

from __future__ import annotations

import pytest
from support.messages import parts

import neurosim as ns
from neurosim import Cell, Network, NetworkError, Parameter, Port, Rule

LIF = Cell(
    "dv/dt = -v / tau : mV",
    parameters={"tau": "10 ms", "theta": "1 mV"},
    receives={"in": Port("mV", into="v")},
    spike="v > theta",
    after_spike="v = 0",
    name="lif",
)
TWO_PORTS = Cell("v : mV", receives={"ex": Port("mV", into="v"), "inh": Port("mV", into="v")})
PULSE = Cell("dv/dt = (p - v) / ms : mV", receives={"p": Port("mV")}, name="rate")
STDP = Rule(
    pre="dx/dt = -x / tau : 1",
    edge="w : mV",
    handlers=[("pre", "out += w; x += 1")],
    parameters={"tau": "10 ms"},
    name="stdp",
)
VALUED = Rule(
    edge="w : mV",
    handlers=[("pre", "out += w + e")],
    parameters={"e": Parameter("mV", 1.0, per="edge")},
    name="valued",
)
OTHER = Network("other", dt="0.1 ms")
STRANGER = OTHER.population("a", 4, LIF)


def network() -> Network:
    net = Network("net", dt="0.1 ms")
    a, b = net.population("a", 4, LIF), net.population("b", 3, LIF)
    net.spike_source("s", 2, steps=[[1], [2]])
    net.population("two", 1, TWO_PORTS)
    net.population("pulse", 1, PULSE)
    net.project(a, b, ns.all_to_all(), weight=1.0, delay="1 ms", rule=STDP, name="first")
    net.project(
        a,
        b,
        ns.all_to_all(),
        weight=1.0,
        delay=ns.uniform(0, 1),
        round_delays=True,
        dendritic_fraction=0,
        rule=STDP,
        name="spread",
    )
    net.project(a, b, ns.all_to_all(), weight=1.0, rule=VALUED, name="valued")
    net.poisson_drive(a, rate=5, weight=0.1, name="drive")
    net.record(a, "v")
    return net


def contents(net: Network) -> tuple:
    return (
        net.dt,
        net.seed,
        list(net.populations.items()),
        list(net.projections.items()),
        list(net.inputs),
        list(net.probes),
    )


def refused(act, *message: str, error: type[Exception] = NetworkError) -> None:
    net = network()
    before = contents(net)
    with pytest.raises(error, match=parts(*message)):
        act(net)
    assert contents(net) == before


def gain(reference) -> Rule:
    return Rule(
        edge="w : mV", parameters={"gain": "1 mV"}, handlers=[("pre", "out += gain")]
    ).reading(gain=reference)


def project(source="a", target="b", connector=None, weight=1.0, **options):
    """Return an act that projects; names stand for populations of the network."""

    def act(net: Network):
        ends = [net[end] if isinstance(end, str) else end for end in (source, target)]
        resolved = {key: value(net) if callable(value) else value for key, value in options.items()}
        return net.project(
            *ends, ns.all_to_all() if connector is None else connector, weight=weight, **resolved
        )

    return act


def populate(cell=LIF, size=2, **values):
    return lambda net: net.population("p", size, cell, **values)
