"""Two recordings side by side: spikes, and what they are compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis import measure
from ..errors import NetworkError
from ..recording.recording import Recording
from .activity import raster
from .style import COLOURS, axes, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6  # populations of a page


def comparison(
    a: Recording,
    b: Recording,
    *,
    names: tuple[str, str] = ("first", "second"),
    start: float | None = None,
    stop: float | None = None,
) -> Figure:
    """Draw a row per population that both recorded: spikes of both, and how rates, intervals and
    their variability are distributed.

    Parameters
    ----------
    names : of the recordings
    start, stop : ms
        Of the rasters alone.
    """
    from matplotlib import pyplot

    both = [
        n
        for n in a.populations
        if n in b.populations and a[n].recorded is not None and b[n].recorded is not None
    ][:MOST]
    if not both:
        raise NetworkError(
            "plot.comparison: found no population whose spikes both recorded, expected at least "
            "one. Record spikes in both."
        )
    figure, grid = pyplot.subplots(
        len(both),
        5,
        figsize=(17, 3.2 * len(both)),
        layout="constrained",
        squeeze=False,
        width_ratios=(2, 2, 1, 1, 1),
    )
    for name, row in zip(both, grid, strict=True):
        recorded = [a[name].spikes, b[name].spikes]
        for ax, spikes, title, colour in zip(row, recorded, names, COLOURS, strict=False):
            raster(spikes, ax, start=start, stop=stop, colour=colour)
            ax.set_title(f"{name}, {title}", loc="left", fontsize="medium")
        for ax, label, values in (
            (row[2], "rate (Hz)", [measure.rates(s) for s in recorded]),
            (row[3], "interval (ms)", [measure.intervals(s) for s in recorded]),
            (row[4], "CV of intervals", [measure.cv_intervals(s) for s in recorded]),
        ):
            _distributions(ax, label, values, names)
    return figure


def _distributions(ax: Axes, label: str, values: list[Any], names: tuple[str, str]) -> None:
    """Draw the share of values up to each value: no bins that could hide or make a difference."""
    axes(ax)
    for each, name, colour, width in zip(values, names, COLOURS, (3.0, 1.2), strict=False):
        known = np.sort(each[~np.isnan(each)])
        ax.plot(
            known,
            np.arange(1, known.size + 1) / max(known.size, 1),
            drawstyle="steps-post",
            color=colour,
            linewidth=width,
            label=name,
        )
    ax.set_xlabel(label)
    ax.set_ylabel("share up to here")
    ax.set_ylim(0, 1.02)
    legend(ax)
