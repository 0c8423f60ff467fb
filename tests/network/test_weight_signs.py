"""Negative weights into ports that a cell subtracts, and into conductances, are told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells, plasticity
from neurosim.network.port_signs import effect_of_port

LIBRARY = {
    "lif": cells.lif(),
    "lif_delta": cells.lif_delta(),
    "lif_exponential": cells.lif_exponential(),
    "lif_conductance": cells.lif_conductance(),
    "lif_alpha": cells.lif_alpha(),
    "lif_conductance_alpha": cells.lif_conductance_alpha(),
    "adex_exponential": cells.adex_exponential(),
    "adex_conductance": cells.adex_conductance(),
    "leaky_readout": cells.leaky_readout(),
    "izhikevich": cells.izhikevich(synapse="exponential"),
    "izhikevich_2007": cells.izhikevich_2007(),
    "hodgkin_huxley": cells.hodgkin_huxley(),
}


def own_cell(dv: str, **options: object) -> ns.Cell:
    return ns.Cell(
        f"dv/dt = ({dv}) / tau : mV; da/dt = -a / tau : mV; b = (0 - a) : mV",
        parameters={"tau": "10 ms", "low": "-80 mV", "one": 1.0, "minus": -1.0},
        receives={"in": ns.Port("mV", into="a")},
        spike="v >= 10 * mV",
        after_spike="v = 0 * mV",
        name="own",
        **options,
    )


def test_cells_of_the_library_say_how_their_ports_act():
    effects = {
        name: {port: effect_of_port(cell, port) for port, _ in cell.receives}
        for name, cell in LIBRARY.items()
    }
    for name, ports in effects.items():
        text = getattr(cells, name).__doc__
        assert ("is subtracted: its positive weights inhibit" in text) == (
            ports.get("inhibitory") == "subtracts"
        )
        assert ("are conductances, and positive" in text) == (
            set(ports.values()) == {"conductance"}
        )
        assert (" their weights" in text or " its weights" in text) == (
            set(ports.values()) == {"adds"}
        )
    subtracting = {name for name, ports in effects.items() if "subtracts" in ports.values()}
    assert subtracting == {"lif_exponential", "lif_alpha", "adex_exponential"}


@pytest.mark.parametrize(
    ("dv", "effect"),
    [
        ("-v + a", "adds"),
        ("-v - a", "subtracts"),
        ("-(v + a)", "subtracts"),
        ("-v + b", "subtracts"),
        ("-v - minus * a", "adds"),
        ("-v - one * clip(a, 0 * mV, 9 * mV)", "subtracts"),
        ("-v + a / mV * (low - v)", "conductance"),
        ("-v + a * (low - 0 * mV) / mV", "subtracts"),
        ("-v + a - a**2 / mV", "unclear"),
        ("-v + uniform() * a", "adds"),
        ("-v - (1 + uniform()) * a", "subtracts"),
    ],
)
def test_the_effect_of_a_port_is_read_off_the_equations(dv, effect):
    assert effect_of_port(own_cell(dv), "in") == effect


def test_statements_of_a_step_decide_before_derivatives():
    stepped = own_cell("-v + a", step="v = v - dt / tau * (v + a); a = a * exp(-dt / tau)")
    assert effect_of_port(stepped, "in") == "subtracts"


def network() -> tuple[ns.Network, ns.Population]:
    net = ns.Network("signs", dt="1 ms")
    return net, net.population("a", 10, cells.lif_exponential())


BAD = {
    "one weight": ("-0.4 nA", "found the negative weight -0.4 nA into port 'inhibitory'"),
    "one per edge": (
        np.linspace(-1, 1, 10),
        "found 5 negative weights of 10, down to -1 nA, into port 'inhibitory'",
    ),
    "a uniform draw": (ns.uniform("-1 nA", "5 nA"), "high=5 nA) draws negative weights (low=0"),
    "a normal draw": (ns.normal("1 nA", "1 nA"), "sd=1 nA) draws negative weights (low=0"),
}
GOOD = {
    "one weight": 0.4,
    "zero": 0.0,
    "a bounded draw": ns.normal("1 nA", "1 nA", low=0),
    "a draw that is hardly ever negative": ns.normal("1 nA", "0.2 nA"),
    "a lognormal draw": ns.lognormal("1 nA", 1),
}


@pytest.mark.parametrize("rule", [None, plasticity.stdp()], ids=["static", "plastic"])
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_negative_weights_into_a_subtracted_port_are_told_at_their_line(case, rule):
    weight, text = case
    net, a = network()
    with pytest.warns(ns.SignWarning) as told:
        net.project(
            a, a, ns.one_to_one(), weight=weight, rule=rule, port="inhibitory", name="edges"
        )
    message = str(told[0].message)
    assert message.startswith("projection 'edges' (-> a): ") and text in message
    assert "which cell 'lif_exponential' subtracts: they excite. Give positive" in message
    assert told[0].filename == __file__
    assert text.removeprefix("found ") in ns.check(net)["edges"][0].reason


@pytest.mark.parametrize("weight", GOOD.values(), ids=GOOD)
def test_other_weights_and_other_ports_are_not_told(weight):
    net, a = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.project(a, a, ns.one_to_one(), weight=weight, port="inhibitory", name="inhibition")
        net.project(a, a, ns.one_to_one(), weight=-1, port="excitatory", name="excitation")
    assert ns.check(net)["excitation"][0].reason == "static weights."


def test_negative_conductances_are_told_in_every_port():
    net = ns.Network("signs", dt="1 ms")
    a = net.population("a", 10, cells.lif_conductance())
    for port in ("excitatory", "inhibitory"):
        with pytest.warns(ns.SignWarning, match="a conductance of cell 'lif_conductance'"):
            net.poisson_drive(a, rate=5, weight="-1 nS", port=port, name=f"drive-{port}")


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_weights_that_a_run_sets_are_told(backend):
    net, a = network()
    net.project(a, a, ns.one_to_one(), weight=1, port="inhibitory", name="edges")
    net.poisson_drive(a, rate=5, weight=1, port="inhibitory", name="drive")
    run = ns.prepare(net, backend=backend)
    with pytest.warns(ns.SignWarning, match="projection 'edges'") as told:
        run.set("edges", w=-1)
    assert told[0].filename == __file__
    with pytest.warns(ns.SignWarning, match="drive 'drive'"):
        run.set("drive", weight="-1 nA")


def test_a_warning_that_is_made_an_error_leaves_the_network_as_it_was():
    net, a = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ns.SignWarning):
            net.project(a, a, ns.one_to_one(), weight=-1, port="inhibitory", name="edges")
    assert net.projections == {} and net.inputs == []


def test_a_rule_that_delivers_less_with_more_weight_is_not_told():
    opposite = ns.Rule(edge="w : nA", handlers=[("pre", "out += -w")], name="opposite")
    net, a = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.project(a, a, ns.one_to_one(), weight=-1, rule=opposite, port="inhibitory")
