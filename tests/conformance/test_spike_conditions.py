"""Spikes at the crossing of a threshold, and refractoriness as long as a condition holds."""

from __future__ import annotations

import numpy as np
import pytest
from support.backends import ready

import neurosim as ns

WAVE = "dphase/dt = 1 / tau : 1; v = 10 * mV * sin(2 * pi * phase) : mV; dw/dt = -w / tau_w : 1"
PARAMETERS = {"tau": "10 ms", "tau_w": "2 ms", "top": "5 mV"}


def spikes(backend: str, *, start: float = 0.0, **events) -> list[int]:
    net = ns.Network("net", dt="0.1 ms", seed=1)
    cell = ns.Cell(WAVE, parameters=PARAMETERS, initial={"phase": start}, **events)
    cells = net.population("cells", 3, cell)
    net.record(cells, "spikes")
    recorded = ns.simulate(net, "30 ms", backend=backend, progress=False)["cells"].spikes
    assert np.unique(recorded.index).size in (0, 3)
    return recorded.step[recorded.index == 0].tolist()


def rising(threshold: float, start: float = 0.0) -> list[int]:
    v = 10 * np.sin(2 * np.pi * (start + np.arange(301) / 100))
    return np.flatnonzero((v[1:] > threshold) & ~(v[:-1] > threshold)).tolist()


def test_a_crossing_is_one_spike_each_time_the_condition_begins(backend):
    assert spikes(backend, spike="crossing(v > top)") == rising(5) and len(rising(5)) == 3
    # True from the start is no crossing.
    assert spikes(backend, start=0.2, spike=" crossing( v > 5 * mV ) ") == rising(5, 0.2)
    assert len(spikes(backend, spike="v > top")) > 50


def test_no_spike_is_emitted_while_a_condition_holds(backend):
    assert spikes(backend, spike="v > top", refractory="v > 0 * mV") == []
    assert spikes(backend, spike="v > top", refractory="v > top") == rising(5)
    # The reset begins a pause of ln(w / 1) * tau_w, in which nothing is frozen.
    steps = spikes(backend, spike="v > top", after_spike="w = 1.5", refractory="w > 1")
    pause = int(np.ceil(np.log(1.5) * 2 / 0.1)) + 1
    assert steps[:3] == [rising(5)[0], rising(5)[0] + pause, rising(5)[0] + 2 * pause]


def test_both_conditions_hold_together(backend):
    both = spikes(
        backend,
        spike="crossing(v > top)",
        after_spike="w = exp(6)",
        refractory="w > 1 and not v > 100 * mV",
    )
    assert both == rising(5)[::2]  # the pause of 12 ms leaves out the second


def test_a_jump_from_a_port_crosses(backend):
    cell = ns.Cell(
        "v : mV; n : 1",
        step="n = n",
        receives={"v": ns.Port("mV", into="v")},
        spike="crossing(v > 5 * mV)",
        after_spike="n += 1",
    )
    net = ns.Network("net", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[2, 3]])
    cells = net.population("cells", 1, cell)
    net.project(source, cells, ns.all_to_all(), weight="6 mV")
    net.record(cells, "spikes")
    run = ns.prepare(net, backend=backend)
    run.run("9 ms", progress=False)
    assert run.result()["cells"].spikes.step.tolist() == [3]
    assert run.get("cells", "n") == 1


@pytest.mark.parametrize("options", [{"precision": "float32"}, {"mode": "equations"}])
def test_conditions_hold_in_other_precisions_and_modes(options):
    net = ns.Network("net", dt="0.1 ms", seed=1)
    cell = ns.Cell(
        WAVE, parameters=PARAMETERS, spike="crossing(v > top)", refractory="w > 1", initial={"w": 9}
    )
    net.record(net.population("cells", 1, cell), "spikes")
    backend = ready("brian" if "mode" in options else "cpu")
    recorded = ns.simulate(net, "30 ms", backend=backend, progress=False, **options)["cells"]
    # The first crossing lies within the pause of ln(9) * 2 ms = 4.4 ms.
    assert recorded.spikes.step.tolist() == pytest.approx(rising(5)[1:], abs=1)


def test_conditions_are_shown_and_checked():
    cell = ns.Cell(WAVE, parameters=PARAMETERS, spike="crossing(v > top)", refractory="w > 1")
    assert "spike: crossing(v > top)" in str(cell) and "refractory: w > 1" in str(cell)
    assert "when it begins" in cell._repr_markdown_()
    with pytest.raises(ns.ModelError, match="no spike condition"):
        ns.Cell(WAVE, parameters=PARAMETERS, refractory="w > 1")
    with pytest.raises(ns.ModelError, match="refractory: .*'u'"):
        ns.Cell(WAVE, parameters=PARAMETERS, spike="w > 1", refractory="u > 1")


SILENT = ns.Cell(
    "dv/dt = -v / tau : mV", parameters={"tau": "10 ms"}, receives={"in": ns.Port("mV", into="v")}
)
SPIKING = ns.Cell(
    "dv/dt = (10*mV - v) / tau : mV",
    parameters={"tau": "10 ms"},
    receives={"in": ns.Port("mV", into="v")},
    spike="v > 5*mV",
    after_spike="v = 0*mV",
)
WAITING = {
    "static": ("source", None),
    "pre": ("source", ns.Rule(edge="w : mV", handlers=[("pre", "out += w")])),
    "pre variable": (
        "source",
        ns.Rule(
            edge="w : mV",
            pre="dx/dt = -x / (10*ms) : 1",
            handlers=[("pre", "x += 1; out += w * x")],
        ),
    ),
    "post": (
        "target",
        ns.Rule(
            edge="w : mV",
            post="y : 1",
            handlers=[("pre", "out += w * (1 + y)"), ("post", "y += 1")],
        ),
    ),
}


@pytest.mark.parametrize("case", WAITING.values(), ids=WAITING)
def test_handlers_of_spikes_that_never_come_are_never_run_and_a_row_says_so(backend, case):
    end, rule = case
    net = ns.Network("waiting", dt="1 ms")
    source = net.population("source", 3, SILENT if end == "source" else SPIKING)
    target = net.population("target", 3, SILENT if end == "target" else SPIKING)
    net.project(source, target, ns.all_to_all(), weight=1, rule=rule, delay="1 ms", name="edges")
    net.record(target, "v")
    reason = ns.check(net, backend=backend)["edges"][0].reason
    assert f"Population '{end}' never spikes: its cell has no spike condition." in reason
    values = ns.simulate(net, "30 ms", backend=backend, progress=False)["target"].trace("v").values
    largest = np.abs(values).max()
    assert 4 < largest < 5.1 if end == "source" else largest > 3
