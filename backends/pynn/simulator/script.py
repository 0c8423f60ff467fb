"""A plan as a folder: the text of a plain PyNN script, the arrays that it reads, and a README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend.report import Report
from neurosim.distribution import DISTRIBUTION

from ..translation.plan import Plan
from .header_text import REPORT, header_lines, setup_lines
from .network_text import NetworkText
from .packages import PACKAGES, PROBED, installed_version
from .results_text import results_lines, run_lines
from .script_data import ScriptArrays, identifiers

SCRIPT = "network.py"
ARRAYS = "arrays.npz"
RESULTS = "results.npz"
ROWS = "report.json"


class Script:
    """The script of a plan, as a person would have written it.

    Parameters
    ----------
    plan : Plan
        To be written.
    time : float, ms
        Run time of the script.
    threads : int or None
        Of NEST.

    Attributes
    ----------
    names : dict of str to str
        Population or projection -> identifier in the script.
    network : str
        Text up to the recordings, without the run.
    text : str
        The whole script.
    """

    def __init__(self, plan: Plan, time: float, *, threads: int | None = None) -> None:
        self.plan = plan
        self.time = time
        self._arrays = ScriptArrays()
        # One space of names: populations and projections are variables of one script.
        labels = [p.name for p in plan.populations] + [q.name for q in plan.projections]
        self.names = identifiers(labels)
        network = NetworkText(plan, self.names, self._arrays)
        header = header_lines(plan, time, arrays=ARRAYS)
        setup = setup_lines(plan, threads)
        self.network = "\n".join([*header, "", *setup, "", *network.lines()])
        # Apart from the network, since `virtual_board` maps the network without running it.
        run = run_lines(plan, time, names=self.names, arrays=self._arrays)
        results = results_lines(plan, network, file=RESULTS)
        self.text = "\n".join([self.network, *run, *results, "sim.end()", ""])

    def write(self, folder: Path, report: Report | None = None) -> Path:
        """Write script and arrays, and with a report also README and report.

        Parameters
        ----------
        folder : path
            Created if it does not exist.
        report : Report or None
            Of the plan.

        Returns
        -------
        Path of the script.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCRIPT).write_text(self.text, encoding="utf-8")
        arrays: dict[str, Any] = dict(self._arrays.arrays)
        np.savez(folder / ARRAYS, **arrays)
        if report is not None:
            (folder / REPORT).write_text(f"{report}\n", encoding="utf-8")
            rows = json.dumps(report.data(), indent=1)
            (folder / ROWS).write_text(f"{rows}\n", encoding="utf-8")
            (folder / "README.md").write_text(self._readme(report), encoding="utf-8")
        return folder / SCRIPT

    def _readme(self, report: Report) -> str:
        # Versions of two kinds: those found here, and those with which the report's facts hold.
        plan = self.plan
        packages = PACKAGES[self.plan.target.name]
        neurons = sum(p.size for p in plan.populations if not p.is_drive)
        edges = sum(q.pre.size for q in plan.projections)
        installed = ", ".join(f"{p} {installed_version(p)}" for p in packages)
        probed = ", ".join(f"{p} {PROBED[p]}" for p in packages if p in PROBED)
        approximated = len(report.of("approximated"))
        lines = [
            f"# {plan.name} on {plan.target.title}",
            "",
            f"`{SCRIPT}` builds and runs the network ({neurons} neurons, {edges} edges, "
            f"{self.time:.12g} ms) with PyNN and writes `{RESULTS}`. It needs "
            f"{', '.join(packages)}, and `{ARRAYS}` beside it; it does not need neurosim.",
            "",
            f"    python {SCRIPT}",
            "",
            f"Written with neurosim {installed_version(DISTRIBUTION)}; on that machine: "
            f"{installed}. Probed with {probed}.",
            "",
            f"`{REPORT}` says for every part of the network whether it is exact or approximated "
            f"({approximated} rows), with equal rows as one; `{ROWS}` has every row.",
        ]
        if plan.target.name == "spinnaker":
            lines += [
                "",
                "It needs a board, which `.spynnaker.cfg` names, or `virtual_board = True` there, "
                "which maps the network and returns no spikes.",
            ]
        return "\n".join(lines) + "\n"
