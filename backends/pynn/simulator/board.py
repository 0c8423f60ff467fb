"""Describes a network after sPyNNaker has mapped it; runs beside a script, in sPyNNaker's own environment, and needs no neurosim."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np


def describe(populations: dict, projections: dict, folder: Path, steps: int) -> None:
    """Write ``mapping.json`` and ``mapping.npz``: placements, memory, programs, and every projection's weights and delays.

    Parameters
    ----------
    populations, projections : name -> object of PyNN
    folder
    steps : length of the run that memory is counted for
    """
    from spynnaker.pyNN.data import SpynnakerDataView

    placements = [
        p for p in SpynnakerDataView.iterate_placemements() if p.vertex.app_vertex is not None
    ]
    machine = SpynnakerDataView.get_machine()
    found = {
        "cores": len(placements),
        "chips": len({(p.x, p.y) for p in placements}),
        "boards": len(
            {
                (machine[p.x, p.y].nearest_ethernet_x, machine[p.x, p.y].nearest_ethernet_y)
                for p in placements
            }
        ),
        "machine_chips": machine.n_chips,
        "sdram": int(sum(p.vertex.sdram_required.get_total_sdram(steps) for p in placements)),
        "per_population": dict(Counter(p.vertex.app_vertex.label for p in placements)),
        "placements": [[p.x, p.y, p.p, p.vertex.app_vertex.label] for p in placements],
        "missing": sorted(
            {
                p.vertex.get_binary_file_name()
                for p in placements
                if not _there(p.vertex.get_binary_file_name())
            }
        ),
        "shifts": {
            name: [int(s) for s in p._vertex.get_ring_buffer_shifts()]
            for name, p in populations.items()
            if hasattr(p._vertex, "get_ring_buffer_shifts")
        },
    }
    (folder / "mapping.json").write_text(json.dumps(found))
    edges = {name: _edges(p) for name, p in projections.items()}
    np.savez(folder / "mapping.npz", **edges)


def _there(program: str) -> bool:
    from spynnaker.pyNN.data import SpynnakerDataView

    try:
        SpynnakerDataView.get_executable_path(program)
    except KeyError:
        return False
    return True


def _edges(projection: object) -> np.ndarray:
    """Return source, target, weight, delay of every edge, sorted by the first two."""
    rows = np.array(
        [tuple(row) for row in projection.get(["weight", "delay"], format="list")], float
    ).reshape(-1, 4)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]
