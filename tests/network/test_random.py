"""Random numbers: published vectors, distributions within fixed bounds, the same bits in NumPy and
Numba.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import neurosim as ns
from neurosim.backends.cpu.kernels import philox as cpu
from neurosim.draws.streams import (
    NEXT_DRAW,
    Stream,
    key_of,
    normal,
    philox4x32,
    poisson,
    poisson_counts,
    uniform,
)
from neurosim.draws.values import PLAIN
from neurosim.expr.functions import FUNCTIONS
from neurosim.models import cells

KEY = key_of(7, "noise")
# Random123 1.14.0 (Salmon et al. 2011), tests/kat_vectors, philox4x32 10: counter, key, result
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
DRAWS = [(uniform, cpu.fill_uniform, cpu.uniform_at), (normal, cpu.fill_normal, cpu.normal_at)]


def words(text: str) -> list[np.uint64]:
    return [np.uint64(int(word, 16)) for word in text.split()]


def same_bits(a, b) -> bool:
    return np.array_equal(
        np.asarray(a, dtype=np.float64).view(np.int64),
        np.asarray(b, dtype=np.float64).view(np.int64),
    )


def distance(values: np.ndarray, distribution) -> float:
    """Return the Kolmogorov-Smirnov distance; for 1e6 right draws it is below 0.00195 in 999 of
    1000 cases.
    """
    chances = distribution.cdf(np.sort(values))
    steps = np.arange(values.size + 1) / values.size
    return max((steps[1:] - chances).max(), (chances - steps[:-1]).max())


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
@pytest.mark.parametrize("engine", [philox4x32, cpu.philox4x32])
def test_philox_gives_the_published_words(engine, counter, key, result):
    assert list(engine(*words(counter), *words(key))) == words(result)


def test_philox_of_arrays_is_philox_of_each_element():
    counters = [
        np.array(column)
        for column in zip(*(words(counter) for counter, _, _ in KNOWN), strict=True)
    ]
    keys = [np.array(column) for column in zip(*(words(key) for _, key, _ in KNOWN), strict=True)]
    assert np.array_equal(
        np.transpose(philox4x32(*counters, *keys)), [words(result) for _, _, result in KNOWN]
    )


def test_a_draw_is_made_of_the_word_that_its_place_names():
    step, replica = -3, 9
    for index in (0, 1, 6, 4 * 12345 + 3):
        block = philox4x32(
            *(
                np.uint64(word)
                for word in (index // 4, step & 0xFFFFFFFF, step >> 32 & 0xFFFFFFFF, replica, *KEY)
            )
        )
        assert uniform(KEY, index, step, replica=replica) == (int(block[index % 4]) + 0.5) / 2**32
        u1, u2 = ((int(word) + 0.5) / 2**32 for word in block[index % 4 // 2 * 2 :][:2])
        turn = math.sin if index % 2 else math.cos
        assert normal(KEY, index, step, replica=replica) == pytest.approx(
            math.sqrt(-2 * math.log(u1)) * turn(2 * math.pi * u2), rel=1e-14, abs=1e-15
        )


def test_uniform_draws_exclude_both_ends_and_normal_draws_are_finite_at_the_extreme_words():
    from neurosim.draws.streams import normal_block, uniform_block

    lowest, highest = np.uint64(0), np.uint64(0xFFFFFFFF)
    assert (
        0.0
        < uniform_block(lowest, lowest, lowest, lowest)[0]
        < uniform_block(highest, highest, highest, highest)[0]
        < 1.0
    )
    assert max(abs(value) for value in normal_block(lowest, lowest, lowest, highest)) < 6.77


@pytest.mark.parametrize("draw", [uniform, normal])
def test_a_range_of_places_is_drawn_as_its_places_one_by_one(draw):
    index = np.arange(5, 19)
    step = np.array([[-1], [2], [2**40]])
    replica = np.arange(2)[:, None, None]
    together = draw(KEY, index, step, replica=replica)
    assert together.shape == (2, 3, 14)
    for r, s, i in np.ndindex(together.shape):
        assert together[r, s, i] == draw(KEY, index[i], step[s, 0], replica=replica[r, 0, 0])
    assert same_bits(draw(KEY, index[::-1], 4), draw(KEY, index, 4)[::-1])
    assert same_bits(draw(KEY, index[::2], index[::2]), [draw(KEY, i, i) for i in index[::2]])
    assert draw(KEY, np.arange(0), 4).shape == (0,) and draw(KEY, 3, 4).shape == ()


@pytest.mark.parametrize("places", [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)])
def test_a_place_that_is_no_integer_is_refused(places):
    with pytest.raises(
        TypeError, match=r"Cannot cast .* from dtype\('float64'\) to dtype\('int64'\)"
    ):
        uniform(KEY, places[0], places[1], replica=places[2])


@pytest.mark.parametrize(("draw", "fill", "at"), DRAWS)
@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, 0),
        (0, 1),
        (1, 3),
        (2, 5),
        (3, 4),
        (3, 8),
        (4, 8),
        (5, 6),
        (0, 1000),
        (7, 1001),
        (994, 1003),
    ],
)
def test_numba_fills_a_range_with_the_bits_of_numpy_and_touches_nothing_else(
    draw, fill, at, start, stop
):
    expected, filled = np.full(1010, 77.0), np.full(1010, 77.0)
    expected[start:stop] = draw(KEY, np.arange(start, stop), -5, replica=3)
    fill(filled.ctypes.data, start, stop, *KEY, -5, 3)
    assert same_bits(filled, expected)
    assert same_bits([at(*KEY, i, -5, 3) for i in range(start, stop)], expected[start:stop])


@pytest.mark.parametrize(("draw", "fill", "at"), DRAWS)
@pytest.mark.parametrize("step", [0, 12345, 2**32 - 1, 2**40 + 17, -(2**63)])
def test_numba_and_numpy_agree_over_many_draws_and_any_step(draw, fill, at, step):
    filled = np.empty(200_003)
    fill(filled.ctypes.data, 0, filled.size, *KEY, step, 0xFFFFFFFF)
    assert same_bits(filled, draw(KEY, np.arange(filled.size), step, replica=0xFFFFFFFF))
    assert at(*KEY, 2**34 - 1, step, 1) == draw(KEY, 2**34 - 1, step, replica=1)


@pytest.mark.parametrize(
    "change",
    [
        {"key": key_of(8, "noise")},
        {"key": key_of(7, "noisf")},
        {"step": 1},
        {"step": 2**32},
        {"replica": 1},
        {"shift": 4},
    ],
)
def test_a_change_of_seed_name_step_replica_or_index_gives_unrelated_draws(change):
    """Correlations of 1e6 independent pairs stay within 0.0033 in 999 of 1000 cases."""
    index = np.arange(1_000_000)
    other = normal(
        change.get("key", KEY),
        index + change.get("shift", 0),
        change.get("step", 0),
        replica=change.get("replica", 0),
    )
    assert abs(np.corrcoef(normal(KEY, index, 0), other)[0, 1]) < 0.0035


def test_uniform_draws_are_uniform():
    u = uniform(KEY, np.arange(1_000_000), 0)
    assert distance(u, stats.uniform) < 0.002
    lanes = u.reshape(-1, 4)
    assert np.abs(np.corrcoef(lanes.T) - np.eye(4)).max() < 0.007
    assert np.abs(lanes.mean(axis=0) - 0.5).max() < 0.002


def test_normal_draws_are_normal():
    """Bounds are 3.5 standard errors of mean, variance, skewness and kurtosis of 1e6 draws."""
    x = normal(KEY, np.arange(1_000_000), 0)
    assert distance(x, stats.norm) < 0.002
    assert abs(x.mean()) < 0.0035
    assert abs(x.var() - 1.0) < 0.005
    assert abs(stats.skew(x)) < 0.0086
    assert abs(stats.kurtosis(x)) < 0.0172
    pairs = x.reshape(-1, 2)
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.005 and abs(np.corrcoef(pairs.T**2)[0, 1]) < 0.005


def test_the_tests_of_distribution_see_a_small_error():
    u, x = uniform(KEY, np.arange(1_000_000), 0), normal(KEY, np.arange(1_000_000), 0)
    assert distance(u**1.01, stats.uniform) > 0.002 and distance(1.01 * x, stats.norm) > 0.002
    assert distance((x + 0.01), stats.norm) > 0.002


@pytest.mark.parametrize("mean", [0.0, 1e-3, 0.3, 4.0, 30.0, 690.0])
def test_poisson_counts_in_numpy_and_numba_are_those_of_the_quantile_function(mean):
    u = uniform(KEY, np.arange(20_000), 0)
    counts = poisson(mean, u)
    assert same_bits(counts, [cpu.poisson_count(mean, quantile) for quantile in u])
    right = stats.poisson.ppf(u, mean)
    if mean == 0.0:
        right[:] = 0.0
    assert (
        counts != right
    ).mean() < 1e-3  # SciPy's own search differs where a quantile lies on a step


@pytest.mark.parametrize("count", [poisson, cpu.poisson_count])
@pytest.mark.parametrize("mean", [0.7, 4.1, 33.3])
def test_a_poisson_count_changes_exactly_at_the_rounded_sums(count, mean):
    """A quantile equal to a sum counts as beyond it; the sums are folded in the order p = p * mean
    / n, c = c + p.
    """
    p = cumulated = float(FUNCTIONS["exp"](-mean))
    for n in range(1, 80):
        assert p < 2.0**-40 or (
            count(mean, cumulated),
            count(mean, math.nextafter(cumulated, 0.0)),
        ) == (n, n - 1)
        p = p * mean / n
        cumulated += p


def fits_poisson(counts: np.ndarray, mean: float) -> bool:
    """Return whether mean and variance lie within four standard errors: sqrt(mean/n), and sqrt((2
    mean**2 + mean)/n).
    """
    n = counts.size
    return abs(counts.mean() - mean) < 4 * math.sqrt(mean / n) and abs(
        counts.var() - mean
    ) < 4 * math.sqrt((2 * mean**2 + mean) / n)


@pytest.mark.parametrize("mean", [0.05, 1.0, 25.0, 400.0])
def test_poisson_counts_have_the_mean_and_the_variance_of_a_poisson_distribution(mean):
    u = uniform(KEY, np.arange(100_000), 3)
    assert fits_poisson(poisson(mean, u), mean)
    assert not fits_poisson(poisson(1.06 * mean, u), mean)
    assert not fits_poisson(
        np.floor(mean + math.sqrt(0.8 * mean) * normal(KEY, np.arange(100_000), 4)), mean
    )


@pytest.mark.parametrize("mean", [700.0, 700.5, 1500.0, 20_000.0])
def test_counts_of_large_means_are_sums_of_independent_draws(mean):
    index = np.arange(3000)
    counts = poisson_counts(KEY, index, 7, mean=mean)
    assert fits_poisson(counts, mean) and not fits_poisson(1.02 * counts, mean)
    assert same_bits(counts, [cpu.poisson_sum(mean, *KEY, i, 7, 0) for i in index])
    # A draw that were used twice would double the variance.
    shares = [poisson_counts(KEY, index, step, mean=600) for step in (7, 7 + NEXT_DRAW)]
    assert abs(np.corrcoef(shares)[0, 1]) < 4 / math.sqrt(3000)


def test_poisson_takes_a_mean_for_each_quantile():
    means, u = np.array([[0.1], [2.0], [50.0]]), uniform(KEY, np.arange(100), 0)
    assert same_bits(poisson(means, u), [poisson(mean, u) for mean in means[:, 0]])


@pytest.mark.parametrize("count", [poisson, cpu.poisson_count])
def test_poisson_ends_for_any_argument_and_is_not_a_number_out_of_range(count):
    assert count(700.0, 1.0) > 700.0
    assert count(5.0, 1.0) > 30.0
    assert count(3.0, math.nextafter(0.0, 1.0)) == 0.0
    assert all(
        math.isnan(count(mean, 0.5)) for mean in (-0.1, 700.1, 1e9, math.inf, -math.inf, math.nan)
    )


def test_a_stream_draws_by_index_and_row_under_the_key_of_its_name():
    stream = Stream(7, "noise")
    assert stream.key == KEY and all(0 <= word < 2**32 for word in KEY)
    assert same_bits(stream.uniform(np.arange(9), 5), uniform(KEY, np.arange(9), 5))
    assert same_bits(stream.uniform(3), uniform(KEY, 3, 0))
    assert same_bits(stream.normal(np.arange(9), 5), normal(KEY, np.arange(9), 5))
    assert same_bits(stream.normal(3), normal(KEY, 3, 0))
    assert stream.child("weights") == Stream(7, "noise/weights")
    assert stream.child("weights").uniform(0) != stream.uniform(0)


def test_keys_are_those_of_the_published_hash():
    """``printf 7/noise | b2sum -l 64`` (RFC 7693) gives 2c49d85b 1dd84491; another key would change
    every network that was ever drawn.
    """
    assert KEY == (0x5BD8492C, 0x9144D81D)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (ns.uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
        (ns.normal(2.0, 0.5), stats.norm(2.0, 0.5)),
        (ns.lognormal(2.0, 0.8), stats.lognorm(s=0.8, scale=2.0)),
        (ns.exponential(3.0), stats.expon(scale=3.0)),
        (ns.gamma(2.5, 3.0), stats.gamma(2.5, scale=3.0)),
        (ns.gamma(40.0, 0.1), stats.gamma(40.0, scale=0.1)),
        (ns.gamma(0.4, 2.0), stats.gamma(0.4, scale=2.0)),
    ],
    ids=["uniform", "normal", "lognormal", "exponential", "gamma", "gamma 40", "gamma 0.4"],
)
def test_a_value_is_drawn_from_the_distribution_that_its_name_and_numbers_say(drawn, expected):
    """SciPy's scale of a lognormal is its median."""
    values = drawn.sample(Stream(7, "noise"), np.arange(1_000_000), unit=PLAIN, where="test")
    assert distance(values, expected) < 0.002
    assert distance(1.02 * values, expected) > 0.002


