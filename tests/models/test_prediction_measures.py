"""Measures of predictions and weights, on what is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
from support.predictions import NEAR

from neurosim.models.prediction_reservoir.measures import (
    amplitude,
    relative_error,
    subspace_angles,
    timing_error,
    weight_geometry,
)
from neurosim.models.prediction_reservoir.network import Settings
from neurosim.models.prediction_reservoir.trials import Prediction, Truth


def truly(truth, settings):
    what = truth.probabilities
    when = truth.bumps(settings)
    return Prediction(what * when, when, what)


def test_the_error_is_one_for_silence_and_zero_for_the_truth():
    s = Settings()
    right = truly(NEAR, s)
    assert relative_error(right, NEAR, s) == 0.0
    assert relative_error(replace(right, over_time=0 * right.over_time), NEAR, s) == 1.0
    assert relative_error(replace(right, over_time=3 * right.over_time), NEAR, s) == pytest.approx(
        2.0
    )


def test_the_target_of_a_channel_is_a_bell_whose_standard_deviation_is_the_width():
    bumps = Truth(0.3, (300.0, 600.0)).bumps(Settings(width=40.0))
    assert bumps[[299, 599], [0, 1]].tolist() == [1.0, 1.0]
    assert bumps[[259, 339, 639], [0, 0, 1]] == pytest.approx([np.exp(-0.5)] * 3)
    assert bumps[379, 0] == pytest.approx(np.exp(-2.0))


def test_peaks_and_amplitudes_are_read_where_they_are():
    s, late, truth = Settings(), Truth(0.3, (330.0, 560.0)), Truth(0.3, (300.0, 600.0))
    assert timing_error(truly(late, s), truth, s) == [30.0, -40.0]
    assert amplitude(truly(truth, s), truth, s) == pytest.approx([0.3, 0.7])
    flat = replace(truly(truth, s), over_time=np.ones((1000, 2)))
    assert amplitude(flat, truth, s)[0] == pytest.approx(
        1 / np.exp(-(np.arange(-40, 41) ** 2) / 3200).mean()
    )
    early = truly(Truth(0.3, (20.0, 600.0)), s)
    # nothing before 60 ms counts
    assert timing_error(early, truth, s)[0] == pytest.approx(60.0 - 300.0)


def test_subspace_angles_are_right_for_planes_that_are_known():
    e = np.eye(6)
    tilted = np.array([e[2], np.cos(0.3) * e[1] + np.sin(0.3) * e[3]])
    assert subspace_angles(e[:2], e[2:4]) == pytest.approx([90.0, 90.0])
    assert subspace_angles(e[:2], tilted) == pytest.approx([np.degrees(0.3), 90.0])
    assert subspace_angles(e[:2], 0 * e[:2]) == [0.0, 0.0]


def test_weight_geometry_finds_directions_that_were_planted():
    p, t = (g.ravel() for g in np.meshgrid([0.2, 0.5, 0.8], [200.0, 300.0, 400.0], indexing="ij"))
    along_p, along_t, other = np.eye(3)
    what, when = np.outer(p, along_p), np.outer(t / 1000, along_t) + 0.1 * np.outer(p, other)
    geometry = weight_geometry(what, when, p=p, latency=t)
    assert geometry["p"] == pytest.approx(1.0)
    assert geometry["latency"] == pytest.approx(1.0)
    assert geometry["angle"] == pytest.approx(90.0)
    assert geometry["variance"][0] > 0.5 > geometry["variance"][1]
    assert sum(geometry["variance"]) == pytest.approx(1.0)
    curved = weight_geometry(
        what, np.outer((t / 100 - 3) ** 2, along_t) + 0.3 * np.outer(p, other), p=p, latency=t
    )
    assert curved["p"] == pytest.approx(1.0) and curved["latency"] < 0.01
    shared = weight_geometry(
        what, np.outer(p, along_p) + np.outer(t / 1000, along_p), p=p, latency=t
    )
    assert shared["angle"] < 60
