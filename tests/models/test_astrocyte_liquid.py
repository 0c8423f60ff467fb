"""The astrocyte liquid: published unit vectors, its step against a plain NumPy version, wiring,
samples side by side, homeostasis.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.errors import NetworkError
from neurosim.models.astrocyte_liquid import (
    DEFAULTS,
    Liquid,
    Settings,
    branching_factor,
    build,
    network,
)
from neurosim.models.astrocyte_liquid.network import CHANCE, astrocyte, neuron, rule, sites

pytestmark = pytest.mark.experiment

TOY = Settings(side=4, inputs=30, density=0.5, gain=0.1)  # 64 neurons, 960 edges from the input
LIQUID = ("excitation", "inhibition")


def images(count, *, seed=0, size=784, drive=22.04):
    """An eighth of the pixels and the same total drive in each, in events per ms: 22.04 is that of
    the scaled MNIST test images.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((count, size)), axis=1)
    intensities = np.where(order < size // 8, rng.uniform(0.2, 1.0, (count, size)), 0.0)
    return intensities * (drive / intensities.sum(axis=1, keepdims=True))


def events(count, time, *, seed=0, p=0.15):
    """Certain and impossible events, so that nothing is left to chance: (count, T, M)."""
    return (np.random.default_rng(seed).random((count, time, TOY.inputs)) < p).astype(float)


# ---- unit vectors


def pair(backend, *, pre=(), post=(), steps, learning=None, weight=1.0, **values):
    """One edge; ``pre`` and ``post`` are made to spike in the given steps. Return the open run, in
    which the edge is called "edge".
    """
    net = ns.Network("pair", dt="1 ms")
    at = {}
    for name, spikes in (("pre", pre), ("teacher", [k - 1 for k in post])):
        p = np.zeros((steps + 1, 1))
        p[list(spikes)] = 1.0
        at[name] = net.population(name, 1, neuron(driven=True), p=ns.table(p, every="1 ms"))
    target = net.population("post", 1, neuron(), threshold="20 mV" if post else "1e9 mV")
    net.project(
        at["pre"],
        target,
        ns.all_to_all(),
        rule=learning or rule(),
        weight=weight,
        name="edge",
        **values,
    )
    net.project(
        at["teacher"],
        target,
        ns.all_to_all(),
        rule=rule(learning=False),
        weight=25.0,
        name="teaching",
    )
    for name in ("pre", "post"):
        net.record(net[name], "spikes")
    net.record(target, "v")
    net.record(at["pre"], "trace")
    run = ns.prepare(net, backend=backend)
    run.run(steps, progress=False)
    recorded = run.result()
    assert [recorded[name].spikes.step.tolist() for name in ("pre", "post")] == [
        list(pre),
        list(post),
    ]
    return run


def test_one_spike_makes_the_published_course_of_v(backend):
    run = pair(backend, pre=[0], steps=8, learning=rule(learning=False), weight=10.0)
    expected = [10.00000, 13.52254, 14.66461, 14.93334, 14.88317, 14.71800, 14.51282]
    np.testing.assert_allclose(run.result()["post"].trace("v").values[1:, 0], expected, atol=1e-4)


def test_only_the_latest_spike_of_a_source_counts(backend):
    run = pair(backend, pre=[0, 3], steps=12, learning=rule(learning=False), weight=10.0)
    v, expected = 0.0, []
    for k in range(1, 12):
        v += 10.0 * math.exp(-(k - (1 if k < 4 else 4))) - v / 64
        expected.append(v)
    np.testing.assert_allclose(run.result()["post"].trace("v").values[1:, 0], expected, rtol=1e-12)


def test_an_input_with_an_event_in_every_step_spikes_in_every_third(backend):
    net = build(TOY, 0)
    net.record(net["input"], "spikes")
    run = ns.prepare(net, backend=backend)
    run.set("input", p=1.0)
    run.run("249 ms", progress=False)
    spikes = run.result()["input"].spikes
    assert spikes.of(0).tolist() == list(range(1, 250, 3)) and len(spikes.of(0)) == 83
    assert (spikes.count() == 83).all()


def test_a_trace_decays_as_the_published_one(backend):
    trace = (
        pair(backend, pre=[0], steps=4, learning=rule(learning=False))
        .result()["pre"]
        .trace("trace")
        .values[:, 0]
    )
    np.testing.assert_allclose(trace[0], 0.1)
    np.testing.assert_allclose(trace[1:] / trace[:-1], 0.904774, atol=1e-4)


CHANGE = 0.0090948  # by a pair, five steps apart


@pytest.mark.parametrize(
    ("sign", "first", "change"),
    [(1, "pre", CHANGE), (1, "post", -CHANGE), (-1, "pre", -CHANGE), (-1, "post", CHANGE)],
)
def test_a_pair_five_steps_apart_changes_the_weight_as_published(backend, sign, first, change):
    spikes = {"pre": [2], "post": [7]} if first == "pre" else {"pre": [7], "post": [2]}
    run = pair(
        backend, **spikes, steps=10, weight=1.0 * sign, sign=float(sign), w_min=-3.0, w_max=3.0
    )
    assert run.get("edge", "w") - sign == pytest.approx(change, abs=2e-5)


def test_spikes_of_one_step_do_not_see_each_other(backend):
    assert pair(backend, pre=[4], post=[4], steps=8).get("edge", "w") == 1.0


def test_increases_have_the_fixed_strength_and_decreases_that_of_the_level(backend):
    changes = [
        pair(backend, **spikes, steps=10, weight=1.0, causal=0.15, anticausal=0.3).get("edge", "w")
        - 1.0
        for spikes in ({"pre": [2], "post": [7]}, {"pre": [7], "post": [2]})
    ]
    assert changes[1] == pytest.approx(-2 * changes[0], rel=1e-12)
    assert changes[0] == pytest.approx(CHANGE, abs=2e-5)  # of an excitatory edge unless told
    net = build(TOY, 0)
    links = {
        name: {symbol: link.name for symbol, link in net[name].links.items()}
        for name in (*LIQUID, "input->liquid")
    }
    raises = {"causal": "growth", "anticausal": "level"}
    assert links == {
        "excitation": raises,
        "input->liquid": raises,
        "inhibition": {"causal": "level", "anticausal": "growth"},
    }


def test_a_weight_at_its_bound_stays_there(backend):
    assert pair(backend, pre=[2], post=[5, 9], steps=12, weight=3.0).get("edge", "w") == 3.0
    assert pair(backend, pre=[5, 9], post=[2], steps=12, weight=0.0).get("edge", "w") == 0.0


@pytest.mark.parametrize(
    ("surplus", "fade", "level", "growth"),
    [
        (10.0, 1.0, 0.245095, 0.15),
        (10.0, 0.99, 0.089713, 0.054905),
        (-20.0, 1.0, 0.15 * (1 - 2 * 0.633968), 0.15),
    ],
)
def test_the_astrocyte_follows_the_surplus_of_spikes_below_zero_too(
    backend, surplus, fade, level, growth
):
    net = ns.Network("astrocyte_alone", dt="1 ms")
    source = net.bernoulli("source", 1, p=1.0)
    glia = net.population(
        "astrocyte", 1, astrocyte(), level=0.15, bias=0.15, growth=0.15, gain=0.015
    )
    net.project(source, glia, ns.all_to_all(), weight=surplus)
    run = ns.prepare(net, backend=backend)
    run.run("1 ms")  # its spike is felt in the next step
    run.set(glia, fade=fade)
    run.run("100 ms")
    assert run.get(glia, "level")[0] == pytest.approx(level, abs=1e-5)
    assert run.get(glia, "growth")[0] == pytest.approx(growth, abs=1e-5)


def test_the_branching_factor_is_the_mean_over_spikes_and_then_over_neurons():
    raster = np.zeros((250, 4), bool)
    raster[[100, 102, 104], [0, 1, 2]] = True
    chain = np.array([0, 1]), np.array([1, 2])
    # 1, 1 and 0; the neuron that is silent does not count
    assert branching_factor(raster, *chain) == pytest.approx(2 / 3)
    # too early or too late to count, or to be counted
    raster[[24, 27, 28, 221], [0, 1, 0, 0]] = True
    assert branching_factor(raster, *chain) == pytest.approx(2 / 3)
    raster[105, 2] = True  # 102 is followed by two, 105 is preceded by one
    assert branching_factor(raster, *chain) == pytest.approx((1 + 2 + 0) / 3)
    # neuron 1 twice, once with two spikes before it: the mean is over spikes, then over neurons
    raster[[100, 99], [1, 0]] = True
    assert branching_factor(raster, *chain) == pytest.approx(
        ((2 + 1) / 2 + (2 / 2 + 1 / 1) / 2 + 0) / 3
    )
    assert math.isnan(branching_factor(np.zeros((250, 3)), *chain))
    with pytest.raises(
        NetworkError,
        match=(
            r"shape \(100, 3\), expected \(T, N\) with at least 225 rows of 1 ms. "
            r"Give that of a sample"
        ),
    ):
        branching_factor(np.zeros((100, 3)), *chain)


# ---- the order of a step


class Published:
    """Section 2.4 of the specification, written anew with matrices (post, pre); inputs are the
    columns after the liquid.
    """

    def __init__(self, run, settings, *, latest=False):
        self.n, self.latest, self.gain = settings.side**3, latest, settings.gain
        n, m = self.n, settings.inputs
        self.edge, self.w, self.low, self.high = (np.zeros((n, n + m)) for _ in range(4))
        self.inhibitory = np.arange(n + m) >= n - round(settings.inhibitory * n)
        self.inhibitory[n:] = False
        self.places = {}
        for name in (*LIQUID, "input->liquid"):
            p = run.network.projections[name]
            at = self.places[name] = (p.targets, p.sources + (n if p.source == "input" else 0))
            self.edge[at], self.w[at] = 1.0, run.get(name, "w")
        self.high[:, ~self.inhibitory], self.low[:, self.inhibitory | (np.arange(n + m) >= n)] = (
            settings.weight,
            -settings.weight,
        )
        self.start, self.x = self.w.copy(), np.zeros(n + m)

    def weights(self, name):
        return self.w[self.places[name]]

    def sample(self, drive, *, fade=1.0, learning=True):
        """Return spikes (T, N), the levels A and the last V. ``drive``: events (T, M)."""
        n, total = self.n, self.w.shape[1]
        v, pause, age, current = np.zeros(total), np.zeros(total), np.full(total, 20.0), np.zeros(n)
        level = grow = bias = 0.15
        gain, raster, levels, late = self.gain, [], [], np.r_[np.zeros(n), np.ones(total - n)]
        for row in drive:
            s = (v >= 20.0) & (pause <= 0)
            v[s] = 0.0
            raster.append(s[:n].copy())
            refill = 1 - np.where(age < 20.0, np.exp(-age), 0.0)
            age[s] = 0.0
            current = (
                self.w @ np.exp(-age)
                if self.latest
                else current * math.exp(-1) + self.w @ (s * refill)
            )
            v += np.r_[current, 100.0 * row] - v / 64
            age = np.minimum(age + 1, 100.0)
            pause = np.where(s, 2, pause - 1)
            if learning:
                x, out = self.x, np.where(self.inhibitory, 1.0, -1.0)
                by_pre = self.edge * np.outer(
                    x[:n], s * out * np.where(self.inhibitory, grow, level)
                )
                by_post = self.edge * np.outer(
                    s[:n], -out * x * np.where(self.inhibitory, level, grow)
                )
                self.w = np.clip(
                    np.clip(self.w + by_pre, self.low, self.high) + by_post, self.low, self.high
                )
            self.x = math.exp(-0.1) * (self.x + 0.1 * s)
            level += (gain * (s @ (1 - late) - s @ late) + bias - level) / 100
            level, grow, gain, bias = fade * level, fade * grow, fade * gain, fade * bias
            levels.append(level)
        return np.array(raster), np.array(levels), v


def test_samples_follow_the_published_order_of_a_step(backend):
    """The sums have another order here, so the last bits may differ; spikes may not. Weights begin
    everywhere, bounds included.
    """
    liquid = Liquid(TOY, seed=2, backend=backend)
    for name, low, high in (
        ("excitation", 0.0, 3.0),
        ("inhibition", -3.0, 0.0),
        ("input->liquid", -3.0, 3.0),
    ):
        size = liquid.run.network.projections[name].targets.size
        liquid.run.set(
            name, w=np.clip(np.random.default_rng(3).uniform(low - 1, high + 1, size), low, high)
        )
    plain = Published(liquid.run, TOY)
    for sample in events(4, 20, p=0.3):
        liquid.self_organise([sample])
        raster, levels, _ = plain.sample(sample)
        assert liquid.run.get("liquid", "spikes").tolist() == raster.sum(axis=0).tolist()
        assert liquid.run.get("astrocyte", "level")[0] == pytest.approx(levels[-2], rel=1e-12)
        for name in plain.places:
            np.testing.assert_allclose(
                liquid.run.get(name, "w"), plain.weights(name), rtol=1e-12, atol=1e-12
            )
        for name, x in (
            ("liquid", plain.x[:64]),
            ("input", plain.x[64:]),
        ):  # but for the decay of the last ms
            np.testing.assert_allclose(
                liquid.run.get(name, "trace") * math.exp(-0.1), x, rtol=1e-12
            )
    assert raster.sum() > 50 and abs(levels - 0.15).max() > 0.01
    # all three learn
    assert all(abs(plain.w - plain.start)[at].max() > 0.01 for at in plain.places.values())
    for at in plain.places.values():  # and some reach or leave each of their bounds
        for bound in (plain.low[at], plain.high[at]):
            assert ((plain.w[at] == bound) != (plain.start[at] == bound)).any()
    learned = plain.w.copy()
    samples = events(3, 60, seed=1)
    rasters = liquid.rasters(samples, time="60 ms")
    for number, sample in enumerate(samples):
        plain.w, plain.x = learned.copy(), np.zeros(94)
        raster, _, _ = plain.sample(sample, fade=0.99)
        np.testing.assert_array_equal(rasters[number], raster)
    assert rasters.sum() > 300 and not np.array_equal(rasters[0], rasters[1])
    np.testing.assert_array_equal(liquid.present(samples, time="60 ms"), rasters.sum(axis=1))
    # nothing of it is kept
    np.testing.assert_allclose(
        liquid.weights()["excitation"], learned[plain.places["excitation"]], rtol=1e-12
    )


def test_with_constant_weights_currents_are_those_of_the_ages_of_spikes(backend):
    """Ages begin at 20 ms in the published program: exp(-20) is 2e-9."""
    settings = replace(TOY, learning=False, weight=2.0)
    liquid = Liquid(settings, seed=2, backend=backend)
    plain = Published(liquid.run, settings, latest=True)
    sample = events(1, 80)[0]
    raster, _, v = plain.sample(sample, learning=False)
    np.testing.assert_array_equal(liquid.rasters([sample], time="80 ms")[0], raster)
    assert raster.sum() > 100


# ---- wiring


def test_edges_are_as_many_as_the_specification_says(backend):
    run = ns.prepare(build(DEFAULTS, 0), backend=backend)
    projections = run.network.projections
    assert abs(sum(projections[name].targets.size for name in LIQUID) - 16_720) <= 400
    p = projections["input->liquid"]
    assert p.targets.size == 117_600
    assert len(set(zip(p.sources.tolist(), p.targets.tolist(), strict=True))) == 117_600
    w = run.get("input->liquid", "w")
    assert set(w) == {-3.0, 3.0} and abs(w.mean()) < 0.035  # four standard deviations
    assert set(run.get("excitation", "w")) == {3.0} and set(run.get("inhibition", "w")) == {-3.0}


def test_edges_thin_out_with_distance_as_the_rule_says(backend):
    where, n_e = sites(DEFAULTS, 5), 800
    assert sorted(map(tuple, where)) == [tuple(map(float, c)) for c in np.ndindex(10, 10, 10)]
    assert abs(where[n_e:].mean() - 4.5) < 0.5  # types are spread over the grid
    net = build(DEFAULTS, 5)
    run = ns.prepare(net, backend=backend)
    connected = np.zeros((1000, 1000), bool)
    for name in LIQUID:
        p = run.network.projections[name]
        assert p.targets.size < net[name].edge_count().most
        connected[p.sources, p.targets] = True
    assert not connected.diagonal().any()
    squared = ((where[:, None] - where) ** 2).sum(axis=-1)
    parts = {"excitatory": slice(0, n_e), "inhibitory": slice(n_e, None)}
    for (source, target), chance in CHANCE.items():
        block = parts[source], parts[target]
        for nearest, farthest in ((1, 4), (5, 12), (13, 30), (31, 243)):
            ring = (squared[block] >= nearest) & (squared[block] <= farthest)
            p = chance * np.exp(-squared[block][ring] / 9.0)
            assert abs(connected[block][ring].sum() - p.sum()) < 4 * math.sqrt(
                (p * (1 - p)).sum()
            ), (
                source,
                target,
                nearest,
            )


def test_an_astrocyte_of_lower_coverage_hears_fewer_neurons(backend):
    projections = ns.prepare(
        build(replace(TOY, coverage=0.2), 0), backend=backend
    ).network.projections
    assert [
        projections[name].sources.size for name in ("liquid->astrocyte", "input->astrocyte")
    ] == [
        13,
        6,
    ]


# ---- samples


def test_an_astrocyte_without_gain_is_plain_stdp(backend, monkeypatch):
    sample = events(5, 20, p=0.3)
    silent = Liquid(replace(TOY, gain=0.0), backend=backend)
    # both strengths are then parameters, 0.15
    monkeypatch.setattr(ns.Rule, "reading", lambda self, **links: self)
    plain = Liquid(TOY, backend=backend)
    assert not plain.run.network.projections["excitation"].links
    for liquid in (silent, plain):
        liquid.self_organise(sample)
    for name, w in silent.weights().items():
        np.testing.assert_array_equal(w, plain.weights()[name])
        assert abs(w).min() < TOY.weight


def test_the_same_seed_gives_the_same_counts_and_another_seed_others(backend):
    samples = images(3, size=30, drive=1.5)
    counts = []
    for seed in (1, 1, 2):
        liquid = Liquid(TOY, seed=seed, backend=backend)
        liquid.self_organise(samples)
        counts.append(liquid.present(samples, time="60 ms"))
    np.testing.assert_array_equal(counts[0], counts[1])
    assert counts[0].sum() > 100 and not np.array_equal(counts[0], counts[2])


def test_counts_depend_neither_on_who_shows_an_image_nor_on_how_calls_are_split(backend):
    liquid = Liquid(TOY, seed=1, backend=backend)
    samples = images(5, size=30, drive=1.5)
    liquid.self_organise(samples[:2])
    together = liquid.present(samples, time="60 ms", cores=2)
    assert together.shape == (5, 64) and len(np.unique(together, axis=0)) == 5
    np.testing.assert_array_equal(liquid.present(samples, time="60 ms"), together)
    np.testing.assert_array_equal(liquid.present(samples[3:], first=3, time="60 ms"), together[3:])
    np.testing.assert_array_equal(
        liquid.rasters(samples[3:], first=3, time="60 ms").sum(axis=1), together[3:]
    )
    # another number, other events
    assert not np.array_equal(liquid.present(samples[3:], time="60 ms"), together[3:])
    assert liquid.present([], time="60 ms").shape == (0, 64)


def test_showing_images_does_not_disturb_learning(backend):
    samples = images(4, size=30, drive=1.5)
    one, other = (Liquid(TOY, seed=1, backend=backend) for _ in range(2))
    one.self_organise(samples)
    other.self_organise(samples[:2])
    other.present(samples[:1], time="60 ms")
    other.self_organise(samples[2:])
    for name, w in one.weights().items():
        np.testing.assert_array_equal(w, other.weights()[name])


def test_images_and_times_that_cannot_be_shown_are_refused(backend):
    liquid = Liquid(TOY, backend=backend)
    with pytest.raises(
        NetworkError,
        match=r"found an image of shape \(29,\), expected \(30,\) or \(T, 30\). Reshape it.",
    ):
        liquid.self_organise([np.zeros(29)])
    with pytest.raises(
        NetworkError,
        match=r"from 0 to 2, expected 0 to 1, the probability of an event per ms. Divide images by",
    ):
        liquid.present([np.linspace(0, 2, 30)])
    with pytest.raises(NetworkError, match="found an image with values from nan to nan"):
        liquid.present([np.full(30, np.nan)], cores=2)
    with pytest.raises(
        NetworkError,
        match="time of a sample: found 1 ms, expected at least 2 ms. Show samples for longer.",
    ):
        liquid.present([np.zeros(30)], time="1 ms")
    with pytest.raises(
        NetworkError,
        match="astrocyte liquid, cores: found 0, expected a whole number of at least 1. Change it.",
    ):
        liquid.present([np.zeros(30)], cores=0)
    with pytest.raises(NetworkError, match="time of a sample 2.5 ms is not a multiple of dt"):
        liquid.self_organise([np.zeros(30)], time="2.5 ms")


def test_the_network_by_name_records_what_one_wants_to_see(backend):
    recorded = ns.simulate(network(side=3, inputs=10, seed=4), "5 ms", backend=backend)
    assert recorded["liquid"].spikes.size == 27
    assert recorded["astrocyte"].trace("level").values[-1, 0] == pytest.approx(0.15)


# ---- homeostasis


def branching(liquid, rasters):
    ends = [liquid.run.network.projections[name] for name in LIQUID]
    source, target = (
        np.concatenate([getattr(e, end) for e in ends]) for end in ("sources", "targets")
    )
    return np.mean([branching_factor(raster, source, target) for raster in rasters])


def test_the_astrocyte_sets_rate_and_branching_factor_and_without_it_there_is_no_homeostasis(
    fast_backend,
):
    """Bands of the specification, S3 to S5, after 500 presentations; images with the drive of its
    own, but not its own.
    """
    samples = images(510)
    rate, factor = {}, {}
    for gain in (0.0, 0.015, 0.05, 0.1):
        liquid = Liquid(replace(DEFAULTS, gain=gain), backend=fast_backend)
        if (
            gain == 0.1
        ):  # before it has learned anything, and with all weights frozen where they start
            frozen = Liquid(replace(DEFAULTS, learning=False), backend=fast_backend)
            assert frozen.present(samples[:5]).mean() / 0.25 > 150
        liquid.self_organise(samples[:500])
        rasters = liquid.rasters(samples[500:])
        rate[gain], factor[gain] = rasters.sum(axis=1).mean() / 0.25, branching(liquid, rasters)
    assert 18 < rate[0.05] < 28 and 18 < rate[0.1] < 28 and rate[0.0] > 100
    assert 1.25 < factor[0.0] < 1.5
    for gain, published in ((0.015, 1.25), (0.05, 1.09), (0.1, 1.0)):
        assert abs(factor[gain] - published) < 0.08
    assert factor[0.015] > factor[0.05] > factor[0.1]
