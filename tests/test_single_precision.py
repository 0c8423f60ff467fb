"""precision="float32" of the cpu backend: how far it is from float64, what stays exact, and that nothing else changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import random_networks as rn
from hypothesis import HealthCheck, given, settings
from numba import njit
from test_cpu_engine import differences, journey, named, packed, pairs, plastic, same_bits, scattered, story

import neurosim as ns
from neurosim import cache as core
from neurosim import random
from neurosim.backends.cpu import cache, single, single_functions
from neurosim.backends.cpu.pending import Pending
from neurosim.models import cells, plasticity
from neurosim.models.balanced_networks import cuba

ROUNDOFF = 2.0**-24
# A value is the result of at most so many operations per step, each of which may be wrong by a roundoff of the largest value; over stretches
# that are short against the time in which small differences grow, roundoffs add up.
OPERATIONS = 40
SAME = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference in roundoffs of the largest value (at least 1, the scale of the random networks)."""
    return float(np.abs(one - other).max(initial=0.0) / max(1.0, np.abs(one).max(initial=0.0)) / ROUNDOFF)


def far(expected: dict, found: dict, *, steps: int) -> list[str]:
    """Name what differs between outcomes of `random_networks.outcome` by more than roundoffs explain; whole numbers must be equal."""
    wrong = [f"{key} is only in one of them" for key in expected.keys() ^ found.keys()]
    for key in expected.keys() & found.keys():
        a, b = expected[key], found[key]
        if a.dtype.kind != "f":
            wrong += [] if np.array_equal(a, b) else [f"{key} differs"]
        elif not np.isfinite(a).all() or distance(a, b) > steps * OPERATIONS:
            wrong.append(f"{key}: {distance(a, b):.3g} roundoffs")
    return sorted(wrong)


def played(story: rn.Story, actions: list[tuple] | None = None, **options) -> ns.Run:
    return rn.play(ns.prepare(story.net, backend="cpu", **options), story.actions if actions is None else actions)


# ---- every kind of network


@settings(SAME, max_examples=12)
@given(rn.stories())
def test_random_networks_are_those_of_float64_up_to_roundoff_for_one_thread_and_two(networks):
    expected = rn.outcome(played(networks, threads=1))
    one, two = (rn.outcome(played(networks, threads=threads, precision="float32")) for threads in (1, 2))
    assert rn.differences(one, two) == []
    assert far(expected, one, steps=networks.steps) == []


def test_the_comparison_sees_a_weight_of_too_few_bits_and_a_spike_that_is_missing():
    net = ns.Network("lively", dt=1.0, seed=3)
    source, target = net.bernoulli("source", 100, p=0.2), net.population("cells", 100, rn.LIF, bias=0.8, threshold=0.9)
    net.project(source, target, ns.fixed_probability(0.1), weight=ns.uniform(0, 0.8), port="x", rule=rn.PAIR, name="plastic")
    net.record(target, "spikes")
    lively = rn.Story(net, [("run", 20)])
    expected = rn.outcome(played(lively))
    coarse = ns.prepare(net, backend="cpu", precision="float32")
    coarse.memory["plastic", "w"][...] = coarse.memory["plastic", "w"].astype(np.float16)
    assert far(expected, rn.outcome(played(lively, precision="float32")), steps=20) == []
    assert any("'plastic', 'w'" in line for line in far(expected, rn.outcome(rn.play(coarse, lively.actions)), steps=20))
    found = rn.outcome(played(lively, precision="float32"))
    key = "spikes", "cells", "index"
    assert far(expected, found | {key: np.roll(found[key], 1)}, steps=20) == [f"{key} differs"]


CELLS = [cells.lif(), cells.lif_delta(), cells.lif_exponential(), cells.lif_conductance(), cells.lif_alpha(), cells.lif_conductance_alpha(),
         cells.adex_exponential(), cells.adex_conductance(), cells.leaky_readout(), cells.izhikevich(synapse="exponential", noise=1.0),
         cells.izhikevich_2007(), cells.hodgkin_huxley()]
