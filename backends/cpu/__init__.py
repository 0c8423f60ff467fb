"""The CPU backend: statements printed into hand-written loops, compiled by Numba."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from neurosim.backend.explicit_step import explicit_step_rows, refuse_sub_steps
from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.errors import NetworkError, describe, describe_unknown, is_one_of
from neurosim.network.network import Network
from neurosim.network.validation import read_whole_number

if TYPE_CHECKING:
    from neurosim.backend.engine import Engine
    from neurosim.ir.concrete import ConcreteNetwork
    from neurosim.ir.program import Program

PRECISIONS = ("float64", "float32")
# Said of whatever is rounded; `NUMBERS` then names it, by the kind of the row's place.
ROUNDED = (
    "In float32 each number and each result of an operation is rounded, to 6.0e-8 (2**-24) of it"
)
NUMBERS = {
    "population": "states, parameters and sums at ports",
    "projection": "weights, variables and sums over edges",
    "drive": "weights and their sum",
}


class CpuBackend:
    """Numba on the processor's cores."""

    name = "cpu"
    summary = "compiled by Numba; equal to the reference bit for bit, for any number of threads"
    held_open = True
    has_threads = True
    verbs: dict[str, tuple[str, ...]] = {}

    def missing(self) -> str | None:
        """Return the command that installs Numba, None if it is installed."""
        return None if find_spec("numba") else "numba is missing. Run: pip install numba"

    def lower(self, network: Network, **options: Any) -> Lowered:
        """Return report and artefact.

        Parameters
        ----------
        network : Network
        **options
            ``threads`` (by default chosen by measured cost), ``precision`` ("float64" or
            "float32"), ``replica`` (replica word of the random numbers).

        Raises
        ------
        NetworkError
            If an option is unknown or has a wrong value.
        """
        # Before anything is drawn: a wrong option should not cost the time of a large network.
        options = _complete(options)
        single_precision = options["precision"] == "float32"
        rows = _rounded(network) if single_precision else explicit_step_rows(network)

        def build(program: Program, concrete: ConcreteNetwork) -> Engine:
            from .engine import CpuEngine  # Numba is slow to import, and a report needs none of it

            return CpuEngine(program, concrete, **options)

        report = Report(self.name, network.name, tuple(rows))
        return Lowered(report, Stepped(build, single_precision))


def _complete(options: dict[str, Any]) -> dict[str, Any]:
    """Return all options, checked; those left out at their defaults."""
    defaults = {"threads": None, "precision": "float64", "replica": 0}
    # Only the first unknown option is named: the message lists all that are valid.
    for option in options.keys() - defaults.keys():
        unknown = describe_unknown("option", option, sorted(defaults), owner="backend 'cpu'")
        raise NetworkError(unknown)
    options = defaults | options
    if options["threads"] is not None:
        read_whole_number(options["threads"], where="backend 'cpu', threads")
    # One 32-bit word of the generator's counter: the bits above it would be dropped in silence, so
    # that two replicas drew the same numbers.
    read_whole_number(
        options["replica"], where="backend 'cpu', replica", least=0, most=(1 << 32) - 1
    )
    if not is_one_of(options["precision"], PRECISIONS):
        raise NetworkError(
            f"backend 'cpu', precision: found {describe(options['precision'])}, "
            "expected 'float64' (equal to the reference) or 'float32'. Give one of these names."
        )
    return options


def _rounded(network: Network) -> Iterable[Row]:
    """Yield the rows of float32."""
    rows = refuse_sub_steps(
        explicit_step_rows(network),
        network,
        reason="the method 'adaptive' keeps errors below what float32 resolves.",
        remedy="Use precision='float64', or another method such as 'rk4'.",
    )
    for row in rows:
        population = network.populations.get(row.place.owner)
        # Spikes that the user gave are indices and steps: whole numbers, which stay exact.
        replays = population is not None and population.source_spikes is not None
        if row.status == "exact" and not replays:
            row = replace(
                row,
                status="approximated",
                reason=f"{row.reason} {ROUNDED}: {NUMBERS[row.place.kind]}.",
                remedy="precision='float64' is exact.",
            )
        yield row
    yield Row(
        Place("edges, delays, draws"),
        "exact",
        "as in float64: connectivity, delays, refractory steps and Poisson counts. Other draws "
        "are rounded, normal ones to 6 roundoffs; numbers of neurons are exact to 2**24.",
    )
    yield Row(
        Place("time t"),
        "approximated",
        "Computed in float64, then rounded: it has a grain of 0.01 ms after 2 minutes, 0.25 ms "
        "after an hour.",
        "Steps are counted exactly; only equations that read t notice.",
    )


backend = CpuBackend()
