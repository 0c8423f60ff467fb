"""Experiments E1 to E3 of the publication: operations, their execution, and results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.backend.lowering import Backend

from .network import TO_CONTENT, TO_CUE, Settings, build, record
from .operations import (
    FIRST,
    LEARN,
    Operation,
    Schedule,
    answers,
    by_content,
    by_cue,
    learn,
    raster,
)

PUBLISHED_SIZES, MAP_SIZES = Settings(), Settings(16, 6)  # of E1 and E2, of E3
# Spikes of each population in the authors' result tables.
PUBLISHED = {
    "E1": {
        "IN cue": 14,
        "IN content": 46,
        "CueCue": 10,
        "ContCue": 42,
        "Cond": 34,
        "Int": 13,
        "CueCont": 15,
        "ContCont": 34,
        "MergeCue": 15,
        "MergeCont": 42,
        "OUT cue": 15,
        "OUT content": 42,
    },
    "E2": {
        "IN cue": 60,
        "IN content": 201,
        "CueCue": 45,
        "ContCue": 251,
        "Cond": 194,
        "Int": 75,
        "CueCont": 102,
        "ContCont": 194,
        "MergeCue": 102,
        "MergeCont": 251,
        "OUT cue": 102,
        "OUT content": 251,
    },
    "E3": {
        "IN cue": 48,
        "IN content": 54,
        "CueCue": 32,
        "ContCue": 38,
        "Cond": 38,
        "Int": 36,
        "CueCont": 48,
        "ContCont": 38,
        "MergeCue": 48,
        "MergeCont": 38,
        "OUT cue": 48,
        "OUT content": 38,
    },
}
# E3: a grid of cells, each unknown (0), start (1), goal (2), free (3), path (4) or obstacle (5).
MAP = "0513 0345 0543 2443"


@dataclass(frozen=True)
class Experiment:
    """A name, the sizes of the memory, operations and duration in steps."""

    name: str
    settings: Settings
    schedule: Schedule
    steps: int


@dataclass(frozen=True, eq=False)
class Played:
    """An experiment and its results.

    Attributes
    ----------
    experiment : Experiment
    recording : Recording
        All spikes.
    to_content : (C, K) nA
        Weights from cues to contents at the end.
    to_cue : (K, C) nA
        Weights from contents to cues at the end.
    """

    experiment: Experiment
    recording: ns.Recording
    to_content: np.ndarray
    to_cue: np.ndarray


def functional(settings: Settings = PUBLISHED_SIZES) -> Experiment:
    """Return E1: three memories, recall by cue and by content, and one memory overwritten.

    An operation begins every 10 ms.
    """
    s = settings
    operations = [
        learn(s, 0, {0, 1, 8, 9}),
        learn(s, 4, {1, 5, 6}),
        learn(s, 3, {4, 5, 6}),
        by_cue(s, 0),
        by_content(s, {6}),
        by_content(s, {0, 4}),
        learn(s, 3, {1, 3, 4, 8}),
        by_cue(s, 3),
        by_content(s, {6}),
    ]
    return Experiment("E1", s, spaced(operations, 10), 90)


def stress(settings: Settings = PUBLISHED_SIZES) -> Experiment:
    """Return E2: five memories, overwritten by their complements, and again by the first contents.

    Each time all are asked for by cue and by every bit. An operation begins every 14 ms.
    """
    s = settings
    operations = []
    for complement in (False, True, False):
        # Contents are the binary digits of cue + 1, so that they overlap in many ways.
        for cue in range(5):
            operations.append(
                learn(
                    s, cue, {bit for bit in range(10) if bool((cue + 1) >> bit & 1) != complement}
                )
            )
        operations += [by_cue(s, cue) for cue in range(5)] + [
            by_content(s, {bit}) for bit in range(10)
        ]
    return Experiment("E2", s, spaced(operations, 14, start=1), 851)


def state_map(settings: Settings = MAP_SIZES) -> Experiment:
    """Return E3: a grid whose cells are cues and whose states are bits.

    Cells of a state are recalled by content. Learning takes 7 ms, a recall 6 ms.
    """
    s = settings
    operations = [learn(s, cell, {int(state)}) for cell, state in enumerate(MAP.replace(" ", ""))]
    operations += [by_content(s, states) for states in ({1, 2, 4}, {3}, {5}, {0})]
    return Experiment("E3", s, spaced(operations, 7, recall=6), 140)


EXPERIMENTS: dict[str, Callable[..., Experiment]] = {
    "E1": functional,
    "E2": stress,
    "E3": state_map,
}


def spaced(
    operations: list[Operation],
    spacing: int,
    *,
    start: int = 0,
    recall: int | None = None,
) -> Schedule:
    """Return a schedule of operations one after another.

    Parameters
    ----------
    operations : list of Operation
    spacing : int
        Steps from one operation to the next.
    start : int
        First step of the first one.
    recall : int, optional
        Steps after a recall, if they are others.
    """
    steps = [
        spacing if operation.kind == LEARN or recall is None else recall for operation in operations
    ]
    # Each step is the distance to the operation behind it, so the last one is not needed.
    return list(zip(np.cumsum([start, *steps[:-1]]).tolist(), operations, strict=True))


def presented(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Return the spikes of ``IN`` in an experiment: (S,) indices and (S,) steps."""
    spikes_of_operations = [
        (neurons, start + after)
        for start, operation in experiment.schedule
        for neurons, after in [operation.spikes(experiment.settings)]
    ]
    indices, steps = (np.concatenate(a) for a in zip(*spikes_of_operations, strict=True))
    return indices, steps


