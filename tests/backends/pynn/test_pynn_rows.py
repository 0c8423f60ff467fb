"""A thing that no row of a report mentions is a defect: random networks, searched for what is not
said.
"""

import re

import pytest

pytest.importorskip("sympy")

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.models import cells, plasticity  # noqa: E402

ODD = ns.Cell(
    "dv/dt = -v**3 / (tau * mV**2) : mV",
    parameters={"tau": "10 ms"},
    spike="v > 1 * mV",
    after_spike="v = 0 * mV",
    receives={"kick": ns.Port("mV", into="v")},
    name="odd",
)
GLIA = ns.Cell(
    "dv/dt = -v / tau : nA",
    parameters={"tau": "1 s"},
    receives={"drive": ns.Port("nA", into="v")},
    name="glia",
)
# Cell, and for each of its ports a weight.
CELLS = {
    "lif": (cells.lif(), {"synaptic": "0.1 nA"}),
    "delta": (cells.lif_delta(), {"synaptic": "1 mV"}),
    "currents": (cells.lif_exponential(), {"excitatory": "0.1 nA", "inhibitory": "0.2 nA"}),
    "conductances": (cells.lif_conductance(), {"excitatory": "1 nS", "inhibitory": "2 nS"}),
    "steps": (cells.izhikevich(synapse="delta"), {"synaptic": "1 mV", "injected": "1 mV/ms"}),
    "decaying": (cells.izhikevich(synapse="exponential"), {"synaptic": "1 mV/ms"}),
    "odd": (ODD, {"kick": "1 mV"}),
    "glia": (GLIA, {"drive": "1 nA"}),
}
RULES = {
    "static": None,
    "stdp": plasticity.stdp,
    "multiplicative": lambda **k: plasticity.stdp(dependence="multiplicative", **k),
    "triplet": plasticity.triplet_stdp,
    "short": plasticity.short_term,
}
CURRENTS = ("lif", "currents", "glia")  # cells whose ports take the unit of the rules


@st.composite
def networks(draw) -> ns.Network:
    """Return one to three populations of neurons, one or two sources, up to four projections, a
    drive, and some recordings.
    """
    net = ns.Network(
        "random", dt=draw(st.sampled_from(["0.1 ms", "1 ms"])), seed=draw(st.integers(0, 9))
    )
    cell_names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=3))
    for k, cell_name in enumerate(cell_names):
        net.population(f"cells{k}", draw(st.integers(1, 4)), CELLS[cell_name][0])
    for k, source in enumerate(
        draw(
            st.lists(
                st.sampled_from(["given", "poisson", "course", "coins"]), min_size=1, max_size=2
            )
        )
    ):
        name, size = f"source{k}", draw(st.integers(1, 3))
        if source == "given":
            net.spike_source(name, size, steps=[[draw(st.integers(0, 9))]] * size)
        elif source == "coins":
            net.bernoulli(name, size, p=0.1)
        else:
            course = ns.table([1.0, 5.0], every="5 ms")
            net.poisson(name, size, rate=10 if source == "poisson" else course)
    for k in range(draw(st.integers(0, 4))):
        number = draw(st.integers(0, len(cell_names) - 1))
        target = net[f"cells{number}"]
        port = draw(st.sampled_from(sorted(CELLS[cell_names[number]][1])))
        source = net[
            draw(st.sampled_from([n for n, p in net.populations.items() if p.cell is not GLIA]))
        ]
        rule = (
            RULES[draw(st.sampled_from(sorted(RULES)))] if cell_names[number] in CURRENTS else None
        )
        weight = CELLS[cell_names[number]][1][port]
        edge = net.project(
            source,
            target,
            ns.all_to_all(),
            weight=weight,
            port=port,
            delay=draw(st.sampled_from([0, "1 ms", "700 ms"])),
            name=f"edges{k}",
            rule=None if rule is None else rule(),
        )
        if draw(st.booleans()):
            net.record(edge, "w")
    for k, cell_name in enumerate(cell_names):
        view = net[f"cells{k}"]
        net.record(
            view,
            "spikes" if cell_name != "glia" else "v",
            *(
                draw(st.sets(st.sampled_from([s.name for s in view.cell.states])))
                if cell_name != "glia"
                else ()
            ),
        )
        if draw(st.booleans()):
            port, weight = draw(st.sampled_from(sorted(CELLS[cell_name][1].items())))
            net.poisson_drive(view, rate=5, weight=weight, port=port, name=f"drive{k}")
    return net


