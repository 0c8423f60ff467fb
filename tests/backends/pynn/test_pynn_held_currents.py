"""Rows on SpiNNaker's arithmetic: sizes of PSPs, distances of spikes, halves of steps."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sympy")

import neurosim as ns  # noqa: E402
from neurosim.backends.pynn.translation.held_current import (  # noqa: E402
    psp_ratio,
    refractory_steps,
)
from neurosim.models import cells, plasticity  # noqa: E402

# tau_m, tau_syn, dt in ms.
CASES = [(20, 5, 1), (20, 0.5, 1), (3, 0.3, 1), (0.5, 0.3, 1), (20, 5, 0.1), (10, 10, 1)]


def machine_psp(tau_m: float, tau_syn: float, dt: float) -> np.ndarray:
    """Return v of a cell with R = 1 after a spike, as the machine steps it in real numbers."""
    f, d = np.exp(-dt / tau_m), np.exp(-dt / tau_syn)
    current = tau_syn / dt * (1 - d)
    v, samples = 0.0, []
    for _ in range(200):
        v = current - f * (current - v)
        samples.append(v)
        current *= d
    return np.array(samples)


def exact_psp(tau_m: float, tau_syn: float, dt: float) -> np.ndarray:
    t = np.arange(1, 201) * dt
    if tau_m == tau_syn:
        return t / tau_m * np.exp(-t / tau_m)
    return tau_syn / (tau_m - tau_syn) * (np.exp(-t / tau_m) - np.exp(-t / tau_syn))


@pytest.mark.parametrize(("tau_m", "tau_syn", "dt"), CASES)
def test_a_psp_of_the_machine_is_the_exact_one_times_one_number(tau_m, tau_syn, dt):
    exact = exact_psp(tau_m, tau_syn, dt)
    held = machine_psp(tau_m, tau_syn, dt)
    ratio = psp_ratio(tau_m, tau_syn, dt=dt)
    assert held == pytest.approx(ratio * exact, rel=1e-9, abs=1e-12)


def test_sizes_are_those_of_the_facts():
    """Of the machine's programme: +0.1 %, +0.8 %, +8.4 % and +67 %."""
    percents = [100 * (float(psp_ratio(*case[:2], dt=1)) - 1) for case in CASES[:4]]
    assert [round(percent, 1) for percent in percents] == [0.1, 0.8, 8.4, 67.3]


def test_nearly_equal_time_constants_lose_no_digits():
    near = psp_ratio(10.0, 10.0 * (1 + np.array([1e-5, 1e-7, 1e-12])), dt=1)
    assert near == pytest.approx(float(psp_ratio(10, 10, dt=1)), rel=1e-6)


@pytest.mark.parametrize("dt", ["1 ms", "0.1 ms"])
@pytest.mark.parametrize("cell", ["lif_exponential", "lif_alpha", "lif_delta"])
def test_no_row_says_exact_of_the_method_or_psp_of_a_cell_whose_input_is_held(cell, dt):
    net = ns.Network("held", dt=dt)
    net.population("neurons", 2, getattr(cells, cell)())
    rows = {row.place.aspect: row for row in ns.check(net, backend="spinnaker")["neurons"]}
    assert rows["method"].status == "approximated"
    assert "there" in rows["method"].reason and "exact, in fixed" not in rows["method"].reason
    assert rows["PSP"].status == "approximated"


def test_the_row_says_by_how_much_for_each_receptor():
    net = ns.Network("held", dt="1 ms")
    cell = cells.lif_exponential()
    net.population("neurons", 2, cell, tau="3 ms", tau_exc=0.3, tau_inh=0.5)
    rows = {row.place.aspect: row for row in ns.check(net, backend="spinnaker")["neurons"]}
    assert "8.4 % at 0.3 ms (tau_syn_E) and " in rows["PSP"].reason
    assert "weights divided by up to 1.084" in rows["PSP"].remedy


@pytest.mark.parametrize(
    ("period", "dt", "steps"), [(0.1, 1.0, 1), (1.0, 1.0, 1), (2.0, 0.1, 20), (0.1, 0.05, 3)]
)
def test_refractory_steps_are_those_of_the_quotient_in_fixed_point(period, dt, steps):
    assert refractory_steps(period, dt=dt) == steps


def test_a_longer_refractory_period_there_has_a_row():
    rows = {}
    for dt in ("0.05 ms", "0.1 ms"):
        net = ns.Network("spacing", dt=dt)
        net.population("neurons", 1, cells.lif_exponential(), refractory="0.1 ms")
        report = ns.check(net, backend="spinnaker")
        rows[dt] = next(r for r in report["neurons"] if r.place.aspect == "spacing")
    assert rows["0.1 ms"].status == "exact"
    assert rows["0.1 ms"].reason == "spikes are at least 2 steps apart."
    assert rows["0.05 ms"].status == "approximated"
    assert "at least 3 steps apart here, and 4 there" in rows["0.05 ms"].reason


def test_the_truncation_of_weights_has_its_mean_in_the_row():
    net = ns.Network("learning", dt="1 ms")
    a = net.population("a", 2, cells.lif_exponential())
    rule = plasticity.stdp(a_plus="3 nA", a_minus="1.5 nA", w_max="6 nA")
    net.project(a, a, ns.all_to_all(), weight="1 nA", delay=1.0, back="2 ms", rule=rule, name="l",
                port="excitatory")  # fmt: skip
    row = next(r for r in ns.check(net, backend="spinnaker")["l"] if "learning" in str(r.place))
    step = float(row.reason.partition("a whole step of ")[2].split()[0])
    assert f"costs half a step ({step / 2:.3g}) on average" in row.reason
