"""Lateral learning in the language: a rule that gathers samples and learns, on every engine.

The rule joins a layer's input, whose neurons have a parameter ``value``, to its subspace neurons,
whose parameter ``plastic`` is 1 or, of frozen rows, 0. The signal ``"sample"`` gathers a sample;
``"learn"`` takes a step by the mean of all since the step before. It computes edge by edge what
`neurosim.models.orthogonal_projection.subspace` does with matrices, and suits small layers.

Source: Xiao et al. 2024, ICLR, arXiv 2402.11984.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurosim as ns
from neurosim.run.run import Run

from .network import pixels

GATHER = """response = 0
feedback = 0
response += w * value_pre
{quantise}feedback += w * response
total += response * (value_pre - feedback)
samples += 1"""
QUANTISE = """response = floor(clip(response, -largest, largest) * levels / largest + 0.5)
response = response * largest / levels
"""
LEARN = """change = momentum * change + (1 - momentum) * clip(total / samples, -limit, limit)
w += rate * plastic_post * change
total = 0
samples = 0"""


def lateral_rule(*, levels: int = 0, **parameters: Any) -> ns.Rule:
    """Return the rule of lateral learning.

    Parameters
    ----------
    levels : int
        Of spiking lateral neurons; 0: linear ones.
    **parameters
        ``rate`` (0.01), ``momentum`` (0.9), ``limit`` (10), and ``largest`` (20) with levels.
    """
    values: dict[str, Any] = {"rate": 0.01, "momentum": 0.9, "limit": 10.0} | parameters
    if levels:
        values = {"levels": float(levels), "largest": 20.0} | values
    quantise = QUANTISE if levels else ""
    gather = GATHER.format(quantise=quantise)
    return ns.Rule(
        edge="w : 1\nchange : 1\ntotal : 1\nsamples : 1",
        pre="feedback : 1",
        post="response : 1",
        handlers=[("sample", gather), ("learn", LEARN)],
        parameters=values,
        name="lateral",
    )


def lateral_network(
    rows: NDArray[np.floating],
    *,
    frozen: int = 0,
    rule: ns.Rule | None = None,
    dt: str = "1 ms",
) -> ns.Network:
    """Return the circuit of one layer as a network, for every backend that runs rules.

    Parameters
    ----------
    rows : (M, N)
        H at the start.
    frozen : int
        The first rows, which no longer learn.
    rule : Rule, optional
        Of `lateral_rule`.
    dt : str
        Of the network; nothing depends on it.

    Returns
    -------
    Network
        Populations ``input`` and ``subspace``, projection ``lateral``.
    """
    count, size = rows.shape
    net = ns.Network("lateral circuit", dt=dt)
    source = net.population("input", size, pixels())
    plastic = (np.arange(count) >= frozen).astype(float)
    cell = ns.Cell(parameters={"plastic": 1.0}, name="subspace_neuron")
    target = net.population("subspace", count, cell, plastic=plastic)
    # Edges of a projection lie by source, then target.
    weight = np.asarray(rows, float).T.reshape(-1)
    learns = rule or lateral_rule()
    net.project(source, target, ns.all_to_all(), rule=learns, weight=weight, name="lateral")
    return net


def learn_minibatch(run: Run, samples: NDArray[np.floating], *, iterations: int = 5) -> None:
    """Let the circuit learn a minibatch.

    Parameters
    ----------
    run : Run
        Of a network of `lateral_network`.
    samples : (B, N)
    iterations : int
        Steps of the rule.
    """
    for _ in range(iterations):
        for sample in samples:
            run.set("input", value=sample)
            run.emit("sample")
        run.emit("learn")


def rows_of(run: Run) -> NDArray[np.float64]:
    """Return the rows of a circuit, (M, N).

    Parameters
    ----------
    run : Run
        Of a network of `lateral_network`.
    """
    size = run.network.populations["input"].size
    return np.array(run.get("lateral", "w")).reshape(size, -1).T
