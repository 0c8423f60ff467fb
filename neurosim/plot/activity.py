"""Pictures of activity: rasters, traces of states, rates over time, intervals between spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis import measure
from ..errors import NetworkError
from ..quantities import read_time
from ..recording.recorded import PopulationRecording
from ..recording.samples import Spikes
from ..units import Time
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
    start: Time | None = None,
    stop: Time | None = None,
    colour: str = COLOURS[0],
) -> Line2D:
    """Draw a mark per spike: time to the right, the recorded neurons upwards.

    Of more than 100 000 spikes a random selection is drawn, and a note beside the picture says so.

    Parameters
    ----------
    population : PopulationRecording or Spikes
    ax : matplotlib Axes, optional
        New ones unless given.
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.
    colour : str

    Returns
    -------
    The marks.

    Raises
    ------
    NetworkError
        If spikes were not recorded, or not over this interval.
    """
    spikes = _spikes(population, "raster").window(start, stop)
    ax = axes(ax)
    drawn = thin(len(spikes))
    # The axis spans the recorded neurons, those included that never spike.
    low = 0
    high = spikes.size
    if spikes.members.size:
        low = spikes.members.min()
        high = spikes.members.max() + 1
    style = marker(ax, high - low, len(drawn))
    (marks,) = ax.plot(
        spikes.times()[drawn],
        spikes.index[drawn],
        linestyle="none",
        color=colour,
        # Thousands of marks as vectors make files that viewers open slowly.
        rasterized=len(drawn) > 5_000,
        **style,
    )
    if len(drawn) < len(spikes):
        note(ax, f"{len(drawn):,} of {len(spikes):,} spikes drawn")
    # Half a neuron and 1 % beyond: marks of the outermost neurons are not cut.
    ax.set_ylim(low - 0.5 - 0.01 * (high - low), high - 0.5 + 0.01 * (high - low))
    ax.set_ylabel(_title(population, "neuron"))
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
    start: Time | None = None,
    stop: Time | None = None,
) -> list[Line2D]:
    """Draw a state of some neurons over time.

    If spikes of these neurons were recorded, marks in the colours of the lines stand above them,
    a row per neuron.

    Parameters
    ----------
    population : PopulationRecording
    variable : str
    ax : matplotlib Axes, optional
        New ones unless given.
    neurons : sequence of int, optional
        The first five recorded unless given.
    colours : sequence of str
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    A line per neuron.

    Raises
    ------
    NetworkError
        If the state was not recorded, or not of these neurons.
    """
    trace = population.trace(variable)
    chosen = [int(neuron) for neuron in (trace.members[:5] if neurons is None else neurons)]
    times = trace.times()
    values = trace.of(np.array(chosen, int))
    # A sample ends the interval before it, so the axis begins one distance before the first.
    begin = max(0, trace.first + 1 - trace.every) * trace.dt
    end = times[-1] if len(times) else begin + trace.dt
    begin = begin if start is None else read_time(start, where="traces, start")
    end = end if stop is None else read_time(stop, where="traces, stop")
    inside = (times >= begin) & (times <= end)
    ax = axes(ax)
    lines = []
    for number, neuron in enumerate(chosen):
        x, y = envelope(times[inside], values[inside, number])
        colour = colours[number % len(colours)]
        lines += ax.plot(x, y, color=colour, linewidth=1.1, label=f"neuron {neuron}")
    if population.recorded is not None:
        spikes = population.recorded
        # Spikes may have been recorded of other neurons than traces.
        spiking = [number for number, n in enumerate(chosen) if n in spikes.members]
        spike_times = [spikes.of(chosen[number]) for number in spiking]
        # After the lines: rows of marks are placed above all of them.
        _spike_rows(ax, [lines[number] for number in spiking], spike_times)
    ax.set_ylabel(f"{population.name}: {variable}{unit(trace.unit)}")
    time_axis(ax, begin, end)
    if len(chosen) > 1:
        legend(ax)
    return lines


def rates(
    population: PopulationRecording | Spikes,
    ax: Axes | None = None,
    *,
    bin: Time | None = None,
    start: Time | None = None,
    stop: Time | None = None,
    colour: str = COLOURS[0],
) -> Line2D:
    """Draw the mean rate per recorded neuron over time.

    Parameters
    ----------
    population : PopulationRecording or Spikes
    ax : matplotlib Axes, optional
        New ones unless given.
    bin : time, ms, optional
        Unless given, a 200th of the window, but not below 5 ms.
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.
    colour : str

    Returns
    -------
    The line.

    Raises
    ------
    NetworkError
        If spikes were not recorded, or the bin is no whole number of steps.
    """
    spikes = _spikes(population, "rates").window(start, stop)
    steps = max(1, round(max(5.0, spikes.duration / 200) / spikes.dt))
    # A bin longer than the window would never be complete.
    width = min(steps, max(spikes.steps, 1)) * spikes.dt if bin is None else bin
    centres, values = measure.population_rate(spikes, width)
    ax = axes(ax)
    (line,) = ax.plot(
        *envelope(centres, values),
        drawstyle="steps-mid",
        color=colour,
        linewidth=1.2,
        label=_title(population, "rate"),
    )
    # Several populations may share the axes.
    top = max(np.max(other.get_ydata(), initial=0) for other in ax.lines)
    ax.set_ylim(0, 1.05 * top or 1)
    ax.set_ylabel("rate (Hz)")
    time_axis(ax, *_window(spikes))
    note(ax, f"mean per neuron, bins of {width:.12g} ms")
    return line


def isi_histogram(
    population: PopulationRecording | Spikes,
    ax: Axes | None = None,
    *,
    start: Time | None = None,
    stop: Time | None = None,
    colour: str = COLOURS[0],
) -> StepPatch:
    """Draw the distribution of the intervals between spikes of the same neuron, as a density.

    Bins are whole steps wide, at most 50, and reach to the 99th percentile; a note says how many
    intervals are longer.

    Parameters
    ----------
    population : PopulationRecording or Spikes
    ax : matplotlib Axes, optional
        New ones unless given.
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.
    colour : str

    Returns
    -------
    The outline.

    Raises
    ------
    NetworkError
        If spikes were not recorded, or not over this interval.
    """
    spikes = _spikes(population, "isi_histogram").window(start, stop)
    # In whole steps: edges of bins that fall onto intervals would sort equal ones by rounding.
    steps = np.round(measure.intervals(spikes) / spikes.dt).astype(np.int64)
    # A few long pauses would squeeze all other intervals into one bin.
    longest = int(np.percentile(steps, 99, method="higher")) if len(steps) else 1
    # About twice the root of the number of intervals: fewer bins hide shape, more show noise.
    width = -(-longest // int(np.clip(2 * np.sqrt(len(steps)), 5, 50)))
    edges = np.arange(-(-longest // width) + 1) * width + 0.5  # the shortest interval is one step
    count, _ = np.histogram(steps, edges)
    ax = axes(ax)
    # Over all intervals, the longer ones included: densities of recordings can be compared.
    density = count / (max(len(steps), 1) * width * spikes.dt)
    outline = ax.stairs(
        density, edges * spikes.dt, label=_title(population, "intervals"), **filled(colour)
    )
    ax.set_ylim(bottom=0, auto=True)
    ax.set_xlim(left=0, auto=True)
    ax.set_xlabel("interval between spikes (ms)")
    ax.set_ylabel("density (1/ms)")
    longer = len(steps) - count.sum()
    remark = f"{len(steps):,} intervals" if len(steps) else "no intervals"
    note(ax, remark + (f", {longer:,} longer ones" if longer else ""))
    return outline


def _spikes(population: PopulationRecording | Spikes, function: str) -> Spikes:
    if isinstance(population, PopulationRecording):
        return population.spikes
    if isinstance(population, Spikes):
        return population
    raise NetworkError(
        f"plot.{function}: found {type(population).__name__}, "
        "expected a recorded population or its spikes. "
        'Choose one: result["name"].'
    )


def _title(population: PopulationRecording | Spikes, quantity: str) -> str:
    if isinstance(population, PopulationRecording):
        return f"{population.name}: {quantity}"
    return quantity


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
            # Matplotlib leaves labels with an underscore out of legends.
            label="_spikes",
        )
    ax.set_ylim(low, high + distance * (len(rows) + 1))
