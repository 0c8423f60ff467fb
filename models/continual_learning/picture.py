"""Pictures of a course of tasks: accuracy over tasks, and the accuracy matrix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurosim.plot.style import COLOURS, PALE, axes

from .course import Course

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_accuracies(path: str | Path, courses: Mapping[str, Course]) -> None:
    """Draw courses side by side: the mean over tasks so far, the first task, each matrix.

    Parameters
    ----------
    path : path
        Its ending names the format.
    courses : mapping of title -> Course
    """
    from matplotlib import pyplot

    # In inches: the first panel is wider, since it holds the legend of all courses.
    width = 4.5 + 3.6 * len(courses)
    figure, panels = pyplot.subplots(
        1, 1 + len(courses), figsize=(width, 3.8), layout="constrained"
    )
    # Without courses there is one panel, which pyplot returns without an array around it.
    panels = np.atleast_1d(panels)
    draw_courses(courses, panels[0])
    for ax, (title, course) in zip(panels[1:], courses.items(), strict=True):
        draw_matrix(course, ax, title=title)
    figure.savefig(path, dpi=130)
    # Pyplot holds every figure until it is closed.
    pyplot.close(figure)


def draw_courses(courses: Mapping[str, Course], ax: Axes | None = None) -> Axes:
    """Draw the mean accuracy of all tasks so far, and dashed that of the first task.

    Parameters
    ----------
    courses : mapping of title -> Course
    ax : matplotlib Axes, optional
    """
    ax = axes(ax)
    for (title, course), colour in zip(courses.items(), COLOURS * len(courses), strict=False):
        values = 100 * course.accuracy.values
        numbers = np.arange(1, len(values) + 1)
        # Of joint training, the last row alone has numbers.
        tested = ~np.isnan(values[:, 0])
        means = np.array([row[:count].mean() for count, row in enumerate(values, start=1)])
        ax.plot(numbers[tested], means[tested], "o-", color=colour, label=title)
        ax.plot(numbers[tested], values[tested, 0], "--", color=colour, linewidth=1)
    ax.set(xlabel="tasks learned", ylabel="accuracy (%), dashed: of the first task")
    # Tasks are counted, so that ticks between whole numbers would mean nothing.
    longest = max((len(course.accuracy.values) for course in courses.values()), default=0)
    ax.set_xticks(np.arange(1, longest + 1))
    ax.grid(color=PALE)
    ax.legend()
    return ax


def draw_matrix(course: Course, ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw the accuracy of each task after each task, in percent.

    Parameters
    ----------
    course : Course
    ax : matplotlib Axes, optional
    title : str
        ACC and BWT are added.
    """
    ax = axes(ax, (4.0, 3.8))
    values = 100 * course.accuracy.values
    lowest = np.nanmin(values) if np.isfinite(values).any() else 0.0
    ax.imshow(values, cmap="Blues", vmin=lowest - 10, vmax=100)
    for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
        # White on the darker half of the colours, so that numbers stay readable.
        is_dark = values[row, column] > (lowest + 100) / 2
        ax.text(
            column,
            row,
            f"{values[row, column]:.1f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if is_dark else "black",
        )
    acc, bwt = 100 * course.accuracy.acc, 100 * course.accuracy.bwt
    ticks = np.arange(len(values))
    ax.set(
        xlabel="tested on task",
        ylabel="after task",
        xticks=ticks,
        yticks=ticks,
        xticklabels=ticks + 1,
        yticklabels=ticks + 1,
        title=f"{title}\nACC {acc:.1f} %, BWT {bwt:+.1f}".strip(),
    )
    return ax
