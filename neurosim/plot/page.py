"""One page that shows a whole recording."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ..analysis import measure
from ..recording.recorded import PopulationRecording, ProjectionRecording
from ..recording.recording import Recording
from .activity import isi_histogram, raster, rates, traces
from .style import COLOURS, legend, time_axis
from .wiring import weight_histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 44  # letters of the text beside the pictures
MOST_ROWS = 6  # of the report


def summary(recording: Recording) -> Figure:
    """Draw a page: every population over one time axis, rates, intervals, weights, the report.

    A population without spikes shows its first trace. Weights are drawn of every projection whose
    "w" was recorded per edge and has a sample.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    The figure.
    """
    from matplotlib import pyplot

    populations = recording.populations.values()
    # A recording of no steps has spikes, but no rate.
    spiking = [p for p in populations if p.recorded is not None and p.recorded.steps]
    drawn = [p for p in populations if p.recorded is not None or p.traces]
    # One colour per population in all panels of the page.
    colours = {p.name: COLOURS[number % len(COLOURS)] for number, p in enumerate(drawn)}
    weighted = [p for p in recording.projections.values() if _has_weights(p)]
    heights = [_height(p) for p in drawn] + [1.2] * bool(spiking)
    text = _description(recording)
    right = [0.3 + 0.07 * text.count("\n")] + [1.0] * (bool(spiking) + len(weighted))
    figure = pyplot.figure(
        figsize=(12, max(1.6 * sum(heights), 2.4 * sum(right), 5)), layout="constrained"
    )
    grid = figure.add_gridspec(1, 2, width_ratios=(2.4, 1))
    left = grid[0].subgridspec(max(len(heights), 1), 1, height_ratios=heights or [1])
    column = grid[1].subgridspec(len(right), 1, height_ratios=right)
    stack = [figure.add_subplot(left[row]) for row in range(len(heights))]
    _activity(stack, drawn, spiking, colours)
    if stack:
        start = recording.header.get("first", 0) * recording.dt
        time_axis(stack[-1], start, start + recording.duration)
        figure.align_ylabels(stack)
    panels = [figure.add_subplot(column[row]) for row in range(len(right))]
    corner = panels.pop(0)
    corner.set_axis_off()
    corner.set_title(
        str(recording.header.get("network", "recording")), loc="left", fontweight="bold"
    )
    corner.text(0, 1, text, transform=corner.transAxes, va="top", fontsize="small", linespacing=1.4)
    if spiking:
        _intervals(panels.pop(0), spiking, colours)
    for panel, projection in zip(panels, weighted, strict=True):
        weight_histogram(projection, panel)
    return figure


def _height(population: PopulationRecording) -> float:
    """Return the relative height of a panel: more for rasters of many neurons."""
    if population.recorded is None:
        return 1.0
    # A fourth root: a raster of 1000 neurons needs more height than one of 10, but not 100 times.
    return 1.0 + min(population.size, 1000) ** 0.25 / 4


def _has_weights(projection: ProjectionRecording) -> bool:
    """Whether there are weights per edge: a run shorter than the sampling interval has none."""
    w = projection.traces.get("w")
    return w is not None and w.per == "member" and len(w.values) > 0


def _activity(
    panels: list[Axes],
    drawn: list[PopulationRecording],
    spiking: list[PopulationRecording],
    colours: dict[str, str],
) -> None:
    """Stack the populations, and the rates of all below them, over one time axis."""
    # There is one panel more than populations if any spiked: that of the rates.
    for panel, population in zip(panels, drawn, strict=False):
        if population.recorded is not None:
            raster(population, panel, colour=colours[population.name])
        else:
            traces(
                population,
                next(iter(population.traces)),
                ax=panel,
                colours=[colours[population.name]],
            )
    for population in spiking:
        rates(population, panels[-1], colour=colours[population.name]).set_label(population.name)
    if len(spiking) > 1:
        legend(panels[-1])
    for panel in panels[1:]:
        panel.sharex(panels[0])
    for panel in panels[:-1]:
        panel.set_xlabel("")
        panel.tick_params(labelbottom=False)


def _intervals(panel: Axes, spiking: list[PopulationRecording], colours: dict[str, str]) -> None:
    """Lay the distributions of all populations over each other."""
    for population in spiking:
        intervals = measure.intervals(population.spikes)
        middle = f"median {np.median(intervals):.3g} ms" if len(intervals) else "none"
        isi_histogram(population, panel, colour=colours[population.name]).set_label(
            f"{population.name}, {middle}"
        )
    # Each remark says how many intervals one population has; together they would overlap.
    for remark in list(panel.texts):
        remark.remove()
    panel.legend(frameon=False, fontsize="small", loc="upper right")


def _description(recording: Recording) -> str:
    """Return the text of the page: the run, its sizes and rates, and approximated rows."""
    known = recording.header.get
    about = [f"{name} {known(name)}" for name in ("backend", "seed") if known(name) is not None]
    about += ["unfinished"] if known("finished") is False else []
    lines = [
        f"{recording.duration:.12g} ms in steps of {recording.dt:.12g} ms",
        ", ".join(about),
        "",
    ]
    for population in recording.populations.values():
        spikes = population.recorded
        rate = f", {measure.rate(spikes):.3g} Hz" if spikes is not None and spikes.steps else ""
        noun = "neurons" if population.size > 1 else "neuron"
        lines.append(f"{population.name}: {population.size:,} {noun}{rate}")
    for projection in recording.projections.values():
        lines.append(f"{projection.name}: {len(projection.source):,} edges")
    # Recordings of other origin may hold rows of any status.
    rows = [row for row in recording.report if row.get("status") == "approximated"]
    lines += ["", f"{len(rows)} approximated:"] if rows else []
    lines += [f"{row.get('place', '')}: {row.get('reason', '')}" for row in rows[:MOST_ROWS]]
    lines += [f"... and {len(rows) - MOST_ROWS} more, see .report"] if len(rows) > MOST_ROWS else []
    return "\n".join(textwrap.fill(line, LINE, subsequent_indent="   ") for line in lines)
