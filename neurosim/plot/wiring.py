"""Pictures of projections: their edges, their weights, and how these are distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..recording.recorded import ProjectionRecording
from .style import COLOURS, GREY, PALE, axes, filled, legend, note, unit, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import StepPatch

# Source, target and weight of each edge, (E,) each; numbers of source and target neurons.
Edges = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]


def weight_histogram(
    projection: ProjectionRecording | Edges,
    ax: Axes | None = None,
    *,
    variable: str = "w",
    sample: int = -1,
    bins: int = 40,
) -> StepPatch:
    """Draw the distribution of the weights at a sample and, dashed, before the run.

    Parameters
    ----------
    projection : ProjectionRecording, or (source, target, weight, shape)
        Arrays of (E,) each, and the numbers of source and target neurons.
    ax : matplotlib Axes, optional
        New ones unless given.
    variable : str
        With one value per edge.
    sample : int
        Position in time; the last one unless given.
    bins : int

    Returns
    -------
    The outline of the distribution at the sample.

    Raises
    ------
    NetworkError
        If the variable was not recorded, or has no such sample.
    """
    _, _, values, _, label = _edges(projection, variable, sample)
    initial = values[:0]
    when = "weights"
    if isinstance(projection, ProjectionRecording):
        trace = projection.trace(variable)
        initial = trace.initial
        when = f"at {trace.times()[sample]:.12g} ms"
    # Common bins: the heights of both distributions can be compared.
    edges = np.histogram_bin_edges(np.concatenate([values, initial]), bins)
    ax = axes(ax)
    outline = ax.stairs(np.histogram(values, edges)[0], edges, label=when, **filled(COLOURS[0]))
    ax.set_ylim(bottom=0, auto=True)
    if len(initial):
        before: dict[str, Any] = {"color": GREY, "linestyle": "--", "label": "initial"}
        if initial.min() == initial.max():  # one high bar would hide the rest
            ax.axvline(initial[0], **before)
        else:
            ax.stairs(np.histogram(initial, edges)[0], edges, **before)
        legend(ax)
    ax.set_xlabel(label)
    ax.set_ylabel("edges")
    return outline


def weight_matrix(
    projection: ProjectionRecording | Edges,
    ax: Axes | None = None,
    *,
    variable: str = "w",
    sample: int = -1,
) -> AxesImage:
    """Draw the weights at a sample: sources downwards, targets to the right.

    A pixel is the mean of its edges: those of one pair, or, beyond 400 neurons, of a block of
    pairs. Pale pixels have no edge.

    Parameters
    ----------
    projection, ax, variable, sample
        As of `weight_histogram`.

    Returns
    -------
    The image.

    Raises
    ------
    NetworkError
        As of `weight_histogram`.
    """
    source, target, value, shape, label = _edges(projection, variable, sample)
    block = _block(shape, 400)
    # Pixels without an edge are 0 / 0: NaN, which lets the pale background through.
    with np.errstate(invalid="ignore"):
        mean = _sums(source, target, shape, block, value) / _sums(source, target, shape, block)
    low, high = (float(value.min()), float(value.max())) if len(value) else (0.0, 1.0)
    ax = axes(ax, (6, 5))
    # With both signs, colours part at 0; with one, the scale begins at 0, so that pale is weak.
    if low < 0 < high:
        image = _image(ax, mean, shape, block, "RdBu_r", -max(-low, high), max(-low, high))
    else:
        image = _image(
            ax,
            mean,
            shape,
            block,
            "viridis" if high > 0 else "viridis_r",
            min(low, 0.0),
            max(high, 0.0),
        )
    ax.set_facecolor(PALE)
    _pair_axes(ax, projection, shape)
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.8)
    if max(block) > 1:
        note(ax, f"means of blocks of {block[0]} x {block[1]} pairs")
    return image


def connectivity(projection: ProjectionRecording | Edges, ax: Axes | None = None) -> AxesImage:
    """Draw the connected pairs: sources downwards, targets to the right, degrees at the sides.

    A pixel is the number of edges of a pair, or, beyond 100 neurons, the mean of a block of pairs.

    Parameters
    ----------
    projection : ProjectionRecording, or (source, target, weight, shape)
        As of `weight_histogram`.
    ax : matplotlib Axes, optional
        New ones unless given.

    Returns
    -------
    The image.
    """
    if isinstance(projection, ProjectionRecording):
        source = projection.source
        target = projection.target
        shape = projection.shape
    else:
        source, target, _, shape = projection
    block = _block(shape, 100)
    # The last block of a side may hold fewer neurons.
    pairs = np.outer(
        *(
            np.diff(np.minimum(np.arange(-(-n // b) + 1) * b, n))
            for n, b in zip(shape, block, strict=True)
        )
    )
    share = _sums(source, target, shape, block) / pairs
    ax = axes(ax, (6, 5))
    image = _image(ax, share, shape, block, "Blues", 0.0, share.max(initial=0) or 1.0)
    _pair_axes(ax, projection, shape)
    _degrees(
        ax.inset_axes((0, 1.03, 1, 0.15), sharex=ax),
        np.bincount(target, minlength=shape[1]),
        "in",
        "vertical",
    )
    _degrees(
        ax.inset_axes((1.03, 0, 0.15, 1), sharey=ax),
        np.bincount(source, minlength=shape[0]),
        "out",
        "horizontal",
    )
    # Without blocks and multiple edges the picture is black and white, and needs no scale.
    if max(block) > 1 or share.max(initial=0) > 1:
        ax.figure.colorbar(image, ax=ax, label="edges per pair", shrink=0.8)
    return image


def _edges(
    projection: ProjectionRecording | Edges, variable: str, sample: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int], str]:
    """Return source, target, value, shape and the label of the value."""
    if isinstance(projection, ProjectionRecording):
        label = f"{projection.name}: {variable}{unit(projection.trace(variable).unit)}"
        return *projection.edges(variable, sample), projection.shape, label
    source, target, value, shape = projection
    return np.asarray(source), np.asarray(target), np.asarray(value), shape, "weight"


def _pair_axes(ax: Axes, projection: ProjectionRecording | Edges, shape: tuple[int, int]) -> None:
    """Label sources downwards and targets to the right, neuron 0 at the top left."""
    source = "source"
    target = "target"
    if isinstance(projection, ProjectionRecording):
        source = projection.source_name
        target = projection.target_name
    ax.set(
        xlim=(-0.5, shape[1] - 0.5),
        ylim=(shape[0] - 0.5, -0.5),
        xlabel=f"to {target}, neuron",
        ylabel=f"from {source}, neuron",
    )
    whole_numbers(ax.xaxis, ax.yaxis)


def _block(shape: tuple[int, int], most: int) -> tuple[int, int]:
    """Return the numbers of sources and targets per pixel, at most `most` pixels on a side."""
    return -(-shape[0] // most), -(-shape[1] // most)


def _sums(
    source: np.ndarray,
    target: np.ndarray,
    shape: tuple[int, int],
    block: tuple[int, int],
    value: np.ndarray | None = None,
) -> np.ndarray:
    """Return the sum of the values, or the number, of the edges of each pixel."""
    rows = -(-shape[0] // block[0])
    columns = -(-shape[1] // block[1])
    pixel = (np.asarray(source, np.int64) // block[0]) * columns + np.asarray(target) // block[1]
    return np.bincount(pixel, value, rows * columns).reshape(rows, columns)


def _image(
    ax: Axes,
    pixels: np.ndarray,
    shape: tuple[int, int],
    block: tuple[int, int],
    colours: str,
    low: float,
    high: float,
) -> AxesImage:
    # In neurons, so that axes count these and not pixels; the last block may reach beyond them.
    extent = (-0.5, pixels.shape[1] * block[1] - 0.5, pixels.shape[0] * block[0] - 0.5, -0.5)
    # Squares for pairs, unless one population is so small that its side would be a line.
    aspect: Literal["equal", "auto"] = "equal" if max(shape) <= 3 * min(shape) else "auto"
    return ax.imshow(
        pixels,
        cmap=colours,
        vmin=low,
        vmax=high,
        # A pixel is a pair or a block of pairs: smoothing would invent edges.
        interpolation="nearest",
        extent=extent,
        aspect=aspect,
    )


def _degrees(
    inset: Axes,
    count: np.ndarray,
    title: str,
    orientation: Literal["vertical", "horizontal"],
) -> None:
    """Draw the number of edges per neuron along one side of a matrix."""
    inset.stairs(
        count, np.arange(len(count) + 1) - 0.5, fill=True, color=GREY, orientation=orientation
    )
    inset.spines[["top", "right"]].set_visible(False)
    most = int(count.max(initial=0))
    if orientation == "vertical":
        inset.set(ylim=(0, most or 1), yticks=[most], ylabel=title)
        inset.tick_params(labelbottom=False, labelsize="small")
    else:
        inset.set(xlim=(0, most or 1), xticks=[most], xlabel=title)
        inset.tick_params(labelleft=False, labelsize="small")
