"""Where a network lies on SpiNNaker: cores, chips and memory, and how it stores weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurosim.backend.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class MappedProjection:
    """Edges of one projection and receptor, on the network and on the machine.

    Attributes
    ----------
    name, receptor : str
    wanted : (E,)
        Weights of the network, in the unit of the standard cell.
    weight : (E,)
        Weights that the machine would use.
    wanted_delay, delay : (E,) ms
        Delays of the network, and of the machine.
    step : float
        Distance of two weights that the machine can tell apart.
    by : str
        Projection with the largest weight of the receptor, which sets the step.
    most : float
        That weight.
    """

    name: str
    receptor: str
    wanted: np.ndarray
    weight: np.ndarray
    wanted_delay: np.ndarray
    delay: np.ndarray
    step: float
    by: str
    most: float

    @property
    def lost(self) -> int:
        """Number of weights that became 0."""
        return int(((self.weight == 0) & (self.wanted != 0)).sum())

    @property
    def error(self) -> float:
        """Largest relative error of a weight."""
        # The machine stores magnitudes: the sign is that of the receptor.
        magnitude = np.abs(self.wanted)
        difference = np.abs(np.abs(self.weight) - magnitude)
        return float((difference / np.where(magnitude == 0, 1, magnitude)).max(initial=0.0))

    @property
    def changed_delays(self) -> int:
        """Number of delays that are others than those of the network."""
        return int((self.delay != self.wanted_delay).sum())

    def data(self) -> dict[str, Any]:
        """Return what was lost and rounded as JSON data, without the edges."""
        return {
            "projection": self.name,
            "receptor": self.receptor,
            "edges": int(self.weight.size),
            "weights that became 0": self.lost,
            "largest relative error": self.error,
            "step": self.step,
            "step set by": self.by,
            "largest weight": self.most,
            "delays changed": self.changed_delays,
        }

    def __str__(self) -> str:
        changed = self.changed_delays
        delays = f", {changed} delays changed" if changed else ""
        return (
            f"{self.name} ({self.receptor}): {self.lost} of {self.weight.size} weights became 0, "
            f"largest relative error {self.error:.3g}, steps of {self.step:.6g} set by {self.by} "
            f"(largest weight {self.most:.6g}){delays}"
        )


@dataclass(frozen=True, eq=False)
class Mapping:
    """Where a network lies on a machine. It has no spikes: nothing was run.

    Attributes
    ----------
    machine : str
    time : float, ms
        Memory is counted for it.
    cores, chips, boards : int
        Used by the network; the system takes a core per chip, and one more per board.
    sdram : int
        Bytes, for the time that was mapped.
    per_population : dict of str to int
        Name -> cores.
    placements : tuple of (x, y, core, population)
        Of every core.
    missing : tuple of str
        Programs that sPyNNaker lacks: on a board the run would stop.
    projections : tuple of MappedProjection
        Weights and delays, by projection and receptor.
    report : Report
        Of the network on this backend.
    """

    machine: str
    time: float
    cores: int
    chips: int
    boards: int
    sdram: int
    per_population: dict[str, int]
    placements: tuple[tuple[int, int, int, str], ...]
    missing: tuple[str, ...]
    projections: tuple[MappedProjection, ...]
    report: Report

    def data(self) -> dict[str, Any]:
        """Return everything but the edges as JSON data, with the report."""
        return {
            "network": self.report.network,
            "machine": self.machine,
            "time": self.time,
            "cores": self.cores,
            "chips": self.chips,
            "boards": self.boards,
            "sdram": self.sdram,
            "per_population": dict(self.per_population),
            "placements": [list(placement) for placement in self.placements],
            "missing": list(self.missing),
            "projections": [projection.data() for projection in self.projections],
            "report": self.report.data(),
        }

    def __str__(self) -> str:
        lines = [
            f"network {self.report.network!r} on {self.machine} (mapped, not run): "
            f"{_count(self.cores, 'core')} on {_count(self.chips, 'chip')} of "
            f"{_count(self.boards, 'board')}, {self.sdram / 1e6:.3g} MB for {self.time:.12g} ms"
        ]
        for name, cores in self.per_population.items():
            lines.append(f"  {name}: {_count(cores, 'core')}")
        lines += [f"  {projection}" for projection in self.projections]
        for name in self.missing:
            lines.append(f"  the program {name} does not exist: on a board this would stop")
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the chips, and the cores of each population on them.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default, new ones.

        Returns
        -------
        Axes
        """
        # Matplotlib is slow to import, and a mapping is read as text as a rule.
        from matplotlib import pyplot
        from matplotlib.patches import Rectangle

        ax = ax or pyplot.figure(layout="constrained").add_subplot()
        # Twenty colours that can be told apart; more populations begin anew.
        colours = pyplot.get_cmap("tab20")(np.arange(len(self.per_population)) % 20)
        colour_of = dict(zip(self.per_population, colours, strict=True))
        chips: dict[tuple[int, int], list[tuple[int, str]]] = {}
        for x, y, core, name in self.placements:
            chips.setdefault((x, y), []).append((core, name))
        most_cores = max((len(cores) for cores in chips.values()), default=1)
        columns = max(4, math.ceil(math.sqrt(most_cores)))
        for (x, y), cores in chips.items():
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="0.6"))
            for position, (_, name) in enumerate(sorted(cores)):
                corner = _core_corner(x, y, position, columns)
                side = 0.8 / columns
                ax.add_patch(Rectangle(corner, side, side, color=colour_of[name]))
        # Empty lines, since patches of single cores would stand in the legend once per core.
        for name, colour in colour_of.items():
            ax.plot([], [], "s", color=colour, label=f"{name}: {self.per_population[name]}")
        ax.legend(title="cores", loc="upper left", bbox_to_anchor=(1, 1))
        title = f"{_count(self.cores, 'core')} on {_count(self.chips, 'chip')}"
        ax.set(xlabel="chip x", ylabel="chip y", title=title, aspect="equal")
        ax.set(xticks=sorted({x for x, _ in chips}), yticks=sorted({y for _, y in chips}))
        ax.autoscale()  # patches do not move the limits by themselves
        return ax


def _core_corner(
    x: int,
    y: int,
    position: int,
    columns: int,
) -> tuple[float, float]:
    """Return the lower left corner of a core's square on chip (x, y), row by row from the top."""
    column = position % columns
    row = position // columns
    return x - 0.45 + 0.9 * column / columns, y + 0.45 - 0.9 * (row + 0.9) / columns


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("s" if number != 1 else "")
