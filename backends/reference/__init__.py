"""The reference backend: the step contract walked tree by tree with NumPy; the definition of right."""

from __future__ import annotations

from typing import Any

from neurosim.backend.protocol import Report, middle_rows
from neurosim.errors import NetworkError, describe_unknown
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.program import Program
from neurosim.network.network import Network
from neurosim.network.validation import whole_number

from .engine import ReferenceEngine


class ReferenceBackend:
    """Walks the trees; slow, and right by definition."""

    name = "reference"
    summary = "walks the equations with NumPy; slow, and right by definition"

    def missing(self) -> str | None:
        """Nothing beyond NumPy is needed."""
        return None

    def check(self, network: Network, **options: Any) -> Report:
        """Report every population, projection and source."""
        _known(options)
        return Report(self.name, network.name, tuple(middle_rows(network)))

    def prepare(
        self, program: Program, network: ConcreteNetwork, **options: Any
    ) -> ReferenceEngine:
        """Return an engine; option: ``replica``, the replica word of the random numbers."""
        _known(options)
        return ReferenceEngine(program, network, **options)


def _known(options: dict[str, Any]) -> None:
    for option in options.keys() - {"replica"}:
        raise NetworkError(
            describe_unknown("option", option, ["replica"], owner="backend 'reference'")
        )
    whole_number(
        options.get("replica", 0), where="backend 'reference', replica", least=0, most=(1 << 32) - 1
    )


backend = ReferenceBackend()
