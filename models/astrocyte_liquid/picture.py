"""Pictures of a classification: the liquid in a sample, its self-organisation, its answers."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.plot.style import COLOURS, GREY, PALE

EXCITATORY = COLOURS[0]
INHIBITORY = COLOURS[1]
INPUT = COLOURS[2]
COLOUR = {"excitation": EXCITATORY, "inhibition": INHIBITORY, "input->liquid": INPUT}


def draw_organisation(
    path: Path,
    *,
    raster: NDArray[np.bool_],
    excitatory: int,
    level: NDArray[np.float64],
    course: list[dict[str, float]],
    weights: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> None:
    """Draw a sample, the course of the self-organisation, and weights before and after.

    Parameters
    ----------
    path : Path
        Its ending names the format.
    raster : (T, N) bool
        Of the liquid in one sample, excitatory neurons first.
    excitatory : int
        How many there are.
    level : (T,)
        Of the astrocyte in the same sample; empty without one.
    course : list of {"presentations", "branching", "rate"}
        After some presentations: branching factor (1), mean rate of the liquid (Hz).
    weights : mapping of str to (E,), (E,)
        By projection: before and after, in mV/ms.
    """
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    _raster(axes[0, 0], raster, excitatory)
    _level(axes[0, 1], level)
    _course(axes[1, 0], course)
    _weights(axes[1, 1], weights)
    figure.savefig(path, dpi=150)
    # Pyplot holds every figure until it is closed.
    pyplot.close(figure)


def _raster(ax: Any, raster: NDArray[np.bool_], excitatory: int) -> None:
    times, neurons = np.nonzero(raster)
    is_excitatory = neurons < excitatory
    types = (
        ("excitatory", EXCITATORY, is_excitatory),
        ("inhibitory", INHIBITORY, ~is_excitatory),
    )
    for name, colour, chosen in types:
        ax.plot(
            times[chosen],
            neurons[chosen],
            ".",
            markersize=1,
            color=colour,
            label=name,
        )
    # The whole sample, so that silence at its ends is seen.
    ax.set(
        xlabel="time (ms)",
        ylabel="neuron",
        title="liquid in one sample",
        xlim=(0, len(raster)),
    )
    # Marks of one point would not be seen in the legend.
    ax.legend(loc="upper right", markerscale=8)


def _level(ax: Any, level: NDArray[np.float64]) -> None:
    ax.plot(np.arange(level.size), level, color=COLOURS[4])
    ax.axhline(0, color=PALE)
    ax.set(
        xlabel="time (ms)",
        ylabel="strength (1)",
        title="astrocyte in the same sample",
    )
    if not level.size:
        # An empty panel says why it is empty.
        ax.text(
            0.5,
            0.5,
            "no astrocyte",
            ha="center",
            color=GREY,
            transform=ax.transAxes,
        )


def _course(ax: Any, course: list[dict[str, float]]) -> None:
    # 0 has no place on a logarithmic axis; the first mark stands for the state before.
    marks = [max(point["presentations"], 1) for point in course]
    factors = [point["branching"] for point in course]
    ax.semilogx(marks, factors, "o-", color=COLOURS[0])
    # The edge of chaos, which the astrocyte is to hold.
    ax.axhline(1, color=PALE)
    ax.set(
        xlabel="presentations (the first mark: none)",
        ylabel="branching factor (1)",
        title="self-organisation",
    )
    rates = [point["rate"] for point in course]
    right = ax.twinx()
    right.semilogx(marks, rates, "s--", color=COLOURS[3])
    right.set_ylabel("mean rate (Hz), dashed")


def _weights(ax: Any, weights: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
    arrays = itertools.chain.from_iterable(weights.values())
    largest = max(float(np.abs(array).max()) for array in arrays)
    # The same bins for all, since heights of unequal bins cannot be compared.
    bins = np.linspace(-largest, largest, 61)
    for name, (before, after) in weights.items():
        colour = COLOUR[name]
        ax.hist(before, bins, density=True, histtype="step", color=colour, alpha=0.4)
        ax.hist(after, bins, density=True, histtype="step", color=colour, label=name)
    ax.set(
        xlabel="weight (mV/ms)",
        ylabel="density",
        title="weights before (pale) and after",
        yscale="log",
    )
    ax.legend()


def draw_answers(
    path: Path,
    *,
    confusion: NDArray[np.integer],
    learning_curve: list[tuple[int, float]],
    title: str,
) -> None:
    """Draw the confusion matrix, and the accuracy against the number of training samples.

    Parameters
    ----------
    path : Path
    confusion : (10, 10)
        Test samples by true class and by answer.
    learning_curve : list of (samples, accuracy of the test)
    title : str
    """
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    # Logarithms, since right answers are so many that all errors would be white.
    left.imshow(np.log1p(confusion), cmap="Blues")
    for row, column in np.ndindex(confusion.shape):
        if confusion[row, column]:
            is_dark = row == column
            left.text(
                column,
                row,
                confusion[row, column],
                ha="center",
                va="center",
                fontsize=7,
                color="white" if is_dark else "black",
            )
    ticks = range(len(confusion))
    left.set(
        xlabel="answer",
        ylabel="true class",
        title=title,
        xticks=ticks,
        yticks=ticks,
    )
    sizes, scores = zip(*learning_curve, strict=True)
    percents = [100 * score for score in scores]
    right.semilogx(sizes, percents, "o-", color=COLOURS[0])
    right.set(
        xlabel="training samples",
        ylabel="test accuracy (%)",
        title="learning curve",
    )
    right.grid(color=PALE)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
