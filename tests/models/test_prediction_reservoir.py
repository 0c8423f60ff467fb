"""The prediction reservoir: its equations, and what trials, tests and calibration do and leave
alone.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from support.predictions import NEAR, SMALL, learner

import neurosim as ns
from neurosim.models.prediction_reservoir.comparators import MERGED, UNGATED
from neurosim.models.prediction_reservoir.network import Settings, build
from neurosim.models.prediction_reservoir.trials import SPLIT, calibrate, outcomes

pytestmark = pytest.mark.experiment

# ---- the equations


def plain(run, settings, *, trials, eta_when, eta_what, mean):
    """Section 2 of the specification, written anew with matrices; no noise. Returns spikes, v at
    the end, z of the last trial, weights.
    """
    get = partial(run.get, "reservoir")
    a, b, c, d, bias, cue = (np.array(get(name)) for name in ("a", "b", "c", "d", "bias", "cue"))
    n = settings.size
    recurrent = np.zeros((n, n))
    for name in ("excitation", "inhibition"):
        edges = run.network.projections[name]
        recurrent[edges.sources, edges.targets] = run.get(name, "w")
    loop = run.get("feedback", "w").reshape(2, n)
    w_when, w_what, start = np.zeros((2, n)), np.zeros((2, n)), get("v").copy()
    spikes, z_over_time = [], []
    for number, (truth, outcome) in enumerate(trials):
        v = start.copy()
        u = b * start
        current = np.zeros(n)
        r = np.zeros(n)
        z = np.zeros(2)
        total = np.zeros(n)
        latency, steps = np.array(truth.latencies), round(settings.trial)
        z_over_time = []
        for step in range(steps):
            drive = bias + current + cue * (step < 20) + settings.feedback * z @ loop
            for _ in range(2):
                v = np.minimum(v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + drive), 30.0)
            u = u + a * (b * v - u)
            fired = v >= 30.0
            spikes += [(number * steps + step, i) for i in np.flatnonzero(fired)]
            v, u = np.where(fired, c, v), np.where(fired, u + d, u)
            current = current * np.exp(-1 / settings.tau_s) + fired @ recurrent
            r = r * np.exp(-1 / settings.tau_r) + fired / settings.tau_r
            x, since = r - mean, step + 1.0
            q = w_when @ x
            z = np.clip(q, 0.0, 2.0)
            h = np.exp(-((since - latency) ** 2) / (2 * settings.width**2))
            error = np.where((h < 0.01) & (q < 0), 0.0, h - q)
            gate = (np.arange(2) == outcome) & (
                (np.abs(since - latency) <= settings.reach) | (z > settings.opens)
            )
            w_when = w_when + eta_when * np.outer(gate * error, x)
            total += r
            z_over_time.append(z)
        average = total / steps
        w_what = w_what + eta_what * np.outer((np.arange(2) == outcome) - w_what @ average, average)
    return spikes, v, np.array(z_over_time), w_what, w_when


def test_two_trials_follow_the_equations_of_the_specification(backend):
    # beyond 45 ms of a latency the target counts as silence
    settings = replace(SMALL, noise=0.0, feedback=8.0, reach=60.0)
    net = build(settings, 3)
    net.record(net["reservoir"], "spikes")
    net.record(net["when"], "z")
    reservoir = learner(backend, settings=settings)
    reservoir.trainer = ns.prepare(net, backend=backend)
    mean, eta_when, eta_what = reservoir.calibration.mean, 4.0, 30.0
    reservoir.trainer.set("when", mean=mean, eta=eta_when)
    reservoir.trainer.set("what", eta=eta_what)
    trials = [(NEAR, 0), (NEAR, 1), (NEAR, 0)]
    spikes, v, z, what, when = plain(
        reservoir.trainer, settings, trials=trials, eta_when=eta_when, eta_what=eta_what, mean=mean
    )
    for truth, outcome in trials:
        reservoir.train(truth, outcome)
    recording = reservoir.trainer.result()
    recorded = recording["reservoir"].spikes
    assert list(zip(recorded.step.tolist(), recorded.index.tolist(), strict=True)) == spikes
    assert len(spikes) > 100 and z.max() > 0.3  # the loop is closed: z drives the reservoir
    np.testing.assert_allclose(reservoir.trainer.get("reservoir", "v"), v, rtol=1e-9)
    np.testing.assert_allclose(recording["when"].trace("z").values[-150:], z, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(reservoir.weights()[0], what, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(reservoir.weights()[1], when, rtol=1e-9, atol=1e-12)


def test_neurons_are_drawn_as_the_specification_says(backend):
    run = ns.prepare(build(Settings(), 0), backend=backend)
    a, b, c, d, bias = (
        np.broadcast_to(run.get("reservoir", name), 1000) for name in ("a", "b", "c", "d", "bias")
    )
    rho = np.concatenate([np.sqrt((c[:800] + 65) / 15), (a[800:] - 0.02) / 0.08])
    np.testing.assert_allclose(
        d, np.concatenate([8 - 6 * rho[:800] ** 2, np.full(200, 2.0)]), atol=1e-12
    )
    np.testing.assert_allclose(
        b, np.concatenate([np.full(800, 0.2), 0.25 - 0.05 * rho[800:]]), atol=1e-12
    )
    assert 0 <= rho.min() and rho.max() <= 1 and 0.47 < rho.mean() < 0.53
    assert bias[:800].max() > 7.9 and 3.8 < bias[800:].max() <= 4.0
    v = run.get("reservoir", "v")
    np.testing.assert_array_equal(run.get("reservoir", "u"), b * v)
    assert -65 <= v.min() and v.max() <= -55
    excitation, inhibition = run.get("excitation", "w"), run.get("inhibition", "w")
    assert 0 <= excitation.min()
    assert 0.199 < excitation.max() <= 0.2
    assert -0.8 <= inhibition.min() < -0.795
    assert inhibition.max() <= 0
    edges = [run.network.projections[name] for name in ("excitation", "inhibition")]
    assert not any((e.sources == e.targets).any() for e in edges)
    assert edges[0].sources.max() == 799 and edges[1].sources.min() == 800
    # 800 * 999 pairs; the standard deviation is 0.0003
    assert abs(excitation.size / 799_200 - 0.1) < 0.002


# ---- trials


def test_tests_and_calibration_do_not_change_what_training_does(fast_backend):
    alone, watched = learner(fast_backend), learner(fast_backend)
    for outcome in (0, 1):
        alone.train(NEAR, outcome)
        watched.train(NEAR, outcome)
        watched.test()
    calibrate(SMALL, seed=3, backend=fast_backend)
    alone.train(NEAR, 0)
    watched.train(NEAR, 0)
    for a, b in zip(alone.weights(), watched.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.any()


def test_a_test_changes_no_weight_and_has_noise_of_its_own(backend):
    reservoir = learner(backend)
    reservoir.train(NEAR, 0)
    before = [w.copy() for w in reservoir.weights()]
    first, second = reservoir.test(), reservoir.test()
    for a, b in zip(before, reservoir.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.when != second.when).any()
    np.testing.assert_array_equal(
        reservoir.tester.get("when", "w"), reservoir.trainer.get("when", "w")
    )


def test_noise_is_fresh_in_every_trial_and_another_one_in_tests(backend):
    reservoir = learner(backend, settings=replace(SMALL, rate_when=0.0, tests=1))
    seen = []  # nothing but noise tells trials apart
    for _ in range(2):
        reservoir.train(NEAR, 0)
        seen.append(reservoir.trainer.get("what", "average").copy())
    reservoir.test()
    seen.append(reservoir.tester.get("what", "average").copy())
    assert all((seen[a] != seen[b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))


def test_only_the_attended_channel_learns_unless_the_scheme_says_otherwise(backend):
    gated, both = learner(backend), learner(backend, scheme=UNGATED)
    gated.train(NEAR, 1)
    both.train(NEAR, 1)
    assert not gated.weights()[1][0].any() and gated.weights()[1][1].any()
    assert both.weights()[1].any(axis=1).all()


def test_a_merged_readout_is_taught_silence_where_the_other_event_comes(backend):
    silent = learner(backend, scheme=MERGED)
    silent.train(NEAR, 1)
    assert not silent.weights()[1][0].any()  # an output of 0 was right
    changed = {}
    for name, scheme in (("merged", MERGED), ("split", SPLIT)):
        reservoir = learner(backend, scheme=scheme)
        reservoir.train(NEAR, 0)
        before = reservoir.weights()[1][0].copy()
        reservoir.train(NEAR, 1)
        changed[name] = (reservoir.weights()[1][0] != before).any()
    assert changed == {"merged": True, "split": False}


def test_a_merged_prediction_has_one_factor(backend):
    reservoir = learner(backend, scheme=MERGED)
    for outcome in (0, 1, 0):
        reservoir.train(NEAR, outcome)
    prediction = reservoir.test()
    np.testing.assert_array_equal(prediction.over_time, prediction.when)
    assert prediction.when.any() and not np.array_equal(prediction.what, [1.0, 1.0])


def test_forgetting_puts_all_readout_weights_to_zero(backend):
    reservoir = learner(backend)
    reservoir.train(NEAR, 0)
    reservoir.forget()
    assert not any(w.any() for w in reservoir.weights())


def test_calibration_gives_mean_and_power_of_the_untrained_activity(backend):
    settings = replace(SMALL, noise=0.0)  # then all three trials are equal
    calibration = calibrate(settings, seed=3, backend=backend)
    net = build(settings, 3)
    net.record(net["when"], "r")
    net.record(net["reservoir"], "spikes")
    recording = ns.simulate(net, "150 ms", backend=backend)
    r = recording["when"].trace("r").values
    np.testing.assert_allclose(calibration.mean, r.mean(axis=0), rtol=1e-12)
    assert calibration.power == pytest.approx(
        ((r[50:] - r.mean(axis=0)) ** 2).sum(axis=1).mean(), rel=1e-12
    )
    np.testing.assert_allclose(calibration.rates, recording["reservoir"].spikes.count() / 0.15)
    assert calibration.power > 0 and calibration.rates.mean() > 1


def test_outcomes_follow_their_probabilities_and_repeat_with_the_seed():
    drawn = outcomes(np.full(4000, 0.8), seed=1)
    assert abs((drawn == 0).mean() - 0.8) < 0.03  # five standard deviations
    np.testing.assert_array_equal(drawn[:100], outcomes(np.full(100, 0.8), seed=1))
    assert (drawn[:100] != outcomes(np.full(100, 0.8), seed=2)).any()
    assert (outcomes(np.ones(50), seed=0) == 0).all()
    assert (outcomes(np.zeros(50), seed=0) == 1).all()
