"""Spoken digits by a recurrent network of heterogeneous Izhikevich neurons, trained through time.

Run with ``python -m benchmarks.accuracy.spoken_digits --data DIR``. It prints, for three seeds, the
accuracy of the trained network beside linear readouts of the input's spike counts, and of the spike
counts of the same network before and after training; then the same with one speaker left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

import neurosim as ns
from neurosim import datasets
from neurosim.datasets import Sounds
from neurosim.gpu import Trainer
from neurosim.models import cells
from neurosim.models.astrocyte_liquid.readout import convex

from ..report import RESULTS, machine, write
from .cochlea import CHANNELS, spikes_of

STEP = 3.0  # ms of sound per step of 1 ms, so that 200 steps hold 600 ms
STEPS = 200
BATCH = 64
LEARNS = ("input", "recurrent", "output", "hidden.a", "hidden.d")
PENALTY = 0.01  # of the linear readouts
PUBLISHED_COUNTS = 0.797  # a linear readout of counts, another encoding into 70 channels


def network(*, hidden: int = 128, seed: int = 0) -> ns.Network:
    """Return 70 inputs, a recurrent population of Izhikevich neurons, and ten leaky readouts.

    Neurons differ between regular spiking and chattering, as in Izhikevich 2003.

    Parameters
    ----------
    hidden : int
    seed : int
    """
    net = ns.Network("spoken_digits", dt="1 ms", seed=seed)
    inputs = net.spike_source("channels", CHANNELS)
    neurons = net.population(
        "hidden",
        hidden,
        cells.izhikevich(synapse="exponential"),
        a=ns.uniform("0.02 1/ms", "0.1 1/ms"),
        b=ns.uniform("0.2 1/ms", "0.25 1/ms"),
        c=ns.uniform("-65 mV", "-50 mV"),
        d=ns.uniform("2 mV/ms", "8 mV/ms"),
    )
    readout = net.population("readout", 10, cells.leaky_readout(tau="50 ms"))
    everyone = ns.all_to_all()
    for source, weight, name in (
        (inputs, ns.normal("0.8 mV/ms", "2 mV/ms"), "input"),
        (neurons, ns.normal("0 mV/ms", "0.8 mV/ms"), "recurrent"),
    ):
        net.project(source, neurons, everyone, weight=weight, port="synaptic", name=name)
    net.project(neurons, readout, everyone, weight=ns.normal(0, 0.05), name="output")
    return net


def train(
    trainer: Trainer,
    spikes: NDArray[np.uint8],
    labels: NDArray[np.integer],
    *,
    epochs: int,
    seed: int,
) -> None:
    """Train by the mean voltage of each readout over time.

    Parameters
    ----------
    trainer : Trainer
    spikes : (T, B, 70)
    labels : (B,)
    epochs : int
    seed : int
        Of the order of the sounds.
    """
    torch.manual_seed(seed)
    # Weights of three layers have sizes of their own, and so do parameters.
    rates = {"input": 0.05, "recurrent": 0.02, "output": 0.01, "hidden.a": 5e-4, "hidden.d": 0.05}
    groups = [{"params": [trainer[label]], "lr": rates[label]} for label in trainer.learns]
    optimiser = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    target = torch.from_numpy(labels.astype(np.int64))
    for epoch in range(epochs):
        right, total = 0, 0.0
        order = torch.randperm(len(labels)).split(BATCH)
        for chosen in tqdm(order, desc=f"epoch {epoch + 1}", unit="batch", disable=None):
            voltages = trainer(torch.from_numpy(spikes[:, chosen.numpy()]).float())
            answers = voltages["readout.v"].mean(0)
            loss = torch.nn.functional.cross_entropy(answers, target[chosen])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
            optimiser.step()
            right += int((answers.argmax(1) == target[chosen]).sum())
            total += loss.item() * len(chosen)
        schedule.step()
        print(
            f"  epoch {epoch + 1}: loss {total / len(labels):.3f}, {right / len(labels):.3f}",
            flush=True,
        )


def answer(trainer: Trainer, spikes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray]:
    """Return the class of each sound, (B,), and the spike counts of the hidden neurons, (B, N).

    Parameters
    ----------
    trainer : Trainer
    spikes : (T, B, 70)
    """
    trainer.eval()
    classes, counts = [], []
    with torch.no_grad():
        for part in torch.from_numpy(spikes).split(200, dim=1):
            results = trainer(part.float())
            classes.append(results["readout.v"].mean(0).argmax(1).numpy())
            counts.append(results["hidden"].sum(0).numpy())
    trainer.train()
    return np.concatenate(classes), np.concatenate(counts)


def measure(
    training: tuple[NDArray[np.uint8], NDArray[np.integer]],
    test: tuple[NDArray[np.uint8], NDArray[np.integer]],
    *,
    epochs: int,
    seed: int,
) -> dict[str, float]:
    """Return accuracies on the test sounds, by what was read out.

    Parameters
    ----------
    training, test : spikes (T, B, 70), labels (B,)
    epochs : int
    seed : int
    """
    trainer = Trainer(
        network(seed=seed),
        inputs="channels",
        outputs=["hidden", "readout.v"],
        train=LEARNS,
        compiled=True,
    )

    def readout_of_counts() -> float:
        counts = [answer(trainer, spikes)[1] for spikes, _ in (training, test)]
        readout = convex(counts[0], training[1], penalty=PENALTY)
        return readout.accuracy(counts[1], test[1])

    of_inputs = convex(training[0].sum(0), training[1], penalty=PENALTY)
    scores = {
        "counts of the input": of_inputs.accuracy(test[0].sum(0), test[1]),
        "counts of the network, untrained": readout_of_counts(),
    }
    train(trainer, *training, epochs=epochs, seed=seed)
    classes, counts = answer(trainer, test[0])
    scores["counts of the network, trained"] = readout_of_counts()
    scores["trained"] = float(np.mean(classes == test[1]))
    scores["spikes per sound and neuron"] = float(counts.mean())
    if not counts.any():
        raise ValueError(f"seed {seed}: no hidden neuron spikes, so its accuracy means nothing")
    return scores


def encode(sounds: Sounds) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Return spikes and labels of sounds."""
    return spikes_of(sounds, step=STEP, steps=STEPS), sounds.labels


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of data sets")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--speakers", type=int, default=6, help="how many are left out, in turn")
    parser.add_argument("--out", type=Path, default=RESULTS)
    words = parser.parse_args()
    sounds = {s: datasets.load("fsdd", s, folder=words.data) for s in ("train", "test")}
    parts = {split: encode(part) for split, part in sounds.items()}
    result: dict[str, Any] = {
        "network": "70 inputs, 128 recurrent Izhikevich neurons, 10 leaky readouts, 200 steps",
        "machine": machine() | {"torch": torch.__version__},
        "epochs": words.epochs,
        "counts in another encoding": PUBLISHED_COUNTS,
        "official": [],
        "speaker left out": [],
    }
    for seed in range(words.seeds):
        scores = measure(parts["train"], parts["test"], epochs=words.epochs, seed=seed)
        result["official"].append({"seed": seed, **scores})
        print("official", seed, scores, flush=True)
        write(words.out, "accuracy_spoken_digits", result)
    spikes = np.concatenate([parts[s][0] for s in parts], axis=1)
    labels = np.concatenate([parts[s][1] for s in parts])
    speakers = np.concatenate([sounds[s].speakers for s in parts])
    for seed in range(words.seeds):
        # Each seed leaves out speakers of its own, so that together all are left out once.
        for speaker in range(seed, words.speakers, words.seeds):
            out = speakers == speaker
            training, test = ((spikes[:, m], labels[m]) for m in (~out, out))
            scores = measure(training, test, epochs=words.epochs, seed=seed)
            result["speaker left out"].append({"seed": seed, "speaker": speaker, **scores})
            print("without speaker", speaker, seed, scores, flush=True)
            write(words.out, "accuracy_spoken_digits", result)


if __name__ == "__main__":
    main()
