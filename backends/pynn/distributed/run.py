"""A run of NEST by several ranks of MPI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend.report import Report
from neurosim.errors import NetworkError
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.network.validation import read_whole_number

from ..simulator.process import execute
from ..simulator.run import ScriptRun
from ..translation.plan import Plan
from .description import Description
from .interpreter import find_command
from .merge import merge

VIRTUAL_PROCESSES = 8  # enough for eight ranks; more cost memory and time on fewer


class DistributedRun(ScriptRun):
    """A network that runs once, from the start, in several processes.

    Parameters
    ----------
    plan : Plan
    network : ConcreteNetwork
        The network that the plan was made from.
    report : Report
    ranks : int
    virtual_processes : int or None
        On which random numbers and the order of events depend; None: as many as ranks.
    folder : path, optional
        In which the program stays afterwards.
    """

    def __init__(
        self,
        plan: Plan,
        network: ConcreteNetwork,
        report: Report,
        *,
        ranks: int,
        virtual_processes: int | None = VIRTUAL_PROCESSES,
        folder: str | Path | None = None,
    ) -> None:
        super().__init__(plan, network, report, folder=folder)
        self._ranks = ranks
        self._virtual_processes = virtual_processes
        self._command = find_command(ranks)

    def _script(self, steps: int) -> Description:
        return Description(self.plan, steps * self.plan.dt, self._virtual_processes)

    def _execute(self, script: Path, *, steps: int, title: str) -> dict[str, np.ndarray]:
        execute(script, command=self._command, machine=f"{self._ranks} ranks", title=title)
        return merge(self.plan, script.parent, ranks=self._ranks, time=steps * self.plan.dt)

    def _options(self) -> dict[str, Any]:
        return {"ranks": self._ranks, "virtual_processes": self._virtual_processes}


def read_ranks(options: dict[str, Any], *, owner: str) -> None:
    """Raise NetworkError unless options of several ranks are right.

    Parameters
    ----------
    options : dict
        Of a run.
    owner : str
        Begins the message.
    """
    if options.get("ranks") is None:
        if "virtual_processes" in options:
            raise NetworkError(
                f"{owner}, virtual_processes: found it without ranks=, expected both. "
                "Give ranks=, or leave it out."
            )
        return
    ranks = read_whole_number(options["ranks"], where=f"{owner}, ranks")
    if options.get("threads") is not None:
        raise NetworkError(
            f"{owner}, threads: found it beside ranks=, expected one of them: with ranks the "
            "threads of each follow from virtual_processes. Leave threads out."
        )
    # NEST gives each rank the same number of virtual processes.
    count = options.get("virtual_processes", VIRTUAL_PROCESSES)
    if count is None:
        return
    read_whole_number(count, where=f"{owner}, virtual_processes")
    if count % ranks:
        raise NetworkError(
            f"{owner}, ranks: found {ranks}, expected a divisor of virtual_processes ({count}), "
            f"which are shared out. Give such as virtual_processes={ranks * -(-count // ranks)}; "
            "another number gives other random numbers."
        )
