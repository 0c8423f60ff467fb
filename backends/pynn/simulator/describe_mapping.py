"""Describes a network after sPyNNaker has mapped it.

It runs beside an exported script, in sPyNNaker's own environment, and needs no neurosim.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np


def describe(
    populations: dict[str, Any],
    projections: dict[str, Any],
    folder: Path,
    steps: int,
) -> None:
    """Write ``mapping.json`` and ``mapping.npz``.

    The first has placements, memory and programs, the second weights and delays of projections.

    Parameters
    ----------
    populations, projections : dict of str to object
        Name -> object of PyNN.
    folder : path
        To write to.
    steps : int
        Length of the run that memory is counted for.
    """
    # Imported here: `virtual_board` imports this file, to copy it, where sPyNNaker is missing.
    from spynnaker.pyNN.data import SpynnakerDataView

    # Without the cores of the system, which belong to no population.
    placements = [
        p for p in SpynnakerDataView.iterate_placemements() if p.vertex.app_vertex is not None
    ]
    machine = SpynnakerDataView.get_machine()
    chips = {(p.x, p.y) for p in placements}
    boards = {(machine[c].nearest_ethernet_x, machine[c].nearest_ethernet_y) for c in chips}
    # Recorded data grows with the run, hence with the steps.
    memory = sum(p.vertex.sdram_required.get_total_sdram(steps) for p in placements)
    programs = {p.vertex.get_binary_file_name() for p in placements}
    mapping = {
        "cores": len(placements),
        "chips": len(chips),
        "boards": len(boards),
        "machine_chips": machine.n_chips,
        "sdram": int(memory),
        "per_population": dict(Counter(p.vertex.app_vertex.label for p in placements)),
        "placements": [[p.x, p.y, p.p, p.vertex.app_vertex.label] for p in placements],
        "missing": sorted(program for program in programs if not _exists(program)),
        "shifts": _shifts(populations),
    }
    (folder / "mapping.json").write_text(json.dumps(mapping))
    arrays: dict[str, Any] = {name: _edges(p) for name, p in projections.items()}
    np.savez(folder / "mapping.npz", **arrays)


def _exists(program: str) -> bool:
    from spynnaker.pyNN.data import SpynnakerDataView

    try:
        # A virtual board never loads programs, so that nothing else would notice a missing one.
        SpynnakerDataView.get_executable_path(program)
    except KeyError:
        return False
    return True


def _shifts(populations: dict[str, Any]) -> dict[str, list[int]]:
    """Return for populations with synapses the shifts of their ring buffers, by receptor."""
    vertices = {name: p._vertex for name, p in populations.items()}
    return {
        name: [int(shift) for shift in vertex.get_ring_buffer_shifts()]
        for name, vertex in vertices.items()
        if hasattr(vertex, "get_ring_buffer_shifts")
    }


def _edges(projection: Any) -> np.ndarray:
    """Return source, target, weight, delay of every edge, sorted by the first two."""
    listed = projection.get(["weight", "delay"], format="list")
    edges = np.array([tuple(edge) for edge in listed], float).reshape(-1, 4)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]
