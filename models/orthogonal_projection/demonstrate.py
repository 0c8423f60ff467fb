"""The demonstration: permuted MNIST by a strategy and without any, with pictures and a table."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from neurosim.backend.lowering import Backend
from neurosim.errors import NetworkError, describe_unknown
from neurosim.recording.files import write_json

from ..continual_learning.course import Course, learn_tasks
from ..continual_learning.learner import Learner
from ..continual_learning.picture import draw_accuracies
from ..continual_learning.strategies import STRATEGIES, Rehearsal, Strategy, read_strategy
from ..continual_learning.tasks import Task
from .experiment import permuted_digits
from .learner import make_learner, projected
from .picture import draw_subspaces
from .settings import PUBLISHED_ROWS, SETTINGS, SMALL_ROWS, Settings
from .strategy import WATCHED, Projected

Row = dict[str, Any]
NAMES = ("hlop", "hlop with rehearsal", *STRATEGIES)


def demonstrate(
    *,
    seed: int = 0,
    backend: str | Backend = "cpu",
    out: str | Path = ".",
    progress: bool = True,
    **settings: Any,
) -> list[Row]:
    """Learn permuted MNIST by a strategy and by plain training.

    Parameters
    ----------
    seed : int
    backend : str or Backend
        Named in the results; training itself runs in PyTorch.
    out : path
        Folder, created if it is missing; keeps a checkpoint after each task, so that the same call
        goes on after an interrupt, and takes ``results.json`` and pictures.
    progress : bool
        Show bars.
    **settings
        Of `SETTINGS`.

    Returns
    -------
    list of {"quantity", "measured", "expected", "pass"}
        Limits are those of the acceptance checks, where the setting is theirs.

    Raises
    ------
    DataError
        If the data are missing.
    NetworkError
        If a setting does not fit, or the folder holds another course.
    """
    began = time.perf_counter()
    values = SETTINGS | settings
    of_network = Settings(**{field.name: values[field.name] for field in fields(Settings)})
    folder = Path(out)
    tasks = permuted_digits(
        values["tasks"], images=values["images"], tests=values["tests"], seed=seed
    )
    courses: dict[str, Course] = {}
    # One course if the strategy is "plain" itself.
    for name in dict.fromkeys([values["strategy"], "plain"]):
        learner = make_learner(of_network, seed)
        strategy = make_strategy(name, learner, of_network, seed=seed)
        path = folder / f"{name.replace(' ', '_')}.pt"
        courses[name] = learn_tasks(
            learner, tasks, strategy=strategy, seed=seed, checkpoint=path, progress=progress
        )
        projection = circuits_of(strategy)
        if projection is not None:
            activity = activity_of(learner, tasks)
            layers = {layer: activity[layer] for layer in projection.circuits.subspaces}
            draw_subspaces(folder / "subspaces.png", projection.course, activity=layers)
    draw_accuracies(folder / "accuracies.png", courses)
    rows = judge(courses, values)
    results = {
        "model": "orthogonal-projection",
        "seed": seed,
        "backend": str(backend),
        "versions": {"torch": torch.__version__},
        "settings": {**values, **asdict(of_network)},
        "courses": {name: summarise(course) for name, course in courses.items()},
        "seconds": round(time.perf_counter() - began, 1),
        "rows": rows,
    }
    write_json(folder / "results.json", results)
    return rows


def make_strategy(
    name: str,
    learner: Learner,
    settings: Settings,
    *,
    seed: int,
) -> Strategy:
    """Return a strategy by name, made for a learner.

    Parameters
    ----------
    name : str
        "hlop", "hlop with rehearsal", or one of `STRATEGIES`.
    learner : Learner
    settings : Settings
    seed : int

    Raises
    ------
    NetworkError
        If there is none of this name.
    """
    if name not in NAMES:
        raise NetworkError(describe_unknown("strategy", name, NAMES, owner="orthogonal projection"))
    if not name.startswith("hlop"):
        return read_strategy(name)
    # No layer has more directions than neurons: smaller ones take fewer rows than published.
    most_rows = max(sum(rows) for rows in PUBLISHED_ROWS.values())
    listed = PUBLISHED_ROWS if settings.hidden >= most_rows else SMALL_ROWS
    # Heads of their own need no protection: no other task changes them.
    learns = learner.trainer.learns
    rows = {layer: numbers for layer, numbers in listed.items() if layer in learns}
    strategy = projected(learner, settings, rows, seed=seed)
    return Rehearsal(strategy) if name.endswith("rehearsal") else strategy


def circuits_of(strategy: Strategy) -> Projected | None:
    """Return the projection within a strategy, None if there is none.

    Parameters
    ----------
    strategy : Strategy
    """
    inner = strategy.around if isinstance(strategy, Rehearsal) else strategy
    return inner if isinstance(inner, Projected) else None


def activity_of(learner: Learner, tasks: list[Task]) -> dict[str, list[Any]]:
    """Return rows of presynaptic activity by layer, for some test samples of each task.

    Parameters
    ----------
    learner : Learner
    tasks : list of Task
    """
    result: dict[str, list[Any]] = {}
    for number, task in enumerate(tasks):
        watched = task.test.take(slice(0, WATCHED))
        for layer, rows in learner.rows(watched, number).items():
            result.setdefault(layer, []).append(rows.cpu().numpy())
    return result


def summarise(course: Course) -> Row:
    """Return matrix, ACC and BWT in percent, and durations, as plain data.

    Parameters
    ----------
    course : Course
    """
    matrix = [[_percent(value) for value in row] for row in course.accuracy.values]
    return {
        "strategy": course.strategy,
        "matrix": matrix,
        "acc": _percent(course.accuracy.acc),
        "bwt": _percent(course.accuracy.bwt),
        "seconds": list(course.seconds),
        "losses": list(course.losses),
    }


def _percent(value: float) -> float | None:
    # Tasks that were not tested have no number, which JSON knows as null.
    return None if math.isnan(value) else round(100 * float(value), 2)


def judge(courses: dict[str, Course], values: Row) -> list[Row]:
    """Return ACC and BWT of each course, beside limits where the setting is that of S1.

    Parameters
    ----------
    courses : mapping of strategy -> Course
    values : mapping
        Settings by name.
    """
    usual = all(values[name] == SETTINGS[name] for name in SETTINGS if name != "strategy")
    rows = []
    for name, course in courses.items():
        quantities = (
            ("ACC", 100 * course.accuracy.acc, 94.0),
            ("BWT", 100 * course.accuracy.bwt, -1.5),
        )
        for quantity, value, least in quantities:
            row = {"quantity": f"{name}: {quantity} (%)", "measured": round(value, 2)}
            # Other settings and strategies have no published limits.
            if usual and name == "hlop":
                row |= {"expected": f">= {least:g}", "pass": bool(value >= least)}
            else:
                row |= {"expected": "", "pass": True}
            rows.append(row)
    return rows
