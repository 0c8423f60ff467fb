"""The full runs F1, F2 and F6, and those on colour images and with one head: committed as data.

Run with ``python -m neurosim.models.orthogonal_projection.full_runs --results DIR --out FILE``. A
course that was interrupted goes on after its last finished task; one that has a result is not run
again. ``--only bptt`` chooses courses whose names contain a word, so that two processes can share
the work.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from neurosim import datasets
from neurosim.datasets import Images
from neurosim.distribution import DISTRIBUTION
from neurosim.errors import SimulationError
from neurosim.recording.files import write_json

from ..continual_learning.course import learn_tasks
from ..continual_learning.learner import Learner
from ..continual_learning.strategies import Ewc, Rehearsal, Strategy, read_strategy
from ..continual_learning.tasks import Samples, Task, samples_of, sequence, split
from .demonstrate import circuits_of, summarise
from .deployment import deploy
from .experiment import permuted_digits
from .lateral import Rows
from .learner import make_learner, projected
from .network import build_convolutional
from .settings import FULL, PUBLISHED_ROWS, Settings

SEED = 2022  # of the authors' published code
STRENGTHS = (10.0, 100.0, 1000.0)  # of EWC, the best of which on two tasks of another seed is taken
# Of three convolutions, authors' published code for CIFAR-100.
CONVOLUTION_ROWS = {"layer1": (6, 2), "layer2": (100, 20), "layer3": (200, 40)}
PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
COLOUR = Settings(
    way="bptt", inputs=3072, heads=5, classes=2, epochs=5, rate=0.01, momentum=0.9, batch=64
)
ONE_HEAD = replace(FULL, way="bptt", hidden=400)
SETS = ("cifar10", "mnist", "kmnist", "fashion-mnist", "notmnist")
# Where 100 samples of a task are stored: one epoch is two minibatches, and changes nothing.
REPLAYS = 20
MOST = 4000  # rows of a minibatch's patches that teach


@dataclass(frozen=True)
class Case:
    """A course of tasks.

    Attributes
    ----------
    tasks : function of seed
    settings : Settings
    strategy : str
        "hlop", "hlop with rehearsal", "ewc", "plain", "rehearsal" or "joint".
    rows : mapping of projection -> rows of each task
    share : float or None
        See `Projected`.
    convolutional : bool
    replays : int
        Epochs of replay after each task, of strategies with rehearsal.
    """

    tasks: Callable[[int], list[Task]]
    settings: Settings
    strategy: str
    rows: Mapping[str, Rows] = field(default_factory=dict)
    share: float | None = None
    convolutional: bool = False
    replays: int = 1


def cases() -> dict[str, Case]:
    """Return all courses by name, in the order in which they are run."""
    result: dict[str, Case] = {}
    digits = partial(permuted_digits, 10, images=0, tests=0)

    def permuted(
        name: str,
        strategy: str,
        settings: Settings,
        **options: Any,
    ) -> None:
        result[f"permuted {name} {strategy}"] = Case(
            lambda seed: digits(seed=seed), settings, strategy, PUBLISHED_ROWS, **options
        )

    for way in ("dsr", "bptt", "ottt"):
        for strategy in ("hlop", "plain", "rehearsal", "ewc", "hlop with rehearsal"):
            permuted(way, strategy, replace(FULL, way=way))
    permuted("bptt", "joint", replace(FULL, way="bptt"))
    for feedback in ("random", "sign-concordant"):
        for strategy in ("hlop", "plain"):
            settings = replace(FULL, way="bptt", feedback=feedback)
            permuted(f"bptt {feedback}", strategy, settings)
    # Everything local: no gradient through time, and lateral neurons that spike.
    permuted("ottt spiking", "hlop", replace(FULL, way="ottt", levels=40))
    permuted("bptt share 0.95", "hlop", replace(FULL, way="bptt"), share=0.95)
    for strategy in ("hlop", "plain"):
        colour = {"rows": CONVOLUTION_ROWS, "convolutional": True}
        result[f"split cifar10 {strategy}"] = Case(split_colours, COLOUR, strategy, **colour)
        five = replace(COLOUR, classes=10, epochs=2)
        result[f"five sets {strategy}"] = Case(five_sets, five, strategy, **colour)
    for name in ("mnist", "fashion-mnist"):
        for strategy in ("hlop", "plain", "rehearsal", "hlop with rehearsal"):
            tasks = partial(one_head, name=name)
            rows = {"layer1": (80, 50), "layer2": (100, 40), "head": (60, 30)}
            result[f"one head {name} {strategy}"] = Case(
                tasks, ONE_HEAD, strategy, rows, replays=REPLAYS
            )
    return result


# ---- tasks


def split_colours(seed: int) -> list[Task]:
    """Return five tasks of two classes of CIFAR-10, labels from 0 in each.

    Parameters
    ----------
    seed : int
        Not used: nothing is drawn.
    """
    return split(*_scaled("cifar10"), groups=PAIRS)


def five_sets(seed: int) -> list[Task]:
    """Return a task for each of five data sets, at most 8000 training and 2000 test images each.

    KMNIST stands in for SVHN, and sizes are small: numbers cannot be compared with published ones.

    Parameters
    ----------
    seed : int
        Not used: nothing is drawn.
    """
    parts = []
    for name in SETS:
        train, test = _scaled(name)
        few = train.subset(slice(0, 8000)), test.subset(slice(0, 2000))
        parts.append((name, *few))
    return sequence(parts)


def one_head(seed: int, *, name: Literal["mnist", "fashion-mnist"]) -> list[Task]:
    """Return five tasks of two classes each, whose labels stay: one head learns class after class.

    Parameters
    ----------
    seed : int
        Not used: nothing is drawn.
    name : "mnist" or "fashion-mnist"
    """
    images = [_images(name, "train"), _images(name, "test")]
    scale = images[0].values / np.float32(255)
    options: dict[str, Any] = {"mean": float(scale.mean()), "deviation": float(scale.std())}
    train, test = (samples_of(part, **options) for part in images)
    return split(train, test, groups=PAIRS, relabel=False)


def _scaled(name: str) -> tuple[Samples, Samples]:
    """Return a data set as colour images of 32 x 32, by the mean and deviation of its channels."""
    if name == "kmnist":
        # Its training part is not at hand.
        images = _images(name, "test")
        train = Images(images.values[:8000], images.labels[:8000])
        test = Images(images.values[8000:], images.labels[8000:])
    else:
        train, test = _images(name, "train"), _images(name, "test")
    channels = 3 if train.values.ndim == 4 else 1
    pixels = train.values.reshape(-1, channels) / 255
    options: dict[str, Any] = {
        "mean": pixels.mean(0).tolist(),
        "deviation": pixels.std(0).tolist(),
        "side": 32,
        "channels": 3,
    }
    return samples_of(train, **options), samples_of(test, **options)


def _images(name: str, part: Literal["train", "test"]) -> Images:
    images = datasets.load(name, part)
    if not isinstance(images, Images):
        raise LookupError(f"data {name!r} are no images")
    return images


# ---- running


def run(
    name: str,
    case: Case,
    *,
    seed: int,
    folder: Path,
    progress: bool,
) -> dict[str, Any]:
    """Run a course, or go on with it, and return its result.

    Parameters
    ----------
    name : str
    case : Case
    seed : int
    folder : Path
        Keeps the checkpoint.
    progress : bool
    """
    began = time.process_time()
    tasks = case.tasks(seed)
    learner = _learner(case, seed)
    strategy, choice = _strategy(case, learner, seed=seed)
    course = learn_tasks(
        learner,
        tasks,
        strategy=strategy,
        seed=seed,
        checkpoint=folder / f"{name.replace(' ', '_')}.pt",
        progress=progress,
    )
    circuits = circuits_of(strategy)
    result = {
        "name": name,
        "seed": seed,
        "settings": asdict(case.settings),
        "share": case.share,
        "epochs of replay": case.replays if "rehearsal" in case.strategy else 0,
        "rows": {} if circuits is None else circuits.course,
        "ewc": choice,
        **summarise(course),
    }
    if case.strategy == "hlop" and name.startswith("permuted") and not case.settings.levels:
        result["deployed"] = asdict(deploy(learner, tasks, samples=3))
    # Of this process: a course that was interrupted took more.
    result["processor seconds"] = round(time.process_time() - began, 1)
    return result


def full_result(name: str) -> dict[str, Any]:
    """Return the result of a course by name, without checkpoints.

    Parameters
    ----------
    name : str
    """
    with tempfile.TemporaryDirectory() as folder:
        return run(name, cases()[name], seed=SEED, folder=Path(folder), progress=False)


def _learner(case: Case, seed: int) -> Learner:
    net = build_convolutional(case.settings, seed) if case.convolutional else None
    return make_learner(case.settings, seed, net=net)


def _strategy(case: Case, learner: Learner, *, seed: int) -> tuple[Strategy, dict[str, Any]]:
    """Return the strategy of a course, and how its strength was chosen."""
    if case.strategy.startswith("hlop"):
        most = MOST if case.convolutional else 0
        inner = projected(learner, case.settings, case.rows, seed=seed, share=case.share, most=most)
        if case.strategy.endswith("rehearsal"):
            return Rehearsal(inner, epochs=case.replays), {}
        return inner, {}
    if case.strategy == "rehearsal":
        return Rehearsal(epochs=case.replays), {}
    if case.strategy != "ewc":
        return read_strategy(case.strategy), {}
    # Of another seed: a strength chosen on the tasks themselves would be fitted to them.
    accuracies = {strength: _two_tasks(case, strength, seed=seed + 1) for strength in STRENGTHS}
    best = max(accuracies, key=accuracies.__getitem__)
    tried = {str(strength): accuracy for strength, accuracy in accuracies.items()}
    return Ewc(best), {"strength": best, "tried": tried}


def _two_tasks(case: Case, strength: float, *, seed: int) -> float:
    """Return ACC of two tasks of another seed, 0 if learning diverges."""
    tasks = case.tasks(seed)[:2]
    learner = _learner(case, seed)
    try:
        done = learn_tasks(learner, tasks, strategy=Ewc(strength), seed=seed, progress=False)
    except SimulationError:
        return 0.0
    return done.accuracy.acc


def main(words: Sequence[str] | None = None) -> None:
    """Run courses that have no result yet, one after another, and write all results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, metavar="DIR", help="one file each")
    parser.add_argument("--out", type=Path, metavar="FILE", help="all as JSON")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", metavar="WORDS", help="courses whose names have it")
    parser.add_argument("--list", action="store_true", help="print the names of the courses")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (1)")
    options = parser.parse_args(words)
    torch.set_num_threads(options.threads)
    chosen = {name: case for name, case in cases().items() if options.only in name}
    if options.list:
        print("\n".join(chosen))
        return
    if options.results is None or options.out is None:
        parser.error("--results DIR and --out FILE are needed to run courses")
    options.results.mkdir(parents=True, exist_ok=True)
    for name, case in chosen.items():
        path = options.results / f"{name.replace(' ', '_')}.json"
        if path.exists():
            continue
        try:
            result = run(name, case, seed=options.seed, folder=options.results, progress=True)
        except SimulationError as error:
            # A course that diverges has no result, and the others go on.
            print(f"{name}: no result. {error}", flush=True)
            continue
        write_json(path, result)
        print(f"{name}: ACC {result['acc']}, BWT {result['bwt']}", flush=True)
    paths = sorted(options.results.glob("*.json"))
    results = [json.loads(path.read_text()) for path in paths]
    packages = (DISTRIBUTION, "numpy", "torch")
    content = {
        "model": "orthogonal-projection",
        "versions": {package: version(package) for package in packages},
        "machine": platform.machine(),
        "threads": options.threads,
        "courses": results,
    }
    write_json(options.out, content)
    print(options.out)


if __name__ == "__main__":
    main()
