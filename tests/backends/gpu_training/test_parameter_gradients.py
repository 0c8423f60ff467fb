"""Gradients of everything that can learn in a cell, against finite differences without spikes."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402

# Below threshold everything is smooth. The weight of an input spike moves the voltage a little.
QUIET = {
    "lif": (cells.lif(current="0.05 nA"), "0.1 nA"),
    "lif_delta": (cells.lif_delta(current="0.05 nA"), "1 mV"),
    "lif_exponential": (cells.lif_exponential(current="0.2 nA"), "0.1 nA"),
    "lif_conductance": (cells.lif_conductance(current="0.02 nA"), "0.001 uS"),
    "lif_alpha": (cells.lif_alpha(current="0.05 nA"), "0.1 nA"),
    "lif_conductance_alpha": (cells.lif_conductance_alpha(current="0.05 nA"), "0.005 uS"),
    "adex_exponential": (cells.adex_exponential(current="0.2 nA"), "0.1 nA"),
    "adex_conductance": (cells.adex_conductance(current="0.2 nA"), "0.005 uS"),
    "izhikevich": (cells.izhikevich(synapse="delta", current="1 mV/ms"), "0.5 mV"),
    "izhikevich exponential": (
        cells.izhikevich(synapse="exponential", current="1 mV/ms"),
        "0.5 mV/ms",
    ),
    "izhikevich_2007": (cells.izhikevich_2007(current="0.02 nA"), "0.01 nA"),
    "hodgkin_huxley": (cells.hodgkin_huxley(current="0.05 nA"), "0.001 uS"),
    "leaky_readout": (cells.leaky_readout(tau="7 ms"), 0.5),
    "coupled": (
        ns.Cell(
            """dv/dt = (a - v) / tau + gain * drive : 1
               da/dt = -(a + v) / slow : 1""",
            parameters={"tau": "5 ms", "slow": "9 ms", "gain": "0.2 / ms", "drive": 0.3},
            receives={"x": ns.Port("1", into="v")},
            spike="v >= 50",
            name="coupled",
        ),
        0.5,
    ),
}
STEPS, SAMPLES, SIZE = 12, 2, 2
DT = {"hodgkin_huxley": "0.05 ms", "lif_conductance_alpha": "0.1 ms"}


def quiet(name: str) -> ns.Network:
    cell, weight = QUIET[name]
    net = ns.Network("quiet", dt=DT.get(name, "0.5 ms"), seed=7)
    source = net.spike_source("inputs", 3)
    neurons = net.population("neurons", SIZE, cell)
    names = [port for port, _ in cell.receives]
    for port in names if name not in ("izhikevich", "izhikevich exponential") else names[:1]:
        net.project(source, neurons, ns.all_to_all(), weight=weight, port=port, name=f"to_{port}")
    return net


def names_that_learn(net: ns.Network) -> list[str]:
    with pytest.raises(ns.NetworkError) as error:
        Trainer(net, inputs="inputs", outputs="neurons.v", train=["?"])
    listed = str(error.value).partition("trainable names are: ")[2].partition(". ")[0]
    return listed.split(", ")


@pytest.mark.parametrize("name", QUIET)
def test_gradients_of_cells_agree_with_finite_differences(name):
    net = quiet(name)
    state = QUIET[name][0].states[0].name
    learns = names_that_learn(net)
    trainer = Trainer(
        net,
        inputs="inputs",
        outputs=f"neurons.{state}",
        train=learns,
        precision="float64",
        bounds={},
    ).eval()
    steps = 5 if name == "hodgkin_huxley" else STEPS  # its equations take long
    rng = np.random.default_rng(4)
    spikes = torch.from_numpy((rng.random((steps, SAMPLES, 3)) < 0.4).astype(float))
    errors = torch.from_numpy(rng.normal(size=(steps, SAMPLES, SIZE)))

    def loss() -> float:
        with torch.no_grad():
            return float((trainer(spikes) * errors).sum())

    (trainer(spikes) * errors).sum().backward()
    moved = 0
    for label in trainer.learns:
        parameter = trainer[label]
        # A threshold acts through spikes alone, and here are none.
        gradient = 0.0 if parameter.grad is None else parameter.grad.flatten()[0].item()
        value = parameter.data.flatten()
        start = value[0].item()
        step = 1e-3 * max(abs(start), 0.1)

        def at(distance: float, value=value, start=start) -> float:
            value[0] = start + distance
            result = loss()
            value[0] = start
            return result

        one = (at(step) - at(-step)) / (2 * step)
        two = (at(2 * step) - at(-2 * step)) / (4 * step)
        expected = (4 * one - two) / 3
        assert gradient == pytest.approx(expected, rel=1e-6, abs=1e-8), label
        moved += gradient != 0
    assert moved >= min(3, len(learns))
