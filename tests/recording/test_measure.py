"""Measures agree with their definitions, computed plainly here, and with what is known of regular
and Poisson trains.
"""

import itertools

import numpy as np
import pytest

from neurosim.analysis import measure
from neurosim.errors import NetworkError
from neurosim.recording.samples import Spikes


def of(raster: np.ndarray, dt: float = 1.0, first: int = 0) -> Spikes:
    """Spikes of a (steps, N) table of 0 and 1."""
    step, index = np.nonzero(raster)
    return Spikes(index, step + first, size=raster.shape[1], dt=dt, first=first, steps=len(raster))


def poisson(steps: int = 20_000, size: int = 20, p: float = 0.02) -> Spikes:
    return of(np.random.default_rng(1).random((steps, size)) < p)


def regular(period: int, steps: int = 1000, size: int = 3) -> Spikes:
    return of(np.repeat(np.arange(steps)[:, None] % period == 0, size, axis=1), dt=0.5)


def test_rates_are_spikes_per_neuron_and_second_of_the_window():
    """Period 10 steps of 0.5 ms: 200 Hz."""
    spikes = regular(10)
    assert measure.rate(spikes) == pytest.approx(200)
    assert measure.rates(spikes) == pytest.approx([200, 200, 200])
    assert measure.rate(spikes, start=0, stop=2.5) == pytest.approx(400)
    assert measure.rates(spikes, start=0.5, stop=2.5).tolist() == [0, 0, 0]


def test_silent_neurons_count():
    assert measure.rate(Spikes([0] * 5, range(5), size=2, dt=1, steps=1000)) == pytest.approx(2.5)


def test_neurons_that_were_not_recorded_do_not_count():
    """Two of a hundred: their rates, and those of a population of these two alone, are the same."""
    alone = poisson(size=2)
    some = Spikes(
        np.array([7, 40])[alone.index],
        alone.step,
        size=100,
        dt=1.0,
        steps=alone.steps,
        members=[40, 7],
    )
    assert measure.rate(some) == measure.rate(alone)
    assert measure.correlation(some, 5) == measure.correlation(alone, 5)
    assert (
        measure.population_rate(some, 50)[1].tolist()
        == measure.population_rate(alone, 50)[1].tolist()
    )
    for function in (measure.rates, measure.cv_intervals):
        assert function(some).tolist() == function(alone)[::-1].tolist()


def test_a_recording_that_does_not_begin_at_zero_has_the_rate_of_its_own_window():
    spikes = Spikes([0, 0], [1000, 1099], size=1, dt=1, first=1000, steps=100)
    assert measure.rate(spikes) == pytest.approx(20)
    times, values = measure.population_rate(spikes, 50)
    assert times.tolist() == [1025, 1075] and values.tolist() == [20, 20]


def test_the_population_rate_is_a_histogram_over_time():
    spikes = poisson(1000)
    times, values = measure.population_rate(spikes, 30)
    expected, _ = np.histogram(spikes.times("start"), np.arange(0, 991, 30) - 0.5)
    assert values == pytest.approx(expected / 20 / 0.03)
    assert times == pytest.approx(np.arange(15, 990, 30))
    assert len(times) == 33  # the last 10 ms make no whole bin


@pytest.mark.parametrize("bin", [0.25, 0.75, 0, -1])
def test_a_bin_that_is_no_whole_number_of_steps_is_refused(bin):
    with pytest.raises(
        NetworkError,
        match=(
            rf"bin of {bin:g} ms: it is not a multiple of dt \(0.5 ms\); "
            r"expected a whole number of steps. Use"
        ),
    ):
        measure.population_rate(regular(10), bin)


def test_a_bin_of_many_inexact_steps_is_accepted():
    spikes = Spikes([0], [0], size=1, dt=0.1, steps=1000)
    assert len(measure.population_rate(spikes, 0.3)[0]) == 333


def test_an_empty_window_has_no_rate():
    for call in (
        measure.rate,
        lambda s, **w: measure.population_rate(s, 1, **w),
        lambda s, **w: measure.correlation(s, 1, **w),
    ):
        with pytest.raises(
            NetworkError,
            match=(
                "found 3 neurons and 0 steps; expected at least one of each. Choose a longer window"
            ),
        ):
            call(regular(10), start=5, stop=5)


