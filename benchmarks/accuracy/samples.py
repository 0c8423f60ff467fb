"""Samples of a trained network, run one by one on a backend and compared with the Trainer's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurosim as ns


def run_samples(
    net: ns.Network, source: str, spikes: NDArray[np.floating], *, output: str, backend: str
) -> NDArray[np.uint8]:
    """Return the spikes of a population for samples of input spikes, (T, B, N).

    Parameters
    ----------
    net : Network
        Its recordings are replaced.
    source, output : str
        Names of populations.
    spikes : (T, B, M)
        0 or 1.
    backend : str
    """
    net.probes.clear()
    net.record(net.populations[output], "spikes")
    steps, samples, _ = spikes.shape
    run = ns.prepare(net, backend=backend)
    start = run.snapshot()
    result = np.zeros((steps, samples, net.populations[output].size), np.uint8)
    for b in range(samples):
        # The clock too: the recording then holds this sample alone.
        run.restore(start, clock=True)
        when, index = np.nonzero(spikes[:, b])
        run.set(source, steps=(index, when))
        run.run(steps * net.dt, progress=False)
        train = run.result()[output].spikes
        result[train.step, b, train.index] = 1
    return result


def compare_samples(
    trained: NDArray[np.floating], run: NDArray[np.uint8], labels: NDArray[np.integer]
) -> dict[str, Any]:
    """Return how many spikes differ, and the accuracy of both, by the class that spikes most.

    Parameters
    ----------
    trained, run : (T, B, 10)
    labels : (B,)

    Raises
    ------
    ValueError
        If no neuron spikes: the comparison would mean nothing.
    """
    if not trained.any() or not run.any():
        raise ValueError("no neuron spikes: expected spikes of the Trainer and of the run")
    answers = [spikes.sum(axis=0).argmax(axis=1) for spikes in (trained, run)]
    differs = (trained != run).any(axis=(0, 2))
    return {
        "samples": len(labels),
        "spikes that differ": int((trained != run).sum()),
        "samples that differ": np.flatnonzero(differs).tolist(),
        "accuracy of the Trainer": float(np.mean(answers[0] == labels)),
        "accuracy of the run": float(np.mean(answers[1] == labels)),
    }