def test_integers_are_drawn_with_equal_chances_and_without_the_upper_end():
    """Within four standard errors of 1e5 draws in each of six classes."""
    values = ns.integers(2, 8).sample(
        Stream(7, "noise"), np.arange(600_000), unit=PLAIN, where="test"
    )
    classes, counts = np.unique(values, return_counts=True)
    assert classes.tolist() == [2, 3, 4, 5, 6, 7]
    assert np.abs(counts - 100_000).max() < 4 * math.sqrt(100_000 * 5 / 6)


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (10, 0.25), (40, 0.9), (3000, 0.5), (10**9, 1e-8)])
def test_binomial_counts_have_the_chances_of_their_trials(n, p):
    """Largest difference of cumulative chances: below 0.00195 in 999 of 1000 samples of 1e6."""
    values = ns.binomial(n, p).sample(
        Stream(7, "noise"), np.arange(1_000_000), unit=PLAIN, where="test"
    )
    counts = np.unique(values)
    assert (counts == np.floor(counts)).all() and 0 <= counts[0] and counts[-1] <= n
    drawn = np.searchsorted(np.sort(values), counts, side="right") / values.size
    assert np.abs(drawn - stats.binom(n, p).cdf(counts)).max() < 0.002
    assert np.abs(drawn - stats.binom(n, 1.01 * p).cdf(counts)).max() > 0.002


