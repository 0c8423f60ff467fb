"""Every library rule, printed as Triton, gives the reference's bits; sums in every order."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.rule_networks import FAMILY, LISTENER

pytest.importorskip("triton")

from support.triton_backend import backend  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.models.plasticity import three_factor  # noqa: E402

RULES = FAMILY | {"three_factor": three_factor(eta="1 ms**2", target=0.5)}


def learning(rule: ns.Rule, **options) -> ns.Network:
    """A network whose sources and targets spike often, over edges of several delays."""
    net = ns.Network("learning", dt="1 ms", seed=8)
    source = net.bernoulli("source", 24, p=0.3)
    teacher = net.bernoulli("teacher", 20, p=0.25)
    target = net.population("target", 20, LISTENER)
    net.project(teacher, target, ns.one_to_one(), weight=1.0, port="go")
    weight = {"weight": ns.uniform(0.2, 0.8), "port": "synaptic"}
    if rule.name == "three_factor":
        weight = {"weight": ns.uniform("0.2 ms", "0.8 ms")}
    net.project(
        source,
        target,
        ns.fixed_probability(0.3),
        rule=rule,
        name="edge",
        **weight,
        **options,
    )
    net.record(source, "spikes")
    net.record(target, "spikes")
    return net


def final(run: ns.Run) -> dict[tuple[str, str], np.ndarray]:
    """Return all numbers of a run, but for what stands behind the spikes of a step."""
    arrays = run.memory.arrays.items()
    return {key: array.copy() for key, array in arrays if key[1] != "_history"}


# One of each family; the interpreter takes seconds for each.
QUICK = ("stdp", "triplet_stdp", "reward_stdp", "inhibitory_stdp", "short_term", "three_factor")
NAMES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in RULES]


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_printed_as_triton_gives_the_bits_of_the_reference(name):
    delays = {"delay": ns.uniform("1 ms", "3 ms"), "round_delays": True}
    net = learning(RULES[name], **delays)
    runs = [ns.prepare(net, backend=b) for b in ("reference", backend)]
    for run in runs:
        run.run("14 ms", progress=False)
    expected, values = map(final, runs)
    assert expected.keys() == values.keys()
    wrong = [key for key in expected if not np.array_equal(expected[key], values[key])]
    assert wrong == []
    spikes = [[r.result()[p].spikes for p in ("source", "target")] for r in runs]
    for one, other in zip(*spikes, strict=True):
        assert (one.index == other.index).all() and (one.step == other.step).all()
        assert one.index.size >= 50


@cache
def delivered(delivery: str, *, turned: bool = False) -> np.ndarray:
    """Return the sums at ports after some steps; edges of a pair stand in either order."""
    net = ns.Network("sums", dt="1 ms", seed=2)
    source = net.bernoulli("source", 8, p=0.5)
    target = net.population("target", 5, LISTENER)
    random = np.random.default_rng(1)
    ends = random.integers(0, (8, 5), (400, 2))
    weights = random.normal(0, 1, 400)
    order = np.arange(400)[::-1] if turned else np.arange(400)
    net.project(
        source,
        target,
        ns.from_arrays(*ends[order].T),
        weight=weights[order],
        delay=(1.0 + ends.sum(axis=1) % 3)[order],
        port="synaptic",
    )
    exact = delivery == "reference"
    options: dict[str, Any] = {} if exact else {"delivery": delivery}
    run = ns.prepare(net, backend="reference" if exact else backend, **options)
    run.run("12 ms", progress=False)
    return run.memory["target", "heard"].copy()


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def test_sums_that_are_pushed_are_the_same_in_either_order_of_their_terms():
    assert digest(delivered("push")) == digest(delivered("push", turned=True))
    # Sums of floating point are not: the two orders are told apart.
    assert digest(delivered("pull")) != digest(delivered("pull", turned=True))


def test_sums_that_are_pushed_are_near_the_fold():
    fold = delivered("pull")
    pushed = delivered("push")
    assert (pushed != fold).all()
    assert np.abs(pushed - fold).max() < 400 * 12 * 2.0**-41


def test_sums_that_are_pulled_are_the_fold_of_the_reference():
    assert (delivered("pull") == delivered("reference")).all()