WEIGHTS = {"nA": 1.0, "uS": 0.02, "mV": 4.0, "mV/ms": 5.0, "1": 1.0}


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: c.name)
def test_every_cell_of_the_library_spikes_in_the_same_steps_and_stays_within_roundoff(cell):
    net = ns.Network("one", dt="0.1 ms", seed=3)
    source = net.spike_source("source", 40, steps=[list(range(k % 9, 200, 11 + k % 7)) for k in range(40)])
    p = net.population("p", 50, cell)
    for name, port in cell.receives:
        net.project(source, p, ns.fixed_probability(0.5), weight=ns.uniform(0, WEIGHTS[port.unit]), port=name, name=f"onto-{name}")
    net.record(p, "v", *(["spikes"] if cell.spike is not None else []))
    one, other = (ns.simulate(net, "20 ms", backend="cpu", precision=precision, progress=False)["p"] for precision in ("float64", "float32"))
    assert 0 < distance(one.trace("v").values, other.trace("v").values) <= 200 * OPERATIONS
    if cell.spike is not None:
        assert one.spikes == other.spikes and one.spikes.index.size > 10


RULES = [plasticity.stdp(dependence="guetig"), plasticity.triplet_stdp(), plasticity.reward_stdp(reward=1.0),
         plasticity.short_term(per="edge", tau_facil="300 ms"), plasticity.three_factor(eta=0.01, target=0.5)]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_rules_of_the_library_learn_within_roundoff(rule):
    net = ns.Network("one", dt="0.1 ms", seed=3)
    source = net.spike_source("source", 40, steps=[list(range(k % 9, 200, 11 + k % 7)) for k in range(40)])
    p = net.population("p", 50, cells.lif())
    net.project(source, p, ns.all_to_all(), weight=ns.uniform(0.1, 0.2), delay="0.3 ms", port="synaptic", rule=rule, name="learned")
    found = []
    for precision in ("float64", "float32"):
        run = ns.prepare(net, backend="cpu", precision=precision)
        before = [run.get("learned", v.name) for v in rule.edge]
        run.run("20 ms", progress=False)
        after = [run.get("learned", v.name) for v in (*rule.edge, *rule.pre, *rule.post)]
        assert any((a != b).any() for a, b in zip(before, after, strict=False))
        found.append(after)
    assert all(distance(a, b) <= OPERATIONS for a, b in zip(*found, strict=True))  # variables of edges change at a few spikes, not in each step


def test_users_names_do_not_meet_those_of_printed_source():
    found = []
    for precision in ("float64", "float32"):
        run = ns.prepare(named(), backend="cpu", precision=precision)
        run.run("30 ms", progress=False)
        found.append((run.result()["p"].spikes, run.result()["p"].trace("v").values))
    assert found[0][0] == found[1][0] and distance(found[0][1], found[1][1]) <= 300 * OPERATIONS


# ---- the same bits whatever the threads, the split, the room


@pytest.fixture(scope="module")
def told() -> ns.Run:
    """A run with tables, drives, delays, decaying variables, signals, traces, and changes in between."""
    return story(ns.prepare(plastic(), backend="cpu", precision="float32", threads=1))


@pytest.mark.parametrize(("threads", "parts"), [(2, 1), (3, 1), (1, 7), (2, 7)])
def test_neither_threads_nor_the_split_of_a_run_change_a_bit(told, threads, parts):
    assert differences(story(ns.prepare(plastic(), backend="cpu", precision="float32", threads=threads), parts=parts), told) == []
    assert min(told.result()[p].spikes.index.size for p in "ab") > 500


