"""After training: the network on other engines, their reports, and its quantised weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import neurosim as ns
from neurosim.gpu import Trainer
from neurosim.network.validation import read_whole_number

from ..continual_learning.learner import Learner
from ..continual_learning.tasks import Task

WEIGHT_BITS = 16  # of a synaptic word of SpiNNaker, one of which is the sign's here


@dataclass(frozen=True)
class Deployment:
    """What a trained network does elsewhere.

    Attributes
    ----------
    spikes, differing : int
        Spikes of the Trainer in some samples, and places in which the engine's differ.
    accuracies, quantised : tuple of float
        Accuracy of each task, 1, as trained and with quantised weights.
    refused, approximated : tuple of str
        Rows of the report of SpiNNaker.
    """

    spikes: int
    differing: int
    accuracies: tuple[float, ...]
    quantised: tuple[float, ...]
    refused: tuple[str, ...]
    approximated: tuple[str, ...]


def deploy(
    learner: Learner,
    tasks: Sequence[Task],
    *,
    backend: str = "cpu",
    samples: int = 10,
    bits: int = WEIGHT_BITS,
) -> Deployment:
    """Run a trained network on an engine, ask SpiNNaker's report, and quantise its weights.

    Parameters
    ----------
    learner : Learner
        Of `make_learner`, trained.
    tasks : sequence of Task
    backend : str
        Of an engine.
    samples : int
        Test samples of the first task that are run.
    bits : int
        Of weights, see `quantised_accuracies`.
    """
    values = tasks[0].test.take(slice(0, samples))
    expected = trainer_spikes(learner, values)
    measured = engine_spikes(learner, values, backend=backend)
    emitted = sum(int(spikes.sum()) for spikes in expected.values())
    differing = sum(int((expected[name] != measured[name]).sum()) for name in expected)
    report = ns.check(learner.trainer.network(), backend="spinnaker")
    return Deployment(
        spikes=emitted,
        differing=differing,
        accuracies=_accuracies(learner, tasks),
        quantised=quantised_accuracies(learner, tasks, bits=bits),
        refused=_reasons(report, "impossible"),
        approximated=_reasons(report, "approximated"),
    )


def _accuracies(learner: Learner, tasks: Sequence[Task]) -> tuple[float, ...]:
    """Return the accuracy of each task, 1."""
    return tuple(learner.accuracy(task.test, number) for number, task in enumerate(tasks))


def _reasons(report: ns.Report, status: str) -> tuple[str, ...]:
    return tuple(f"{row.place}: {row.reason}" for row in report.rows if row.status == status)


def _spiking(net: ns.Network) -> list[ns.Population]:
    return [
        population for population in net.populations.values() if population.cell.spike is not None
    ]


@torch.no_grad()
def trainer_spikes(learner: Learner, values: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return the spikes of all spiking populations in the Trainer.

    Parameters
    ----------
    learner : Learner
    values : (B, N)

    Returns
    -------
    dict
        Population -> (T, B, N), 0 or 1.
    """
    net = learner.trainer.network()
    names = [population.name for population in _spiking(net)]
    # The learner's own Trainer has the answers as its outputs.
    watching = Trainer(
        net, inputs="pixels.value", outputs=names, train=[], device=str(learner.trainer.device)
    )
    watching.eval()
    series = watching(learner.batch_of(values))
    # A single output comes without its name.
    if isinstance(series, torch.Tensor):
        series = {names[0]: series}
    return {name: spikes.cpu().double().numpy() for name, spikes in series.items()}


def engine_spikes(
    learner: Learner, values: NDArray[np.float32], *, backend: str
) -> dict[str, NDArray[np.float64]]:
    """Return the spikes of the trained network on an engine, sample after sample.

    Parameters
    ----------
    learner : Learner
    values : (B, N)
    backend : str

    Returns
    -------
    dict
        Population -> (T, B, N), 0 or 1.
    """
    net = learner.trainer.network()
    spiking = _spiking(net)
    for population in spiking:
        net.record(population, "spikes")
    steps = learner.batch_of(values[:1]).shape[0]
    # The Trainer's precision: a float64 run may round a neuron to the other side.
    options: dict[str, Any] = {"precision": "float32"} if backend == "cpu" else {}
    run = ns.prepare(net, backend=backend, **options)
    start = run.snapshot()
    result = {}
    for population in spiking:
        result[population.name] = np.zeros((steps, len(values), population.size))
    for number, sample in enumerate(values):
        run.restore(start, clock=True)
        run.set("pixels", value=sample.astype(np.float64))
        run.run(steps * net.dt, progress=False)
        recorded = run.result()
        for name, spikes in result.items():
            train = recorded[name].spikes
            spikes[train.step, number, train.index] = 1.0
    return result


def quantised_accuracies(
    learner: Learner, tasks: Sequence[Task], *, bits: int = WEIGHT_BITS
) -> tuple[float, ...]:
    """Return the accuracy of each task with weights of so many bits, 1; the learner is unchanged.

    Parameters
    ----------
    learner : Learner
    tasks : sequence of Task
    bits : int
        Each projection has ``2**bits - 1`` levels between minus and plus its largest weight.
    """
    bits = read_whole_number(bits, where="quantised weights, bits")
    trainer = learner.trainer
    before = {name: trainer[name].detach().clone() for name in trainer.learns}
    try:
        with torch.no_grad():
            for name, weight in before.items():
                trainer[name].copy_(quantise(weight, bits))
        return _accuracies(learner, tasks)
    finally:
        # Whatever happens: the learner may go on learning.
        with torch.no_grad():
            for name, weight in before.items():
                trainer[name].copy_(weight)


def quantise(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Return a weight in whole steps of its largest value.

    Parameters
    ----------
    weight : Tensor
    bits : int
        With the sign.
    """
    # One bit is the sign's.
    most = max(2 ** (bits - 1) - 1, 1)
    step = weight.abs().max() / most
    return torch.round(weight / step) * step if float(step) > 0 else weight
