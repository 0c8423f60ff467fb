"""PyNN backends: networks as standard cells of PyNN, run on NEST and Brian 2, mapped onto SpiNNaker, exported as plain scripts."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.backend.protocol import Report, Row
from neurosim.errors import LoweringError, NetworkError, describe_unknown
from neurosim.ir.concrete import ConcreteNetwork, concretise
from neurosim.ir.memory_estimate import demand_memory
from neurosim.network.network import Network
from neurosim.network.validation import whole_number

if TYPE_CHECKING:
    from .simulator.mapping import Mapping
    from .translation.plan import Plan

# Modules that a backend imports, and the requirements that bring them, as in setup.cfg: the package
# first, then what it needs of others without saying so (Brian 2 does not import with NumPy 2.4).
REQUIREMENTS = {
    "pyNN": ("PyNN==0.13.0",),
    "nest": ("nest-simulator>=3.10",),
    "brian2": ("brian2==2.9.0", "numpy<2.4"),
    "sympy": ("sympy>=1.13",),
}
MODULES = {
    "nest": ("pyNN", "nest", "sympy"),
    "pynn-brian2": ("pyNN", "brian2", "sympy"),
    "spinnaker": ("sympy",),
}


class PynnBackend:
    """One simulator behind PyNN."""

    def __init__(self, name: str, summary: str) -> None:
        self.name, self.summary = name, summary

    def missing(self) -> str | None:
        """Return what to install, if something is not there."""
        missing = [REQUIREMENTS[m] for m in MODULES[self.name] if find_spec(m) is None]
        if not missing:
            return None
        packages = ", ".join(re.split("[=>]", requirements[0])[0] for requirements in missing)
        command = shlex.join(["pip", "install", *chain.from_iterable(missing)])
        return f"{packages} missing. Run: {command}"

    def check(self, network: Network, **options: Any) -> Report:
        """Report everything in a network; its draws are made for it, since what becomes of a weight or delay depends on their values."""
        self._known(options)
        try:
            demand_memory(network)
            rows = self._plan(concretise(network)).rows
        except NetworkError as error:
            rows = (Row(f"network {network.name!r}", "impossible", str(error)),)
        return Report(self.name, network.name, rows)

    def open(self, network: ConcreteNetwork, report: Report, **options: Any) -> Any:
        """Return a run, which runs once. Options: ``folder``, in which its script stays; ``threads``, of NEST alone."""
        from .simulator.run import ScriptRun

        self._known(options)
        return ScriptRun(self._plan(network), network, report, **options)

    def export(
        self, network: ConcreteNetwork, report: Report, folder: Path, *, time: float
    ) -> Path:
        """Write script, arrays, README and report to a folder; return the path of the script."""
        from .simulator.script import Script

        return Script(self._plan(network), time).write(Path(folder), report)

    def _known(self, options: dict[str, Any]) -> None:
        valid = ["folder"] + ["threads"] * (self.name == "nest")
        for option in options.keys() - set(valid):
            raise NetworkError(
                describe_unknown("option", option, valid, owner=f"backend {self.name!r}")
            )
        if options.get("threads") is not None:
            whole_number(options["threads"], where="backend 'nest', threads")

    def _plan(self, network: ConcreteNetwork) -> Plan:
        from .translation.targets import TARGETS
        from .translation.translate import translate

        return translate(network, TARGETS[self.name])


class SpinnakerBackend(PynnBackend):
    """SpiNNaker: checked, exported, mapped onto a virtual board, and run where there is a board."""

    def open(self, network: ConcreteNetwork, report: Report, **options: Any) -> Any:
        """Return a run on the board that sPyNNaker's settings name, which runs once. Option: ``folder``, in which its script stays.

        Raises
        ------
        LoweringError
            If they name none.
        NetworkError
            If there is no sPyNNaker.
        """
        from .simulator.machine import board, interpreter
        from .simulator.run import ScriptRun

        self._known(options)
        try:
            where = board()
        except NetworkError as error:
            raise LoweringError(
                f"backend {self.name!r} runs on a board: {error} Without a board use ns.map, or ns.export and run the script where "
                "there is one.",
                report,
            ) from error
        return ScriptRun(
            self._plan(network),
            network,
            report,
            python=interpreter("run on 'spinnaker'"),
            where=where,
            **options,
        )

    def map(
        self,
        network: ConcreteNetwork,
        report: Report,
        *,
        time: Any = "1 s",
        version: int = 5,
        python: str | None = None,
    ) -> Mapping:
        """Take a network through sPyNNaker's partitioning, placement, routing and data generation; options as of `mapping.map_network`."""
        from .simulator.mapping import map_network

        return map_network(self._plan(network), report, time=time, version=version, python=python)


nest = PynnBackend("nest", "NEST through PyNN, on the grid; early traces and statistics agree")
brian2 = PynnBackend("pynn-brian2", "Brian 2 through PyNN; early traces and statistics agree")
spinnaker = SpinnakerBackend(
    "spinnaker",
    "SpiNNaker through PyNN: mapped onto a virtual board, and run on a board where there is one",
)
