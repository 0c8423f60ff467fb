"""Pictures of positions: where neurons lie, and states, parameters or counts upon them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import NetworkError, describe
from ..network.populations import Population, View
from ..recording.samples import Trace
from .style import COLOURS, GREY, axes, note, thin, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

_AXES = "xyz"


def positions(
    population: Population | View,
    values: Trace | ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    sample: int = -1,
    label: str = "",
    plane: str = "xy",
    colour: str = COLOURS[0],
) -> PathCollection:
    """Draw neurons at their positions, coloured by a value of each.

    Parameters
    ----------
    population : Population or View
        M neurons of a population with positions.
    values : Trace or (M,), optional
        A recorded state, or a number for each neuron: a parameter, a rate. Neurons that a trace
        does not hold are rings.
    ax : matplotlib Axes, optional
        New ones unless given.
    sample : int
        Position in time of a trace; the last one unless given.
    label : str
        Name of the values.
    plane : str
        The axes to the right and upwards, two of x, y and z.
    colour : str
        Of neurons without values.

    Returns
    -------
    The marks.

    Raises
    ------
    NetworkError
        If the population has no positions, there are not as many values as neurons, or there is no
        such plane.

    Notes
    -----
    Of more than 100 000 neurons a random selection is drawn, and a note says so.
    """
    view = population.view if isinstance(population, Population) else population
    across, upwards = _coordinates(view, plane)
    numbers, label = _values(view, values, sample, label)
    ax = axes(ax, (5.5, 4.5))
    drawn = thin(len(view))
    x = across[drawn]
    y = upwards[drawn]
    # Points of an area that fills the picture about half, whatever their number.
    size = float(np.clip(12_000 / max(len(drawn), 1), 2, 60))
    style: dict[str, Any] = {"s": size, "linewidths": 0, "rasterized": len(drawn) > 5_000}
    if numbers is None:
        marks = ax.scatter(x, y, color=colour, **style)
    else:
        values_drawn = numbers[drawn]
        known = np.isfinite(values_drawn)
        # Rings, since colours in the middle of the scale are pale, too.
        ring = {"facecolor": "none", "edgecolor": GREY, "linewidths": 0.5}
        ax.scatter(x[~known], y[~known], **{**style, **ring})
        marks = ax.scatter(
            x[known], y[known], c=values_drawn[known], **{**style, **_colours(values_drawn[known])}
        )
        ax.figure.colorbar(marks, ax=ax, label=label, shrink=0.8)
    remarks = [f"at {values.times()[sample]:g} ms"] if isinstance(values, Trace) else []
    if len(drawn) < len(view):
        remarks.append(f"{len(drawn):,} of {len(view):,} neurons drawn")
    if remarks:
        note(ax, ", ".join(remarks))
    ax.set(xlabel=f"{view.name}: {plane[0]} (um)", ylabel=f"{plane[1]} (um)")
    # A line of neurons would leave axes of one scale without height.
    if np.ptp(across) > 0 and np.ptp(upwards) > 0:
        ax.set_aspect("equal", adjustable="datalim")
    return marks


def _coordinates(view: View, plane: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two coordinates of each neuron, (M,) each in um."""
    sites = view.population.positions
    if sites is None:
        raise NetworkError(
            f"plot.positions: population {view.name!r} has no positions. "
            "Give positions= to net.population."
        )
    if not isinstance(plane, str) or len(plane) != 2 or not set(plane) <= set(_AXES):
        raise NetworkError(
            f"plot.positions: found plane {describe(plane)}, expected two of x, y and z. "
            "Give it such as 'xz'."
        )
    first, second = (sites[view.indices, _AXES.index(axis)] for axis in plane)
    return first, second


def _values(
    view: View,
    values: Trace | ArrayLike | None,
    sample: int,
    label: str,
) -> tuple[np.ndarray | None, str]:
    """Return a number for each neuron, NaN if it is unknown, and the label of the numbers."""
    if values is None:
        return None, label
    if not isinstance(values, Trace):
        numbers = np.asarray(values, np.float64)
        if numbers.shape != (len(view),):
            raise NetworkError(
                f"plot.positions: found values of shape {numbers.shape}, expected one for each of "
                f"{len(view)} neurons of {view.name!r}. Give as many."
            )
        return numbers, label
    if not -len(values.values) <= sample < len(values.values):
        raise NetworkError(
            f"plot.positions: found sample {sample}, expected one of {len(values.values)} "
            "samples. Choose a smaller one."
        )
    everyone = np.full(view.population.size, np.nan)
    everyone[values.members] = values.values[sample]
    return everyone[view.indices], f"{label}{unit(values.unit)}".strip() or "value"


def _colours(numbers: np.ndarray) -> dict[str, Any]:
    """Return the scale of colours: blue and red about 0 if there are numbers of both signs."""
    low = numbers.min(initial=np.inf)
    high = numbers.max(initial=-np.inf)
    if not low < 0 < high:
        return {"cmap": "viridis"}
    most = max(-low, high)
    edge = {"edgecolors": GREY, "linewidths": 0.3}  # 0 is nearly white
    return {"cmap": "RdBu_r", "vmin": -most, "vmax": most, **edge}
