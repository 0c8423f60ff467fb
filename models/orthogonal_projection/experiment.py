"""Experiments behind the acceptance checks: unit vectors, subspaces, small courses of tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

import neurosim as ns
from neurosim import datasets
from neurosim.draws.streams import Stream

from ..continual_learning.course import Course, learn_tasks
from ..continual_learning.learner import Learner
from ..continual_learning.tasks import Samples, Task, permuted, samples_of
from .dimensions import principal_angles
from .learner import make_learner, projected, step_weights
from .network import rate_neuron
from .settings import DEFAULTS, SMALL_ROWS, STEP, Settings
from .strategy import Projected
from .subspace import Learning, Subspace

Result = dict[str, Any]
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST, authors' published code
BATCH = 64
CURRENTS = (0.5, 1.0, 2.0, 6.0, 8.0)
TINY = Settings(way="bptt", inputs=20, hidden=30, classes=4, epochs=1, batch=16)
TINY_ROWS = {"layer1": 4, "layer2": 5, "head": 5}


# ---- U1 to U5


def neuron_for_rates(backend: str) -> Result:
    """Return spikes and weighted rates of neurons for DSR at constant currents (U1)."""
    steps = DEFAULTS.duration
    net = ns.Network("rates", dt=f"{STEP} ms")
    cells = net.population("cells", len(CURRENTS), rate_neuron(), current=np.array(CURRENTS))
    net.record(cells, "spikes")
    recorded = ns.simulate(net, f"{steps * STEP} ms", backend=backend, progress=False)
    train = recorded["cells"].spikes
    spikes = np.zeros((steps, len(CURRENTS)))
    spikes[train.step, train.index] = 1.0
    height = 0.3 / STEP
    weights = step_weights(DEFAULTS).double().numpy()
    rates = height * (weights[:, None] * spikes).sum(0)
    return {
        "spikes": spikes.sum(0).astype(int).tolist(),
        "rates": rates.tolist(),
        "steps of 1.0": (np.flatnonzero(spikes[:, 1]) + 1).tolist(),
        "gain": steps * float((weights**2).sum()),
    }


def gradients(_: str) -> Result:
    """Compare outputs and gradients with and without a projection (U3, U4)."""
    samples = _tiny_tasks(1)[0].train
    outputs, weights = [], []
    rows = {}
    for with_circuits in (False, True):
        learner = make_learner(TINY, 1)
        if with_circuits:
            strategy = projected(learner, TINY, TINY_ROWS, seed=1)
            circuits = strategy.circuits
            # Two tasks, so that rows of the first one project in the second.
            for number in range(2):
                circuits.begin_task(learner.optimizer(learner.trainer))
                if number == 0:
                    circuits.end_task()
            rows = {name: s.old for name, s in circuits.subspaces.items()}
        optimizer = learner.optimizer(learner.trainer)
        learner.trainer.attach(optimizer)
        output = learner.output(samples.take(slice(0, 16)), 0)
        outputs.append(output.detach())
        labels = torch.from_numpy(samples.labels[:16])
        learner.loss(output, labels).backward()
        optimizer.step()
        weights.append({n: _gradient(learner, n) for n in TINY_ROWS})
    errors = []
    for name, plain in weights[0].items():
        h = rows[name].double()
        expected = plain - (plain @ h.T) @ h
        errors.append(float((weights[1][name] - expected).norm() / expected.norm()))
    changed = float((weights[1]["layer2"] - weights[0]["layer2"]).abs().max())
    return {
        "equal": bool(torch.equal(*outputs)),
        "output": float(outputs[0].abs().sum()),
        "error": max(errors),
        "changed": changed,
    }


def _gradient(learner: Learner, name: str) -> torch.Tensor:
    gradient = learner.trainer[name].grad
    if gradient is None:
        raise LookupError(f"{name!r} has no gradient")
    return gradient.double()


def frozen(_: str) -> Result:
    """Compare old rows before and after a task (U5)."""
    tasks = _tiny_tasks(3)
    learner = make_learner(TINY, 1)
    strategy = projected(learner, TINY, TINY_ROWS, seed=1)
    snapshots: list[dict[str, torch.Tensor]] = []

    def note(task: int, _: Course) -> None:
        snapshots.append({n: s.old.clone() for n, s in strategy.circuits.subspaces.items()})

    learn_tasks(learner, tasks, strategy=strategy, progress=False, after_task=note)
    pairs = [
        (before[n], after[n])
        for before, after in zip(snapshots, snapshots[1:], strict=False)
        for n in before
    ]
    same = all(torch.equal(a, b[: len(a)]) for a, b in pairs)
    # Rows that never learned would stay as they are for a bad reason.
    fresh = make_learner(TINY, 1)
    start = projected(fresh, TINY, TINY_ROWS, seed=1).circuits
    start.begin_task(fresh.optimizer(fresh.trainer))
    learned = min(float((start.subspaces[n].new - snapshots[0][n]).abs().max()) for n in TINY_ROWS)
    return {"identical": same, "learned": learned}


# ---- P1 to P5


def principal(_: str, *, seed: int) -> Result:
    """Let rows learn two subspaces of 10 directions, one after the other (P1, P2)."""
    data = [_Gaussian(seed, f"data{k}", _two_levels()) for k in range(2)]
    subspace = _subspace(10, seed=seed)
    alignments = {}
    for number in range(1, 101):
        subspace.learn(data[0].batch(number))
        if number in (10, 50, 100):
            alignments[str(number)] = alignment(subspace.rows, data[0].basis(10))
    deviation = subspace.deviation()
    subspace.merge()
    subspace.add(10, seed=seed, name="second")
    for number in range(1, 1001):
        subspace.learn(data[1].batch(number))
    both = torch.cat([d.basis(10) for d in data])
    angles = principal_angles(subspace.rows.numpy(), both.numpy())
    overlap = subspace.old @ subspace.new.T
    return {
        "alignment": alignments,
        "deviation": deviation,
        "smallest cosine": float(np.cos(np.radians(angles)).min()),
        "deviation of both": subspace.deviation(),
        "overlap": float(overlap.abs().max()),
    }


def interference(_: str, *, seed: int) -> Result:
    """Return how much of an update reaches old input, after some minibatches (P3)."""
    old, new = (_Gaussian(seed, name, _rank(10)) for name in ("old", "new"))
    subspace = _subspace(10, seed=seed)
    leaks = {}
    kept_share = 0.0
    for number in range(1, 501):
        subspace.learn(old.batch(number))
        if number in (100, 500):
            errors = _normal(seed, "errors", (BATCH, 20))
            x = new.batch(10_000)
            plain = errors.T @ x
            update = errors.T @ (x - (x @ subspace.rows.T) @ subspace.rows)
            before = old.batch(20_000).T
            leaks[str(number)] = float((update @ before).norm() / (plain @ before).norm())
            kept_share = float(update.norm() / plain.norm())
    return {"leak": leaks, "kept": kept_share}


def too_few(_: str, *, seed: int) -> Result:
    """Return the variance that 10 rows hold of a spectrum of 100, and the largest share (P4)."""
    variances = 4 * torch.arange(1, 101, dtype=torch.float64) ** -1.5
    data = _Gaussian(seed, "spectrum", variances)
    subspace = _subspace(10, seed=seed)
    for number in range(1, 1001):
        subspace.learn(data.batch(number))
    # Of orthonormal rows of the same span: lengths of rows must not count.
    rows = torch.linalg.qr(subspace.rows.T)[0].T
    moment = data.rotation.T @ torch.diag(variances) @ data.rotation
    held = float(torch.trace(rows @ moment @ rows.T) / variances.sum())
    return {"held": held, "optimal": float(variances[:10].sum() / variances.sum())}


def spiking(_: str, *, seed: int, levels: tuple[int, ...] = (10, 20, 40, 1000)) -> Result:
    """Return alignments of rows of spiking lateral neurons, by their levels (P5)."""
    data = _Gaussian(seed, "old", _rank(10))
    alignments = {}
    for number in levels:
        subspace = _subspace(10, seed=seed, levels=number)
        for batch in range(1, 301):
            subspace.learn(data.batch(batch))
        alignments[str(number)] = alignment(subspace.rows, data.basis(10))
    return {"alignment": alignments}


def alignment(rows: torch.Tensor, basis: torch.Tensor) -> float:
    """Return the squared Frobenius norm of H U, divided by the number of directions.

    Parameters
    ----------
    rows : (M, N)
        H.
    basis : (K, N)
        Orthonormal; U transposed.
    """
    return float((rows @ basis.T).square().sum() / len(basis))


class _Gaussian:
    """Samples with given variances along random orthonormal directions."""

    def __init__(self, seed: int, name: str, variances: torch.Tensor) -> None:
        size = len(variances)
        self.name = name
        self.seed = seed
        self.deviations = variances.sqrt()
        self.rotation = torch.linalg.qr(_normal(seed, f"{name}/rotation", (size, size)))[0]

    def basis(self, count: int) -> torch.Tensor:
        """Return the directions of the largest variances, (count, N)."""
        return self.rotation[:count]

    def batch(self, number: int) -> torch.Tensor:
        """Return a minibatch, (B, N)."""
        shape = BATCH, len(self.deviations)
        return (_normal(self.seed, self.name, shape, number) * self.deviations) @ self.rotation


def _normal(
    seed: int,
    name: str,
    shape: tuple[int, int],
    number: int = 0,
) -> torch.Tensor:
    draws = Stream(seed, f"orthogonal_projection/{name}").normal(
        np.arange(math.prod(shape)), number
    )
    return torch.from_numpy(draws.reshape(shape))


def _two_levels() -> torch.Tensor:
    high = torch.linspace(4.0, 2.0, 10, dtype=torch.float64)
    return torch.cat([high, torch.full((90,), 0.05, dtype=torch.float64)])


def _rank(count: int) -> torch.Tensor:
    variances = _two_levels()
    variances[count:] = 0.0
    return variances


def _subspace(rows: int, *, seed: int, levels: int = 0) -> Subspace:
    like = torch.zeros(1, dtype=torch.float64)
    subspace = Subspace(100, Learning(rate=0.01, levels=levels), like=like)
    subspace.add(rows, seed=seed, name="first")
    return subspace


# ---- S1 to S5


def course(
    _: str,
    *,
    settings: Settings,
    strategy: str,
    rows: Mapping[str, Any] = SMALL_ROWS,
    tasks: int = 5,
    images: int = 8000,
    tests: int = -2000,
    shuffled: bool = False,
    seed: int = 0,
) -> Result:
    """Return the accuracy matrix of permuted MNIST (S1 to S5)."""
    listed = permuted_digits(tasks, images=images, tests=tests, shuffled=shuffled, seed=seed)
    learner = make_learner(settings, seed)
    chosen: Projected | str = strategy
    if strategy == "hlop":
        chosen = projected(learner, settings, rows, seed=seed)
    done = learn_tasks(learner, listed, strategy=chosen, seed=seed, progress=False)
    course_of_rows = chosen.course if isinstance(chosen, Projected) else []
    return {
        "matrix": done.accuracy.values.tolist(),
        "acc": 100 * done.accuracy.acc,
        "bwt": 100 * done.accuracy.bwt,
        "seconds": list(done.seconds),
        "rows": course_of_rows,
    }


def permuted_digits(
    tasks: int,
    *,
    images: int,
    tests: int,
    shuffled: bool = False,
    seed: int = 0,
) -> list[Task]:
    """Return tasks of permuted MNIST.

    Parameters
    ----------
    tasks : int
    images : int
        Of the training part, from the first; 0: all.
    tests : int
        Of the test part, from the first; 0: all; negative: so many from the last. The last 2000 are
        easier than the first.
    shuffled : bool
        Whether training images are taken from a seeded permutation of them all.
    seed : int
    """
    train, test = (_digits(split) for split in ("train", "test"))
    if shuffled:
        numbers = Stream(seed, "orthogonal_projection/images").uniform(np.arange(len(train)))
        train = train.subset(np.argsort(numbers))
    train = train.subset(slice(0, images or None))
    test = test.subset(slice(tests, None) if tests < 0 else slice(0, tests or None))
    return permuted(train, test, count=tasks, seed=seed)


def _digits(split: Literal["train", "test"]) -> Samples:
    return samples_of(datasets.load("mnist", split), mean=MEAN, deviation=DEVIATION)


def repeated(backend: str, *, seed: int = 0) -> Result:
    """Return the matrix of a short course, which runs in a process of its own (S4)."""
    short = replace(DEFAULTS, epochs=1)
    options: Result = {"tasks": 3, "images": 1500, "tests": 500}
    return course(backend, settings=short, strategy="hlop", seed=seed, **options)


def _tiny_tasks(count: int) -> list[Task]:
    """Return permuted tasks of four blurred patterns, which need no data."""
    patterns = 2 * _normal(0, "patterns", (4, 20)).numpy()
    parts = []
    for name, size in (("train", 160), ("test", 40)):
        labels = np.arange(size) % 4
        noise = _normal(0, name, (size, 20)).numpy()
        values = (patterns[labels] + noise).astype(np.float32)
        parts.append(Samples(values, labels))
    return permuted(parts[0], parts[1], count=count, seed=0)
