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
    """Draw a page: every population over the same time, rates, intervals, weights, and what was run
    and approximated.

    A population without spikes shows its first trace. Weights are those of every projection of
    which "w" was recorded per edge
    and has a sample.
    """
    from matplotlib import pyplot

    spiking = [
        each
        for each in recording.populations.values()
        if each.recorded is not None and each.recorded.steps
    ]
    shown = [
        each for each in recording.populations.values() if each.recorded is not None or each.traces
    ]
    colours = {each.name: COLOURS[place % len(COLOURS)] for place, each in enumerate(shown)}
    weighted = [each for each in recording.projections.values() if _has_weights(each)]
    heights = [
        1.0 + min(each.size, 1000) ** 0.25 / 4 if each.recorded is not None else 1.0
        for each in shown
    ] + [1.2] * bool(spiking)
    text = _description(recording)
    right = [0.3 + 0.07 * text.count("\n")] + [1.0] * (bool(spiking) + len(weighted))
    figure = pyplot.figure(
        figsize=(12, max(1.6 * sum(heights), 2.4 * sum(right), 5)), layout="constrained"
    )
    grid = figure.add_gridspec(1, 2, width_ratios=(2.4, 1))
    left = grid[0].subgridspec(max(len(heights), 1), 1, height_ratios=heights or [1])
    column = grid[1].subgridspec(len(right), 1, height_ratios=right)
    stack = [figure.add_subplot(left[row]) for row in range(len(heights))]
    _activity(stack, shown, spiking, colours)
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


def _has_weights(projection: ProjectionRecording) -> bool:
    """Whether there are weights per edge to show: a run shorter than the distance between samples
    has none.
    """
    w = projection.traces.get("w")
    return w is not None and w.per == "member" and len(w.values) > 0


def _activity(
    panels: list[Axes],
    shown: list[PopulationRecording],
    spiking: list[PopulationRecording],
    colours: dict[str, str],
) -> None:
    """Stack the populations, and the rates of all below them, over one time axis."""
    for panel, population in zip(panels, shown, strict=False):
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
    for remark in list(panel.texts):  # of one population each
        remark.remove()
    panel.legend(frameon=False, fontsize="small", loc="upper right")


def _description(recording: Recording) -> str:
    """Return in words what was run, what came out, and what the backend approximated."""
    known = recording.header.get
    about = [f"{name} {known(name)}" for name in ("backend", "seed") if known(name) is not None]
    about += ["unfinished"] if known("finished") is False else []
    lines = [f"{recording.duration:g} ms in steps of {recording.dt:g} ms", ", ".join(about), ""]
    for each in recording.populations.values():
        rate = (
            f", {measure.rate(each.spikes):.3g} Hz"
            if each.recorded is not None and each.recorded.steps
            else ""
        )
        lines.append(
            f"{each.name}: {each.size:,} neurons{rate}"
            if each.size > 1
            else f"{each.name}: 1 neuron{rate}"
        )
    lines += [f"{each.name}: {len(each.source):,} edges" for each in recording.projections.values()]
    rows = [row for row in recording.report if row.get("status") == "approximated"]
    lines += ["", f"{len(rows)} approximated:"] if rows else []
    lines += [f"{row.get('place', '')}: {row.get('reason', '')}" for row in rows[:MOST_ROWS]]
    lines += [f"... and {len(rows) - MOST_ROWS} more, see .report"] if len(rows) > MOST_ROWS else []
    return "\n".join(textwrap.fill(line, LINE, subsequent_indent="   ") for line in lines)
