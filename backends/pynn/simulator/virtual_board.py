"""Mapping onto SpiNNaker without a board: sPyNNaker's own mapping, in a process of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend.report import Report
from neurosim.errors import NetworkError, describe_unknown
from neurosim.network.validation import read_duration

from ..translation.plan import Plan, PlannedPopulation, PlannedProjection
from ..translation.weight_scales import GAIN, RECEPTORS, weight_scales
from . import describe_mapping
from .mapping import MappedProjection, Mapping
from .process import execute
from .script import Script
from .spynnaker_settings import SETTINGS, find_interpreter

MACHINES = {
    3: "SpiNNaker 1, 4 chips",
    5: "SpiNNaker 1, boards of 48 chips",
    201: "SpiNNaker 2, 1 chip",
    248: "SpiNNaker 2, boards of 48 chips",
}
# Little output: an error shows its last lines.
_SETTINGS_TEXT = """[Machine]
virtual_board = True
version = {version}
[Mode]
mode = Info
[Logging]
default = warning
[Reports]
display_algorithm_timings = False
"""


def map_network(
    plan: Plan,
    report: Report,
    *,
    time: Any = "1 s",
    version: int = 5,
    python: str | None = None,
) -> Mapping:
    """Map a plan onto a virtual board.

    Parameters
    ----------
    plan : Plan
    report : Report
        Of the plan.
    time : quantity
        For which memory is counted; a plain number is in ms.
    version : int
        Of the machine, a key of ``MACHINES``.
    python : str, optional
        Interpreter of an environment with sPyNNaker; this one if it has it, else the one that the
        environment variable ``NEUROSIM_SPYNNAKER_PYTHON`` names.

    Returns
    -------
    Mapping

    Raises
    ------
    NetworkError
        If sPyNNaker is not installed, or there is no such machine.
    SimulationError
        With the last lines that sPyNNaker printed, if it cannot map the network.
    """
    if version not in MACHINES:
        versions = [f"{number} ({name})" for number, name in MACHINES.items()]
        owner = "a SpiNNaker machine"
        raise NetworkError(
            f"map: {describe_unknown('version', str(version), versions, owner=owner)}"
        )
    milliseconds = read_duration(time, where="map: time")
    # Files in between, since sPyNNaker may be in another environment, with other versions of all.
    script = Script(plan, milliseconds)
    with tempfile.TemporaryDirectory(prefix="neurosim-") as name:
        folder = Path(name)
        _write(script, folder, version)
        execute(
            folder / "map.py",
            command=[python or find_interpreter("map")],
            # The user's settings may name a real board, which mapping must not touch.
            environment={"XDG_CONFIG_HOME": name, "HOME": f"{name}/home"},
            title=f"sPyNNaker maps {plan.name} onto {MACHINES[version]}",
        )
        layout = json.loads((folder / "mapping.json").read_text())
        with np.load(folder / "mapping.npz") as arrays:
            edges = dict(arrays)
    return Mapping(
        machine=MACHINES[version],
        time=milliseconds,
        cores=layout["cores"],
        chips=layout["chips"],
        boards=layout["boards"],
        sdram=layout["sdram"],
        per_population=layout["per_population"],
        placements=tuple((x, y, core, name) for x, y, core, name in layout["placements"]),
        missing=tuple(layout["missing"]),
        projections=_projections(plan, edges, layout["shifts"]),
        report=report,
    )


def _write(script: Script, folder: Path, version: int) -> None:
    """Write script, settings, and the program that maps and describes the network."""
    script.write(folder)
    shutil.copy(describe_mapping.__file__, folder)
    (folder / "map.py").write_text(_program(script), encoding="utf-8")
    (folder / SETTINGS).write_text(_SETTINGS_TEXT.format(version=version))
    # A home without settings: sPyNNaker refuses to find two.
    (folder / "home").mkdir()


def _program(script: Script) -> str:
    """Return the script up to its network, and the call that describes the mapping."""

    def as_dict(parts: tuple[PlannedPopulation, ...] | tuple[PlannedProjection, ...]) -> str:
        items = ", ".join(f"{p.name!r}: {script.names[p.name]}" for p in parts)
        return f"{{{items}}}"

    populations = as_dict(script.plan.populations)
    projections = as_dict(script.plan.projections)
    return "\n".join(
        [
            script.network,
            "\nfrom describe_mapping import describe",
            "sim.run(RUN_TIME)",  # sPyNNaker maps when a run begins; a virtual board then stops
            f"describe({populations}, {projections}, HERE, round(RUN_TIME / DT))",
            "sim.end()",
            "",
        ]
    )


def _projections(
    plan: Plan, edges: dict[str, np.ndarray], shifts: dict[str, list[int]]
) -> tuple[MappedProjection, ...]:
    """Return the edges of the machine beside those of the plan, sorted by source, then target."""
    # Our own scales name the projection that sets a step; the steps are those of sPyNNaker.
    expected = weight_scales(plan.populations, plan.projections, plan.dt)
    mapped = []
    for q in plan.projections:
        # The order of `describe_mapping`: sPyNNaker splits edges over cores and loses ours.
        order = np.lexsort((q.post, q.pre))
        shift = shifts[q.target][RECEPTORS.index(q.receptor)]
        gain = GAIN.get(plan.population(q.target).cell, 1.0)
        scale = expected[q.target, q.receptor]
        mapped.append(
            MappedProjection(
                name=q.origin,
                receptor=q.receptor,
                wanted=q.weight[order],
                weight=edges[q.name][:, 2],
                wanted_delay=q.delay[order],
                delay=edges[q.name][:, 3],
                step=2.0 ** (shift - 15) / gain,
                by=scale.projection,
                most=scale.largest_weight,
            )
        )
    return tuple(mapped)