def episode(*, seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network with the input of an experiment, recording all spikes.

    The experiment is E1 if the memory is large enough; else every cue learns one bit, and is
    recalled.

    Parameters
    ----------
    seed : int
        Without effect.
    **settings
        Fields of `Settings`.
    """
    s = Settings(**settings)
    if s.cues >= PUBLISHED_SIZES.cues and s.content_size >= PUBLISHED_SIZES.content_size:
        experiment = functional(s)
    else:
        operations = [learn(s, cue, {cue % s.content_size}) for cue in range(s.cues)]
        operations += [by_cue(s, cue) for cue in range(s.cues)]
        experiment = Experiment("episode", s, spaced(operations, 14), 14 * len(operations))
    indices, steps = presented(experiment)
    # One step late: NEST takes no given spikes in step 0.
    net = build(s, (indices, steps + 1))
    record(net)
    return net


def play(experiment: Experiment, backend: str | Backend, *, steps: int | None = None) -> Played:
    """Run an experiment.

    Parameters
    ----------
    experiment : Experiment
    backend : str or Backend
    steps : int, optional
        Run only so many; all unless given.
    """
    net = build(experiment.settings)
    record(net)
    run = ns.prepare(net, backend=backend)
    # All spikes are known in advance, so the whole experiment is one run.
    run.set("IN", steps=presented(experiment))
    run.run(experiment.steps if steps is None else steps, progress=False)
    c = experiment.settings.cues
    k = experiment.settings.content_size
    return Played(
        experiment,
        run.result(),
        # All-to-all edges in the order of `get`, source by source, are a matrix row by row.
        np.reshape(run.get(TO_CONTENT, "w"), (c, k)),
        np.reshape(run.get(TO_CUE, "w"), (k, c)),
    )


def spikes(played: Played) -> dict[str, set[tuple[int, int]]]:
    """Return the spikes of each population as (step, neuron).

    IN and OUT are split in two halves, cues and content, each counted from 0.
    """
    cues = played.experiment.settings.cues
    by_population = {}
    for name, population in played.recording.populations.items():
        pairs = set(
            zip(population.spikes.step.tolist(), population.spikes.index.tolist(), strict=True)
        )
        if name in ("IN", "OUT"):
            by_population[f"{name} cue"] = {(step, i) for step, i in pairs if i < cues}
            by_population[f"{name} content"] = {(step, i - cues) for step, i in pairs if i >= cues}
        else:
            by_population[name] = pairs
    return by_population


def counts(played: Played) -> dict[str, int]:
    """Return the number of spikes of each population, in the order of the published tables."""
    by_population = spikes(played)
    return {name: len(by_population[name]) for name in PUBLISHED["E1"]}


def predicted(schedule: Schedule) -> dict[str, set[tuple[int, int]]]:
    """Return the spikes of each population that the tables of offsets give for a schedule."""
    expected: dict[str, set[tuple[int, int]]] = {}
    for (start, operation), answer in zip(schedule, answers(schedule), strict=True):
        for name, pairs in raster(operation, answer).items():
            expected.setdefault(name, set()).update(
                (start + offset, neuron) for offset, neuron in pairs
            )
    return expected


def judge(played: Played) -> list[dict[str, Any]]:
    """Return for each operation whether exactly the expected spikes of OUT came.

    Echoes of overwritten bits may come or not.

    Returns
    -------
    list of {"kind", "correct", "missing", "wrong"}
        Numbers of spikes that did not come, and of spikes that were not expected. An operation
        answers for the spikes of OUT from its first one on, until that of the next.
    """
    schedule = played.experiment.schedule
    by_population = spikes(played)
    ends = [*(start + FIRST for start, _ in schedule[1:]), played.experiment.steps]
    outcomes = []
    for (start, operation), answer, end in zip(schedule, answers(schedule), ends, strict=True):
        # Spikes before the first answer belong to no operation, so the first one answers for them.
        begin = start + FIRST if outcomes else 0
        expected = raster(operation, answer)
        missing = 0
        wrong = 0
        for name in ("OUT cue", "OUT content"):
            came = {(step - start, i) for step, i in by_population[name] if begin <= step < end}
            echo = (
                {pair for pair in expected[name] if pair[1] in answer.echo}
                if name == "OUT content"
                else set()
            )
            missing += len(expected[name] - echo - came)
            wrong += len(came - expected[name])
        outcomes.append(
            {
                "kind": operation.kind,
                "correct": not missing and not wrong,
                "missing": missing,
                "wrong": wrong,
            }
        )
    return outcomes


def tally(outcomes: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return [correct, all] by kind of operation and together, and [missing, wrong] spikes."""
    operations = dict.fromkeys(outcome["kind"] for outcome in outcomes)
    by_kind = {
        operation: [
            sum(o["correct"] for o in outcomes if o["kind"] == operation),
            sum(o["kind"] == operation for o in outcomes),
        ]
        for operation in operations
    }
    return by_kind | {
        "all": [sum(o["correct"] for o in outcomes), len(outcomes)],
        "missing, wrong": [sum(o[n] for o in outcomes) for n in ("missing", "wrong")],
    }
