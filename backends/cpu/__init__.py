"""The CPU backend: printed statements in hand-written loops, compiled by Numba, bit for bit equal to the reference in float64."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from neurosim.backend.protocol import Report, Row, middle_rows
from neurosim.errors import NetworkError, describe, describe_unknown
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.program import Program
from neurosim.network.network import Network
from neurosim.network.validation import whole_number

PRECISIONS = ("float64", "float32")
ROUNDED = (
    "In float32 each number and each result of an operation is rounded, to 6.0e-8 (2**-24) of it"
)
WHAT = {
    "population": "states, parameters and sums at ports",
    "projection": "weights, variables and sums over edges",
    "drive": "weights and their sum",
}


class CpuBackend:
    """Numba on the processor's cores."""

    name = "cpu"
    summary = "compiled by Numba; equal to the reference bit for bit, for any number of threads"

    def missing(self) -> str | None:
        """Return what to install, if Numba is not there."""
        return None if find_spec("numba") else "numba is missing. Run: pip install numba"

    def check(self, network: Network, **options: Any) -> Report:
        """Report every population, projection and source; in float32 what is approximated, and what is not."""
        single = _options(options)["precision"] == "float32"
        return Report(
            self.name, network.name, tuple(_rounded(network) if single else middle_rows(network))
        )

    def prepare(self, program: Program, network: ConcreteNetwork, **options: Any) -> Any:
        """Return an engine.

        Options: ``threads`` (chosen by measured cost unless given), ``precision`` (``"float64"`` or ``"float32"``), ``replica`` (replica word
        of the random numbers).
        """
        from .engine import CpuEngine

        return CpuEngine(program, network, **_options(options))


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Return all options, those that were not given at their defaults."""
    options = {"threads": None, "precision": "float64", "replica": 0} | given
    for option in given.keys() - {"threads", "precision", "replica"}:
        raise NetworkError(
            describe_unknown(
                "option", option, ["precision", "replica", "threads"], owner="backend 'cpu'"
            )
        )
    if options["threads"] is not None:
        whole_number(options["threads"], where="backend 'cpu', threads")
    whole_number(options["replica"], where="backend 'cpu', replica", least=0, most=(1 << 32) - 1)
    if options["precision"] not in PRECISIONS:
        raise NetworkError(
            f"backend 'cpu', precision: found {describe(options['precision'])}, expected 'float64' (equal to the reference) or 'float32'. "
            "Give one of these names."
        )
    return options


def _rounded(network: Network) -> Iterable[Row]:
    """Yield the rows of float32."""
    for row in middle_rows(network):
        kind, _, name = row.place.partition(" ")
        given = kind == "population" and network.populations[name[1:-1]].given is not None
        if row.status == "exact" and not given:
            row = replace(
                row,
                status="approximated",
                reason=f"{row.reason} {ROUNDED}: {WHAT[kind]}.",
                remedy="precision='float64' is exact.",
            )
        yield row
    yield Row(
        "edges, delays, draws",
        "exact",
        "as in float64: connectivity, delays, refractory steps and Poisson counts. Other draws are rounded, normal ones to 6 roundoffs; numbers "
        "of neurons are exact to 2**24.",
    )
    yield Row(
        "time t",
        "approximated",
        "Computed in float64, then rounded: it has a grain of 0.01 ms after 2 minutes, 0.25 ms after an hour.",
        "Steps are counted exactly; only equations that read t notice.",
    )


backend = CpuBackend()