@pytest.mark.parametrize(("n", "p", "count"), [(0, 0.5, 0), (7, 0.0, 0), (7, 1.0, 7), (7, 0, 0)])
def test_binomial_counts_at_the_edges_are_certain(n, p, count):
    values = ns.binomial(n, p).sample(Stream(7, "x"), np.arange(9), unit=PLAIN, where="test")
    assert values.tolist() == [count] * 9


@pytest.mark.parametrize("draw", [ns.integers(2, 8), ns.binomial(7, 0.5)])
def test_whole_numbers_count_in_the_unit_of_their_value(draw):
    """Rates in Hz are kept in 1/ms: whole numbers of them must not be rounded to 0."""
    hertz = ns.units.unit("Hz")
    index = np.arange(100)
    plain = draw.sample(Stream(7, "x"), index, unit=PLAIN, where="test")
    rates = draw.sample(Stream(7, "x"), index, unit=hertz, where="test")
    np.testing.assert_array_equal(rates, plain * 1e-3)
    assert draw.bounds(hertz) == tuple(1e-3 * bound for bound in draw.bounds(PLAIN))


def test_bounds_of_a_gamma_draw_cut_it_and_change_no_other_value():
    index = np.arange(10_000)
    free, bounded = (
        draw.sample(Stream(7, "x"), index, unit=PLAIN, where="test")
        for draw in (ns.gamma(2.0, 1.0), ns.gamma(2.0, 1.0, high=3.0))
    )
    assert bounded.max() <= 3.0 < free.max()
    np.testing.assert_array_equal(bounded[free <= 3.0], free[free <= 3.0])


