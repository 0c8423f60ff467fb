"""Measures of predictions and of readout weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .network import Settings
from .trials import Prediction, Truth, times


def relative_error(prediction: Prediction, truth: Truth, settings: Settings) -> float:
    """Return the distance of a prediction from the truth, in units of the truth's norm.

    A silent model has 1.

    Parameters
    ----------
    prediction : Prediction
    truth : Truth
    settings : Settings
    """
    wanted = truth.probabilities * truth.bumps(settings)
    distance = np.linalg.norm(prediction.over_time - wanted)
    return float(distance / np.linalg.norm(wanted))


def timing_error(prediction: Prediction, truth: Truth, settings: Settings) -> list[float]:
    """Return the time of each channel's highest prediction after 60 ms, minus its latency, ms.

    Parameters
    ----------
    prediction : Prediction
    truth : Truth
    settings : Settings
    """
    # The cue itself drives the readouts in the first milliseconds.
    late = times(settings) >= 60.0
    highest = prediction.over_time[late].argmax(axis=0)
    peaks = times(settings)[late][highest]
    delays = peaks - np.array(truth.latencies)
    return [float(delay) for delay in delays]


def amplitude(prediction: Prediction, truth: Truth, settings: Settings) -> list[float]:
    """Return the mean prediction of each channel around its latency, relative to its bump.

    Parameters
    ----------
    prediction : Prediction
    truth : Truth
    settings : Settings
    """
    # One standard deviation of the bump to both sides: a mean is less noisy than a peak.
    bumps = truth.bumps(settings)
    distance = np.abs(times(settings)[:, None] - np.array(truth.latencies))
    amplitudes = []
    for channel in range(2):
        near = distance[:, channel] <= 40.0
        predicted = prediction.over_time[near, channel].mean()
        amplitudes.append(float(predicted / bumps[near, channel].mean()))
    return amplitudes


def correlation(a: Any, b: Any) -> float:
    """Return Pearson's r; NaN if one of the two is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(a, b)[0, 1])


def subspace_angles(what: np.ndarray, when: np.ndarray) -> list[float]:
    """Return the two principal angles between the readouts' subspaces of neuron space, degrees,
    ascending.

    A readout without weights spans nothing; its angles are 0, the worst value.
    """
    from scipy.linalg import subspace_angles as principal_angles

    if min(np.linalg.matrix_rank(what), np.linalg.matrix_rank(when)) < 2:
        return [0.0, 0.0]
    angles = np.degrees(principal_angles(what.T, when.T))
    return [float(angle) for angle in np.sort(angles)]


def weight_geometry(
    what: np.ndarray,
    when: np.ndarray,
    *,
    p: np.ndarray,
    latency: np.ndarray,
) -> dict[str, Any]:
    """Analyse readout weights over conditions.

    Parameters
    ----------
    what, when : (C, 2N)
        Weights of both channels in each of C conditions.
    p, latency : (C,)
        Of event A.

    Returns
    -------
    dict
        ``p`` and ``latency``: absolute correlations with the two first principal components, one
        for each, matched so that their sum is largest; ``variance``: shares of these components;
        ``scores``: (C, 2); ``angle``: degrees between the directions in weight space along which p
        and latency act.
    """
    centred = [block - block.mean(axis=0) for block in (what, when)]
    # Both readouts weigh the same, whatever the scale of their weights.
    sizes = [np.sqrt((block**2).sum() / len(block)) for block in centred]
    scaled = np.hstack([block / size for block, size in zip(centred, sizes, strict=True)])
    left, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    scores = left[:, :2] * singular[:2]
    # The sign of a component is arbitrary.
    of_p = [abs(correlation(scores[:, k], p)) for k in range(2)]
    of_latency = [abs(correlation(scores[:, k], latency)) for k in range(2)]
    straight = (of_p[0], of_latency[1])
    crossed = (of_p[1], of_latency[0])
    best = max(straight, crossed, key=sum)
    design = np.column_stack([np.ones(len(p)), p, latency])
    # Unscaled: the directions asked for are those of the weights themselves.
    solution, *_ = np.linalg.lstsq(design, np.hstack([what, when]), rcond=None)
    _, by_p, by_latency = solution
    lengths = np.linalg.norm(solution[1:], axis=1)
    cosine = abs(by_p @ by_latency) / np.prod(lengths)
    shares = singular[:2] ** 2 / (singular**2).sum()
    return {
        "p": best[0],
        "latency": best[1],
        "variance": [float(share) for share in shares],
        "scores": scores.tolist(),
        # Rounding may leave a cosine just above 1.
        "angle": float(np.degrees(np.arccos(min(cosine, 1.0)))),
    }
