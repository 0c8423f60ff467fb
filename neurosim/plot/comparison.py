"""Two recordings side by side: spikes, and the distributions by which they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..analysis import measure
from ..errors import NetworkError
from ..recording.recording import Recording
from ..units import Time
from .activity import raster
from .style import COLOURS, axes, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6  # populations on a page


def comparison(
    a: Recording,
    b: Recording,
    *,
    names: tuple[str, str] = ("first", "second"),
    start: Time | None = None,
    stop: Time | None = None,
) -> Figure:
    """Draw a row per population: spikes of both recordings, and distributions of their measures.

    The measures are rates, intervals and the variability of intervals. At most six populations
    are drawn.

    Parameters
    ----------
    a, b : Recording
    names : (str, str)
        Of the recordings.
    start, stop : time, ms, optional
        Bounds of the rasters alone; the whole recording unless given.

    Returns
    -------
    The figure.

    Raises
    ------
    NetworkError
        If there is no population whose spikes both recorded.
    """
    from matplotlib import pyplot

    shared = [name for name in _spiking(a) if name in _spiking(b)][:MOST]
    if not shared:
        raise NetworkError(
            "plot.comparison: found no population whose spikes both recorded, expected at least "
            "one. Record spikes in both."
        )
    figure, grid = pyplot.subplots(
        len(shared),
        5,
        figsize=(17, 3.2 * len(shared)),
        layout="constrained",
        squeeze=False,
        width_ratios=(2, 2, 1, 1, 1),
    )
    for name, row in zip(shared, grid, strict=True):
        recorded = [a[name].spikes, b[name].spikes]
        # Only the first two panels of a row: there are as many recordings.
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


def _spiking(recording: Recording) -> list[str]:
    """Return the names of the populations whose spikes were recorded."""
    return [name for name, p in recording.populations.items() if p.recorded is not None]


def _distributions(ax: Axes, label: str, values: list[np.ndarray], names: tuple[str, str]) -> None:
    """Draw the share of values up to each value: bins could hide or invent a difference."""
    axes(ax)
    # The first line is wider: it stays visible under a second one that is the same.
    for sample, name, colour, width in zip(values, names, COLOURS, (3.0, 1.2), strict=False):
        known = np.sort(sample[~np.isnan(sample)])
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
