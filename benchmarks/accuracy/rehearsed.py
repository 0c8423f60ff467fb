"""MNIST by a trained network of LIF neurons with currents, 784-100-10, in SpiNNaker's arithmetic.

Run with ``python -m benchmarks.accuracy.rehearsed --data DIR``: it trains a network that the
machine can hold, then runs the same test images on ``cpu`` and on ``spinnaker-rehearsal``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import neurosim as ns
from neurosim.gpu import Trainer
from neurosim.models import cells

from ..report import machine, write
from .digits import STEPS, answer, pixels, read_words, train
from .samples import compare_samples, run_samples

HIDDEN = 100
RATE = 0.3  # probability of a spike of a white pixel in a step
TESTED = 500  # images


def network(*, seed: int = 0) -> ns.Network:
    """Return input, hidden layer and output, of cells and delays that SpiNNaker has."""
    net = ns.Network("rehearsed", dt="1 ms", seed=seed)
    neuron = cells.lif(refractory="1 ms")
    source = net.spike_source("pixels", 784)
    middle = net.population("hidden", HIDDEN, neuron)
    output = net.population("output", 10, neuron)
    for start, end, name, size in (
        (source, middle, "first", 0.1),
        (middle, output, "second", 0.5),
    ):
        weight = ns.uniform(f"{-size} nA", f"{size} nA")
        net.project(start, end, ns.all_to_all(), weight=weight, name=name, delay="0 ms")
    return net


def main() -> None:
    """Train, run on both, print and write."""
    words = read_words(__doc__, samples=30_000)
    described = machine() | {"torch": torch.__version__}
    images, labels = pixels("train", words.data)
    net = network(seed=words.seed)
    trainer = Trainer(
        net, inputs="pixels", outputs="output", train=["first", "second"], compiled=True
    )
    chosen = slice(words.samples)
    train(trainer, RATE * images[chosen], labels[chosen], epochs=words.epochs, seed=words.seed)
    trainer.eval()
    images, labels = pixels("test", words.data)
    # Of both halves of the set, which differ in how hard they are.
    tested = np.linspace(0, len(labels) - 1, TESTED).astype(int)
    spikes, answers = answer(trainer, RATE * images[tested], seed=words.seed + 1)
    trained = trainer.network()
    results: dict[str, Any] = {}
    for backend in ("cpu", "spinnaker-rehearsal"):
        run = run_samples(trained, "pixels", spikes.numpy(), output="output", backend=backend)
        compared = compare_samples(answers.numpy(), run, labels[tested].numpy())
        compared["samples that differ"] = len(compared["samples that differ"])
        results[backend] = compared
        print(
            f"{backend}: accuracy {100 * compared['accuracy of the run']:.1f} %, "
            f"{compared['spikes that differ']} of {int(answers.sum())} spikes of the Trainer differ"
        )
    report = ns.check(trained, backend="spinnaker-rehearsal")
    write(
        words.out,
        "accuracy_rehearsed",
        {
            "network": f"784-{HIDDEN}-10 LIF with currents, {STEPS} steps of 1 ms, rate coding",
            "machine": described,
            "epochs": words.epochs,
            "training images": words.samples,
            "seed": words.seed,
            "spikes of the Trainer": int(answers.sum()),
            "backends": results,
            "approximated": sorted({row.reason for row in report.of("approximated")}),
        },
    )


if __name__ == "__main__":
    main()
