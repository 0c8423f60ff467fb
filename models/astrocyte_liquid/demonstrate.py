"""The demonstration: from images to accuracy, with pictures and a table of results."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend.lowering import Backend
from neurosim.compiled.cores import cores as available_cores
from neurosim.recording.files import write_json

from . import published
from .classification import Classification, SampleCounts
from .measures import branching_factor, watched
from .picture import draw_answers, draw_organisation
from .readout import CLASSES, Readout, choose_convex, convex
from .readout import published as train_as_published
from .samples import Liquid
from .settings import read_settings

Row = dict[str, Any]
MILESTONES = (0, 20, 100, 500, 2000, 5000, 10_000, 20_000, 50_000)  # presentations
CURVE = (500, 1000, 3000, 8000, 20_000, 50_000)  # training samples of the learning curve


def demonstrate(
    *,
    seed: int = 0,
    backend: str | Backend = "cpu",
    out: str | Path = ".",
    progress: bool = True,
    **settings: Any,
) -> list[Row]:
    """Organise a liquid, show it a data set, read it out.

    Parameters
    ----------
    seed : int
    backend : str or Backend
    out : path
        Folder, created if it is missing; keeps the work, so that the same call goes on after an
        interrupt, and takes ``results.json``, ``organisation.png`` and ``answers.png``.
    progress : bool
        Show bars.
    **settings
        Of `SETTINGS`.

    Returns
    -------
    list of {"quantity", "measured", "expected", "pass"}
        Beside published means, where the setting is the published one.

    Raises
    ------
    DataError
        If the data are missing.
    NetworkError
        If a setting does not fit, or the folder holds another experiment.
    """
    began = time.perf_counter()
    variant, liquid_settings, task, passes = read_settings(settings)
    folder = Path(out)
    work = Classification(
        task,
        settings=liquid_settings,
        seed=seed,
        folder=folder,
        backend=backend,
        cores=available_cores(),
        progress=progress,
    )
    before = work.liquid.weights()
    course = _organise(work)
    samples = work.show()
    training = samples.part("train")
    chosen = samples.part("validation")
    readout, penalty, _ = choose_convex(*training, *chosen)
    test, labels = samples.part("test")
    # Counts are bytes, whose sum over many neurons would overflow.
    spikes = test.sum(axis=1, dtype=np.int64)
    results: Row = {
        "model": "astrocyte-liquid",
        "seed": seed,
        "backend": str(backend),
        "variant": variant,
        "settings": asdict(work.settings),
        "task": asdict(work.task),
        "convex": {
            "test": readout.accuracy(test, labels),
            "validation": readout.accuracy(*chosen),
            "training": readout.accuracy(*training),
            "penalty": penalty,
        },
        "spikes per test sample": float(spikes.mean()),
        "silent test samples": int((spikes == 0).sum()),
        "course": course,
    }
    if passes:
        results["published"] = _train_as_published(samples, passes, progress=progress)
    results["seconds"] = round(time.perf_counter() - began, 1)
    results["rows"] = judge(results)
    write_json(folder / "results.json", results)
    _draw(work, samples, readout, folder=folder, before=before, course=course)
    return results["rows"]


def judge(results: Row) -> list[Row]:
    """Return accuracies and the branching factor, beside published means if there are any.

    Parameters
    ----------
    results : mapping
        As `demonstrate` writes them.
    """
    task = results["task"]
    is_whole = task["samples"] == 60_000 and task["presentations"] >= 50_000
    dataset = task["dataset"]
    if results["settings"]["side"] == 20:
        means = published.ACCURACY_LARGE.get(dataset)
    else:
        means = published.ACCURACY.get((results["variant"], dataset))
    # A part of the data learns less, so the published accuracy is no measure for it.
    if means and is_whole:
        mean, deviation = means
        expected = f"{mean:g} +- {deviation:g}"
        # Five published standard deviations: a single network of another program.
        limit = mean - 5 * deviation
    else:
        expected = "above chance, 10"
        limit = 2 * 100 / CLASSES
    rows = []
    for name in ("convex", "published"):
        if name in results:
            score = round(100 * results[name]["test"], 2)
            quantity = f"test accuracy, {name} readout (%)"
            rows.append(_row(quantity, score, expected, score >= limit))
    last = results["course"][-1]["branching"]
    rows.append(_row("branching factor", round(last, 3), "positive", last > 0))
    return rows


def _row(
    quantity: str,
    measured: float,
    expected: str,
    passed: bool,
) -> Row:
    return {
        "quantity": quantity,
        "measured": measured,
        "expected": expected,
        "pass": bool(passed),
    }


def branching(liquid: Liquid, rasters: np.ndarray) -> float:
    """Return the mean branching factor of rasters of a liquid.

    Parameters
    ----------
    liquid : Liquid
    rasters : (B, T, N) bool
    """
    projections = liquid.run.network.projections
    # Edges from the input are left out: its spikes are not made by the liquid.
    within = [projections[name] for name in ("excitation", "inhibition")]
    sources = np.concatenate([edges.sources for edges in within])
    targets = np.concatenate([edges.targets for edges in within])
    factors = [branching_factor(raster, sources, targets) for raster in rasters]
    return float(np.mean(factors))


def _organise(work: Classification) -> list[dict[str, float]]:
    """Let the liquid organise itself; return branching factor and rate at some milestones."""
    encoded = work.encoded["train"]
    images = [encoded.whole(int(number)) for number in watched(work.task.samples)]
    path = work.folder / "course.json"
    # What was measured before an interrupt cannot be measured again.
    course = json.loads(path.read_text()) if path.exists() else []
    last = work.task.presentations if work.settings.learning else 0
    for presented in work.organise(stops=MILESTONES):
        measured = [point["presentations"] for point in course]
        is_milestone = presented in MILESTONES or presented == last
        if is_milestone and presented not in measured:
            course.append(_measure(work.liquid, images, presented))
            write_json(path, course)
    return course


def _measure(liquid: Liquid, images: list[np.ndarray], presented: int) -> dict[str, float]:
    rasters = liquid.rasters(images)
    seconds = rasters.shape[1] / 1000
    rate = float(rasters.sum(axis=1).mean() / seconds)
    return {"presentations": presented, "branching": branching(liquid, rasters), "rate": rate}


def _train_as_published(samples: SampleCounts, passes: int, *, progress: bool) -> Row:
    from tqdm.auto import tqdm

    is_large = samples.counts["train"].shape[1] > 4000
    batch = 50 if is_large else 250
    with tqdm(total=passes, desc="published readout", unit="pass", disable=not progress) as bar:

        def advance(_: int, __: float) -> None:
            bar.update()

        readout, best, validation = train_as_published(
            *samples.part("train"),
            *samples.part("validation"),
            passes=passes,
            batch=batch,
            after_pass=advance,
        )
    test = readout.accuracy(*samples.part("test"))
    return {
        "test": test,
        "validation": validation,
        "passes": passes,
        "best pass": best,
    }


def _draw(
    work: Classification,
    samples: SampleCounts,
    readout: Readout,
    *,
    folder: Path,
    before: dict[str, np.ndarray],
    course: list[dict[str, float]],
) -> None:
    image = work.encoded["train"].whole(0)
    raster = work.liquid.rasters([image])[0]
    after = work.liquid.weights()
    size = raster.shape[1]
    inhibitory = round(work.settings.inhibitory * size)
    # The astrocyte of a static liquid has no effect, so its level is not drawn.
    level = work.liquid.levels(image) if work.settings.learning else np.zeros(0)
    draw_organisation(
        folder / "organisation.png",
        raster=raster,
        excitatory=size - inhibitory,
        level=level,
        course=course,
        weights={name: (before[name], after[name]) for name in before},
    )
    test, labels = samples.part("test")
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    answers = readout.predict(test)
    # Unlike `+=` with indices, it counts a pair of classes as often as it occurs.
    np.add.at(confusion, (labels.astype(np.int64), answers), 1)
    accuracy = readout.accuracy(test, labels)
    draw_answers(
        folder / "answers.png",
        confusion=confusion,
        learning_curve=[*_learning_curve(samples), (len(samples.part("train")[1]), accuracy)],
        title=f"test samples, {100 * accuracy:.2f} % right",
    )


def _learning_curve(samples: SampleCounts) -> list[tuple[int, float]]:
    """Return numbers of training samples below all, and the accuracy of the test after them."""
    counts, classes = samples.part("train")
    curve = []
    for size in CURVE:
        if size < len(classes):
            # One penalty for all sizes, so that the curve shows the samples alone.
            readout = convex(counts[:size], classes[:size], penalty=0.01)
            curve.append((size, readout.accuracy(*samples.part("test"))))
    return curve
