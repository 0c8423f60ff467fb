"""The organised liquid with frozen weights, of parts that other simulators have."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.models.astrocyte_liquid import Liquid, Settings, frozen
from neurosim.models.astrocyte_liquid.frozen import counts_of_samples, input_spikes
from neurosim.models.astrocyte_liquid.network import PLASTIC

SMALL = Settings(side=4, inputs=30, density=0.5, gain=0.1)
IMAGES = np.random.default_rng(0).uniform(0, 0.2, (3, 30))


@pytest.fixture(scope="module")
def liquid() -> Liquid:
    organised = Liquid(SMALL, seed=1)
    organised.self_organise(IMAGES)
    return organised


def show(liquid: Liquid, backend: str) -> np.ndarray:
    net = frozen(liquid, input_spikes(liquid, list(IMAGES)))
    recording = ns.simulate(net, "1500 ms", backend=backend, progress=False)
    return counts_of_samples(recording["liquid"].spikes, samples=3)


def test_inputs_spike_as_they_do_when_the_liquid_is_shown_the_images(liquid):
    steps = input_spikes(liquid, list(IMAGES))
    raster = liquid.input_rasters(IMAGES)
    assert sum(len(s) for s in steps) == raster.sum()
    # Nothing falls into the silence between two samples.
    assert all((s % 500 < 250).all() and (np.diff(s) >= 3).all() for s in steps)


def test_all_edges_keep_their_weights_on_the_port_of_their_sign(liquid):
    projections = frozen(liquid).projections
    weights = liquid.weights()
    # What one spike adds to v in all: the sum of exp(-k), where the exact current brings 1.
    gain = 1 / (1 - np.exp(-1))
    for name in PLASTIC:
        sizes = {
            port: np.sort(projections[f"{name}.{port}"].weight)
            for port in ("excitatory", "inhibitory")
            if f"{name}.{port}" in projections
        }
        signed = [
            sign * sizes.get(port, []) for port, sign in (("excitatory", 1), ("inhibitory", -1))
        ]
        expected = np.sort(weights[name][weights[name] != 0]) * gain
        np.testing.assert_allclose(np.sort(np.concatenate(signed)), expected)


def test_the_frozen_liquid_is_the_same_on_reference_and_cpu(liquid):
    counts = show(liquid, "cpu")
    assert counts.sum() > 500
    np.testing.assert_array_equal(show(liquid, "reference"), counts)


def test_other_simulators_refuse_the_plastic_liquid_and_take_the_frozen_one(liquid):
    pytest.importorskip("pyNN")
    from neurosim.models.astrocyte_liquid import network

    net = frozen(liquid, input_spikes(liquid, list(IMAGES)))
    for backend in ("nest", "spinnaker"):
        refused = ns.check(network(side=4), backend=backend).rows
        impossible = [row for row in refused if row.status == "impossible"]
        assert {row.place.owner for row in impossible} >= {"liquid", "excitation"}
        assert all(row.remedy for row in impossible)
        assert not [r for r in ns.check(net, backend=backend).rows if r.status == "impossible"]


@pytest.mark.simulator
def test_nest_gives_the_counts_of_cpu(liquid):
    pytest.importorskip("nest")
    pytest.importorskip("pyNN")
    np.testing.assert_array_equal(show(liquid, "nest"), show(liquid, "cpu"))
