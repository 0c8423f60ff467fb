"""Experiments behind the acceptance checks: unit vectors, wiring, homeostasis, classification."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import neurosim as ns

from .classification import Classification, encode, load
from .demonstrate import branching
from .measures import BATCH, branching_factor, watched
from .network import PLASTIC, astrocyte, build, neuron, rule
from .readout import choose_convex, convex, loss, soft_targets
from .samples import FADE, Liquid
from .settings import DEFAULTS, VARIANTS, Settings, Task

Result = dict[str, Any]
PRESENTED = 500  # before the branching factor has settled
SMALL = Settings(side=4, inputs=30, density=0.5, gain=0.1)  # for questions that ask for no size


def pulse(backend: str) -> Result:
    """Return the course of v after one spike over an edge of weight 10 (U1)."""
    still = rule(learning=False)
    run = _pair(backend, pre=[0], steps=8, learning=still, weight=10.0)
    v = run.result()["post"].trace("v").values
    # The first value is that of rest, before the spike.
    return {"v": v[1:, 0].tolist()}


def driven(backend: str) -> Result:
    """Return the spikes of an input with an event in each of 250 steps (U2)."""
    net = ns.Network("driven", dt="1 ms")
    source = net.population("input", 1, neuron(driven=True), p=1.0)
    net.record(source, "spikes")
    recorded = ns.simulate(net, "249 ms", backend=backend, progress=False)
    # Step k of ours carries the spikes of step k + 1 of the published program.
    return {"steps": (recorded["input"].spikes.step + 1).tolist()}


def plasticity(backend: str) -> Result:
    """Return changes of a weight: causal, anticausal, of an inhibitory source, at the bound."""
    changes = {}
    for name, pre, post in (("causal", [1], [6]), ("anticausal", [6], [1])):
        for sign in (1.0, -1.0):
            bounds: Result = {"w_min": -3.0, "w_max": 3.0, "sign": sign}
            run = _pair(backend, pre=pre, post=post, steps=10, **bounds)
            changes[f"{name}, sign {sign:g}"] = float(run.get("edge", "w")) - 1.0
    run = _pair(backend, pre=[1], post=[4, 8], steps=10, weight=3.0)
    alone = _pair(backend, pre=[1], steps=10)
    trace = alone.result()["pre"].trace("trace").values[:, 0]
    changes["at the bound"] = float(run.get("edge", "w"))
    # Any two steps after the only spike would do.
    changes["decay"] = float(trace[5] / trace[4])
    return changes


def level(backend: str) -> Result:
    """Return level and growth of an astrocyte after 100 steps of 10 more liquid spikes (U6)."""
    measured = {}
    for name, fade in (("steady", 1.0), ("fading", FADE)):
        net = ns.Network("astrocyte", dt="1 ms")
        every_step = np.arange(1.0, 102.0)
        source = net.spike_source("liquid", 10, times=[every_step] * 10)
        start = {"level": 0.15, "bias": 0.15, "growth": 0.15, "gain": 0.015}
        glia = net.population("astrocyte", 1, astrocyte(), fade=1.0, **start)
        net.project(source, glia, ns.all_to_all(), weight=1.0)
        run = ns.prepare(net, backend=backend)
        run.run("1 ms", progress=False)  # the first spikes are felt in the next step
        run.set(glia, fade=fade, **start)
        run.run("100 ms", progress=False)
        states = ("level", "growth")
        measured[name] = {state: float(run.get(glia, state)[0]) for state in states}
    return measured


def hand_made_raster(_: str) -> Result:
    """Return the branching factor of the chain 0 -> 1 -> 2 (U7)."""
    raster = np.zeros((250, 3), bool)
    raster[[100, 102, 104], [0, 1, 2]] = True
    return {"branching": branching_factor(raster, np.array([0, 1]), np.array([1, 2]))}


def targets(_: str) -> Result:
    """Return the soft targets, and loss and gradient of a sample without spikes (U8, U9)."""
    silent = np.zeros((1, 5), np.float32)
    weights = np.zeros((5, 10))
    bias = np.zeros(10)
    soft = soft_targets([3])
    value, by_weights, by_bias = loss(weights, bias, silent, soft, 5e-10)
    numbers = [value, *by_weights.ravel(), *by_bias]
    finite = bool(np.isfinite(numbers).all())
    # Nine of the ten targets are equal, so two values are left.
    different = set(np.round(soft[0], 6).tolist())
    return {"targets": sorted(different), "finite": finite}


def wiring(backend: str, *, seed: int) -> Result:
    """Return how many edges a liquid of 1000 neurons has (S1)."""
    run = ns.prepare(build(DEFAULTS, seed), backend=backend)
    projections = run.network.projections
    sizes = {name: int(projections[name].targets.size) for name in PLASTIC}
    return {
        "liquid": sizes["excitation"] + sizes["inhibition"],
        "input": sizes["input->liquid"],
    }


def static_branching(backend: str, *, seed: int, weights: Sequence[float]) -> Result:
    """Return branching factors of static liquids, by weight (S2, F6)."""
    factors = {}
    for weight in weights:
        settings = replace(VARIANTS["static"], weight=weight)
        factor, _ = _branching(backend, settings, seed=seed)
        factors[f"{weight:g}"] = factor
    return factors


def homeostasis(
    backend: str,
    *,
    gain: float,
    seed: int = 0,
    presentations: int = PRESENTED,
) -> Result:
    """Return branching factor and rate of a liquid that has organised itself (S3, S4, S5, F6)."""
    settings = replace(DEFAULTS, gain=gain)
    factor, rate = _branching(backend, settings, seed=seed, presentations=presentations)
    return {"gain": gain, "branching": factor, "rate": rate}


def frozen(backend: str) -> Result:
    """Return the rate of a liquid whose weights stay where they start (S4)."""
    settings = replace(DEFAULTS, learning=False)
    _, rate = _branching(backend, settings, seed=0)
    return {"rate": rate}


def plain_learning(backend: str) -> Result:
    """Compare an astrocyte without gain with plain STDP, whose strengths are constants (S6)."""
    settings = replace(SMALL, gain=0.0)
    weights = []
    for linked in (True, False):
        run = ns.prepare(build(settings, 1, linked=linked), backend=backend)
        run.set("input", p=0.1)
        run.run("100 ms", progress=False)
        weights.append([np.array(run.get(name, "w")) for name in PLASTIC])
    differences = [np.abs(linked - plain).max() for linked, plain in zip(*weights, strict=True)]
    linked_weights, _ = weights
    return {
        "largest difference": float(max(differences)),
        # Without any learning both would be equal, which would prove nothing.
        "range of weights": max(float(np.ptp(array)) for array in linked_weights),
    }


def counts(backend: str) -> Result:
    """Return the counts of a small liquid after a little learning (S7)."""
    liquid = Liquid(SMALL, seed=1, backend=backend)
    image = np.full(30, 0.1)
    liquid.self_organise([image] * 3)
    return {"counts": liquid.present([image] * 3).tolist()}


def classify(
    backend: str,
    *,
    variant: str,
    seed: int = 0,
    dataset: str = "mnist",
    **task: Any,
) -> Result:
    """Return the accuracy of a variant of the liquid (S8, S9)."""
    with tempfile.TemporaryDirectory() as folder:
        work = Classification(
            Task(dataset=dataset, **task),
            settings=VARIANTS[variant],
            seed=seed,
            folder=folder,
            backend=backend,
            progress=False,
        )
        for _ in work.organise():
            pass
        samples = work.show()
        readout, penalty, validation = choose_convex(
            *samples.part("train"), *samples.part("validation")
        )
        test = readout.accuracy(*samples.part("test"))
    return {"test": test, "validation": validation, "penalty": penalty}


def camera(backend: str, *, seed: int = 0, folds: int = 5) -> Result:
    """Return the accuracy on recordings of an event camera, by cross-validation over all 1000."""
    with tempfile.TemporaryDirectory() as folder:
        task = Task(dataset="nmnist", samples=0, validation=100, presentations=5000)
        work = Classification(task, seed=seed, folder=folder, backend=backend, progress=False)
        for _ in work.organise():
            pass
        samples = work.show()
        table = samples.counts["train"]
        labels = samples.labels["train"]
        right = np.zeros(len(labels), bool)
        fold_of = np.arange(len(labels)) % folds
        for fold in range(folds):
            is_tested = fold_of == fold
            # A fixed penalty: one chosen by the same samples would flatter the result.
            readout = convex(table[~is_tested], labels[~is_tested], penalty=0.01)
            right[is_tested] = readout.predict(table[is_tested]) == labels[is_tested]
    share = float(right.mean())
    error = math.sqrt(share * (1 - share) / right.size)
    half = 1.96 * error  # of the interval that holds the true share in 95 % of cases
    return {"accuracy": share, "interval": [share - half, share + half]}


def _branching(
    backend: str,
    settings: Settings,
    *,
    seed: int,
    presentations: int = 0,
) -> tuple[float, float]:
    """Return branching factor and rate (Hz) over training images, after some presentations."""
    encoded = encode(load("mnist", "train"))
    liquid = Liquid(settings, seed=seed, backend=backend, threads=1)
    # The images that are watched are not among those that it learned from.
    learned = range(BATCH, BATCH + presentations)
    liquid.self_organise(map(encoded.whole, learned))
    rasters = liquid.rasters(encoded.whole(int(number)) for number in watched(BATCH))
    spikes = rasters.sum(axis=1).mean()
    rate = float(spikes / rasters.shape[1] * 1000)
    return branching(liquid, rasters), rate


def _pair(
    backend: str,
    *,
    pre: Sequence[int] = (),
    post: Sequence[int] = (),
    steps: int,
    learning: ns.Rule | None = None,
    weight: float = 1.0,
    **values: Any,
) -> Any:
    """Return the run of one edge whose ends were made to spike in the given steps."""
    net = ns.Network("pair", dt="1 ms")
    ends = {}
    # A teacher's spike reaches the target in the next step.
    spikes_of = {"pre": pre, "teacher": [step - 1 for step in post]}
    for name, spikes in spikes_of.items():
        probabilities = np.zeros((steps + 1, 1))
        probabilities[list(spikes)] = 1.0
        table = ns.table(probabilities, every="1 ms")
        ends[name] = net.population(name, 1, neuron(driven=True), p=table)
    # Without a teacher the target must not spike, whatever the edge delivers.
    threshold = "20 mV" if post else "1e9 mV"
    target = net.population("post", 1, neuron(), threshold=threshold)
    learns = learning or rule()
    everyone = ns.all_to_all()
    net.project(ends["pre"], target, everyone, rule=learns, weight=weight, name="edge", **values)
    still = rule(learning=False)
    # 25 mV in one step exceeds the threshold of 20 mV.
    net.project(ends["teacher"], target, everyone, rule=still, weight=25.0, name="teaching")
    net.record(target, "v")
    net.record(ends["pre"], "trace")
    run = ns.prepare(net, backend=backend)
    run.run(steps, progress=False)
    return run
