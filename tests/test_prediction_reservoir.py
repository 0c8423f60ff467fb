"""The prediction reservoir: its equations against a plain NumPy version, its trials, comparators, measures and checks."""

import json
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import neurosim as ns
from neurosim.models.prediction_reservoir import model
from neurosim.models.prediction_reservoir.checks import CHECKS, EXPERIMENTS
from neurosim.models.prediction_reservoir.comparators import MERGED, UNGATED, LeastSquares, least_squares
from neurosim.models.prediction_reservoir.demonstrate import judge
from neurosim.models.prediction_reservoir.experiment import TESTED, acquisition, blocks, probability_scan, subspaces, switches
from neurosim.models.prediction_reservoir.measures import amplitude, relative_error, subspace_angles, timing_error, weight_geometry
from neurosim.models.prediction_reservoir.network import Settings, build
from neurosim.models.prediction_reservoir.trials import SPLIT, Calibration, Learner, Prediction, Truth, calibrate, outcomes, times
from neurosim.verification import verify

SMALL = Settings(size=60, density=0.3, trial=150.0, width=15.0, reach=40.0, trials=3, tests=2)
NEAR = Truth(0.7, (60.0, 110.0))


def learner(backend, *, settings=SMALL, scheme=SPLIT, seed=3):
    mean = np.linspace(0.0, 0.02, settings.size)
    return Learner(backend, settings=settings, seed=seed, scheme=scheme, calibration=Calibration(mean, 0.02, np.zeros(settings.size)))


# ---- the equations


def plain(run, settings, *, trials, eta_when, eta_what, mean):
    """Section 2 of the specification, written anew with matrices; no noise. Returns spikes, v at the end, z of the last trial, weights."""
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
        v, u, current, r, z, total = start.copy(), b * start, np.zeros(n), np.zeros(n), np.zeros(2), np.zeros(n)
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
            gate = (np.arange(2) == outcome) & ((np.abs(since - latency) <= settings.reach) | (z > settings.opens))
            w_when = w_when + eta_when * np.outer(gate * error, x)
            total += r
            z_over_time.append(z)
        average = total / steps
        w_what = w_what + eta_what * np.outer((np.arange(2) == outcome) - w_what @ average, average)
    return spikes, v, np.array(z_over_time), w_what, w_when


