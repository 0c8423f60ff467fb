"""A network on SpiNNaker without a board: sPyNNaker's own mapping in a process of its own, and what it makes of weights and delays."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurosim.backend.report import Report
from neurosim.errors import NetworkError, describe_unknown
from neurosim.network.validation import read_duration

from ..translation.plan import Plan
from ..translation.weights import GAIN, RECEPTORS, scales
from .machine import interpreter
from .run import execute
from .script import Script

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MACHINES = {
    3: "SpiNNaker 1, 4 chips",
    5: "SpiNNaker 1, boards of 48 chips",
    201: "SpiNNaker 2, 1 chip",
    248: "SpiNNaker 2, boards of 48 chips",
}
_CONFIG = """[Machine]
virtual_board = True
version = {version}
[Mode]
mode = Info
[Logging]
default = warning
[Reports]
display_algorithm_timings = False
"""


@dataclass(frozen=True, eq=False)
class MappedProjection:
    """Edges of one projection and receptor, (E,): weights as the network has them and as the machine would use them; delays in ms.

    ``step`` is the distance of two weights that the machine can tell apart; ``by`` names the projection with the largest weight
    of the receptor, ``most``, which sets it.
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
        size = np.abs(self.wanted)
        return float(
            (np.abs(np.abs(self.weight) - size) / np.where(size == 0, 1, size)).max(initial=0.0)
        )


