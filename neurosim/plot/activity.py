"""Pictures of activity: rasters, traces of states, rates over time, intervals between spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis import measure
from ..errors import NetworkError
from ..recording.recorded import PopulationRecording
from ..recording.samples import Spikes
from .style import (
    COLOURS,
    axes,
    envelope,
    filled,
    legend,
    marker,
    note,
    thin,
    time_axis,
    unit,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch


def raster(
    population: PopulationRecording | Spikes,
    ax: Axes | None = None,
    *,
    start: float | None = None,
    stop: float | None = None,
    colour: str = COLOURS[0],
) -> Line2D:
    """Draw a mark per spike, time to the right and the recorded neurons upwards; return the marks.

    `start` and `stop` are in ms. Of more than 100 000 spikes a random selection is drawn, and a
    note beside the picture says so.
    """
    spikes = _spikes(population, "raster").window(start, stop)
    ax = axes(ax)
    keep = thin(len(spikes))
    low, high = (
        (spikes.members.min(), spikes.members.max() + 1)
        if spikes.members.size
        else (0, spikes.size)
    )
    style = marker(ax, high - low, len(keep))
    (marks,) = ax.plot(
        spikes.times()[keep],
        spikes.index[keep],
        linestyle="none",
        color=colour,
        rasterized=len(keep) > 5_000,
        **style,
    )
    if len(keep) < len(spikes):
        note(ax, f"{len(keep):,} of {len(spikes):,} spikes drawn")
    ax.set_ylim(low - 0.5 - 0.01 * (high - low), high - 0.5 + 0.01 * (high - low))
    ax.set_ylabel(_titled(population, "neuron"))
    whole_numbers(ax.yaxis)
    time_axis(ax, *_window(spikes))
    return marks


def traces(
    population: PopulationRecording,
    variable: str = "v",
    *,
    ax: Axes | None = None,
    neurons: Sequence[int] | None = None,
    colours: Sequence[str] = COLOURS,
    start: float | None = None,
    stop: float | None = None,
) -> list[Line2D]:
    """Draw a state of some neurons over time, the first five recorded unless `neurons` are given;
    return a line for each.

    `start` and `stop` are in ms. Where spikes were recorded, marks in the colours of the lines
    stand above them, a row per neuron of which
    they were.
    """
    trace = population.trace(variable)
    chosen = [int(neuron) for neuron in (trace.members[:5] if neurons is None else neurons)]
    times, values = trace.times(), trace.of(np.array(chosen, int))
    begin = max(0, trace.first + 1 - trace.every) * trace.dt if start is None else start
    end = (times[-1] if len(times) else begin + trace.dt) if stop is None else stop
    inside = (times >= begin) & (times <= end)
    ax = axes(ax)
    lines = []
    for place, neuron in enumerate(chosen):
        x, y = envelope(times[inside], values[inside, place])
        lines += ax.plot(
            x, y, color=colours[place % len(colours)], linewidth=1.1, label=f"neuron {neuron}"
        )
    if population.recorded is not None:
        seen = [
            place for place, neuron in enumerate(chosen) if neuron in population.recorded.members
        ]
        _spike_rows(
            ax,
            [lines[place] for place in seen],
            [population.recorded.of(chosen[place]) for place in seen],
        )
    ax.set_ylabel(f"{population.name}: {variable}{unit(trace.unit)}")
    time_axis(ax, begin, end)
    if len(chosen) > 1:
        legend(ax)
    return lines


def rates(
    population: PopulationRecording | Spikes,
    ax: Axes | None = None,
    *,
    bin: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    colour: str = COLOURS[0],
) -> Line2D:
    """Draw the mean rate per recorded neuron over time; return the line.

    `bin`, `start` and `stop` are in ms; unless given, `bin` is a 200th of the window, but not below
    5 ms.
    """
    spikes = _spikes(population, "rates").window(start, stop)
    steps = max(1, round(max(5.0, spikes.duration / 200) / spikes.dt))
    width = min(steps, max(spikes.steps, 1)) * spikes.dt if bin is None else bin
    centres, values = measure.population_rate(spikes, width)
    ax = axes(ax)
    (line,) = ax.plot(
        *envelope(centres, values),
        drawstyle="steps-mid",
        color=colour,
        linewidth=1.2,
        label=_titled(population, "rate"),
    )
    top = max(
        np.max(each.get_ydata(), initial=0) for each in ax.lines
    )  # several populations may share the axes
    ax.set_ylim(0, 1.05 * top or 1)
    ax.set_ylabel("rate (Hz)")
    time_axis(ax, *_window(spikes))
    note(ax, f"mean per neuron, bins of {width:g} ms")
    return line


def isi_histogram(
    population: PopulationRecording | Spikes,
    ax: Axes | None = None,
    *,
    start: float | None = None,
    stop: float | None = None,
    colour: str = COLOURS[0],
) -> StepPatch:
    """Draw how intervals between spikes of the same neuron are distributed, as a density; return
    the outline.

    `start` and `stop` are in ms. Bins are whole steps wide, at most 50, and reach to the 99th
    percentile; a note says how many intervals
    are longer.
    """
    spikes = _spikes(population, "isi_histogram").window(start, stop)
    steps = np.round(measure.intervals(spikes) / spikes.dt).astype(np.int64)
    longest = int(np.percentile(steps, 99, method="higher")) if len(steps) else 1
    width = -(-longest // int(np.clip(2 * np.sqrt(len(steps)), 5, 50)))
    edges = np.arange(-(-longest // width) + 1) * width + 0.5  # the shortest interval is one step
    count, _ = np.histogram(steps, edges)
    ax = axes(ax)
    density = count / (max(len(steps), 1) * width * spikes.dt)
    outline = ax.stairs(
        density, edges * spikes.dt, label=_titled(population, "intervals"), **filled(colour)
    )
    ax.set_ylim(bottom=0, auto=True)
    ax.set_xlim(left=0, auto=True)
    ax.set_xlabel("interval between spikes (ms)")
    ax.set_ylabel("density (1/ms)")
    longer = len(steps) - count.sum()
    note(
        ax,
        (f"{len(steps):,} intervals" if len(steps) else "no intervals")
        + (f", {longer:,} longer ones" if longer else ""),
    )
    return outline


def _spikes(population: PopulationRecording | Spikes, function: str) -> Spikes:
    if isinstance(population, PopulationRecording):
        return population.spikes
    if isinstance(population, Spikes):
        return population
    found = type(population).__name__
    raise NetworkError(
        f"plot.{function}: found {found}, expected a recorded population or its spikes. "
        'Choose one: result["name"].'
    )


def _titled(population: PopulationRecording | Spikes, what: str) -> str:
    return f"{population.name}: {what}" if isinstance(population, PopulationRecording) else what


def _window(spikes: Spikes) -> tuple[float, float]:
    return spikes.first * spikes.dt, (spikes.first + spikes.steps) * spikes.dt


def _spike_rows(ax: Axes, lines: list[Line2D], rows: list[np.ndarray]) -> None:
    """Mark spikes above the lines, the first neuron's on top."""
    low, high = ax.get_ylim()
    distance = 0.045 * (high - low)
    for row, (line, times) in enumerate(zip(lines, rows, strict=True)):
        height = np.full(len(times), high + distance * (len(rows) - row))
        ax.plot(
            times,
            height,
            "|",
            color=line.get_color(),
            markersize=6,
            markeredgewidth=1.2,
            label="_spikes",
        )
    ax.set_ylim(low, high + distance * (len(rows) + 1))
