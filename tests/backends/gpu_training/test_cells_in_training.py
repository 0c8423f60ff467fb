"""Every library cell spikes in the Trainer as on the reference, with its own condition."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import CELLS, SAMPLES, driven, run_samples

from neurosim.models import cells

torch = pytest.importorskip("torch")

from neurosim.gpu import Trainer  # noqa: E402

STEPS = 220


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