@pytest.mark.parametrize("seed", range(3))
def test_a_gamma_draw_does_not_depend_on_which_others_are_drawn(seed):
    draw, stream = ns.gamma(1.5, 1.0), Stream(seed, "x")
    all_values = draw.sample(stream, np.arange(1000), unit=PLAIN, where="test")
    some = np.random.default_rng(seed).permutation(1000)[:100]
    np.testing.assert_array_equal(
        draw.sample(stream, some, unit=PLAIN, where="test"), all_values[some]
    )


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (ns.gamma(0, "1 nA"), "shape is not above zero, expected a positive number. Correct it."),
        (ns.gamma(2, "0 nA"), "scale is not above zero, expected a positive number. Correct it."),
        (ns.gamma(2, "1 mV"), "scale: '1 mV' is a voltage (mV), but a current (nA) is expected."),
        (ns.gamma("2 nA", "1 nA"), "shape: '2 nA' is a current (nA), but a plain number is"),
        (ns.gamma(2, "1 nA", low="3 nA", high="1 nA"), "low is above high"),
        (ns.binomial(-1, 0.5), "n is negative, expected 0 or more. Change its sign."),
        (ns.binomial(2.5, 0.5), "n is 2.5, expected one whole number. Correct it."),
        (ns.binomial(2, 1.5), "p is 1.5, expected a probability from 0 to 1. Correct it."),
        (ns.binomial(2, -0.5), "p is -0.5, expected a probability from 0 to 1. Correct it."),
        (ns.binomial(2, [0.5]), "p is [0.5], expected one finite number. Correct it."),
    ],
)
def test_arguments_of_a_draw_are_checked_where_it_is_used(draw, words):
    net = ns.Network("net", dt=0.1)
    a = net.population("a", 3, cells.lif_exponential())
    with pytest.raises(ns.NetworkError) as refusal:
        net.project(a, a, ns.all_to_all(), port="excitatory", weight=draw, name="p")
    assert words in str(refusal.value) and "projection 'p' (a -> a), weight, " in str(refusal.value)
    assert not net.projections


def test_binomial_delays_are_whole_and_gamma_delays_are_rounded():
    net = ns.Network("net", dt=1)
    a = net.population("a", 3, cells.lif_exponential())
    options = {"port": "excitatory", "weight": 0.1}
    net.project(a, a, ns.all_to_all(), delay=ns.binomial(5, 0.5), **options)
    with pytest.raises(ns.NetworkError, match="in general no multiple of dt .* round_delays=True"):
        net.project(a, a, ns.all_to_all(), delay=ns.gamma(2, "1 ms"), **options)
    net.project(a, a, ns.all_to_all(), delay=ns.gamma(2, "1 ms"), round_delays=True, **options)
