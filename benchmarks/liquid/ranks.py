"""Kernel ranks of finished runs of the liquid beside the published ones (check F7).

Run with ``python -m benchmarks.liquid.ranks FOLDER... --data DIR``. The rank of clean samples (SP)
is of the counts that a run has kept; for that of noisy ones (AP) the first test images are shown
again with noise. Ranks of different draws differ little: 20 draws stand for the published 1000.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.datasets import Images
from neurosim.models.astrocyte_liquid import kernel_rank
from neurosim.models.astrocyte_liquid.classification import encode, load

from ..report import RESULTS, table
from .frozen import load_liquid
from .rows import Job, run_missing

NOISE = 125.0  # standard deviation of what is added to each pixel, of 0 to 255
PUBLISHED = {  # clean and noisy samples of MNIST, mean of 10 networks
    "astrocyte": (994.2, 986.4),
    "calcium": (993.1, 992.2),
    "static": (988.0, 989.6),
    "stdp": (588.4, 178.4),
}


def noisy(images: Images, *, seed: int = 0) -> Images:
    """Return images with normal noise on each pixel, clipped to the range of pixels.

    Parameters
    ----------
    images : Images
    seed : int
    """
    rng = np.random.default_rng(seed)
    values = images.values + rng.normal(0, NOISE, images.values.shape)
    return Images(np.clip(np.rint(values), 0, 255).astype(np.uint8), images.labels)


def ranks(folder: Path, *, draws: int, noise: int) -> dict[str, Any]:
    """Return the ranks of a finished run.

    Parameters
    ----------
    folder : Path
    draws : int
        Over which each mean is taken.
    noise : int
        Test images that are shown with noise; 0: none.
    """
    liquid, results = load_liquid(folder)
    data = load(results["task"]["dataset"], "test")
    counts = np.load(folder / "counts-test.npy")
    labels = data.labels[: len(counts)]
    answer: dict[str, Any] = {"clean": kernel_rank(counts, labels, draws=draws)}
    if noise and isinstance(data, Images):
        # Scaled over all, as the clean ones are.
        encoded = encode(noisy(data))
        images = (encoded.whole(number) for number in range(noise))
        noisy_counts = liquid.present(images, first=results["task"]["samples"])
        answer["noisy"] = kernel_rank(noisy_counts, data.labels[:noise], draws=draws)
    return answer


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="of neurosim run astrocyte-liquid")
    parser.add_argument("--draws", type=int, default=20, metavar="N")
    parser.add_argument("--noisy", type=int, default=2000, metavar="N", help="images (2000)")
    parser.add_argument("--data", metavar="DIR", help="folder of data sets (NEUROSIM_DATA)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    return parser.parse_args()


def _job(folder: Path, words: argparse.Namespace) -> Job:
    _, results = load_liquid(folder)
    question = {
        "run": folder.name,
        "variant": results["variant"],
        "seed": results["seed"],
        "presentations": results["task"]["presentations"],
        "draws": words.draws,
        "noisy images": words.noisy,
    }
    return question, partial(ranks, folder, draws=words.draws, noise=words.noisy)


if __name__ == "__main__":
    options = _parse()
    if options.data:
        os.environ["NEUROSIM_DATA"] = options.data
    jobs = [_job(folder, options) for folder in options.folders]
    rows = run_missing(options.out / "liquid_ranks.json", jobs, title="kernel ranks")
    lines = []
    for row in rows:
        clean, with_noise = PUBLISHED[row["variant"]]
        lines.append(
            [row["run"], f"{row['clean']:.1f}", clean, f"{row.get('noisy', 0):.1f}", with_noise]
        )
    print(table(["run", "SP", "published", "AP", "published"], lines))
