"""Accuracy of an organised liquid with frozen weights: ``cpu``, NEST, SpiNNaker's arithmetic.

Run with ``python -m benchmarks.liquid.frozen FOLDER --data DIR``. FOLDER is one that ``neurosim run
astrocyte-liquid --out FOLDER`` has filled. A readout learns from answers of the frozen liquid on
``cpu`` to the training samples; the first test images are then shown to the liquid on each.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

import neurosim as ns
from neurosim.models.astrocyte_liquid import Liquid, Settings
from neurosim.models.astrocyte_liquid.classification import encode, load
from neurosim.models.astrocyte_liquid.encoding import Events, Probabilities
from neurosim.models.astrocyte_liquid.frozen import (
    PERIOD,
    counts_of_samples,
    frozen,
    input_spikes,
)
from neurosim.models.astrocyte_liquid.readout import convex

from ..report import machine, table, write
from .rows import parse_words

PIECE = 100  # samples of one run
BACKENDS = ("cpu", "nest", "spinnaker-rehearsal")


def show(
    liquid: Liquid,
    encoded: Probabilities | Events,
    numbers: range,
    *,
    first: int,
    backend: str,
    folder: Path,
) -> NDArray[np.int64]:
    """Return the counts of samples on a backend, (B, N), with those already in a folder.

    Parameters
    ----------
    liquid : Liquid
        Organised.
    encoded : Probabilities or Events
    numbers : range
        Of the samples.
    first : int
        Which number the first of all has among those that the liquid is shown.
    backend : str
    folder : Path
        Takes a file for each 100 samples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    pieces = range(numbers.start, numbers.stop, PIECE)
    for begin in tqdm(pieces, desc=f"{folder.name} on {backend}", unit="piece", disable=None):
        path = folder / f"{backend}-{begin}.npy"
        if not path.exists():
            piece = range(begin, min(begin + PIECE, numbers.stop))
            images = [encoded.whole(n) for n in piece]
            net = frozen(liquid, input_spikes(liquid, images, first=first + begin))
            time = float(len(piece) * PERIOD)
            recording = ns.simulate(net, time, backend=backend, progress=False)
            spikes = recording["liquid"].spikes
            np.save(path, counts_of_samples(spikes, samples=len(piece)))
        parts.append(np.load(path))
    return np.concatenate(parts)


def load_liquid(folder: Path) -> tuple[Liquid, dict[str, Any]]:
    """Return the organised liquid of a finished run, and its results.

    Parameters
    ----------
    folder : Path
    """
    results = json.loads((folder / "results.json").read_text())
    liquid = Liquid(Settings(**results["settings"]), seed=results["seed"], threads=1)
    path = folder / "organised.npz"
    # A static liquid has none, since nothing organises it.
    if path.exists():
        liquid.run.load(path)
    return liquid, results


def measure(folder: Path, work: Path, *, training: int, tests: int) -> dict[str, Any]:
    """Return accuracies on the first test images, and how many spikes differ.

    Parameters
    ----------
    folder, work : Path
        A finished run, and where counts are kept.
    training, tests : int
        Samples.
    """
    liquid, results = load_liquid(folder)
    task = results["task"]
    own = task["samples"] - task["validation"]
    training = min(training or own, own)
    penalty = results["convex"]["penalty"]
    data = {split: load(task["dataset"], split) for split in ("train", "test")}
    encoded = {split: encode(part) for split, part in data.items()}
    labels = {"train": data["train"].labels[:training], "test": data["test"].labels[:tests]}
    # Numbers of test samples continue those of the training samples, as in the run itself.
    responses = {
        (split, backend): show(
            liquid,
            encoded[split],
            range(size),
            first=0 if split == "train" else task["samples"],
            backend=backend,
            folder=work / split,
        )
        for split, backend, size in (
            ("train", "cpu", training),
            *(("test", backend, tests) for backend in BACKENDS),
        )
    }
    readout = convex(responses["train", "cpu"], labels["train"], penalty=penalty)
    # The plastic liquid's own counts, of the run, are the measure for both.
    plastic = {split: np.load(folder / f"counts-{split}.npy") for split in ("train", "test")}
    own_readout = convex(plastic["train"][:training], labels["train"], penalty=penalty)
    counts = {name: responses["test", name] for name in BACKENDS}
    return {
        "run": folder.name,
        "seed": results["seed"],
        "presentations": task["presentations"],
        "training samples": training,
        "test samples": tests,
        "penalty": penalty,
        "accuracy": {
            "plastic, cpu": own_readout.accuracy(plastic["test"][:tests], labels["test"]),
            **{f"frozen, {n}": readout.accuracy(c, labels["test"]) for n, c in counts.items()},
        },
        "spikes": {name: int(c.sum()) for name, c in counts.items()},
        "counts": counts["cpu"].size,
        "counts that differ": {n: int((counts["cpu"] != c).sum()) for n, c in counts.items()},
        "nest": version("nest-simulator"),
    }


if __name__ == "__main__":
    words = parse_words(__doc__, folder=True, training=0, tests=1000)
    described = machine()
    result = measure(
        words.folder,
        words.folder.parent / f"frozen-{words.folder.name}" if words.work is None else words.work,
        training=words.training,
        tests=words.tests,
    )
    rows = [[name, f"{100 * share:.1f} %"] for name, share in result["accuracy"].items()]
    print(table([f"first {result['test samples']} test images", "right"], rows))
    print(f"of {result['counts']} counts differ from those of cpu: {result['counts that differ']}")
    write(words.out, "liquid_frozen", {"machine": described, **result})
