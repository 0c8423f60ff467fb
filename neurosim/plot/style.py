"""The look of all pictures: colours, axes, marks, and the thinning of very large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe & Ito 2008: distinguishable with any colour vision, and in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
PALE = "#EBEBEB"
MOST_DOTS = 100_000  # more marks only darken a picture and slow it down
MOST_POINTS = 20_000  # of a line: more than any screen has


def axes(ax: Axes | None, size: tuple[float, float] = (7.0, 4.0)) -> Axes:
    """Return `ax`, or new axes in a new figure, without upper and right frame lines."""
    if ax is None:
        from matplotlib import pyplot  # slow to import, and it may open a display

        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def marker(ax: Axes, neurons: int, spikes: int) -> dict[str, Any]:
    """Return the style of marks: strokes if a row per neuron has room for them, else dots.

    Parameters
    ----------
    ax : matplotlib Axes
    neurons : int
        Rows of the raster.
    spikes : int
        Marks that will be drawn.

    Returns
    -------
    Keyword arguments of ``Axes.plot``.
    """
    row = 0.8 * ax.get_window_extent().height * 72 / ax.figure.dpi / max(neurons, 1)  # points
    if row > 3:
        return {"marker": "|", "markersize": min(row, 12), "markeredgewidth": 1.0}
    return {
        "marker": ".",
        # Many marks are small, so that dense activity does not become one area.
        "markersize": float(np.clip(300 / np.sqrt(max(spikes, 1)), 1.5, 4)),
        "markeredgewidth": 0,
    }


def thin(count: int) -> np.ndarray:
    """Return the (K,) positions of the marks to draw among `count`, ascending.

    The choice is random: a regular one would leave stripes in a regular pattern.
    """
    if count <= MOST_DOTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST_DOTS, replace=False, shuffle=False))


def envelope(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a line that looks the same with fewer points: lowest and highest value per block."""
    if len(values) <= MOST_POINTS:
        return times, values
    # Two points per block, so blocks are twice as long as the thinning alone asks for.
    first = np.arange(0, len(values), -(-2 * len(values) // MOST_POINTS))
    # `fmin` and `fmax` skip NaN: a gap must not erase the block around it.
    return np.repeat(times[first], 2), np.stack(
        [np.fmin.reduceat(values, first), np.fmax.reduceat(values, first)], 1
    ).ravel()


def note(ax: Axes, text: str) -> None:
    """Write a remark in small grey letters above the right end of the axes, once."""
    # Several populations drawn into one panel make the same remark.
    if any(remark.get_text() == text for remark in ax.texts):
        return
    ax.annotate(
        text,
        (1, 1),
        (0, 2),
        "axes fraction",
        "offset points",
        ha="right",
        va="bottom",
        fontsize="small",
        color=GREY,
    )


def legend(ax: Axes) -> None:
    """Name the lines above the axes, where the names hide nothing."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=5,
        frameon=False,
        fontsize="small",
        borderaxespad=0.2,
        columnspacing=1.2,
    )


def time_axis(ax: Axes, start: float, stop: float) -> None:
    """Show an interval in ms, labelled in seconds if it is long; the data stay in ms.

    Parameters
    ----------
    ax : matplotlib Axes
    start, stop : float, ms
    """
    # An empty interval would make matplotlib warn and choose limits of its own.
    ax.set_xlim(start, stop if stop > start else start + 1)
    long = stop - start >= 10_000
    ax.xaxis.set_major_formatter(
        (lambda time, _: f"{time / 1000:g}") if long else (lambda time, _: f"{time:g}")
    )
    ax.set_xlabel("time (s)" if long else "time (ms)")


def whole_numbers(*several: Axis) -> None:
    """Put ticks at whole numbers only, as neurons have."""
    from matplotlib.ticker import MaxNLocator

    for axis in several:
        axis.set_major_locator(
            MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        )


def unit(symbol: str) -> str:
    """Return a unit in brackets, and nothing for plain numbers."""
    return "" if symbol in ("1", "") else f" ({symbol})"


def filled(colour: str) -> dict[str, Any]:
    """Return the style of a histogram: an outline over a pale area."""
    return {"fill": True, "facecolor": (colour, 0.3), "edgecolor": colour, "linewidth": 1.2}
