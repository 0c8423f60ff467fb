"""The CPU backend: printed statements in hand-written loops, compiled by Numba, bit for bit equal to the reference."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from neurosim.backend import Report, middle_rows
from neurosim.checks import whole_number
from neurosim.errors import NetworkError, unknown
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.program import Program
from neurosim.network import Network


class CpuBackend:
    """Numba on the processor's cores."""

    name = "cpu"
    summary = "compiled by Numba; equal to the reference bit for bit, for any number of threads"

    def missing(self) -> str | None:
        """Return what to install, if Numba is not there."""
        return None if find_spec("numba") else "numba is missing. Run: pip install numba"

    def check(self, network: Network, **options: Any) -> Report:
        """Report every population, projection and source."""
        return Report(self.name, network.name, tuple(middle_rows(network)))

    def prepare(self, program: Program, network: ConcreteNetwork, **options: Any) -> Any:
        """Return an engine. Options: ``threads`` (chosen by measured cost unless given), ``replica`` (replica word of the random numbers)."""
        from .engine import CpuEngine

        for option in options.keys() - {"threads", "replica"}:
            raise NetworkError(unknown("option", option, ["replica", "threads"], owner="backend 'cpu'"))
        if options.get("threads") is not None:
            whole_number(options["threads"], where="backend 'cpu', threads")
        whole_number(options.get("replica", 0), where="backend 'cpu', replica", least=0, most=(1 << 32) - 1)
        return CpuEngine(program, network, **options)


backend = CpuBackend()
