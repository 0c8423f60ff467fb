"""Two recordings side by side: spikes, and the distributions by which they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis import measure
from ..analysis.changes import ALONE, MOVED, WITHIN, SpikeChanges, find_spike_changes
from ..errors import NetworkError
from ..recording.recording import Recording
from ..units import Time
from .activity import raster
from .style import COLOURS, axes, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6  # populations on a page
_MOVED = COLOURS[2]
_ALONE = COLOURS[6]


def comparison(
    a: Recording,
    b: Recording,
    *,
    names: tuple[str, str] = ("first", "second"),
    start: Time | None = None,
    stop: Time | None = None,
    within: int = WITHIN,
) -> Figure:
    """Draw a row per population: spikes of both recordings, and distributions of their measures.

    The measures are rates, intervals and the variability of intervals. At most six populations
    are drawn. If both are of the same time step, spikes that are not in both have colours of their
    own: those that moved, those that are lost, and those that are new.

    Parameters
    ----------
    a, b : Recording
    names : (str, str)
        Of the recordings.
    start, stop : time, ms, optional
        Bounds of the rasters alone; the whole recording unless given.
    within : int
        Steps by which a spike may move and count as the same one.

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
    all_changes = find_spike_changes(a, b, within=within)
    for name, row in zip(shared, grid, strict=True):
        recorded = [a[name].spikes, b[name].spikes]
        # Only the first two panels of a row: there are as many recordings.
        for ax, spikes, title, colour in zip(row, recorded, names, COLOURS, strict=False):
            raster(spikes, ax, start=start, stop=stop, colour=colour)
            ax.set_title(f"{name}, {title}", loc="left", fontsize="medium")
        for changes in (c for c in all_changes if c.name == name):
            _mark_differences(row[:2], changes, start=start, stop=stop)
        for ax, label, values in (
            (row[2], "rate (Hz)", [measure.rates(s) for s in recorded]),
            (row[3], "interval (ms)", [measure.intervals(s) for s in recorded]),
            (row[4], "CV of intervals", [measure.cv_intervals(s) for s in recorded]),
        ):
            _distributions(ax, label, values, names)
    return figure


def _mark_differences(
    panels: Sequence[Axes],
    changes: SpikeChanges,
    *,
    start: Time | None,
    stop: Time | None,
) -> None:
    """Draw spikes that are not in both recordings over those of their rasters."""
    words = (f"moved by up to {changes.within} steps", "lost"), ("moved", "new")
    for recording, ax in enumerate(panels):
        labels = {MOVED: words[recording][0], ALONE: words[recording][1]}
        for fate, colour in ((MOVED, _MOVED), (ALONE, _ALONE)):
            spikes = changes.chosen(recording, fate)
            if len(spikes):
                marks = raster(spikes, ax, start=start, stop=stop, colour=colour)
                marks.set_label(f"{len(spikes)} {labels[fate]}")
                marks.set_zorder(3)
        if ax.get_legend_handles_labels()[0]:
            legend(ax)
            ax.set_title(ax.get_title(loc="left"), loc="left", fontsize="medium", pad=20)


def _spiking(recording: Recording) -> list[str]:
    """Return the names of the populations whose spikes were recorded."""
    return [name for name, p in recording.populations.items() if p.recorded is not None]


def _distributions(
    ax: Axes,
    label: str,
    values: list[np.ndarray],
    names: tuple[str, str],
) -> None:
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
