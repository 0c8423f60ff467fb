"""One sample of the liquid is the same on every engine, to the last bit, with plasticity on."""

from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.models.astrocyte_liquid import VARIANTS, Settings, build
from neurosim.models.astrocyte_liquid.network import PLASTIC

SMALL = Settings(side=4, inputs=30, density=0.5, gain=0.1)
LIQUIDS = {
    "astrocyte": SMALL,
    "regions": replace(SMALL, regions=2),
    "calcium": replace(SMALL, calcium=3.0, band=2.0, start=1 / 3),
    "adaptation": replace(SMALL, adaptation=1.0, spread=0.3),
    "static": replace(VARIANTS["static"], side=4, inputs=30, density=0.5),
}


def show_sample(settings: Settings, backend: str, *, time: str = "100 ms") -> dict[str, np.ndarray]:
    """Return spikes, level and weights of a sample, from a network that is run from its start."""
    net = build(settings, 1)
    net.record(net.populations["liquid"], "spikes")
    net.record(net.populations["astrocyte"], "level")
    if backend == "gpu":
        run = ns.prepare(net, backend=backend, device="cpu")
    else:
        run = ns.prepare(net, backend=backend)
    run.set("input", p=np.linspace(0, 0.3, settings.inputs))
    run.set("astrocyte", fade=0.99)
    run.run(time, progress=False)
    recorded = run.result()
    spikes = recorded["liquid"].spikes
    weights = {name: np.asarray(run.get(name, "w")) for name in PLASTIC}
    return {
        "steps": spikes.step,
        "neurons": spikes.index,
        "level": recorded["astrocyte"].trace("level").values,
        "v": np.asarray(run.get("liquid", "v")),
        **weights,
    }


@pytest.mark.parametrize("variant", LIQUIDS)
@pytest.mark.parametrize(
    "backend", ["cpu", pytest.param("brian", marks=pytest.mark.simulator), "gpu"]
)
def test_a_sample_is_that_of_the_reference_to_the_last_bit(variant, backend):
    if backend != "cpu":
        pytest.importorskip({"gpu": "torch", "brian": "brian2"}[backend])
    settings = LIQUIDS[variant]
    expected = show_sample(settings, "reference")
    sample = show_sample(settings, backend)
    assert expected["steps"].size > 50
    if settings.learning:
        assert np.ptp(np.abs(expected["excitation"])) > 0
    for name, values in expected.items():
        np.testing.assert_array_equal(sample[name], values, err_msg=name)
