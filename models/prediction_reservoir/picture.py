"""One picture of experiment X2: the reservoir in a trial, predictions, errors over trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.plot.style import COLOURS, GREY, PALE, note, time_axis

from .experiment import SWITCHES
from .network import CHANNELS, Settings
from .trials import Prediction, Truth, times

Tests = dict[tuple[int, int], Prediction]  # by block and trial


def draw(
    path: Path,
    settings: Settings,
    *,
    spikes: ns.Spikes,
    tests: Tests,
    errors: list[list[float]],
    tested: list[int],
) -> None:
    """Write the picture to a file.

    Parameters
    ----------
    path : path
        Its ending names the format.
    settings : Settings
    spikes : Spikes
        Of the reservoir in one cue-only trial after learning.
    tests : mapping of (int, int) to Prediction
        By block and trial: before the first and after the last trial of each block.
    errors : list of list of float
        By block, of the tests before its first trial and after the tested ones.
    tested : list of int
        Trials after which a test is made.
    """
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(11, 9.5), layout="constrained")
    rows = figure.subfigures(3, 1, height_ratios=(1.05, 1.5, 0.95), squeeze=False)[:, 0]
    _raster(rows[0].subplots(), spikes, settings)
    _predictions(rows[1], tests, settings)
    _errors(rows[2].subplots(), errors, [0, *tested], settings)
    figure.savefig(path, dpi=150)
    # Pyplot holds every figure until it is closed.
    pyplot.close(figure)


def _raster(ax: Any, spikes: ns.Spikes, settings: Settings) -> None:
    n_e = settings.size - round(settings.inhibitory * settings.size)
    ns.plot.raster(spikes, ax)
    # Drawn again over the marks of all, in another colour.
    inhibitory = spikes.index >= n_e
    ax.plot(
        spikes.times()[inhibitory],
        spikes.index[inhibitory],
        linestyle="none",
        marker=".",
        markersize=ax.lines[0].get_markersize(),
        markeredgewidth=0,
        color=COLOURS[1],
        rasterized=True,
    )
    ax.set_title(
        "reservoir in a cue-only trial after the last block", loc="left", fontsize="medium"
    )
    for level, text, colour in (
        (n_e / 2, "excitatory", COLOURS[0]),
        ((n_e + settings.size) / 2, "inhibitory", COLOURS[1]),
    ):
        ax.annotate(
            text,
            (1.005, level),
            xycoords=("axes fraction", "data"),
            rotation=-90,
            va="center",
            color=colour,
            fontsize="small",
        )
    note(ax, f"the first {settings.cue_length:.12g} ms: cue")


def _predictions(figure: Any, tests: Tests, settings: Settings) -> None:
    grid = figure.subplots(2, len(SWITCHES), sharex=True, sharey=True)
    for number, truth in enumerate(SWITCHES):
        for row, trial in enumerate((0, settings.trials)):
            ax = grid[row, number]
            _prediction(ax, tests[number, trial], truth, settings)
            if number == 0:
                ax.set_ylabel(("before" if row == 0 else f"after {trial} trials") + "\nprediction")
        grid[0, number].set_title(_named(number, truth), fontsize="medium")
        grid[1, number].set_xlabel("time since the cue (ms)")
    grid[0, 0].legend(loc="upper right", frameon=False, fontsize="small", handlelength=1.2)


def _prediction(
    ax: Any,
    prediction: Prediction,
    truth: Truth,
    settings: Settings,
) -> None:
    since = times(settings)
    wanted = truth.probabilities * truth.bumps(settings)
    for k, name in enumerate(CHANNELS):
        ax.fill_between(
            since, wanted[:, k], color=COLOURS[k], alpha=0.2, linewidth=0, label=f"truth {name}"
        )
        ax.plot(
            since,
            prediction.over_time[:, k],
            color=COLOURS[k],
            linewidth=1.3,
            label=f"prediction {name}",
        )
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_ylim(0, 1.05)
    time_axis(ax, 0, settings.trial)
    ax.set_xlabel("")


def _named(number: int, truth: Truth) -> str:
    what = ("first block", "switch of timing", "switch of probability", "switch of both")[number]
    return f"{what}\n$p_A$ = {truth.p:g}, {truth.latencies[0]:g} and {truth.latencies[1]:.12g} ms"


def _errors(
    ax: Any,
    errors: list[list[float]],
    trials: list[int],
    settings: Settings,
) -> None:
    for number, of_block in enumerate(errors):
        at = number * settings.trials + np.array(trials)
        ax.plot(at, of_block, color=COLOURS[2], marker="o", markersize=4, linewidth=1.3)
        if number:
            ax.axvline(number * settings.trials, color=GREY, linewidth=0.8, linestyle=":")
        if number % 2:
            ax.axvspan(
                number * settings.trials,
                (number + 1) * settings.trials,
                color=PALE,
                zorder=0,
                linewidth=0,
            )
    ax.axhline(1.0, color=GREY, linewidth=0.8, linestyle="--")
    note(ax, "dashed: a silent model")
    ax.set(xlim=(0, len(errors) * settings.trials), xlabel="trials", ylabel="relative error")
    ax.set_ylim(bottom=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("error of the prediction", loc="left", fontsize="medium")
