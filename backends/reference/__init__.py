"""The reference backend: the step contract walked tree by tree with NumPy; it defines right."""

from __future__ import annotations

from functools import partial
from typing import Any

from neurosim.backend.explicit_step import explicit_step_rows
from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.report import Report
from neurosim.errors import NetworkError, describe_unknown
from neurosim.network.network import Network
from neurosim.network.validation import read_whole_number

from .engine import ReferenceEngine


class ReferenceBackend:
    """Walks the trees of the equations; slow, and right by definition."""

    name = "reference"
    summary = "walks the equations with NumPy; slow, and right by definition"
    held_open = True
    verbs: dict[str, tuple[str, ...]] = {}

    def missing(self) -> str | None:
        """Return None: nothing beyond NumPy is needed."""
        return None

    def lower(self, network: Network, **options: Any) -> Lowered:
        """Return report and artefact.

        Parameters
        ----------
        network : Network
        **options
            ``replica``, the replica word of the random numbers, a whole number below 2**32.

        Raises
        ------
        NetworkError
            If an option is unknown, or the replica is no such number.
        """
        for option in options.keys() - {"replica"}:
            unknown = describe_unknown("option", option, ["replica"], owner="backend 'reference'")
            raise NetworkError(unknown)
        replica = options.get("replica", 0)
        read_whole_number(
            replica, where="backend 'reference', replica", least=0, most=(1 << 32) - 1
        )
        report = Report(self.name, network.name, tuple(explicit_step_rows(network)))
        return Lowered(report, Stepped(partial(ReferenceEngine, replica=replica)))


backend = ReferenceBackend()