def test_a_run_saved_and_a_snapshot_go_on_to_the_last_bit(told, tmp_path):
    """Saved with two threads, continued with one; a changed bit of a weight is seen."""
    run = ns.prepare(plastic(), backend="cpu", precision="float32", threads=2)
    run.run("7 ms", progress=False)
    run.save(tmp_path / "state.npz")
    later = ns.prepare(plastic(), backend="cpu", precision="float32", threads=1)
    later.load(tmp_path / "state.npz")
    kept = later.snapshot()
    for each in (run, later):
        each.run("9 ms", progress=False)
    assert differences(run, later) == []
    later.restore(kept, clock=True)
    later.run("9 ms", progress=False)
    assert differences(run, later) == []
    later.restore(kept, clock=True)
    later.memory["learned", "w"][7] = np.nextafter(later.memory["learned", "w"][7], np.float32(1.0))
    later.run("9 ms", progress=False)
    assert "('learned', 'w')" in differences(run, later)


def test_spikes_on_their_way_land_alike_whether_their_lists_have_room_or_not(tmp_path, monkeypatch):
    found = [journey(ns.prepare(scattered(), backend="cpu", precision="float32", threads=threads), tmp_path) for threads in (1, 2)]
    monkeypatch.setattr("neurosim.backends.cpu.delivery.Pending", lambda tables, most, dtype: Pending(tables, most=1, dtype=dtype))
    found.append(journey(ns.prepare(scattered(), backend="cpu", precision="float32"), tmp_path))
    assert all(same_bits(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


def test_post_spikes_that_wait_leave_the_bits_of_those_that_do_not(monkeypatch):
    found = []
    for least in (16, 10**6):
        monkeypatch.setattr("neurosim.backends.cpu.delivery.LEAST", least)
        run = ns.prepare(pairs(("pre", "post"), 1.0, "7 ms"), backend="cpu", precision="float32")
        assert bool(run.engine._delivery.deferral.sweeps) == (least == 16)
        run.run("60 ms", progress=False)
        found.append([run.get("learned", name) for name in ("w", "c", "n")] + [run.result()["learned"].trace("w").values])
    assert all(same_bits(a, b) for a, b in zip(*found, strict=True)) and np.ptp(found[0][0]) > 0.1


# ---- what stays exact


def test_counts_of_a_drive_delays_and_refractory_steps_are_those_of_float64():
    """Sums of small whole numbers are exact in float32, so that each count shows."""
    cell = ns.Cell("n : 1; v : 1", step="v = v + x; n = n + 1", receives={"x": ns.Port("1")}, spike="v > 40", after_spike="v = 0",
                   refractory="pause", parameters={"pause": "0.7 ms"})
    net = ns.Network("counts", dt="0.1 ms", seed=5)
    p = net.population("p", 700, cell)
    net.poisson_drive(p[7:650], n=10, rate=3000, weight=1, port="x")
    net.poisson_drive(p[::3], n=10, rate=500, weight=2, port="x", name="apart")
    net.project(p, p, ns.fixed_probability(0.01), weight=1, delay=ns.uniform(0, 2), round_delays=True, port="x")
    net.record(p, "spikes")
    found = []
    for precision in ("float64", "float32"):
        run = ns.prepare(net, backend="cpu", precision=precision)
        run.run("20 ms", progress=False)
        found.append((run.result()["p"].spikes, run.get("p", "v"), run.memory["p", "_refractory"]))
    assert found[0][0] == found[1][0] and len(found[0][0]) > 1000
    assert (found[0][1] == found[1][1]).all() and found[0][2] == found[1][2] == 7


def test_the_time_of_a_step_is_rounded_once():
    """0.1 rounded and then multiplied would drift away from the time."""
    net = ns.Network("time", dt="0.1 ms")
    p = net.population("p", 1, ns.Cell("v : ms; w : 1", step="v = t; w = i + N"))
    net.record(p, "v")
    values = ns.simulate(net, "500 ms", backend="cpu", precision="float32", progress=False)["p"].trace("v").values[:, 0]
    exact = np.arange(5000) * 0.1
    assert same_bits(values, exact.astype(np.float32).astype(np.float64))
    assert (np.arange(5000) * np.float32(0.1).astype(np.float64)).astype(np.float32).tolist() != exact.astype(np.float32).tolist()


def test_what_is_read_is_float64_and_what_is_held_float32():
    run = ns.prepare(plastic(), backend="cpu", precision="float32")
    run.run("10 ms", progress=False)
    held = {key: array.dtype.name for key, array in run.memory.arrays.items() if array.dtype.kind == "f"}
    assert {key for key, kind in held.items() if kind == "float64"} == {("input", "rate")} and len(held) > 30
    assert run.get("learned", "w").dtype == run.get("b", "v").dtype == run.result()["b"].trace("v").values.dtype == np.float64
    assert all(p.weight is None for p in run.network.projections.values()), "float64 weights would stay in memory beside those of the run"


def test_a_decaying_variable_is_recorded_as_it_is_read():
    """Records are made by compiled code, `get` by NumPy."""
    net = ns.Network("decays", dt="0.1 ms")
    source, target = net.spike_source("source", 5, steps=[[k, 7 * k + 8] for k in range(5)]), net.population("target", 5, cells.lif())
    net.project(source, target, ns.one_to_one(), weight=0.1, port="synaptic", rule=plasticity.stdp(), name="learned")
    variable = plasticity.stdp().pre[0].name
    net.record(net["learned"], variable)
    run = ns.prepare(net, backend="cpu", precision="float32")
    seen = []
    for _ in range(50):
        run.run("0.1 ms", progress=False)
        seen.append(run.get("learned", variable))
    assert same_bits(np.array(seen), run.result()["learned"].trace(variable).values) and np.ptp(seen) > 0.1


def test_reset_by_name_returns_to_the_rounded_weights_of_the_start():
    run = ns.prepare(plastic(), backend="cpu", precision="float32")
    start = run.get("learned", "w")
    run.run("10 ms", progress=False)
    assert (run.get("learned", "w") != start).any()
    run.reset("learned", "w")
    assert same_bits(run.get("learned", "w"), start)


def test_a_value_beyond_float32_ends_the_run_where_it_happens():
    net = ns.Network("explosion", dt="1 ms")
    net.population("p", 3, ns.Cell("v : 1", step="v = v * v", initial={"v": 2.0}))
    for precision, steps in (("float64", 9), ("float32", 6)):
        with pytest.raises(ns.SimulationError, match="v is inf"):
            run = ns.prepare(net, backend="cpu", precision=precision)
            run.run("50 ms", progress=False)
        assert run.step == steps


# ---- what is said


def test_the_report_names_what_is_approximated_by_how_much_and_what_is_not(tmp_path):
    net = plastic()
    net.spike_source("given", 3, steps=[[1], [2], [3]])
    report = ns.check(net, backend="cpu", precision="float32")
    rows = {row.place: row for row in report.rows}
    for place in ("population 'a'", "population 'source'", "projection 'learned'", "projection 'loop'", "drive 'input'"):
        assert rows[place].status == "approximated" and "6.0e-8 (2**-24)" in rows[place].reason
    assert "weights" in rows["projection 'loop'"].reason and "rule 'rule'" in rows["projection 'learned'"].reason
    assert rows["population 'given'"].status == rows["edges, delays, draws"].status == "exact"
    assert "grain of 0.01 ms after 2 minutes" in rows["time t"].reason
    assert ns.check(net, backend="cpu", precision="float64") == ns.check(net, backend="cpu")
    assert not ns.check(net, backend="cpu").of("approximated")
    ns.simulate(net, "1 ms", backend="cpu", precision="float32", progress=False).save(tmp_path / "result.npz")
    said = ns.Recording.load(tmp_path / "result.npz").header["report"]
    assert [row["place"] for row in said] == [row.place for row in report.of("approximated")]


def test_roundoffs_and_grains_of_the_report_are_true():
    weights = np.random.default_rng(1).uniform(1e-6, 10, 100_000)
    error = np.abs(weights.astype(np.float32) / weights - 1).max()
    assert 5.5e-8 < error <= ROUNDOFF < 6.0e-8
    assert np.spacing(np.float32(120_000)) == pytest.approx(0.008, rel=0.03) and np.spacing(np.float32(3_600_000)) == 0.25


@pytest.mark.parametrize("precision", ["float16", 32, None, np.float32])
@pytest.mark.parametrize("verb", [ns.check, ns.prepare])
def test_an_unknown_precision_is_refused(verb, precision):
    words = r"backend 'cpu', precision: found .*, expected 'float64' \(equal to the reference\) or 'float32'\. Give one of these names\."
    with pytest.raises(ns.NetworkError, match=words):
        verb(plastic(), backend="cpu", precision=precision)


@pytest.mark.parametrize(("mine", "theirs"), [("float64", "float32"), ("float32", "float64")])
def test_states_of_another_precision_are_refused(mine, theirs, tmp_path):
    run, other = (ns.prepare(plastic(), backend="cpu", precision=precision) for precision in (mine, theirs))
    other.save(tmp_path / "state.npz")
    words = rf"holds {theirs} numbers, expected the {mine} of this run\. Prepare the run with precision='{theirs}', or start anew\."
    with pytest.raises(ns.NetworkError, match=rf"load: .*state\.npz {words}"):
        run.load(tmp_path / "state.npz")
    with pytest.raises(ns.NetworkError, match=rf"restore: the snapshot {words}"):
        run.restore(other.snapshot())


# ---- compiled code


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of this test alone: code from another's cache on disk cannot be looked into."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path / "cache"))
    core.folder.cache_clear()
    yield
    core.folder.cache_clear()


@pytest.mark.parametrize("cell", [cells.lif_exponential(), cells.lif_conductance(), cells.izhikevich(synapse="exponential", noise=1.0)],
                         ids=lambda c: c.name)
def test_no_float64_is_left_in_the_loop_of_a_cell_and_one_that_slips_in_is_seen(cell, empty_cache):
    net = ns.Network("one", dt="0.1 ms")
    net.population("p", 100, cell)
    source = ns.prepare(net, backend="cpu", precision="float32").source
    slipped = source.replace("v = load(_at_v, _n, 'v')", "v = 1.1 * load(_at_v, _n, 'v')", 1)
    assert slipped != source and wide(source) == 0 < wide(slipped)
    assert packed(source, x86="ps", arm="4s") >= 5 and packed(source) == 0


def wide(source: str) -> int:
    """Return how often LLVM computes with float64 in the integration of a cell, except what is done once per call."""
    code = cache.load("cell", source).integrate._library.get_llvm_str()
    return len(re.findall(r"\bf(?:add|sub|mul|div|cmp \w+|ptrunc) double|fpext", code)) - source.split("def reset")[0].count("_dt = load_double")


SCRIPT = """
from numba.core import event
import neurosim as ns
from neurosim.models.balanced_networks import cuba
seen = event.RecordingListener()
with event.install_listener("numba:run_pass", seen):
    spikes = ns.simulate(cuba(400), "300 ms", backend="cpu", precision="float32", progress=False)["neurons"].spikes
print(len(seen.buffer), spikes.index.size)
"""


def test_the_second_start_compiles_nothing(tmp_path):
    said = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | {"NEUROSIM_CACHE": str(tmp_path)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append([int(word) for word in done.stdout.split()])
    assert said[0][0] > 1000 and said[1][0] == 0 and said[0][1] == said[1][1] > 100


def test_float64_stays_as_it_is_printed():
    """Its compiled code, and so its speed, does not know of another precision."""
    run = ns.prepare(cuba(100), backend="cpu")
    assert "single" not in run.source and "float(" not in run.source and "float(0.0)" in ns.prepare(cuba(100), backend="cpu", precision="float32").source


# ---- functions and draws


@njit
def mapped(function, x, y):
    for i in range(x.size):
        y[i] = function(x[i])


def computed(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    mapped(getattr(single, name), x, y)
    return y


def sample() -> np.ndarray:
    """Return a million arguments of both signs and all sizes that matter, and the edges."""
    generator = np.random.default_rng(1)
    found = [generator.uniform(-105, 105, 500_000), generator.uniform(-1, 1, 250_000), np.ldexp(generator.uniform(-1, 1, 250_000), -20)]
    return np.concatenate([*found, [0.0, -0.0, 1e-45, -1e-45, 88.72284, -103.97208]]).astype(np.float32)


TRUE = {"exp": (np.exp, 1.0), "expm1_ratio": (lambda z: np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z)), 2.0), "tanh": (np.tanh, 0.5001),
        "sin": (np.sin, 0.5001), "cos": (np.cos, 0.5001), "log": (np.log, 0.5001), "sqrt": (np.sqrt, 0.5)}


@pytest.mark.parametrize("name", TRUE)
def test_functions_keep_the_errors_that_they_document(name):
    true, bound = TRUE[name]
    x = sample()
    x = np.abs(x[x != 0]) if name in ("log", "sqrt") else x
    y, exact = computed(name, x), np.asarray(true(x.astype(np.longdouble)), np.float64)
    finite = np.abs(exact) < np.finfo(np.float32).max
    error = np.abs(y[finite] - exact[finite]) / np.spacing(np.abs(exact[finite]).astype(np.float32))
    assert error.max() <= bound and np.isinf(y[~finite]).all()
    assert np.abs(np.nextafter(y[finite], np.float32(np.inf)) - exact[finite]).max() > 0  # the control: the next number is another
    edges = computed(name, np.array([np.nan, np.inf], np.float32))
    assert np.isnan(edges[0]) and (np.isnan(edges[1]) if name in ("sin", "cos") else edges[1] in (1.0, np.inf))


def test_simple_functions_are_exact():
    x = sample()
    for name, true in (("abs", np.abs), ("floor", np.floor)):
        assert same_bits(computed(name, x), true(x))

    @njit
    def two(x, y, low, high, out):
        for i in range(x.size):
            out[i, 0], out[i, 1], out[i, 2], out[i, 3] = single.min(x[i], y[i]), single.max(x[i], y[i]), single.clip(x[i], low, high), single.where(
                x[i] < y[i], x[i], low)

    y, out = x[::-1].copy(), np.empty((x.size, 4), np.float32)
    two(x, y, np.float32(-0.5), np.float32(2), out)
    expected = [np.minimum(x, y), np.maximum(x, y), np.clip(x, np.float32(-0.5), np.float32(2)), np.where(x < y, x, np.float32(-0.5))]
    assert (out == np.array(expected).T).all()


@njit
def blocks(four, words, out):
    for i in range(words.shape[0]):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = four(words[i, 0], words[i, 1], words[i, 2], words[i, 3])


def words() -> np.ndarray:
    """Return random words, and those at the ends of the range and of quarter turns."""
    generator, most = np.random.default_rng(1), (1 << 32) - 1
    edges = np.array([0, 1, 2, most, most - 1, *(k << 29 for k in range(1, 8)), *((k << 29) - 1 for k in range(1, 8)), 3037000499, 3037000500], np.uint64)
    return np.concatenate([generator.integers(0, 1 << 32, (500_000, 4), dtype=np.uint64), generator.choice(edges, (20_000, 4))])


def test_normal_numbers_are_those_of_float64_to_six_ulp():
    w, found = words(), np.empty((520_000, 4), np.float32)
    blocks(single_functions.normal_block, w, found)
    exact = np.stack(random.normal_block(*w.T), axis=1)
    wrong = np.abs(found - exact) - 1e-14
    assert (wrong <= 6 * np.spacing(np.abs(exact).astype(np.float32))).all() and (wrong > 0).any()
    blocks(single_functions.normal_block, w ^ np.uint64(1 << 8), found)  # the control: one bit of the words in the middle
    assert (np.abs(found - exact) > 6 * np.spacing(np.abs(exact).astype(np.float32)) + 1e-14).any()


def test_uniform_numbers_are_rounded_and_stay_between_0_and_1():
    w, found = words(), np.empty((520_000, 4), np.float32)
    blocks(single._uniform_block, w, found)
    rounded = np.stack(random.uniform_block(*w.T), axis=1).astype(np.float32)
    assert 0 < found.min() and found.max() < 1 and rounded.max() == 1
    assert (found == np.minimum(rounded, np.nextafter(np.float32(1), np.float32(0)))).all()