def test_intervals_are_those_of_each_neuron_by_itself():
    spikes = Spikes([1, 0, 1, 0, 1], [0, 1, 4, 11, 14], size=3, dt=0.5, steps=20)
    assert measure.intervals(spikes).tolist() == [5, 2, 5]
    assert measure.intervals(spikes, start=2).tolist() == [5]


def test_the_variability_of_intervals_needs_three_spikes():
    spikes = Spikes([1, 0, 1, 0, 1], [0, 1, 4, 11, 14], size=3, dt=0.5, steps=20)
    values = measure.cv_intervals(spikes)
    assert np.isnan(values).tolist() == [True, False, True]
    assert values[1] == pytest.approx(np.std([4, 10]) / np.mean([4, 10]))


def test_regular_trains_have_no_variability_and_poisson_trains_the_geometric_one():
    """Intervals of a Bernoulli train with p per step are geometric: CV = sqrt(1 - p). 20 neurons of
    about 400 spikes: error below 0.03.
    """
    assert measure.cv_intervals(regular(7)) == pytest.approx([0, 0, 0], abs=1e-12)
    assert np.mean(measure.cv_intervals(poisson())) == pytest.approx(np.sqrt(1 - 0.02), abs=0.03)


@pytest.mark.parametrize("bin", [1, 5, 7])
def test_correlation_is_the_mean_over_all_pairs(bin):
    """Five neurons with a common part, one silent, one with a spike in every step: the last two do
    not vary and have no correlation.
    """
    random = np.random.default_rng(2)
    common = random.random((2000, 1)) < 0.05
    raster = np.hstack(
        [
            common | (random.random((2000, 5)) < 0.05),
            np.zeros((2000, 1), bool),
            np.ones((2000, 1), bool),
        ]
    )
    bins = len(raster) // bin
    counts = raster[: bins * bin].reshape(bins, bin, -1).sum(1)[:, :5]
    pairs = [
        np.corrcoef(counts[:, i], counts[:, j])[0, 1]
        for i, j in itertools.combinations(range(5), 2)
    ]
    correlation = measure.correlation(of(raster), bin)
    assert correlation == pytest.approx(np.mean(pairs), rel=1e-9) and correlation > 0.2


def test_equal_trains_correlate_fully_and_independent_ones_hardly():
    """190 independent pairs of 2000 bins: the standard error of the mean is 1 / sqrt(190 * 2000) =
    0.0016.
    """
    assert measure.correlation(regular(10), 1) == pytest.approx(1)
    assert abs(measure.correlation(poisson(), 10)) < 4 * 0.0016


def test_correlation_needs_two_neurons_that_vary():
    assert np.isnan(measure.correlation(of(np.eye(10)[:, :1]), 1))
    assert np.isnan(measure.correlation(regular(10), 5))
    assert np.isnan(measure.correlation(regular(10), 501))


def test_times_of_measures_are_quantities():
    """Text, pint's and plain numbers of ms are the same time."""
    spikes = Spikes([0, 1, 0], [5, 15, 25], size=2, dt=1.0, steps=30)
    for start, stop in ((10, 30), ("10 ms", "0.03 s"), (np.float32(10), None)):
        assert spikes.window(start, stop).step.tolist() == [15, 25]
    assert measure.rate(spikes, start="10 ms") == measure.rate(spikes, start=10.0)
    centres, _ = measure.population_rate(spikes, "0.01 s")
    assert centres.tolist() == [5, 15, 25]


@pytest.mark.parametrize("time", [1j, None, [1], "5 mV", "x", True, np.ma.array([1.0]), np.nan])
def test_what_is_no_time_is_refused_by_measures(time):
    spikes = Spikes([0], [5], size=2, dt=1.0, steps=30)
    with pytest.raises(NetworkError, match="bin: "):
        measure.population_rate(spikes, time)
    if time is not None:
        with pytest.raises(NetworkError, match="window: "):
            spikes.window(time)


@pytest.mark.parametrize("neuron", [None, 1j, "1", True, [1], 10**400, 2])
def test_what_is_no_neuron_has_no_spikes(neuron):
    spikes = Spikes([0], [5], size=2, dt=1.0, steps=30)
    with pytest.raises(NetworkError, match="spikes of neuron .*expected 0 to 1. Choose"):
        spikes.of(neuron)
