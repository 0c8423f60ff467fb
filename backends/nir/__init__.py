"""NIR: networks of linear neurons as graphs that other frameworks and chips read, and back."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.backend.lowering import Lowered
from neurosim.backend.memory_estimate import demand_memory
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.errors import NetworkError, describe_unknown
from neurosim.ir.concretise import concretise
from neurosim.network.network import Network

if TYPE_CHECKING:
    from .graph import Graph

REQUIREMENTS = {"nir": "nir>=1.0.8", "h5py": "h5py>=3.11"}


class NirBackend:
    """Writes networks as graphs of NIR, and reads them; it runs nothing."""

    name = "nir"
    summary = "NIR: a file of linear neurons and weights, which other frameworks and chips read"
    held_open = False
    verbs: dict[str, tuple[str, ...]] = {"export": ()}
    export_suffix = ".nir"

    def missing(self) -> str | None:
        """Return missing packages with the command that installs them, None if none is missing."""
        missing = [need for module, need in REQUIREMENTS.items() if find_spec(module) is None]
        if not missing:
            return None
        names = ", ".join(need.partition(">")[0] for need in missing)
        return f"{names} missing. Run: {shlex.join(['pip', 'install', *missing])}"

    def lower(self, network: Network, **options: Any) -> Lowered:
        """Return report and artefact; all draws are made, since a file holds numbers.

        Parameters
        ----------
        network : Network
        **options
            None are known.

        Raises
        ------
        NetworkError
            If an option is given.
        """
        for option in options:
            raise NetworkError(describe_unknown("option", option, (), owner="backend 'nir'"))
        from .translation import translate

        try:
            # Before the draws, which need the memory.
            demand_memory(network)
            graph, rows = translate(network, concretise(network))
        except NetworkError as error:
            # `check` never raises for a network: one row says why nothing could be drawn.
            row = Row(Place("network", network.name), "impossible", str(error))
            return Lowered(Report(self.name, network.name, (row,)), None)
        return Lowered(Report(self.name, network.name, rows), NirFile(graph))

    def read(self, path: Path, *, dt: Any, name: str) -> Network:
        """Return the network of a file.

        Parameters
        ----------
        path : path
        dt : quantity
        name : str
            Of the network.

        Raises
        ------
        NetworkError
            If the file is malformed, or its graph has no counterpart here.
        """
        from .files import read
        from .networks import network_of

        return network_of(read(path), dt=dt, name=name, where=f"from_nir {path}")


@dataclass(frozen=True)
class NirFile:
    """A network as a graph, before it is written."""

    graph: Graph

    def open(self, report: Report) -> Any:
        """Raise, since a file does not run.

        Raises
        ------
        NetworkError
        """
        raise NetworkError(
            "backend 'nir' runs nothing, expected one that runs, such as 'cpu'. Use ns.export, and "
            "run the file where it is read."
        )

    def export(self, report: Report, folder: Path, *, time: float) -> Path:
        """Write the file, and return its path.

        Parameters
        ----------
        report : Report
            Of the graph.
        folder : path
            Of the file itself.
        time : float, ms
            Without effect.
        """
        from .files import write

        write(folder, self.graph)
        return folder

    def map(self, report: Report, **options: Any) -> Any:
        """Raise, since a file has no machine.

        Raises
        ------
        NetworkError
        """
        raise NetworkError(
            "map: backend 'nir' has no machine, expected one that has, such as 'spinnaker'. "
            "Name that."
        )


backend = NirBackend()
