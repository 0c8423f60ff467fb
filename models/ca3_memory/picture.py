"""A picture of an experiment: operations with their answers above, all spikes below."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.plot.style import COLOURS, GREY, time_axis

from .network import Settings
from .operations import ANSWER, BY_CONTENT, BY_CUE, LEARN, Answer, Operation, Schedule, answers

BLUE = COLOURS[0]
RED = COLOURS[1]
GREEN = COLOURS[2]
ORANGE = COLOURS[4]
OF_OPERATION = {LEARN: BLUE, BY_CUE: ORANGE, BY_CONTENT: GREEN}
# In the order in which spikes pass.
ROWS = tuple("IN CueCue ContCue Cond Int CueCont ContCont MergeCue MergeCont OUT".split())
COLOUR = {
    "CueCue": BLUE,
    "CueCont": BLUE,
    "MergeCue": BLUE,
    "ContCue": RED,
    "ContCont": RED,
    "MergeCont": RED,
    "Cond": GREY,
    "Int": GREY,
}
GAP = 2.0  # between populations, in neurons
INCHES_PER_STEP, FONT, LETTER = 0.105, 7, 4.6  # size of letters and their width in points
HEADER = 9.0  # height of the operations, in neurons


def draw(
    path: str | Path,
    recording: ns.Recording,
    schedule: Schedule,
    settings: Settings,
    *,
    title: str = "",
    stop: int | None = None,
) -> None:
    """Write the picture to a file.

    Parameters
    ----------
    path : path
        Its ending names the format.
    recording : Recording
        Spikes of all populations, as of ``CA3Memory(..., watch=True).run.result()``.
    schedule : sequence of (int, Operation)
        As of ``CA3Memory.schedule``.
    settings : Settings
    title : str
    stop : int, optional
        Steps to draw, all unless given.
    """
    from matplotlib import pyplot

    # The length of the recording, also if nothing spiked at its end.
    steps = recording["OUT"].spikes.steps if stop is None else stop
    tops = {}
    height = 0.0
    for name in ROWS:
        tops[name] = height
        height += recording.populations[name].size + GAP
    figure, ax = pyplot.subplots(
        # Not wider than 400 steps: longer recordings are drawn narrower.
        figsize=(2.0 + INCHES_PER_STEP * min(steps, 400), 1.2 + 0.085 * (height + HEADER)),
        layout="constrained",
    )
    drawn = [
        (start, operation, answer)
        for (start, operation), answer in zip(schedule, answers(schedule), strict=True)
        if start < steps
    ]
    out = recording["OUT"].spikes.window(0, steps)
    _operations(ax, drawn, out, settings)
    for name in ROWS:
        _population(ax, name, recording[name].spikes.window(0, steps), settings, tops[name])
    _answers(ax, drawn, out, settings, tops["OUT"])
    # Downwards, so that spikes pass from top to bottom.
    ax.set_ylim(height - GAP / 2, -HEADER)
    ax.set_yticks([tops[name] + (recording.populations[name].size - 1) / 2 for name in ROWS], ROWS)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    time_axis(ax, -0.5, steps - 0.5)
    ax.set_title(title, loc="left")
    figure.legend(
        handles=_meanings(),
        loc="outside lower center",
        ncols=8,
        frameon=False,
        fontsize="small",
        handletextpad=0.3,
        columnspacing=1.5,
    )
    figure.savefig(path, dpi=130)
    # Pyplot holds every figure until it is closed.
    pyplot.close(figure)


def _operations(
    ax: Any,
    drawn: list[tuple[int, Operation, Answer]],
    out: ns.Spikes,
    settings: Settings,
) -> None:
    """Write question and answer, as OUT gave it, above a pale band for each operation."""
    ends = [*(start for start, _, _ in drawn[1:]), out.steps]
    for (start, operation, answer), end in zip(drawn, ends, strict=True):
        colour = OF_OPERATION[operation.kind]
        # Half a step before the first spike, so that spikes stand within their band.
        ax.axvspan(start - 0.5, end - 0.5, color=colour, alpha=0.07, linewidth=0)
        ax.axvline(start - 0.5, color=colour, linewidth=0.8, alpha=0.6)
        came = _recalled(operation, start, out, settings) - (
            settings.cues if operation.kind == BY_CUE else 0
        )
        lines = (
            str(operation).split(": ") + ([f"forgets {_set(answer.echo)}"] if answer.echo else [])
            if operation.kind == LEARN
            else [str(operation), f"= {_set(came)}"]
        )
        # Letters that fit above the band of the operation; text must not reach into the next one.
        width = int((end - start) * INCHES_PER_STEP * 72 / LETTER)
        text = "\n".join(
            part for line in lines for part in wrap(line, max(width, 8), break_long_words=False)
        )
        ax.annotate(
            text, (start, 0.5 - HEADER), fontsize=FONT, color=colour, va="top", fontweight="bold"
        )
    ax.axhline(-GAP / 2, color=GREY, linewidth=0.6)


def _recalled(
    operation: Operation,
    start: int,
    out: ns.Spikes,
    settings: Settings,
) -> np.ndarray:
    """Return the neurons of OUT that answer.

    These are bits for a cue, cues for a content, and echoes of bits while learning.
    """
    due = out.index[out.step == start + ANSWER]
    return due[(due < settings.cues) == (operation.kind == BY_CONTENT)]


def _population(
    ax: Any,
    name: str,
    spikes: ns.Spikes,
    settings: Settings,
    top: float,
) -> None:
    """Draw the spikes of a population: cues blue, bits of the content red, gates grey.

    The first neuron of each half is at the top.
    """
    both = [(0, settings.cues, BLUE), (settings.cues, spikes.size, RED)]
    for first, last, colour in both if name in ("IN", "OUT") else [(0, spikes.size, COLOUR[name])]:
        keep = (spikes.index >= first) & (spikes.index < last)
        ax.plot(
            spikes.step[keep],
            top + spikes.index[keep],
            linestyle="none",
            marker="s",
            markersize=4,
            markeredgewidth=0,
            color=colour,
        )
        # Only the outermost numbers: others would overlap.
        for neuron in (first, last - 1):
            ax.annotate(
                str(neuron - first),
                (1, top + neuron),
                (3, 0),
                ("axes fraction", "data"),
                "offset points",
                fontsize=6,
                color=colour,
                va="center",
            )
    ax.axhline(top + spikes.size - 0.5 + GAP / 2, color=GREY, linewidth=0.3)


def _answers(
    ax: Any,
    drawn: list[tuple[int, Operation, Answer]],
    out: ns.Spikes,
    settings: Settings,
    top: float,
) -> None:
    """Ring the spikes of OUT that are answers, and cross out echoes of what is forgotten."""
    for start, operation, _ in drawn:
        neurons = _recalled(operation, start, out, settings)
        style = (
            {"marker": "x", "color": GREY}
            if operation.kind == LEARN
            else {"marker": "o", "markerfacecolor": "none", "color": GREEN}
        )
        ax.plot(
            [start + ANSWER] * len(neurons), top + neurons, linestyle="none", markersize=8, **style
        )


def _meanings() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [
        ("s", BLUE, "cue"),
        ("s", RED, "content"),
        ("s", GREY, "gate"),
        ("o", GREEN, "answer"),
        ("x", GREY, "what is forgotten"),
    ]
    bands = [Patch(color=colour, alpha=0.4, label=name) for name, colour in OF_OPERATION.items()]
    return bands + [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            color=colour,
            label=label,
            markerfacecolor="none" if marker == "o" else colour,
        )
        for marker, colour, label in marks
    ]


def _set(members: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, sorted(members))) + "}"
