"""Pictures of subspaces: dimensions and orthonormality over tasks, angles between tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurosim.plot.style import COLOURS, PALE, axes

from .dimensions import principal_angles, principal_directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARE = 0.95  # of the variance, by the directions of a task


def draw_subspaces(
    path: str | Path,
    course: Sequence[Mapping[str, Mapping[str, float]]],
    *,
    activity: Mapping[str, Sequence[NDArray]],
) -> None:
    """Draw rows and deviation over tasks, and the angles between tasks in each layer.

    Parameters
    ----------
    path : path
        Its ending names the format.
    course : sequence of {layer: {"rows", "deviation"}}
        Of `Projected`.
    activity : mapping of layer -> sequence of (R, N)
        Rows of presynaptic activity in each task.
    """
    from matplotlib import pyplot

    layers = list(activity)
    figure, panels = pyplot.subplots(
        1, 2 + len(layers), figsize=(3.6 * (2 + len(layers)), 3.6), layout="constrained"
    )
    draw_rows(course, panels[0])
    draw_deviations(course, panels[1])
    for ax, layer in zip(panels[2:], layers, strict=True):
        draw_angles(activity[layer], ax, title=layer)
    figure.savefig(path, dpi=130)
    # Pyplot holds every figure until it is closed.
    pyplot.close(figure)


def draw_rows(course: Sequence[Mapping[str, Mapping[str, float]]], ax: Axes | None = None) -> Axes:
    """Draw the number of subspace neurons of each layer over tasks.

    Parameters
    ----------
    course : sequence of {layer: {"rows", "deviation"}}
    ax : matplotlib Axes, optional
    """
    ax = axes(ax)
    _over_tasks(ax, course, "rows")
    ax.set(xlabel="tasks learned", ylabel="subspace neurons", title="dimensions")
    ax.set_ylim(bottom=0)
    return ax


def draw_deviations(
    course: Sequence[Mapping[str, Mapping[str, float]]], ax: Axes | None = None
) -> Axes:
    """Draw how far the rows of each layer are from orthonormal, over tasks.

    Parameters
    ----------
    course : sequence of {layer: {"rows", "deviation"}}
    ax : matplotlib Axes, optional
    """
    ax = axes(ax)
    _over_tasks(ax, course, "deviation")
    ax.set(xlabel="tasks learned", ylabel="max abs(H H^T - I)", title="orthonormality")
    # Converged rows and random ones lie decades apart.
    ax.set_yscale("log")
    return ax


def draw_angles(activity: Sequence[NDArray], ax: Axes | None = None, *, title: str = "") -> Axes:
    """Draw the principal angles between the input of the first task and of each later one.

    Parameters
    ----------
    activity : sequence of (R, N)
        Of each task; its directions hold 95 % of its variance.
    ax : matplotlib Axes, optional
    title : str
    """
    ax = axes(ax)
    # The first task may have no activity, and then has no directions.
    bases = [principal_directions(rows, share=SHARE) for rows in activity]
    for number, basis in enumerate(bases[1:], start=2):
        if len(basis) and len(bases[0]):
            angles = principal_angles(bases[0], basis)
            colour = COLOURS[(number - 2) % len(COLOURS)]
            ax.plot(np.arange(1, len(angles) + 1), angles, color=colour, label=f"1 and {number}")
    ax.set(xlabel="number of the angle", ylabel="angle (degrees)", title=title, ylim=(0, 92))
    ax.grid(color=PALE)
    ax.legend(title="tasks")
    return ax


def _over_tasks(
    ax: Axes, course: Sequence[Mapping[str, Mapping[str, float]]], quantity: str
) -> None:
    numbers = np.arange(1, len(course) + 1)
    for layer, colour in zip(course[0], COLOURS * len(course[0]), strict=False):
        values = [layers[layer][quantity] for layers in course]
        ax.plot(numbers, values, "o-", color=colour, label=layer)
    ax.set_xticks(numbers)
    ax.grid(color=PALE)
    ax.legend()
