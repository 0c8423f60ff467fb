"""Tasks learned by orthogonal projection, 784-100-10 LIF neurons, in SpiNNaker's arithmetic.

Run with ``python -m benchmarks.accuracy.projected --data DIR``: a network that the machine can hold
learns three tasks of permuted MNIST one after the other; then the same test images of all tasks are
run on ``cpu`` and on ``spinnaker-rehearsal``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import neurosim as ns
from neurosim import datasets
from neurosim.gpu import Trainer
from neurosim.models.continual_learning.course import learn_tasks
from neurosim.models.continual_learning.learner import Learner
from neurosim.models.continual_learning.tasks import Task, permuted, samples_of
from neurosim.models.orthogonal_projection.lateral import protect
from neurosim.models.orthogonal_projection.strategy import Projected

from ..report import machine, table, write
from .digits import STEPS, read_words
from .rehearsed import HIDDEN, RATE, network
from .samples import compare_samples, run_samples

TASKS = 3
TESTED = 300  # images of each task
BACKENDS = ("cpu", "spinnaker-rehearsal")
ROWS = {"first": (80, 60), "second": (30, 10)}  # new ones in each task
LATERAL_RATE = 0.001  # spikes of all pixels have a large norm
LEARNING_RATE = 0.02
MOMENTUM = 0.9  # each task has a fresh optimiser


def spikes_of(values: Tensor) -> Tensor:
    """Return regular spikes of pixels, as many as their values ask for: (B, N) -> (T, B, N).

    Parameters
    ----------
    values : (B, N)
        From 0 to 1.
    """
    # Neurons begin at different moments, so that a step is not left to all pixels at once.
    begin = torch.arange(values.shape[1], device=values.device) * 0.618034 % 1
    steps = torch.arange(STEPS + 1, device=values.device)
    due = torch.floor(RATE * steps[:, None, None] * values + begin)
    return due[1:] - due[:-1]


def learner_of(net: ns.Network, *, epochs: int) -> Learner:
    """Return what learns the tasks.

    Parameters
    ----------
    net : Network
        From "pixels" to "output".
    epochs : int
    """

    def count(output: Tensor) -> Tensor:
        return output.sum(0)

    def loss(output: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(count(output), labels)

    trainer = Trainer(net, inputs="pixels", outputs="output", train=[*ROWS], compiled=True)

    def optimizer(trainer: Trainer) -> torch.optim.Optimizer:
        learned = [p for p in trainer.parameters() if p.requires_grad]
        return torch.optim.SGD(learned, lr=LEARNING_RATE, momentum=MOMENTUM)

    return Learner(
        trainer, encode=spikes_of, loss=loss, answer=count, optimizer=optimizer, epochs=epochs
    )


def tasks_of(folder: str | None, *, samples: int, seed: int) -> list[Task]:
    """Return tasks of permuted MNIST, with pixels from 0 to 1.

    Parameters
    ----------
    folder : str or None
        Of data sets.
    samples : int
        Training images of each task.
    seed : int
    """
    train, test = (samples_of(datasets.load("mnist", s, folder=folder)) for s in ("train", "test"))
    # Of both halves of the test images, which differ in how hard they are.
    tested = np.linspace(0, len(test) - 1, TESTED).astype(int)
    return permuted(train.subset(slice(samples)), test.subset(tested), count=TASKS, seed=seed)


@torch.no_grad()
def run_tasks(learner: Learner, tasks: list[Task], *, backend: str) -> list[dict[str, Any]]:
    """Return, task by task, the accuracy of a backend and of the Trainer on the same spikes.

    Parameters
    ----------
    learner : Learner
        Trained.
    tasks : list of Task
    backend : str
    """
    net = learner.trainer.network()
    results = []
    for task in tasks:
        spikes = learner.batch_of(task.test.take(slice(None)))
        answers = learner.trainer(spikes)
        run = run_samples(net, "pixels", spikes.numpy(), output="output", backend=backend)
        compared = compare_samples(answers.numpy(), run, task.test.labels)
        compared["samples that differ"] = len(compared["samples that differ"])
        results.append({"task": task.name, **compared, "spikes": int(answers.sum())})
    return results


def main() -> None:
    """Learn, run on both, print and write."""
    words = read_words(__doc__, samples=20_000, epochs=1)
    described = machine() | {"torch": torch.__version__}
    tasks = tasks_of(words.data, samples=words.samples, seed=words.seed)
    learner = learner_of(network(seed=words.seed), epochs=words.epochs)
    circuits = protect(learner.trainer, ROWS, rate=LATERAL_RATE, seed=words.seed)
    course = learn_tasks(learner, tasks, strategy=Projected(circuits), seed=words.seed)
    learner.trainer.eval()
    backends = {name: run_tasks(learner, tasks, backend=name) for name in BACKENDS}
    rows = []
    for number, task in enumerate(tasks):
        accuracies = [backends[name][number]["accuracy of the run"] for name in BACKENDS]
        differing = backends[BACKENDS[1]][number]["spikes that differ"]
        rows.append([task.name, *(f"{100 * a:.1f} %" for a in accuracies), str(differing)])
    print(table(["task", *BACKENDS, "spikes that differ there"], rows))
    report = ns.check(learner.trainer.network(), backend=BACKENDS[1])
    write(
        words.out,
        "accuracy_projected",
        {
            "network": f"784-{HIDDEN}-10 LIF with currents, {STEPS} steps of 1 ms, regular spikes",
            "machine": described,
            "epochs": words.epochs,
            "training images of a task": words.samples,
            "seed": words.seed,
            "rows": {name: list(rows) for name, rows in ROWS.items()},
            "after each task": [
                row[: number + 1] for number, row in enumerate(course.accuracy.values.tolist())
            ],
            "backends": backends,
            "approximated": sorted({row.reason for row in report.of("approximated")}),
        },
    )


if __name__ == "__main__":
    main()
