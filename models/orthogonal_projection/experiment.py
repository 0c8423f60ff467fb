"""Experiments behind the acceptance checks: unit vectors, subspaces, small courses of tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
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
    counts = spikes.sum(0).astype(int)
    height = 0.3 / STEP
    weights = step_weights(DEFAULTS).double().numpy()
    rates = height * (weights[:, None] * spikes).sum(0)
    # Published steps are counted from 1.
    steps_of_1 = np.flatnonzero(spikes[:, 1]) + 1
    return {
        "spikes": counts.tolist(),
        "rates": rates.tolist(),
        "steps of 1.0": steps_of_1.tolist(),
        "gain": steps * float((weights**2).sum()),
    }


def gradients(_: str) -> Result:
    """Compare outputs and gradients with and without a projection (U3, U4)."""
    samples = _tiny_tasks(1)[0].train
    outputs = []
    gradients_by_layer = []  # without and with a projection
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
            rows = {name: subspace.old for name, subspace in circuits.subspaces.items()}
        optimizer = learner.optimizer(learner.trainer)
        learner.trainer.attach(optimizer)
        output = learner.output(samples.take(slice(0, 16)), 0)
        outputs.append(output.detach())
        labels = torch.from_numpy(samples.labels[:16])
        learner.loss(output, labels).backward()
        optimizer.step()
        gradients_by_layer.append({name: _gradient(learner, name) for name in TINY_ROWS})
    plain, with_projection = gradients_by_layer
    errors = []
    for name, gradient in plain.items():
        old = rows[name].double()
        # The plain gradient times I - H^T H, H being the old rows.
        expected = gradient - (gradient @ old.T) @ old
        difference = with_projection[name] - expected
        errors.append(float(difference.norm() / expected.norm()))
    # A projection that changes nothing would be right for a bad reason.
    change = with_projection["layer2"] - plain["layer2"]
    return {
        "equal": bool(torch.equal(*outputs)),
        "output": float(outputs[0].abs().sum()),
        "error": max(errors),
        "changed": float(change.abs().max()),
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
    old_rows: list[dict[str, torch.Tensor]] = []  # after each task, by layer

    def note(task: int, _: Course) -> None:
        subspaces = strategy.circuits.subspaces
        old_rows.append({name: subspace.old.clone() for name, subspace in subspaces.items()})

    learn_tasks(learner, tasks, strategy=strategy, progress=False, after_task=note)
    identical = True
    for before, after in pairwise(old_rows):
        for name, rows in before.items():
            identical = identical and torch.equal(rows, after[name][: len(rows)])
    # Rows that never learned would stay as they are for a bad reason.
    fresh = make_learner(TINY, 1)
    start = projected(fresh, TINY, TINY_ROWS, seed=1).circuits
    start.begin_task(fresh.optimizer(fresh.trainer))
    changes = []
    for name in TINY_ROWS:
        change = start.subspaces[name].new - old_rows[0][name]
        changes.append(float(change.abs().max()))
    return {"identical": identical, "learned": min(changes)}


# ---- P1 to P5


def principal(_: str, *, seed: int) -> Result:
    """Let rows learn two subspaces of 10 directions, one after the other (P1, P2)."""
    first = _Gaussian(seed, "data0", _two_levels())
    second = _Gaussian(seed, "data1", _two_levels())
    subspace = _subspace(10, seed=seed)
    alignments = {}
    for number in range(1, 101):
        subspace.learn(first.batch(number))
        if number in (10, 50, 100):
            alignments[str(number)] = alignment(subspace.rows, first.basis(10))
    deviation = subspace.deviation()
    subspace.merge()
    subspace.add(10, seed=seed, name="second")
    for number in range(1, 1001):
        subspace.learn(second.batch(number))
    both = torch.cat([first.basis(10), second.basis(10)])
    angles = principal_angles(subspace.rows.numpy(), both.numpy())
    cosines = np.cos(np.radians(angles))
    overlap = subspace.old @ subspace.new.T
    return {
        "alignment": alignments,
        "deviation": deviation,
        "smallest cosine": float(cosines.min()),
        "deviation of both": subspace.deviation(),
        "overlap": float(overlap.abs().max()),
    }


def interference(_: str, *, seed: int) -> Result:
    """Return how much of an update reaches old input, after some minibatches (P3)."""
    old = _Gaussian(seed, "old", _rank(10))
    new = _Gaussian(seed, "new", _rank(10))
    subspace = _subspace(10, seed=seed)
    leaks = {}
    kept_share = 0.0
    for number in range(1, 501):
        subspace.learn(old.batch(number))
        if number in (100, 500):
            errors = _normal(seed, "errors", (BATCH, 20))
            # Numbers of minibatches that the rows have not learned.
            x = new.batch(10_000)
            old_input = old.batch(20_000).T
            in_subspace = (x @ subspace.rows.T) @ subspace.rows
            plain = errors.T @ x
            update = errors.T @ (x - in_subspace)
            reaching = (update @ old_input).norm()
            leaks[str(number)] = float(reaching / (plain @ old_input).norm())
            kept_share = float(update.norm() / plain.norm())
    return {"leak": leaks, "kept": kept_share}


def too_few(_: str, *, seed: int) -> Result:
    """Return the variance that 10 rows hold of a spectrum of 100, and the largest share (P4)."""
    variances = 4 * torch.arange(1, 101, dtype=torch.float64) ** -1.5
    data = _Gaussian(seed, "spectrum", variances)
    subspace = _subspace(10, seed=seed)
    for number in range(1, 1001):
        subspace.learn(data.batch(number))
    # A basis of the same span is orthonormal: lengths of rows must not count.
    basis, _ = torch.linalg.qr(subspace.rows.T)
    moment = data.rotation.T @ torch.diag(variances) @ data.rotation
    total = variances.sum()
    held = torch.trace(basis.T @ moment @ basis) / total
    optimal = variances[:10].sum() / total
    return {"held": float(held), "optimal": float(optimal)}


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
    overlap = rows @ basis.T
    return float(overlap.square().sum() / len(basis))


class _Gaussian:
    """Samples with given variances along random orthonormal directions."""

    def __init__(self, seed: int, name: str, variances: torch.Tensor) -> None:
        size = len(variances)
        self.name = name
        self.seed = seed
        self.deviations = variances.sqrt()
        square = _normal(seed, f"{name}/rotation", (size, size))
        self.rotation, _ = torch.linalg.qr(square)

    def basis(self, count: int) -> torch.Tensor:
        """Return the directions of the largest variances, (count, N)."""
        return self.rotation[:count]

    def batch(self, number: int) -> torch.Tensor:
        """Return a minibatch, (B, N)."""
        shape = BATCH, len(self.deviations)
        along_axes = _normal(self.seed, self.name, shape, number) * self.deviations
        return along_axes @ self.rotation


def _normal(
    seed: int,
    name: str,
    shape: tuple[int, int],
    number: int = 0,
) -> torch.Tensor:
    stream = Stream(seed, f"orthogonal_projection/{name}")
    draws = stream.normal(np.arange(math.prod(shape)), number)
    return torch.from_numpy(draws.reshape(shape))


def _two_levels() -> torch.Tensor:
    high = torch.linspace(4.0, 2.0, 10, dtype=torch.float64)
    low = torch.full((90,), 0.05, dtype=torch.float64)
    return torch.cat([high, low])


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
    train = _digits("train")
    if shuffled:
        numbers = Stream(seed, "orthogonal_projection/images").uniform(np.arange(len(train)))
        train = train.subset(np.argsort(numbers))
    train = train.subset(slice(0, images or None))
    tested = slice(tests, None) if tests < 0 else slice(0, tests or None)
    test = _digits("test").subset(tested)
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

    def blur(name: str, size: int) -> Samples:
        labels = np.arange(size) % 4
        noise = _normal(0, name, (size, 20)).numpy()
        values = (patterns[labels] + noise).astype(np.float32)
        return Samples(values, labels)

    return permuted(blur("train", 160), blur("test", 40), count=count, seed=0)
