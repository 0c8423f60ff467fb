"""Negative weights into ports that a cell subtracts, and into conductances, are told."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from support.recording_hashes import random_stories

import neurosim as ns
from neurosim.expr.tree import draws
from neurosim.models import cells, plasticity
from neurosim.models.astrocyte_liquid.network import astrocyte
from neurosim.network.port_signs import effect_of_port
from neurosim.network.values.signs import describe_signs

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


def own_cell(dv: str, **options: Any) -> ns.Cell:
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


SPIKING = {"spike": "v >= 10 * mV", "after_spike": "v = 0 * mV"}
SHAPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a gain": ("dv/dt = (gain * s - v) / tau : 1; gain : 1", {}, "adds"),
    "a gain in a spiking cell": (
        "dv/dt = (gain * s * mV - v) / tau : mV; gain : 1",
        SPIKING,
        "adds",
    ),
    "a rate that saturates": ("dv/dt = (-v + s * (1 - v)) / tau : 1", {}, "adds"),
    "a voltage that never spikes": ("dv/dt = (-v + s * (E - v)) / tau : mV", {}, "conductance"),
    "no units": (
        "dv/dt = (-v + s * (one - v)) / tau : 1",
        {"spike": "v >= 1", "after_spike": "v = 0"},
        "conductance",
    ),
    "a shunt at zero": ("dv/dt = -(1 + s) * v / tau : mV", SPIKING, "conductance"),
    "a written-out difference": (
        "dv/dt = (s * E - (1 + s) * v) / tau : mV",
        SPIKING,
        "conductance",
    ),
    "a current of its own": (
        "c = s * (v - E) : mV; dv/dt = (-v - c) / tau : mV",
        SPIKING,
        "conductance",
    ),
    "a gate of the voltage": (
        "dv/dt = (-v + s * (E - v) / (1 + exp(-v / (16 * mV)))) / tau : mV",
        SPIKING,
        "conductance",
    ),
    "a gated current": (
        "dv/dt = (-v - s * mV / (1 + exp(-v / (16 * mV)))) / tau : mV",
        SPIKING,
        "subtracts",
    ),
    "a dendrite": (
        "du/dt = (-u + s * (E - u)) / tau : mV; dv/dt = (u - v) / tau : mV",
        SPIKING,
        "conductance",
    ),
    "a saturating synapse": (
        "dg/dt = (s * (1 - g) - g) / tau : 1; dv/dt = (-v + g * (E - v)) / tau : mV",
        SPIKING,
        "conductance",
    ),
    "a difference the other way round": (
        "dv/dt = (-v + s * (v - E)) / tau : mV",
        SPIKING,
        "repels",
    ),
    "both a current and a conductance": (
        "dv/dt = (-v + s * (E - v) - s * 1 * mV) / tau : mV",
        SPIKING,
        "conductance",
    ),
    "another cell's voltage": ("dv/dt = (-v + s * u) / tau : mV; u : mV", SPIKING, "unclear"),
    "a moving threshold": (
        "dv/dt = (-v + s * mV) / tau : mV; dtheta/dt = -theta / tau : mV",
        {"spike": "v >= theta + 10 * mV", "after_spike": "v = 0 * mV"},
        "adds",
    ),
    "statements of a step": (
        "v : mV",
        {**SPIKING, "step": "v = v + dt / tau * s * (E - v); s = s * exp(-dt / tau)"},
        "conductance",
    ),
}


@pytest.mark.parametrize("case", SHAPES.values(), ids=SHAPES)
def test_conductances_are_what_multiplies_the_distance_to_a_reversal_potential(case):
    equations, options, effect = case
    cell = ns.Cell(
        f"{equations}; ds/dt = -s / tau : 1",
        parameters={"tau": "10 ms", "E": "-80 mV", "one": 1.0},
        receives={"in": ns.Port("1", into="s")},
        **options,
    )
    assert effect_of_port(cell, "in") == effect


def test_the_astrocyte_of_the_library_takes_both_signs():
    assert effect_of_port(astrocyte(), "surplus") == "adds"


@pytest.mark.parametrize("rule", [None, plasticity.stdp()], ids=["static", "plastic"])
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_negative_weights_into_a_subtracted_port_are_told_at_their_line(case, rule):
    weight, text = case
    net, a = network()
    with pytest.warns(ns.SignWarning) as warned:
        net.project(
            a, a, ns.one_to_one(), weight=weight, rule=rule, port="inhibitory", name="edges"
        )
    message = str(warned[0].message)
    assert message.startswith("projection 'edges' (-> a): ") and text in message
    assert "which cell 'lif_exponential' subtracts: they excite. Give positive" in message
    assert warned[0].filename == __file__
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
    with pytest.warns(ns.SignWarning, match="projection 'edges'") as warned:
        run.set("edges", w=-1)
    assert warned[0].filename == __file__
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


def test_signs_are_read_off_every_random_network():
    drawn = 0
    for story in random_stories(300):
        for projection in story.net.projections.values():
            describe_signs(projection, -1.0)
            handlers = projection.rule.handlers if projection.rule else ()
            statements = [s for h in handlers for s in h.statements if s.target == "out"]
            drawn += any(draws(statement.value) for statement in statements)
    assert drawn > 20, "no rule delivers what it draws"
