"""Pictures of a sweep: lines over one axis, a heat map over two."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plot.style import COLOURS, legend, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Grid = Mapping[str, tuple[Any, ...]]


def draw_lines(
    ax: Axes,
    values: np.ndarray,
    *,
    grid: Grid,
    axis: str,
    measure: str,
) -> None:
    """Draw a measure over one axis: seeds, mean and spread; other axes by colour.

    Parameters
    ----------
    ax : matplotlib Axes
    values : (axes ..., seeds)
    grid : axis -> its values
    axis, measure : str
    """
    others = {name: axis_values for name, axis_values in grid.items() if name != axis}
    seeds = values.shape[-1]
    # The axis first, seeds last, the points of all other axes between.
    lines = np.moveaxis(values, list(grid).index(axis), 0)
    lines = lines.reshape(len(grid[axis]), -1, seeds)
    x, labels = _positions(grid[axis])
    # From left to right, in whatever order the values were given.
    order = np.argsort(x, kind="stable")
    along = x[order]
    for number, point in enumerate(product(*others.values())):
        colour = COLOURS[number % len(COLOURS)]
        label = ", ".join(f"{name} {value}" for name, value in zip(others, point, strict=True))
        of_point = lines[order, number]
        mean, spread = _statistics(of_point)
        if seeds > 1:
            low, high = mean - spread, mean + spread
            ax.plot(along, of_point, color=colour, linewidth=0.6, alpha=0.5)
            ax.fill_between(along, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(along, mean, "o-", color=colour, linewidth=1.8, markersize=3.5, label=label)
    if labels is not None:
        ax.set_xticks(x, labels)
    ax.set_xlabel(axis)
    ax.set_ylabel(measure)
    if others:
        legend(ax)
    if seeds > 1:
        note(ax, "mean, standard deviation and each seed")


def draw_map(
    ax: Axes,
    values: np.ndarray,
    *,
    grid: Grid,
    axis: str,
    upwards: str,
    measure: str,
) -> None:
    """Draw the mean of a measure over two axes, and over all others and seeds, as a heat map.

    Parameters
    ----------
    ax : matplotlib Axes
    values : (axes ..., seeds)
    grid : axis -> its values
    axis, upwards, measure : str
    """
    names = list(grid)
    ordered = np.moveaxis(values, [names.index(upwards), names.index(axis)], [0, 1])
    # All other axes and the seeds as one.
    of_cell = ordered.reshape(*ordered.shape[:2], -1)
    mean, _ = _statistics(of_cell)
    # Cells of equal size, whatever the values: each point is one cell.
    image = ax.imshow(mean, origin="lower", aspect="auto", interpolation="nearest")
    ax.set_xticks(range(mean.shape[1]), [str(value) for value in grid[axis]])
    ax.set_yticks(range(mean.shape[0]), [str(value) for value in grid[upwards]])
    ax.set_xlabel(axis)
    ax.set_ylabel(upwards)
    ax.figure.colorbar(image, ax=ax, label=f"mean {measure}")


def _positions(values: tuple[Any, ...]) -> tuple[np.ndarray, list[str] | None]:
    """Return positions along an axis, and labels if its values are no numbers."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values, float), None
    return np.arange(len(values), dtype=float), [str(value) for value in values]


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the last axis, without values that are missing."""
    with warnings.catch_warnings():
        # A point of which all jobs failed has none, and is left blank.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(values, axis=-1)
        several = np.count_nonzero(np.isfinite(values), axis=-1) > 1
        spread = np.where(several, np.nanstd(values, axis=-1, ddof=1), 0.0)
    return mean, spread
