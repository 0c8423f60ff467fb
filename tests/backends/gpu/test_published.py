"""Published networks on the GPU backend have the numbers that they have on the CPU engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.backends import ready
from support.predictions import SMALL

from neurosim.models.astrocyte_liquid import DEFAULTS, Liquid
from neurosim.models.prediction_reservoir.experiment import acquisition
from neurosim.models.prediction_reservoir.network import DEFAULTS as RESERVOIR

pytest.importorskip("torch")
pytestmark = pytest.mark.experiment


def image() -> np.ndarray:
    """Return an eighth of the pixels, with the drive of the scaled images of MNIST."""
    random = np.random.default_rng(3)
    pixels = np.where(np.argsort(random.random(784)) < 98, random.uniform(0.2, 1.0, 784), 0.0)
    return pixels * (22.04 / pixels.sum())


def present(backend) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Return counts of spikes, weights that were learned, and the course of the astrocyte."""
    liquid = Liquid(DEFAULTS, seed=1, backend=backend)
    liquid.self_organise([image()], time="250 ms")
    levels = liquid.run.get("astrocyte", "level")
    return liquid.run.get("liquid", "spikes"), liquid.weights(), np.array(levels)


def test_one_sample_of_the_astrocyte_liquid_is_equal_with_its_plasticity():
    counts, weights, level = present("cpu")
    others = present(ready("gpu"))
    assert counts.sum() > 100
    assert (counts == others[0]).all() and (level == others[2]).all()
    assert all((weights[name] == others[1][name]).all() for name in weights)
    before = Liquid(DEFAULTS, seed=1).weights()
    assert any((weights[name] != before[name]).any() for name in weights)


def test_a_small_reservoir_learns_the_same_weights():
    settings = replace(SMALL, trial=80.0, size=40, trials=2, tests=1)
    expected = acquisition("cpu", seed=1, settings=settings)
    assert acquisition(ready("gpu"), seed=1, settings=settings) == expected


@pytest.mark.slow
def test_experiment_x1_of_the_prediction_reservoir_has_the_same_table():
    """Some 20 trials of the published size: errors, rates and a digest of all weights.

    All 100 were compared once, see `benchmarks/README.md`.
    """
    settings = replace(RESERVOIR, trials=20)
    expected = acquisition("cpu", seed=0, settings=settings)
    assert acquisition(ready("gpu"), seed=0, settings=settings) == expected
