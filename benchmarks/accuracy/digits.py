"""MNIST by a feed-forward network of LIF neurons, 784-800-10, 25 steps of rate coding.

Run with ``python -m benchmarks.accuracy.digits --data DIR``; it writes a line per epoch, then runs
1000 test images with the trained weights on ``cpu``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from snntorch import functional, spikegen
from tqdm.auto import tqdm

import neurosim as ns
from neurosim import datasets
from neurosim.gpu import Trainer
from neurosim.models import cells

from ..report import RESULTS, machine, write
from .samples import compare_samples, run_samples

STEPS = 25
BATCH = 128
ASKED = 0.975
ROUND_TRIP = 1000  # test images


def network(*, hidden: int = 800, seed: int = 0) -> ns.Network:
    """Return the network: input, hidden layer and output, joined within a step.

    Parameters
    ----------
    hidden : int
    seed : int
    """
    net = ns.Network("digits", dt="1 ms", seed=seed)
    neuron = cells.lif_delta(
        tau="10 ms", rest="0 mV", threshold="1 mV", reset="rest", refractory="0 ms"
    )
    pixels = net.spike_source("pixels", 784)
    middle = net.population("hidden", hidden, neuron)
    output = net.population("output", 10, neuron)
    everyone = ns.all_to_all()
    # Of the size at which a layer answers to its input from the start.
    for source, target, name, size in (
        (pixels, middle, "first", 784**-0.5),
        (middle, output, "second", hidden**-0.5),
    ):
        weight = ns.uniform(f"{-size} mV", f"{size} mV")
        net.project(source, target, everyone, weight=weight, name=name, same_step=True)
    return net


def train(
    trainer: Trainer, images: torch.Tensor, labels: torch.Tensor, *, epochs: int, seed: int
) -> list[float]:
    """Train, and return the seconds of each epoch.

    Parameters
    ----------
    trainer : Trainer
    images : (B, 784)
        From 0 to 1: the probability of a spike in each step.
    labels : (B,)
    epochs : int
    seed : int
        Of the order of images and of their spikes.
    """
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(trainer.parameters(), lr=1e-3)
    loss_of = functional.ce_count_loss()
    seconds = []
    for epoch in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(len(labels)).split(BATCH)
        right = 0
        with tqdm(order, desc=f"epoch {epoch + 1}", unit="batch", disable=None) as bar:
            for number, chosen in enumerate(bar, 1):
                spikes = spikegen.rate(images[chosen], num_steps=STEPS)
                optimiser.zero_grad()
                answers = trainer(spikes)
                loss = loss_of(answers, labels[chosen])
                loss.backward()
                optimiser.step()
                right += int((answers.sum(0).argmax(1) == labels[chosen]).sum())
                bar.set_postfix(loss=f"{loss.item():.3f}", accuracy=f"{right / number / BATCH:.3f}")
        seconds.append(time.perf_counter() - began)
        for group in optimiser.param_groups:
            group["lr"] *= 0.4
        print(f"epoch {epoch + 1}: {seconds[-1]:.0f} s, training {right / len(labels):.4f}")
    return seconds


def answer(
    trainer: Trainer, images: torch.Tensor, *, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return input spikes and output spikes of images, (T, B, N) each.

    Parameters
    ----------
    trainer : Trainer
    images : (B, 784)
    seed : int
    """
    torch.manual_seed(seed)
    spikes = spikegen.rate(images, num_steps=STEPS)
    with torch.no_grad():
        answers = torch.cat([trainer(part) for part in spikes.split(500, dim=1)], dim=1)
    return spikes, answers


def run(
    net: ns.Network,
    learns: list[str],
    *,
    name: str,
    description: str,
    asked: float | None,
    words: argparse.Namespace,
) -> None:
    """Train a network, test it, run 1000 test images on ``cpu``, print and write.

    Parameters
    ----------
    net : Network
        From "pixels" to "output".
    learns : list of str
    name, description : str
        Of the results.
    asked : float, 1
        Test accuracy that was asked for.
    words : Namespace
        Of the command line.
    """
    described = machine() | {"torch": torch.__version__, "threads": torch.get_num_threads()}
    images, labels = pixels("train", words.data)
    trainer = Trainer(net, inputs="pixels", outputs="output", train=learns, compiled=True)
    chosen = slice(words.samples)
    seconds = train(trainer, images[chosen], labels[chosen], epochs=words.epochs, seed=words.seed)
    trainer.eval()
    images, labels = pixels("test", words.data)
    spikes, answers = answer(trainer, images, seed=words.seed + 1)
    accuracy = float((answers.sum(0).argmax(1) == labels).float().mean())
    print(f"test: {100 * accuracy:.2f} % of {len(labels)}")
    part = spikes[:, :ROUND_TRIP].numpy()
    on_cpu = run_samples(trainer.network(), "pixels", part, output="output", backend="cpu")
    trip = compare_samples(answers[:, :ROUND_TRIP].numpy(), on_cpu, labels[:ROUND_TRIP].numpy())
    print(trip)
    result: dict[str, Any] = {
        "network": description,
        "machine": described,
        "epochs": words.epochs,
        "training images": words.samples,
        "seed": words.seed,
        "seconds per epoch": [round(s, 1) for s in seconds],
        "test accuracy": accuracy,
        "asked": asked,
        "round trip": trip,
    }
    write(words.out, name, result)


def read_words(
    description: str | None, *, samples: int = 60_000, epochs: int = 3
) -> argparse.Namespace:
    """Return the options of the command line.

    Parameters
    ----------
    description : str or None
    samples, epochs : int
        Training images, and how often they are shown, unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", help="folder of data sets")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--samples", type=int, default=samples, help="training images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def pixels(split: datasets.read.Split, folder: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (B, 784) from 0 to 1, and labels (B,).

    Parameters
    ----------
    split : "train" or "test"
    folder : str or None
    """
    images = datasets.load("mnist", split, folder=folder)
    values = images.values.reshape(len(images), -1).astype(np.float32) / 255
    return torch.from_numpy(values), torch.from_numpy(images.labels.astype(np.int64))


if __name__ == "__main__":
    options = read_words(__doc__)
    run(
        network(seed=options.seed),
        ["first", "second"],
        name="accuracy_digits",
        description="784-800-10 LIF, 25 steps, rate coding",
        asked=ASKED,
        words=options,
    )