def test_two_trials_follow_the_equations_of_the_specification(backend):
    settings = replace(SMALL, noise=0.0, feedback=8.0, reach=60.0)  # beyond 45 ms of a latency the target counts as silence
    net = build(settings, 3)
    net.record(net["reservoir"], "spikes")
    net.record(net["when"], "z")
    made = learner(backend, settings=settings)
    made.trainer = ns.prepare(net, backend=backend)
    mean, eta_when, eta_what = made.calibration.mean, 4.0, 30.0
    made.trainer.set("when", m=mean, eta=eta_when)
    made.trainer.set("what", eta=eta_what)
    trials = [(NEAR, 0), (NEAR, 1), (NEAR, 0)]
    spikes, v, z, what, when = plain(made.trainer, settings, trials=trials, eta_when=eta_when, eta_what=eta_what, mean=mean)
    for truth, outcome in trials:
        made.train(truth, outcome)
    recording = made.trainer.result()
    found = recording["reservoir"].spikes
    assert list(zip(found.step.tolist(), found.index.tolist(), strict=True)) == spikes
    assert len(spikes) > 100 and z.max() > 0.3  # the loop is closed: z drives the reservoir
    np.testing.assert_allclose(made.trainer.get("reservoir", "v"), v, rtol=1e-9)
    np.testing.assert_allclose(recording["when"].trace("z").values[-150:], z, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(made.weights()[0], what, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(made.weights()[1], when, rtol=1e-9, atol=1e-12)


def test_neurons_are_drawn_as_the_specification_says(backend):
    run = ns.prepare(build(Settings(), 0), backend=backend)
    a, b, c, d, bias = (np.broadcast_to(run.get("reservoir", name), 1000) for name in ("a", "b", "c", "d", "bias"))
    rho = np.concatenate([np.sqrt((c[:800] + 65) / 15), (a[800:] - 0.02) / 0.08])
    np.testing.assert_allclose(d, np.concatenate([8 - 6 * rho[:800] ** 2, np.full(200, 2.0)]), atol=1e-12)
    np.testing.assert_allclose(b, np.concatenate([np.full(800, 0.2), 0.25 - 0.05 * rho[800:]]), atol=1e-12)
    assert 0 <= rho.min() and rho.max() <= 1 and 0.47 < rho.mean() < 0.53
    assert bias[:800].max() > 7.9 and 3.8 < bias[800:].max() <= 4.0
    v = run.get("reservoir", "v")
    np.testing.assert_array_equal(run.get("reservoir", "u"), b * v)
    assert -65 <= v.min() and v.max() <= -55
    excitation, inhibition = run.get("excitation", "w"), run.get("inhibition", "w")
    assert 0 <= excitation.min() and 0.199 < excitation.max() <= 0.2 and -0.8 <= inhibition.min() < -0.795 and inhibition.max() <= 0
    edges = [run.network.projections[name] for name in ("excitation", "inhibition")]
    assert not any((e.sources == e.targets).any() for e in edges)
    assert edges[0].sources.max() == 799 and edges[1].sources.min() == 800
    assert abs(excitation.size / 799_200 - 0.1) < 0.002  # 800 * 999 pairs; the standard deviation is 0.0003


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
    made = learner(backend)
    made.train(NEAR, 0)
    before = [w.copy() for w in made.weights()]
    first, second = made.test(), made.test()
    for a, b in zip(before, made.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.when != second.when).any()
    np.testing.assert_array_equal(made.tester.get("when", "w"), made.trainer.get("when", "w"))


def test_noise_is_fresh_in_every_trial_and_another_one_in_tests(backend):
    made, seen = learner(backend, settings=replace(SMALL, rate_when=0.0, tests=1)), []  # nothing but noise tells trials apart
    for _ in range(2):
        made.train(NEAR, 0)
        seen.append(made.trainer.get("what", "average").copy())
    made.test()
    seen.append(made.tester.get("what", "average").copy())
    assert all((seen[a] != seen[b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))


def test_only_the_attended_channel_learns_unless_the_scheme_says_otherwise(backend):
    made, both = learner(backend), learner(backend, scheme=UNGATED)
    made.train(NEAR, 1)
    both.train(NEAR, 1)
    assert not made.weights()[1][0].any() and made.weights()[1][1].any()
    assert both.weights()[1].any(axis=1).all()


def test_a_merged_readout_is_taught_silence_where_the_other_event_comes(backend):
    silent = learner(backend, scheme=MERGED)
    silent.train(NEAR, 1)
    assert not silent.weights()[1][0].any()  # an output of 0 was right
    changed = {}
    for name, scheme in (("merged", MERGED), ("split", SPLIT)):
        made = learner(backend, scheme=scheme)
        made.train(NEAR, 0)
        before = made.weights()[1][0].copy()
        made.train(NEAR, 1)
        changed[name] = (made.weights()[1][0] != before).any()
    assert changed == {"merged": True, "split": False}


def test_a_merged_prediction_has_one_factor(backend):
    made = learner(backend, scheme=MERGED)
    for outcome in (0, 1, 0):
        made.train(NEAR, outcome)
    found = made.test()
    np.testing.assert_array_equal(found.over_time, found.when)
    assert found.when.any() and not np.array_equal(found.what, [1.0, 1.0])


def test_forgetting_puts_all_readout_weights_to_zero(backend):
    made = learner(backend)
    made.train(NEAR, 0)
    made.forget()
    assert not any(w.any() for w in made.weights())


def test_calibration_gives_mean_and_power_of_the_untrained_activity(backend):
    settings = replace(SMALL, noise=0.0)  # then all three trials are equal
    found = calibrate(settings, seed=3, backend=backend)
    net = build(settings, 3)
    net.record(net["when"], "r")
    net.record(net["reservoir"], "spikes")
    recording = ns.simulate(net, "150 ms", backend=backend)
    r = recording["when"].trace("r").values
    np.testing.assert_allclose(found.mean, r.mean(axis=0), rtol=1e-12)
    assert found.power == pytest.approx(((r[50:] - r.mean(axis=0)) ** 2).sum(axis=1).mean(), rel=1e-12)
    np.testing.assert_allclose(found.rates, recording["reservoir"].spikes.count() / 0.15)
    assert found.power > 0 and found.rates.mean() > 1


def test_outcomes_follow_their_probabilities_and_repeat_with_the_seed():
    found = outcomes(np.full(4000, 0.8), seed=1)
    assert abs((found == 0).mean() - 0.8) < 0.03  # five standard deviations
    np.testing.assert_array_equal(found[:100], outcomes(np.full(100, 0.8), seed=1))
    assert (found[:100] != outcomes(np.full(100, 0.8), seed=2)).any()
    assert (outcomes(np.ones(50), seed=0) == 0).all() and (outcomes(np.zeros(50), seed=0) == 1).all()


# ---- measures


def truly(truth, settings):
    what = truth.probabilities
    when = truth.bumps(settings)
    return Prediction(what * when, when, what)


def test_the_error_is_one_for_silence_and_zero_for_the_truth():
    s = Settings()
    right = truly(NEAR, s)
    assert relative_error(right, NEAR, s) == 0.0
    assert relative_error(replace(right, over_time=0 * right.over_time), NEAR, s) == 1.0
    assert relative_error(replace(right, over_time=3 * right.over_time), NEAR, s) == pytest.approx(2.0)


def test_peaks_and_amplitudes_are_read_where_they_are():
    s, late, truth = Settings(), Truth(0.3, (330.0, 560.0)), Truth(0.3, (300.0, 600.0))
    assert timing_error(truly(late, s), truth, s) == [30.0, -40.0]
    assert amplitude(truly(truth, s), truth, s) == pytest.approx([0.3, 0.7])
    flat = replace(truly(truth, s), over_time=np.ones((1000, 2)))
    assert amplitude(flat, truth, s)[0] == pytest.approx(1 / np.exp(-(np.arange(-40, 41) ** 2) / 3200).mean())
    early = truly(Truth(0.3, (20.0, 600.0)), s)
    assert timing_error(early, truth, s)[0] == pytest.approx(60.0 - 300.0)  # nothing before 60 ms counts


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
    found = weight_geometry(what, when, p=p, latency=t)
    assert found["p"] == pytest.approx(1.0) and found["latency"] == pytest.approx(1.0) and found["angle"] == pytest.approx(90.0)
    assert found["variance"][0] > 0.5 > found["variance"][1] and sum(found["variance"]) == pytest.approx(1.0)
    curved = weight_geometry(what, np.outer((t / 100 - 3) ** 2, along_t) + 0.3 * np.outer(p, other), p=p, latency=t)
    assert curved["p"] == pytest.approx(1.0) and curved["latency"] < 0.01
    shared = weight_geometry(what, np.outer(p, along_p) + np.outer(t / 1000, along_p), p=p, latency=t)
    assert shared["angle"] < 60


# ---- experiments and comparators


def test_least_squares_solves_the_regularised_normal_equations(backend):
    made = LeastSquares(learner(backend, scheme=MERGED))
    rng = np.random.default_rng(1)
    x, wanted = rng.normal(size=(40, 60)), rng.normal(size=(40, 2))
    for row, target in zip(x, wanted, strict=True):
        made.update(row, target)
    expected = np.linalg.solve(x.T @ x + np.eye(60) * 0.02 / 10, x.T @ wanted)
    np.testing.assert_allclose(made.weights, expected, rtol=1e-8, atol=1e-10)


def test_least_squares_learns_through_the_loop_and_leaves_the_local_rule_out(backend):
    made = learner(backend, settings=replace(SMALL, rate_when=0.0), scheme=MERGED)
    squares = LeastSquares(made, every=10)
    for _ in range(2):
        squares.train(NEAR, 0)
    what, when = made.weights()
    np.testing.assert_array_equal(when, squares.weights.T)
    assert when[0].any() and not when[1].any() and not what.any()
    assert relative_error(made.test(), Truth(1.0, NEAR.latencies), SMALL) < 1.0


def test_experiments_return_plain_data_that_repeats(fast_backend):
    settings = replace(SMALL, trial=80.0, size=40, trials=2, tests=1)
    found = acquisition(fast_backend, seed=1, settings=settings)
    assert found == acquisition(fast_backend, seed=1, settings=settings) and found != acquisition(fast_backend, seed=2, settings=settings)
    assert found["tested"] == [1, 2] and len(found["errors"]) == 2
    one = (Truth(0.5, (30.0, 60.0)),)
    two = (Truth(0.1, (30.0, 60.0)), Truth(0.9, (30.0, 60.0)))
    four = tuple(Truth(p, (t, t + 20.0)) for p in (0.2, 0.8) for t in (20.0, 40.0))
    for run, options in ((switches, {"truths": one}), (least_squares, {"truths": one}), (probability_scan, {"truths": two}),
                         (subspaces, {"conditions": four})):
        json.dumps(run(fast_backend, seed=1, settings=settings, **options))


def test_each_level_of_the_scan_is_learned_afresh(fast_backend):
    settings, levels = replace(SMALL, noise=0.0), (Truth(0.2, NEAR.latencies), Truth(0.9, NEAR.latencies))
    forth = probability_scan(fast_backend, seed=1, settings=settings, truths=levels)
    back = probability_scan(fast_backend, seed=1, settings=settings, truths=levels[::-1])
    assert forth["amplitudes"] == back["amplitudes"][::-1] and forth["what"] == back["what"][::-1]
    assert np.any(forth["amplitudes"])


def test_least_squares_predicts_without_an_identity_readout(fast_backend):
    found = least_squares(fast_backend, seed=1, settings=SMALL, truths=(NEAR,))["blocks"][0]
    assert found["what"] == [0.0, 0.0] and found["before"] == 1.0 and 1.0 not in found["errors"]


def test_the_recurrent_weights_keep_sign_and_value(fast_backend):
    found = switches(fast_backend, seed=1, settings=SMALL, truths=(NEAR,))
    assert found["dale"] and found["unchanged"]


def test_blocks_are_tested_before_they_begin_and_when_they_end(fast_backend):
    made, seen = learner(fast_backend), []
    found = blocks(made, (NEAR, Truth(0.5, NEAR.latencies)), train=made.train, watch=lambda block, trial, test: seen.append((block, trial)))
    assert seen == [(0, 0), (0, 1), (0, 3), (1, 0), (1, 1), (1, 3)]
    assert found[0]["before"] == 1.0 and found[1]["before"] != 1.0


# ---- checks


def good(key):
    """Results as good as the model could give them."""
    errors = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2]
    block = {"before": 1.0, "errors": errors, "timing": [5.0, -5.0], "angles": [80.0, 85.0]}
    blocked = {"tested": list(TESTED), "blocks": [block] * 4, "unchanged": True, "dale": True}
    slow = blocked | {"blocks": [block | {"errors": [0.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]}] * 4}
    first = block | {"tested": list(TESTED), "excitatory": 9.0, "inhibitory": 13.0, "silent": 0.02, "fastest": 80.0}
    return {"acquisition": first, "again": first,
            "scan": {"r_a": 0.98, "r_b": -0.95, "r_what_b": -0.98},
            "subspaces": {"p": 0.9, "latency": 0.9, "variance": [0.5, 0.3], "angle": 85.0},
            "switches": blocked, "noisy": blocked, "merged": blocked, "ungated": blocked, "open-loop": slow,
            "least-squares": slow}[key.rsplit("-", 1)[0]]


def with_blocks(result, **changed):
    return result | {"blocks": [block | changed for block in result["blocks"]]}


SPOILED = {
    "B1": ("acquisition", lambda r: r | {"silent": 0.2}),
    "B2": ("switches", lambda r: r | {"dale": False}),
    "B3": ("again", lambda r: r | {"silent": 0.021}),
    "B4": ("acquisition", lambda r: r | {"errors": [*r["errors"][:-1], 0.5]}),
    "B5": ("acquisition", lambda r: r | {"errors": [1.0, 0.8, 0.6, 0.5, 0.4, 0.49, 0.2, 0.2]}),
    "B6": ("acquisition", lambda r: r | {"timing": [-25.0, 0.0]}),
    "B7": ("switches", lambda r: with_blocks(r, errors=[1.0, 0.8, 0.6, 0.5, 0.6, 0.3, 0.2, 0.2])),
    "B8": ("switches", lambda r: with_blocks(r, timing=[-41.0, 0.0])),
    "B9": ("switches", lambda r: r | {"blocks": [*r["blocks"][:3], r["blocks"][3] | {"errors": [1.0] * 8}]}),
    "B10": ("scan", lambda r: r | {"r_a": 0.94}),
    "B11": ("scan", lambda r: r | {"r_what_b": -0.94}),
    "B12": ("subspaces", lambda r: r | {"latency": 0.8}),
    "B13": ("subspaces", lambda r: r | {"angle": 70.0}),
    "B14": ("switches", lambda r: with_blocks(r, angles=[60.0, 85.0])),
    "B15": ("least-squares", lambda r: with_blocks(r, errors=[0.5, 0.7, 0.9, 0.4, 2.0, 2.0, 2.0, 2.0])),
    "B16": ("least-squares", lambda r: with_blocks(r, errors=[1.1] * 8)),
    "B17": ("noisy", lambda r: with_blocks(r, errors=[0.5] * 8)),
    "B18": ("open-loop", lambda r: with_blocks(r, errors=[0.4] * 8)),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_accepts_good_results_and_refuses_spoiled_ones(check):
    results = {name: good(name) for name in check.needs}
    measured, passed = check.judge(results)
    assert passed
    json.dumps(measured)
    name, spoil = SPOILED[check.id]
    spoiled = {key: spoil(result) if key.rsplit("-", 1)[0] == name else result for key, result in results.items()}
    assert not check.judge(spoiled)[1]


def test_every_check_needs_experiments_that_exist_and_travel_to_other_processes():
    assert [check.id for check in CHECKS] == [f"B{k}" for k in range(1, 19)]
    for check in CHECKS:
        assert check.needs and set(check.needs) <= EXPERIMENTS.keys()
    assert {name for check in CHECKS for name in check.needs} == EXPERIMENTS.keys()
    for experiment in EXPERIMENTS.values():
        assert pickle.loads(pickle.dumps(experiment)).keywords == experiment.keywords


# ---- the model in the catalogue


def test_the_demonstration_leaves_a_picture_and_its_results(fast_backend, tmp_path):
    rows = model.demonstrate(seed=1, backend=fast_backend, out=tmp_path / "new", progress=False, size=40, trials=2, tests=1)
    assert (tmp_path / "new" / "prediction_reservoir.png").read_bytes()[:4] == b"\x89PNG"
    written = json.loads((tmp_path / "new" / "results.json").read_text())
    assert written["rows"] == rows and len(written["blocks"]) == 4 and written["settings"] == {"size": 40, "trials": 2, "tests": 1}
    assert all(row.keys() == {"quantity", "measured", "expected", "pass"} for row in rows)


def test_rows_of_the_demonstration_hold_misses_against_their_limits():
    block = good("switches-0")["blocks"][0]
    rows = judge([block, block | {"errors": [0.9] * 8}, block | {"timing": [0.0, 50.0]}, block | {"angles": [10.0, 20.0]}], list(TESTED))
    missed = {row["quantity"] for row in rows if not row["pass"]}
    assert missed == {"block 2: E(35)", "block 2: E(100)", "block 3: peak timing error of B (ms)",
                      "block 4: smaller angle between what and when (degrees)"}


def test_the_network_of_the_catalogue_records_what_it_shows(backend):
    recording = ns.simulate(model.network(seed=2, size=50), "20 ms", backend=backend)
    assert len(recording["reservoir"].spikes) and recording["when"].trace("z").values.shape == (20, 2)


def test_times_are_those_of_the_ends_of_steps():
    assert times(SMALL)[0] == 1.0 and times(SMALL)[-1] == 150.0
    assert Truth(0.5, (60.0, 100.0)).bumps(SMALL)[59, 0] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("id", [check.id for check in CHECKS])
def test_the_acceptance_checks_of_the_specification_hold(id, verified):
    assert verified[id]["pass"], verified[id]["measured"]


@pytest.fixture(scope="module")
def verified(fast_backend):
    return {row["id"]: row for row in verify(model, backend=fast_backend, progress=False)}
