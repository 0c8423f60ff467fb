"""Extensions of the astrocyte liquid: one astrocyte per region, adaptation, spread of constants."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.errors import NetworkError
from neurosim.models.astrocyte_liquid import VARIANTS, Liquid, Settings, build
from neurosim.models.astrocyte_liquid.network import PLASTIC, regions, sites

SMALL = Settings(side=4, inputs=30, density=0.5, gain=0.1, regions=2)


def test_each_cube_of_the_grid_is_a_region_of_its_own():
    where = sites(SMALL, 0)
    region = regions(where, SMALL)
    assert np.bincount(region).tolist() == [8] * 8
    for number in range(8):
        inside = where[region == number]
        assert (np.ptp(inside, axis=0) == 1).all()


def test_a_side_that_regions_do_not_divide_is_cut_as_evenly_as_it_can_be():
    settings = replace(SMALL, side=5)
    region = regions(sites(settings, 0), settings)
    assert sorted(np.bincount(region)) == [8, 12, 12, 12, 18, 18, 18, 27]


def test_each_astrocyte_follows_its_own_region_and_sets_the_edges_onto_it(backend):
    """One region alone is made to spike: its level rises, all others fall with the input."""
    liquid = Liquid(SMALL, seed=1, backend=backend)
    run = liquid.run
    region = regions(sites(SMALL, 1), SMALL)
    run.set("liquid", v=np.where(region == 3, 30.0, 0.0))
    run.run(2, progress=False)
    level = np.asarray(run.get("astrocyte", "level"))
    others = np.delete(level, 3)
    # Eight spikes of one of eight regions count as 64 of the whole liquid.
    assert level[3] == pytest.approx(0.15 + 0.1 * 64 / 100)
    np.testing.assert_allclose(others, 0.15)


def test_edges_onto_a_region_learn_at_the_level_of_its_astrocyte(backend):
    net = build(SMALL, 1)
    run = ns.prepare(net, backend=backend)
    region = regions(sites(SMALL, 1), SMALL)
    # Without any strength but one level, weights fall in that region alone.
    run.set("astrocyte", level=np.where(np.arange(8) == 5, 0.2, 0.0), growth=0.0, gain=0.0)
    run.set("astrocyte", bias=np.where(np.arange(8) == 5, 0.2, 0.0))
    before = np.array(run.get("input->liquid", "w"))
    run.set("input", p=0.3)
    run.run("60 ms", progress=False)
    changed = np.array(run.get("input->liquid", "w")) != before
    targets = np.asarray(run.network.projections["input->liquid"].targets)
    assert changed.any()
    assert set(region[targets[changed]]) == {5}


def test_one_region_is_the_published_liquid(backend):
    weights = []
    for settings in (replace(SMALL, regions=1), replace(SMALL, regions=1, coverage=0.999)):
        run = ns.prepare(build(settings, 1), backend=backend)
        run.set("input", p=0.1)
        run.run("50 ms", progress=False)
        weights.append(np.concatenate([run.get(name, "w") for name in PLASTIC]))
    # 0.999 of 64 and of 30 neurons, rounded up, is all of them.
    np.testing.assert_array_equal(*weights)
    assert np.ptp(weights[0]) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regions": 0}, "regions: found 0, expected 1 to 4, the side of the grid."),
        ({"regions": 5}, "regions: found 5, expected 1 to 4, the side of the grid."),
        ({"coverage": 0.5}, "coverage: found 0.5 with 2 regions, expected 1"),
    ],
)
def test_regions_that_cannot_be_are_refused(changes, message):
    with pytest.raises(NetworkError, match=message):
        build(replace(SMALL, **changes), 0)


@pytest.mark.parametrize("name", [*VARIANTS, "regions", "adaptation"])
def test_no_sign_of_a_weight_is_warned_of(name):
    extensions = {"regions": SMALL, "adaptation": replace(SMALL, adaptation=1.0, regions=1)}
    settings = extensions.get(name) or replace(VARIANTS[name], side=4, inputs=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ns.SignWarning)
        net = build(settings, 0)
        ns.prepare(net).set("input->astrocyte", w=-2.0)
