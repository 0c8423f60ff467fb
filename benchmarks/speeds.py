"""The picture of the comparison: every network on every processor, beside Brian 2 and NEST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .judging import processor
from .rows import PRECISIONS, ROWS
from .turns import PACKAGES

Row = Mapping[str, Any]
TITLES = {"brian": "times faster than Brian 2", "nest": "times faster than NEST"}
# LLVM names processors by their cores.
NAMES = {
    "znver5": "AMD EPYC (Zen 5)",
    "znver4": "AMD EPYC (Zen 4)",
    "emeraldrapids": "Intel Xeon (Emerald Rapids)",
}
TARGETS = {"x86-64-v3": "AVX2 alone"}
TICKS = (1, 1.5, 2, 3, 4, 6, 10, 15, 20, 30, 40, 60, 100)
COLOURS = dict(zip(PRECISIONS, ("#1f4e79", "#d1701f"), strict=True))
MARKS = "osD^vPX*"
# Of the lines of a network, in parts of the distance to the next: float64 above float32.
LINES = dict(zip(PRECISIONS, (-0.2, 0.2), strict=True))


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the ratio of every row, with its quartiles and what was asked, and save it.

    Parameters
    ----------
    rows : sequence of mappings
        Rows of the comparison; those without a ratio are left out. Of the delays of a peer that is
        measured with several, the one that suits it best counts.
    path : Path
        A PNG.
    """
    from matplotlib.figure import Figure

    measured = best_of_peer(rows)
    processors = list(dict.fromkeys(processor(r) for r in measured))
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    panels = figure.subplots(1, len(PACKAGES), sharey=True)
    for panel, peer in zip(panels, PACKAGES, strict=True):
        for r in measured:
            if peer_of(r) == peer:
                _point(panel, r, MARKS[processors.index(processor(r))])
        _asked(panel, peer)
        panel.set(xscale="log", xlabel=TITLES[peer])
        low, high = panel.get_xlim()
        ticks = [tick for tick in TICKS if low <= tick <= high]
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.set_xticks([], minor=True)
        panel.grid(axis="x", color="0.9")
        panel.set_axisbelow(True)
    panels[0].set_yticks(range(len(ROWS)), [row.name for row in ROWS])
    panels[0].invert_yaxis()
    figure.legend(
        handles=_legend(processors), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    figure.savefig(path, dpi=110, metadata={"Software": None})


def best_of_peer(rows: Sequence[Row]) -> list[Row]:
    """Return of each network, precision, processor and simulator the row with the least ratio."""
    least: dict[tuple[str, ...], Row] = {}
    for r in rows:
        if "ratio" not in r:
            continue
        key = r["network"], r["precision"], processor(r), peer_of(r)
        if key not in least or r["ratio"]["median"] < least[key]["ratio"]["median"]:
            least[key] = r
    return list(least.values())


def peer_of(r: Row) -> str:
    """Return the simulator of a row without its delay."""
    return r["peer"].split(",")[0]


def times_asked(r: Row) -> float:
    """Return how many times faster than the peer a row has to be."""
    (row,) = (row for row in ROWS if row.name == r["network"])
    return max(a.times(r["precision"]) for a in row.against if a.program == peer_of(r))


def name_of(words: str) -> str:
    """Return a processor, as `judging.processor` describes it, by the name it is sold under."""
    core, *others = words.split(", ")
    parts = [TARGETS.get(part.removeprefix("compiled for "), part) for part in others]
    return ", ".join([NAMES.get(core, core), *parts])


def _point(panel: Any, r: Row, mark: str) -> None:
    line = [row.name for row in ROWS].index(r["network"]) + LINES[r["precision"]]
    colour = COLOURS[r["precision"]]
    if "quartiles" in r["ratio"]:
        panel.plot(r["ratio"]["quartiles"], [line, line], color=colour, linewidth=1, alpha=0.5)
    panel.plot(r["ratio"]["median"], line, mark, color=colour, markersize=6, alpha=0.85)


def _asked(panel: Any, peer: str) -> None:
    """Draw what is asked of every network and precision."""
    for number, row in enumerate(ROWS):
        for precision in PRECISIONS:
            for times in {a.times(precision) for a in row.against if a.program == peer}:
                line = number + LINES[precision]
                ends = [line - 0.18, line + 0.18]
                panel.plot([times, times], ends, color=COLOURS[precision], linewidth=2.5, alpha=0.4)


def _legend(processors: Sequence[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    def entry(label: str, **style: Any) -> Any:
        return Line2D([], [], label=label, **style)

    bars = [
        entry(precision, color=colour, marker="|", markersize=11, markeredgewidth=2.5, alpha=0.6)
        for precision, colour in COLOURS.items()
    ]
    for bar, precision in zip(bars, PRECISIONS, strict=True):
        bar.set(linestyle="none", label=f"{precision}; bar: what was asked")
    points = [
        entry(name_of(words), color="0.3", marker=mark, linestyle="none")
        for words, mark in zip(processors, MARKS, strict=False)
    ]
    return [*bars, *points]
