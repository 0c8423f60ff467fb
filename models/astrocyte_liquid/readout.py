"""Readouts: one linear soft-max layer over normalised spike counts, trained in two ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CLASSES = 10
PENALTIES = (0.1, 0.03, 0.01, 0.003, 0.001)
# Of the published program: passes, learning rate, decay of averages, and what keeps roots from 0.
PASSES = 5000
RATE = 0.1
DECAY = 0.95
SMALLEST = 1e-8
WEIGHT_DECAY = 5e-10


@dataclass(frozen=True, eq=False)
class Readout:
    """A trained layer.

    Attributes
    ----------
    weights : (N, 10)
    bias : (10,)
    mean, scale : (N,)
        Features are ``(f - mean) / scale``, f being counts divided by their sum.
    """

    weights: NDArray[np.floating]
    bias: NDArray[np.floating]
    mean: NDArray[np.floating]
    scale: NDArray[np.floating]

    def predict(self, counts: ArrayLike) -> NDArray[np.int64]:
        """Return the class of each sample, (B,).

        Parameters
        ----------
        counts : (B, N)
        """
        features = self._standardise(counts)
        logits = features @ self.weights + self.bias
        return logits.argmax(axis=1)

    def accuracy(self, counts: ArrayLike, labels: ArrayLike) -> float:
        """Return the share of samples whose class is right.

        Parameters
        ----------
        counts : (B, N)
        labels : (B,)
        """
        is_right = self.predict(counts) == np.asarray(labels)
        return float(np.mean(is_right))

    def _standardise(self, counts: ArrayLike) -> NDArray[np.float32]:
        features = (normalise(counts) - self.mean) / self.scale
        return features.astype(np.float32)


def normalise(counts: ArrayLike) -> NDArray[np.float32]:
    """Divide the counts of each sample by their sum; a sample without a spike is 0.

    Parameters
    ----------
    counts : (B, N)
    """
    values = np.asarray(counts, np.float32)
    sums = values.sum(axis=1, keepdims=True)
    # Without the guard a silent sample is 0 / 0, which makes the whole readout not a number.
    return values / np.maximum(sums, 1.0)


def soft_targets(labels: ArrayLike) -> NDArray[np.float32]:
    """Return the targets of the published program, (B, 10): the soft-max of +1 and -1.

    Parameters
    ----------
    labels : (B,)
    """
    is_class = _is_class(labels)
    return _softmax(np.where(is_class, 1.0, -1.0)).astype(np.float32)


def loss(
    weights: NDArray,
    bias: NDArray,
    x: NDArray,
    targets: NDArray,
    penalty: float,
) -> tuple[float, NDArray, NDArray]:
    """Return the mean cross-entropy with ``penalty / 2 * sum(weights**2)``, and its gradients.

    Parameters
    ----------
    weights : (N, 10)
    bias : (10,)
    x : (B, N)
    targets : (B, 10)
    penalty : float, 1

    Returns
    -------
    float
    (N, 10), (10,)
        Derivatives by the weights and the bias.
    """
    # Products in the precision of the features; logarithms and sums in double.
    narrow_weights = weights.astype(x.dtype)
    narrow_bias = bias.astype(x.dtype)
    logits = (x @ narrow_weights + narrow_bias).astype(np.float64)
    # The largest becomes 0, so that no exponential overflows; the soft-max stays the same.
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    sums = exponentials.sum(axis=1, keepdims=True)
    cross_entropies = np.sum(targets * (np.log(sums) - logits), axis=1)
    value = float(np.mean(cross_entropies))
    squares = float(np.sum(weights**2))
    answers = exponentials / sums
    error = ((answers - targets) / len(x)).astype(x.dtype)
    by_weights = (x.T @ error).astype(np.float64) + penalty * weights
    by_bias = error.sum(axis=0)
    return value + penalty / 2 * squares, by_weights, by_bias


def convex(
    counts: ArrayLike,
    labels: ArrayLike,
    *,
    penalty: float,
    hard: bool = True,
) -> Readout:
    """Train by a quasi-Newton method, whose end does not depend on its beginning.

    Parameters
    ----------
    counts : (B, N)
    labels : (B,)
    penalty : float, 1
        Of the squared weights over features of variance 1.
    hard : bool
        Targets are 1 and 0, not those of the published program.
    """
    from scipy.optimize import minimize

    raw = normalise(counts)
    mean = raw.mean(axis=0)
    deviation = raw.std(axis=0)
    # A neuron that never spikes has no variance, and says nothing.
    scale = np.where(deviation > 0, deviation, 1.0).astype(np.float32)
    x = (raw - mean) / scale
    size = x.shape[1]
    exact = _is_class(labels).astype(np.float32)
    targets = exact if hard else soft_targets(labels)

    # SciPy minimises over one flat array: the weights row by row, then the bias.
    def unpack(flat: NDArray) -> tuple[NDArray, NDArray]:
        weights = flat[:-CLASSES].reshape(size, CLASSES)
        return weights, flat[-CLASSES:]

    def objective(flat: NDArray) -> tuple[float, NDArray]:
        weights, bias = unpack(flat)
        value, by_weights, by_bias = loss(weights, bias, x, targets, penalty)
        return value, np.concatenate([by_weights.ravel(), by_bias])

    start = np.zeros((size + 1) * CLASSES)
    end = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 300},
    )
    weights, bias = unpack(end.x)
    return Readout(weights.astype(np.float32), bias, mean, scale)


def choose_convex(
    counts: ArrayLike,
    labels: ArrayLike,
    validation_counts: ArrayLike,
    validation_labels: ArrayLike,
) -> tuple[Readout, float, float]:
    """Train with each of several penalties, and choose that which classifies validation best.

    Parameters
    ----------
    counts, validation_counts : (B, N)
    labels, validation_labels : (B,)

    Returns
    -------
    Readout, penalty, accuracy of validation
    """
    readouts = [convex(counts, labels, penalty=penalty) for penalty in PENALTIES]
    scores = [readout.accuracy(validation_counts, validation_labels) for readout in readouts]
    # Of equal ones the first, which has the strongest penalty.
    best = int(np.argmax(scores))
    return readouts[best], PENALTIES[best], scores[best]


def published(
    counts: ArrayLike,
    labels: ArrayLike,
    validation_counts: ArrayLike,
    validation_labels: ArrayLike,
    *,
    passes: int = PASSES,
    batch: int = 250,
    after_pass: Callable[[int, float], object] = lambda number, accuracy: None,
) -> tuple[Readout, int, float]:
    """Train as the published program does: Adadelta, soft targets, samples in fixed order.

    Features are divided by the largest of all training samples, where the program takes that of
    each batch, so that a prediction does not depend on other samples. The readout is that of the
    pass with the best accuracy of validation.

    Parameters
    ----------
    counts, validation_counts : (B, N)
    labels, validation_labels : (B,)
    passes, batch : int
        Through all samples, and samples per step: 50 for the large model.
    after_pass : function (number, accuracy of validation)

    Returns
    -------
    Readout, best pass, accuracy of validation

    Source: Zeiler 2012, arXiv:1212.5701, algorithm 1; values of the authors' published code.
    """
    raw = normalise(counts)
    size = raw.shape[1]
    largest = np.full(size, raw.max(), np.float32)
    x = raw / largest
    validation = normalise(validation_counts) / largest
    targets = soft_targets(labels)
    nothing = np.zeros(size, np.float32)
    layer = np.zeros((size + 1, CLASSES), np.float32)  # the last row is the bias
    squares = np.zeros_like(layer)
    steps = np.zeros_like(layer)
    gradient = np.zeros_like(layer)

    def copy_layer() -> Readout:
        # The layer goes on changing in place.
        return Readout(layer[:-1].copy(), layer[-1].copy(), nothing, largest)

    # Below any accuracy, so that the first pass is better.
    best = (copy_layer(), 0, -1.0)
    for number in range(1, passes + 1):
        for first in range(0, len(x), batch):
            minibatch = slice(first, first + batch)
            _, gradient[:-1], gradient[-1] = loss(
                layer[:-1], layer[-1], x[minibatch], targets[minibatch], WEIGHT_DECAY
            )
            squares *= DECAY
            squares += (1 - DECAY) * gradient**2
            # Past steps over past gradients: a rate for each weight, in its own unit.
            rates = np.sqrt((steps + SMALLEST) / (squares + SMALLEST))
            step = rates * gradient
            steps *= DECAY
            steps += (1 - DECAY) * step**2
            layer -= RATE * step
        logits = validation @ layer[:-1] + layer[-1]
        is_right = logits.argmax(axis=1) == np.asarray(validation_labels)
        accuracy = float(np.mean(is_right))
        if accuracy > best[2]:
            best = copy_layer(), number, accuracy
        after_pass(number, accuracy)
    return best


def _is_class(labels: ArrayLike) -> NDArray[np.bool_]:
    """Return for each sample which class is its own, (B, 10)."""
    return np.arange(CLASSES) == np.asarray(labels)[:, None]


def _softmax(logits: NDArray) -> NDArray:
    largest = logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits - largest)
    sums = exponentials.sum(axis=1, keepdims=True)
    return exponentials / sums