def unsaid(net: ns.Network, report: ns.Report) -> list[str]:
    """Return everything in a network that no row of a report names; what belongs to something
    impossible is said with it.
    """
    lost = [str(r.place) for r in report.rows if r.status == "impossible"]
    missing = [
        part for part in ("dt", "seed", "run") if not any(str(r.place) == part for r in report.rows)
    ]

    def mentioned(subject: str, word: str = "") -> bool:
        rows = [
            r
            for r in report.rows
            if str(r.place) == subject or str(r.place).startswith(f"{subject},")
        ]
        return any(re.search(rf"\b{re.escape(word)}\b", f"{str(r.place)} {r.reason}") for r in rows)

    for p in net.populations.values():
        subject = f"population {p.name!r}"
        parts = [q.name for q in p.cell.parameters] if p.source_spikes is None else []
        if subject not in lost:
            missing += [
                f"{subject}, states: {s.name}"
                for s in p.cell.states
                if not mentioned(f"{subject}, states", s.name)
            ]
            missing += [
                f"{subject}, port {port!r}"
                for port, _ in p.cell.receives
                if not mentioned(f"{subject}, port {port!r}")
            ]
            missing += [f"{subject}: {part}" for part in parts if not mentioned(subject, part)]
        missing += [] if mentioned(subject) else [subject]
    for item in net.inputs:
        projection = hasattr(item, "connector")
        subject = f"{'projection' if projection else 'drive'} {item.name!r}"
        missing += (
            []
            if (
                mentioned(subject)
                if projection
                else any(str(r.place) == subject for r in report.rows)
            )
            else [subject]
        )
        if projection and not any(x == subject or x.startswith(f"{subject}, rule") for x in lost):
            missing += [
                f"{subject}, {part}"
                for part in ("weights", "delay")
                if not mentioned(f"{subject}, {part}")
            ]
            if item.rule is not None:
                words = [q.name for q in item.rule.parameters]
                missing += [
                    f"{subject}, rule: {word}"
                    for word in words
                    if not mentioned(f"{subject}, rule {item.rule.name!r}", word)
                ]
    for probe in net.probes:
        subject = f"recording of {probe.variable!r} of {probe.owner.name!r}"
        missing += [] if mentioned(subject) else [subject]
    return missing


@pytest.mark.parametrize("backend", [pynn.nest, pynn.brian2, pynn.spinnaker], ids=lambda b: b.name)
@seed(4)
@settings(
    max_examples=15,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(net=networks())
def test_everything_in_a_random_network_is_mentioned(backend, net):
    assert unsaid(net, backend.lower(net).report) == []


def test_the_search_above_finds_each_row_that_is_taken_away():
    net = ns.Network("all", dt="1 ms")
    source, target = net.poisson("source", 2, rate=10), net.population("target", 2, cells.lif())
    edge = net.project(
        source,
        target,
        ns.all_to_all(),
        weight="0.1 nA",
        delay="1 ms",
        rule=plasticity.stdp(),
        name="edge",
    )
    net.poisson_drive(target, rate=5, weight="0.1 nA", name="drive")
    net.record(target, "spikes", "v")
    net.record(edge, "w")
    report = pynn.nest.lower(net).report
    assert unsaid(net, report) == []
    needed = (
        "dt",
        "seed",
        "run",
        "population 'source'",
        "population 'target', parameters",
        "population 'target', port 'synaptic'",
        "population 'target', states",
        "projection 'edge', weights",
        "projection 'edge', delay",
        "projection 'edge', rule 'stdp'",
        "drive 'drive'",
        "recording of 'v' of 'target'",
        "recording of 'w' of 'edge'",
    )
    for subject in needed:
        assert unsaid(
            net, ns.Report("nest", "all", tuple(r for r in report.rows if str(r.place) != subject))
        ), subject


@pytest.mark.parametrize("backend", ["nest", "spinnaker"])
def test_events_at_times_and_signals_of_spikes_are_impossible_rows(backend):
    net = ns.Network("events", dt="0.1 ms")
    source = net.spike_source("source", 1, steps=[[3]])
    layer = net.population("layer", 2, cells.lif())
    rule = ns.Rule(edge="w : nA", handlers=[("pre", "out += w"), ("reward", "w = 2 * w")])
    net.project(source, layer, ns.all_to_all(), rule=rule, weight="1 nA")
    net.every("10 ms", layer, "v += 1 * mV")
    net.signal("reward", layer)
    rows = {str(row.place): row for row in ns.check(net, backend=backend).rows}
    statements = rows["population 'layer', statements"]
    assert statements.status == "impossible" and "every 10 ms" in statements.reason
    signal = rows["population 'layer', signal 'reward'"]
    assert signal.status == "impossible" and "'cpu'" in signal.remedy


@pytest.mark.parametrize("backend", ["nest", "pynn-brian2", "spinnaker"])
def test_a_source_without_spikes_has_a_row_that_is_not_exact(backend):
    net = ns.Network("silent", dt="1 ms")
    net.spike_source("empty", 3)
    net.spike_source("full", 1, steps=[[3]])
    rows = {row.place.owner: row for row in ns.check(net, backend=backend).rows}
    assert rows["empty"].status == "approximated"
    assert "without spikes: it stays silent there" in rows["empty"].reason
    assert rows["full"].status == "exact"
    assert "silent until run.set" in ns.check(net, backend="cpu")["empty"][0].reason
