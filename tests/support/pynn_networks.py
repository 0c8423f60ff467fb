"""Small networks for the tests of the PyNN backends."""

import os
import re
from importlib.util import find_spec

import pytest

import neurosim as ns
from neurosim.backends.pynn.simulator.spynnaker_settings import PYTHON
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
    listed = net.spike_source("given", 2, steps=[[1, 5, 10], [7]])
    net.project(listed, main, ns.all_to_all(), weight="0.5 nA", delay="3 ms", name="first")
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
    """Return given spikes into one population, neuron by neuron, which records its spikes and
    voltage.
    """
    net = ns.Network("pair", dt="0.1 ms")
    source = net.spike_source("source", size, steps=[steps] * size)
    target = net.population("target", size, cell)
    net.project(source, target, ns.one_to_one(), weight=weight, delay=delay, port=port, name="edge")
    net.record(target, "spikes", "v")
    return net


def cue_only(size: int, *, strength: float = 1.0) -> ns.Network:
    """Return the reservoir of the prediction model with fixed weights, cues and no readouts; no
    delays, as there.

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


# Traub & Miles 1991 as in Brette et al. 2007, written otherwise than the table has it: rates as
# quotients of (v - V_T)
HODGKIN_HUXLEY = dict(
    equations="""
    dV/dt = (gl * (El - V) - sodium - gkd * n**4 * (V - Ek) + ge * (0 * mV - V)) / C : mV
    sodium = gna * m**3 * h * (V - Ena) : nA
    dge/dt = -ge / taue : uS
    dm/dt = a_m * (1 - m) - b_m * m : 1
    dn/dt = a_n * (1 - n) - b_n * n : 1
    dh/dt = a_h * (1 - h) - 4 / (1 + exp((40 * mV - d) / (5 * mV))) / ms * h : 1
    a_h = 0.128 * exp((17 * mV - d) / (18 * mV)) / ms : 1/ms
    d = V - VT : mV
    a_m = 0.32 / mV * (d - 13 * mV) / (1 - exp((13 * mV - d) / (4 * mV))) / ms : 1/ms
    b_m = 0.28 / mV * (40 * mV - d) / (1 - exp((d - 40 * mV) / (5 * mV))) / ms : 1/ms
    a_n = 0.032 / mV * (d - 15 * mV) / (1 - exp((15 * mV - d) / (5 * mV))) / ms : 1/ms
    b_n = 0.5 * exp((10 * mV - d) / (40 * mV)) / ms : 1/ms""",
    parameters={
        "C": "0.2 nF",
        "gl": "10 nS",
        "El": "-65 mV",
        "Ek": "-90 mV",
        "Ena": "50 mV",
        "gna": "20 uS",
        "gkd": "6 uS",
        "VT": "-63 mV",
        "taue": "5 ms",
    },
    receives={"ge": ns.Port("uS", into="ge")},
    spike="V > -20 * mV",
    refractory="3 ms",
)


def said(report: ns.Report, pattern: str, status: str = ".*") -> str:
    """Return what the rows of a place say, one after the other."""
    return " ".join(
        f"{r.reason} {r.remedy}"
        for r in report.rows
        if re.search(pattern, str(r.place)) and re.fullmatch(status, r.status)
    )


def simple(
    weight: object = "1 nA", delay: object = "1 ms", dt: str = "0.1 ms", **more: object
) -> ns.Network:
    net = ns.Network("simple", dt=dt)
    net.project(
        net.spike_source("source", 2, steps=[[3], [4]]),
        net.population("target", 2, cells.lif()),
        ns.all_to_all(),
        weight=weight,
        delay=delay,
        name="edge",
        **more,
    )
    return net


def alpha_cell(excitatory: str, inhibitory: str) -> ns.Cell:
    """Return a leaky cell with two alpha currents, whose weights are their peaks."""
    return ns.Cell(
        """dv/dt = (rest - v) / tau + (exc - inh) / capacity : mV
                      dexc/dt = (2.718281828459045 * rise - exc) / tau_exc : nA
                      drise/dt = -rise / tau_exc : nA
                      dinh/dt = (2.718281828459045 * climb - inh) / tau_inh : nA
                      dclimb/dt = -climb / tau_inh : nA""",
        parameters={
            "rest": "-65 mV",
            "tau": "10 ms",
            "capacity": "0.5 nF",
            "tau_exc": excitatory,
            "tau_inh": inhibitory,
        },
        receives={"plus": ns.Port("nA", into="rise"), "minus": ns.Port("nA", into="climb")},
        spike="v >= -50 * mV",
        after_spike="v = rest",
        refractory=ns.Refractory("2 ms", "v"),
        initial={"v": "rest"},
    )


mapped_there = pytest.mark.skipif(
    not os.environ.get(PYTHON) and find_spec("spynnaker") is None,
    reason=f"sPyNNaker is not installed, and {PYTHON} names no other interpreter",
)
