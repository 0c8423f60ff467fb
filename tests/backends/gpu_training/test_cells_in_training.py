"""Every library cell spikes in the Trainer as on the reference, with its own condition."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import run_samples

import neurosim as ns
from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402

# A current that makes each cell spike, the weight of an input spike, and dt.
CELLS = {
    "lif": (cells.lif(current="0.25 nA"), "0.1 nA", 0.5),
    "lif_delta": (cells.lif_delta(current="0.25 nA"), "3 mV", 0.5),
    "lif_exponential": (cells.lif_exponential(current="1 nA"), "0.3 nA", 0.5),
    "lif_conductance": (cells.lif_conductance(current="0.2 nA"), "0.01 uS", 0.5),
    "lif_alpha": (cells.lif_alpha(current="0.5 nA"), "0.3 nA", 0.5),
    "lif_conductance_alpha": (cells.lif_conductance_alpha(current="0.4 nA"), "0.01 uS", 0.1),
    "adex_exponential": (cells.adex_exponential(current="1.2 nA"), "0.3 nA", 0.1),
    "adex_conductance": (cells.adex_conductance(current="1.2 nA"), "0.01 uS", 0.1),
    "izhikevich": (cells.izhikevich(synapse="delta", current="10 mV/ms"), "2 mV", 1.0),
    "izhikevich exponential": (
        cells.izhikevich(synapse="exponential", current="8 mV/ms"),
        "2 mV/ms",
        1.0,
    ),
    "izhikevich noise": (
        cells.izhikevich(synapse="delta", current="4 mV/ms", noise="5 mV/ms"),
        "2 mV",
        1.0,
    ),
    "izhikevich_2007": (cells.izhikevich_2007(current="0.3 nA"), "0.05 nA", 0.5),
    "hodgkin_huxley": (cells.hodgkin_huxley(current="2 nA"), "0.01 uS", 0.05),
}
STEPS, SAMPLES, SIZE = 220, 2, 3


def driven(name: str) -> ns.Network:
    """Return a few neurons that a source drives."""
    cell, weight, dt = CELLS[name]
    net = ns.Network("driven", dt=f"{dt} ms", seed=7)
    source = net.spike_source("inputs", 4)
    neurons = net.population("neurons", SIZE, cell)
    port = next(name for name, _ in cell.receives if name in ("synaptic", "excitatory"))
    net.project(source, neurons, ns.all_to_all(), weight=weight, port=port, name="layer")
    return net


def input_spikes(steps: int) -> np.ndarray:
    return (np.random.default_rng(1).random((steps, SAMPLES, 4)) < 0.03).astype(float)


def test_every_library_cell_that_spikes_is_here():
    library = {
        name
        for name, value in vars(cells).items()
        if getattr(value, "__module__", "") == cells.__name__ and name.islower() and name[0] != "_"
    }
    assert library - {"leaky_readout"} == {name.partition(" ")[0] for name in CELLS}


@pytest.mark.parametrize("name", CELLS)
def test_library_cells_spike_in_the_trainer_as_on_the_reference(name):
    net = driven(name)
    # Its steps take the reference long; it fires at once.
    spikes = input_spikes(100 if name == "hodgkin_huxley" else STEPS)
    trainer = Trainer(net, inputs="inputs", outputs="neurons", train=["layer"], precision="float64")
    # Samples have the replicas 0 and 1; both samples of a run one by one have replica 0.
    samples = 1 if "noise" in name else SAMPLES
    output = trainer(torch.from_numpy(spikes[:, :samples]))
    expected = run_samples(
        net, {"inputs": spikes[:, :samples]}, populations=["neurons"], backend="reference"
    )
    assert expected["neurons"].sum() >= 3
    assert np.abs(output.detach().numpy() - expected["neurons"]).sum() == 0
    output.sum().backward()
    gradient = trainer.get_parameter("layer").grad
    assert torch.isfinite(gradient).all() and (gradient != 0).any()
