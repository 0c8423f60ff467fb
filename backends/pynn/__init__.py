"""PyNN backends: networks as standard cells of PyNN, for NEST, Brian 2 and SpiNNaker."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.memory_estimate import demand_memory
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.errors import LoweringError, NetworkError, describe_unknown
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.concretise import concretise
from neurosim.network.network import Network
from neurosim.network.validation import read_whole_number

if TYPE_CHECKING:
    from neurosim.backend.engine import Engine
    from neurosim.ir.program import Program

    from .simulator.mapping import Mapping
    from .simulator.run import ScriptRun
    from .translation.plan import Plan

# Modules that a backend imports, and the requirements that install them, as in setup.cfg: the
# package first, then limits that it needs without declaring them (Brian 2 does not import with
# NumPy 2.4).
REQUIREMENTS = {
    "pyNN": ("PyNN==0.13.0",),
    "nest": ("nest-simulator>=3.10",),
    "brian2": ("brian2==2.9.0", "numpy<2.4"),
    "sympy": ("sympy>=1.13",),
    "numba": ("numba>=0.61",),
}
# sPyNNaker is missing here on purpose: a network is translated and exported without it, and it may
# live in an environment of its own.
MODULES = {
    "nest": ("pyNN", "nest", "sympy"),
    "pynn-brian2": ("pyNN", "brian2", "sympy"),
    "spinnaker": ("sympy",),
    "spinnaker-rehearsal": ("sympy", "numba"),
}


class PynnBackend:
    """One simulator behind PyNN.

    Parameters
    ----------
    name, summary : str
    options : tuple of str
        Options of a run.
    """

    held_open = False
    verbs: dict[str, tuple[str, ...]] = {"export": ()}

    def __init__(self, name: str, summary: str, *, options: tuple[str, ...] = ("folder",)) -> None:
        self.name = name
        self.summary = summary
        self.has_threads = "threads" in options
        self.packages = tuple(re.split("[=>]", REQUIREMENTS[m][0])[0] for m in MODULES[name])
        self._options = options

    def missing(self) -> str | None:
        """Return missing packages with the command that installs them, None if none is missing."""
        missing = [REQUIREMENTS[m] for m in MODULES[self.name] if find_spec(m) is None]
        if not missing:
            return None
        packages = ", ".join(re.split("[=>]", requirements[0])[0] for requirements in missing)
        command = shlex.join(["pip", "install", *chain.from_iterable(missing)])
        return f"{packages} missing. Run: {command}"

    def lower(self, network: Network, **options: Any) -> Lowered:
        """Return report and artefact.

        All draws are made, because the fate of a weight or delay depends on its value.

        Parameters
        ----------
        network : Network
            Network.
        **options
            ``folder``, in which the script of a run stays; of NEST alone ``threads``, or ``ranks``
            of MPI and ``virtual_processes``.

        Raises
        ------
        NetworkError
            If an option is unknown or has a wrong value.
        """
        # Draws of a large network take long: options are checked, and memory is estimated, first.
        self._check_options(options)
        try:
            demand_memory(network)
            concrete = concretise(network)
            plan = self._translate(concrete)
        except NetworkError as error:
            # `check` never raises for a network: one row says why nothing could be drawn.
            row = Row(Place("network", network.name), "impossible", str(error))
            return Lowered(Report(self.name, network.name, (row,)), None)
        report = Report(self.name, network.name, self._rows(plan))
        return Lowered(report, self._artefact(plan, concrete, options))

    def _rows(self, plan: Plan) -> tuple[Row, ...]:
        return plan.rows

    def _artefact(
        self, plan: Plan, network: ConcreteNetwork, options: dict[str, Any]
    ) -> TranslatedNetwork | Stepped:
        return TranslatedNetwork(plan, network, options)

    def _check_options(self, options: dict[str, Any]) -> None:
        owner = f"backend {self.name!r}"
        for option in options.keys() - set(self._options):
            raise NetworkError(describe_unknown("option", option, self._options, owner=owner))
        if options.get("threads") is not None:
            read_whole_number(options["threads"], where=f"{owner}, threads")
        if options.keys() & {"ranks", "virtual_processes"}:
            from .distributed.run import read_ranks  # needed by few

            read_ranks(options, owner=owner)

    def _translate(self, network: ConcreteNetwork) -> Plan:
        # SymPy is slow to import, and finding a backend needs none of it.
        from .translation.network import translate
        from .translation.targets import TARGETS

        return translate(network, TARGETS[self.name])


class SpinnakerBackend(PynnBackend):
    """SpiNNaker: mapped onto a virtual board, exported, and run if a board is configured."""

    verbs: dict[str, tuple[str, ...]] = {"export": (), "map": ("time", "version", "python")}

    def _artefact(
        self, plan: Plan, network: ConcreteNetwork, options: dict[str, Any]
    ) -> TranslatedNetwork:
        return SpinnakerNetwork(plan, network, options)


class RehearsalBackend(PynnBackend):
    """A plan for SpiNNaker, run here in whole-number arithmetic, and held open."""

    held_open = True
    verbs: dict[str, tuple[str, ...]] = {}

    def _check_options(self, options: dict[str, Any]) -> None:
        super()._check_options(options)
        # One 32-bit word of the generator's counter: bits above it would be dropped in silence.
        read_whole_number(
            options.get("replica", 0),
            where=f"backend {self.name!r}, replica",
            least=0,
            most=(1 << 32) - 1,
        )

    def _translate(self, network: ConcreteNetwork) -> Plan:
        from .translation.network import translate
        from .translation.targets import SPINNAKER

        return translate(network, SPINNAKER)

    def _rows(self, plan: Plan) -> tuple[Row, ...]:
        from .rehearsal.rows import rehearsal_rows

        return rehearsal_rows(plan)

    def _artefact(self, plan: Plan, network: ConcreteNetwork, options: dict[str, Any]) -> Stepped:
        def build(program: Program, concrete: ConcreteNetwork) -> Engine:
            from .rehearsal.engine import RehearsalEngine

            return RehearsalEngine(program, concrete, plan=plan, **options)

        return Stepped(build)


@dataclass(frozen=True)
class TranslatedNetwork:
    """A network as a PyNN script, before it is written.

    Attributes
    ----------
    plan : Plan
    network : ConcreteNetwork
    options : dict
        Of a run.
    """

    plan: Plan
    network: ConcreteNetwork
    options: dict[str, Any]

    def open(self, report: Report) -> ScriptRun:
        """Return a run, which runs once: a script of PyNN, or with ``ranks`` one of PyNEST."""
        from .simulator.run import ScriptRun

        if self.options.get("ranks") is None:
            options = {k: v for k, v in self.options.items() if k != "ranks"}
            return ScriptRun(self.plan, self.network, report, **options)
        from .distributed.run import DistributedRun

        options = {k: v for k, v in self.options.items() if k != "threads"}
        return DistributedRun(self.plan, self.network, report, **options)

    def export(self, report: Report, folder: Path, *, time: float) -> Path:
        """Write script, arrays, README and report to a folder; return the path of the script.

        Parameters
        ----------
        report : Report
            Of the plan.
        folder : path
            Created if it does not exist.
        time : float, ms
            That the script runs.
        """
        from .simulator.script import Script

        return Script(self.plan, time).write(folder, report)

    def map(self, report: Report, **options: Any) -> Mapping:
        """Raise, since this simulator has no machine onto which a network could be mapped.

        Raises
        ------
        NetworkError
        """
        raise NetworkError(
            f"map: backend {self.plan.target.name!r} has no machine, expected one that has, "
            "such as 'spinnaker'. Name that."
        )


class SpinnakerNetwork(TranslatedNetwork):
    """A network as a PyNN script for SpiNNaker, which a board runs and a virtual board maps."""

    def open(self, report: Report) -> ScriptRun:
        """Return a run on the board that sPyNNaker's settings name; it runs once.

        Raises
        ------
        LoweringError
            If they name none.
        NetworkError
            If sPyNNaker is not installed.
        """
        from .simulator.run import ScriptRun
        from .simulator.spynnaker_settings import find_board, find_interpreter

        # Checked before anything is written: without a board sPyNNaker would fail only after it has
        # built the network, in its own words.
        try:
            board = find_board()
        except NetworkError as error:
            raise LoweringError(
                f"backend {report.backend!r} runs on a board: {error} Without a board use ns.map, "
                "or ns.export and run the script where there is one.",
                report,
            ) from error
        python = find_interpreter("run on 'spinnaker'")
        return ScriptRun(
            self.plan, self.network, report, python=python, machine=board, **self.options
        )

    def map(self, report: Report, **options: Any) -> Mapping:
        """Map to a virtual board with sPyNNaker; options as of `virtual_board.map_network`."""
        from .simulator.virtual_board import map_network

        return map_network(self.plan, report, **options)


nest = PynnBackend(
    "nest",
    "NEST through PyNN, on the grid; early traces and statistics agree",
    options=("folder", "ranks", "threads", "virtual_processes"),
)
brian2 = PynnBackend("pynn-brian2", "Brian 2 through PyNN; early traces and statistics agree")
spinnaker = SpinnakerBackend(
    "spinnaker",
    "SpiNNaker through PyNN: mapped onto a virtual board, and run on a board where there is one",
)
spinnaker_rehearsal = RehearsalBackend(
    "spinnaker-rehearsal",
    "SpiNNaker's whole-number arithmetic on this computer, for the plan that 'spinnaker' exports",
    options=("replica",),
)