@dataclass(frozen=True, eq=False)
class Mapping:
    """Where a network lies on a machine. It has no spikes: nothing was run.

    Attributes
    ----------
    cores, chips, boards : used by the network; the system takes a core per chip, and one more per board
    sdram : bytes, for the time that was mapped
    per_population : name -> cores
    placements : (x, y, core, population)
    missing : programs that sPyNNaker does not have: on a board the run would stop
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

    def __str__(self) -> str:
        lines = [
            f"network {self.report.network!r} on {self.machine} (mapped, not run): {_count(self.cores, 'core')} on {_count(self.chips, 'chip')} of "
            f"{_count(self.boards, 'board')}, "
            f"{self.sdram / 1e6:.3g} MB for {self.time:g} ms"
        ]
        lines += [
            f"  {name}: {_count(count, 'core')}" for name, count in self.per_population.items()
        ]
        for p in self.projections:
            delays = (
                ""
                if np.array_equal(p.delay, p.wanted_delay)
                else f", {int((p.delay != p.wanted_delay).sum())} delays changed"
            )
            lines.append(
                f"  {p.name} ({p.receptor}): {p.lost} of {p.weight.size} weights became 0, largest relative error {p.error:.3g}, "
                f"steps of {p.step:.6g} set by {p.by} (largest weight {p.most:.6g}){delays}"
            )
        lines += [
            f"  the program {name} does not exist: on a board this would stop"
            for name in self.missing
        ]
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the chips, and on each how many cores each population has."""
        from matplotlib import pyplot

        ax = ax or pyplot.subplots(layout="constrained")[1]
        names = list(self.per_population)
        colours = pyplot.get_cmap("tab20")(np.arange(len(names)) % 20)
        chips: dict[tuple[int, int], list[tuple[int, str]]] = {}
        for x, y, core, name in self.placements:
            chips.setdefault((x, y), []).append((core, name))
        side = max(
            4, math.ceil(math.sqrt(max(map(len, chips.values()), default=1)))
        )  # so many cores stand in a row
        for (x, y), here in chips.items():
            ax.add_patch(pyplot.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="0.6"))
            for k, (_, name) in enumerate(sorted(here)):
                corner = (
                    x - 0.45 + 0.9 * (k % side) / side,
                    y + 0.45 - 0.9 * (k // side + 0.9) / side,
                )
                ax.add_patch(
                    pyplot.Rectangle(
                        corner, 0.8 / side, 0.8 / side, color=colours[names.index(name)]
                    )
                )
        for name, colour in zip(names, colours, strict=True):
            ax.plot([], [], "s", color=colour, label=f"{name}: {self.per_population[name]}")
        ax.legend(title="cores", loc="upper left", bbox_to_anchor=(1, 1))
        ax.set(
            xlabel="chip x",
            ylabel="chip y",
            title=f"{_count(self.cores, 'core')} on {_count(self.chips, 'chip')}",
            aspect="equal",
        )
        ax.set(xticks=sorted({x for x, _ in chips}), yticks=sorted({y for _, y in chips}))
        ax.autoscale()
        return ax


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def map_network(
    plan: Plan, report: Report, *, time: Any = "1 s", version: int = 5, python: str | None = None
) -> Mapping:
    """Map a plan onto a virtual board.

    Parameters
    ----------
    time : for which memory is counted
    version : of the machine, a key of ``MACHINES``
    python : interpreter of an environment with sPyNNaker; this one if it has it, else what the environment variable ``NEUROSIM_SPYNNAKER_PYTHON`` names

    Raises
    ------
    NetworkError
        If there is no sPyNNaker, or no such machine.
    SimulationError
        With sPyNNaker's last words, if it cannot map the network.
    """
    if version not in MACHINES:
        raise NetworkError(
            f"map: {describe_unknown('version', str(version), [f'{k} ({v})' for k, v in MACHINES.items()], owner='a SpiNNaker machine')}"
        )
    milliseconds = read_duration(time, where="map: time")
    script = Script(plan, milliseconds)
    with tempfile.TemporaryDirectory(prefix="neurosim-") as name:
        folder = Path(name)
        script.write(folder)
        shutil.copy(Path(__file__).with_name("board.py"), folder)
        (folder / "map.py").write_text(_program(script))
        (folder / ".spynnaker.cfg").write_text(_CONFIG.format(version=version))
        (folder / "home").mkdir()  # a home without settings: sPyNNaker refuses to find two
        execute(
            folder / "map.py",
            folder,
            python=python or interpreter("map"),
            environment={"XDG_CONFIG_HOME": name, "HOME": f"{name}/home"},
            name=f"{plan.name} onto {MACHINES[version]}",
        )
        found = json.loads((folder / "mapping.json").read_text())
        with np.load(folder / "mapping.npz") as edges:
            projections = _projections(plan, dict(edges), found["shifts"])
    return Mapping(
        MACHINES[version],
        milliseconds,
        found["cores"],
        found["chips"],
        found["boards"],
        found["sdram"],
        found["per_population"],
        tuple(tuple(p) for p in found["placements"]),
        tuple(found["missing"]),
        projections,
        report,
    )


def _program(script: Script) -> str:
    """Return the script as far as its network, and what describes it."""
    names = {
        kind: ", ".join(f"{p.name!r}: {script.names[p.name]}" for p in things)
        for kind, things in (
            ("populations", script.plan.populations),
            ("projections", script.plan.projections),
        )
    }
    return "\n".join(
        [
            script.network,
            "\nfrom board import describe",
            "sim.run(RUN_TIME)",
            f"describe({{{names['populations']}}}, {{{names['projections']}}}, HERE, round(RUN_TIME / DT))",
            "sim.end()",
            "",
        ]
    )


def _projections(
    plan: Plan, edges: dict[str, np.ndarray], shifts: dict[str, list[int]]
) -> tuple[MappedProjection, ...]:
    """Return the edges as the machine has them beside those of the plan, both sorted by source, then target."""
    expected = scales(plan.populations, plan.projections, plan.dt)
    made = []
    for q in plan.projections:
        order = np.lexsort((q.post, q.pre))
        there = edges[q.name]
        step = 2.0 ** (shifts[q.target][RECEPTORS.index(q.receptor)] - 15) / GAIN.get(
            plan.population(q.target).cell, 1.0
        )
        scale = expected[q.target, q.receptor]
        made.append(
            MappedProjection(
                q.of,
                q.receptor,
                q.weight[order],
                there[:, 2],
                q.delay[order],
                there[:, 3],
                step,
                scale.by,
                scale.most,
            )
        )
    return tuple(made)
