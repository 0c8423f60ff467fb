"""Pictures of a sweep: lines over one axis, a heat map over two."""

from __future__ import annotations

import warnings
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetworkError, describe, describe_unknown
from ..plot.style import COLOURS, axes, legend, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .table import SweepTable


def draw(table: SweepTable, names: tuple[str, ...], *, ax: Axes | None = None) -> Axes:
    """Draw a measure over one axis or two; see `SweepTable.plot`.

    Parameters
    ----------
    table : SweepTable
    names : (2 or 3) names
        Axes, then the measure.
    ax : matplotlib Axes, optional
    """
    if len(names) not in (2, 3) or len(set(names[:-1])) < len(names) - 1:
        raise NetworkError(
            f"sweep, plot: found {describe(names)}, expected one or two axes and a measure. Write "
            f'such as table.plot("{next(iter(table.grid), "axis")}", '
            f'"{next(iter(table.measures), "measure")}").'
        )
    for name in names[:-1]:
        if name not in table.grid:
            raise NetworkError(describe_unknown("axis", name, table.grid, owner="the sweep"))
    values = table[names[-1]]
    if values.ndim != len(table.shape):
        raise NetworkError(
            f"sweep, plot: {names[-1]!r} is an array at each point, expected a number. "
            'Draw it yourself: table["name"].'
        )
    ax = axes(ax)
    if len(names) == 2:
        _draw_lines(table, names, ax, values)
    else:
        _draw_map(table, names, ax, values)
    if table.failed:
        note(ax, f"{len(table.failed)} of {len(table)} jobs failed")
    return ax


def _draw_lines(table: SweepTable, names: tuple[str, ...], ax: Axes, values: np.ndarray) -> None:
    axis, measure = names
    others = {name: axis_values for name, axis_values in table.grid.items() if name != axis}
    # The axis first, seeds last, the points of all other axes between.
    lines = np.moveaxis(values, list(table.grid).index(axis), 0)
    lines = lines.reshape(len(table.grid[axis]), -1, len(table.seeds))
    x, labels = _positions(table.grid[axis])
    order = np.argsort(x, kind="stable")
    for number, point in enumerate(product(*others.values())):
        colour = COLOURS[number % len(COLOURS)]
        label = ", ".join(f"{name} {value}" for name, value in zip(others, point, strict=True))
        of_point = lines[order, number]
        mean, spread = _statistics(of_point)
        if len(table.seeds) > 1:
            ax.plot(x[order], of_point, color=colour, linewidth=0.6, alpha=0.5)
            ax.fill_between(
                x[order], mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
            )
        ax.plot(x[order], mean, "o-", color=colour, linewidth=1.8, markersize=3.5, label=label)
    if labels is not None:
        ax.set_xticks(x, labels)
    ax.set_xlabel(axis)
    ax.set_ylabel(measure)
    if others:
        legend(ax)
    if len(table.seeds) > 1:
        note(ax, "mean, standard deviation and each seed")


def _draw_map(table: SweepTable, names: tuple[str, ...], ax: Axes, values: np.ndarray) -> None:
    axis, upwards, measure = names
    at = list(table.grid)
    ordered = np.moveaxis(values, [at.index(upwards), at.index(axis)], [0, 1])
    mean, _ = _statistics(ordered.reshape(*ordered.shape[:2], -1))
    # Cells of equal size, whatever the values: each point is one cell.
    image = ax.imshow(mean, origin="lower", aspect="auto", interpolation="nearest")
    ax.set_xticks(range(mean.shape[1]), [str(value) for value in table.grid[axis]])
    ax.set_yticks(range(mean.shape[0]), [str(value) for value in table.grid[upwards]])
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
