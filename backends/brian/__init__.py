"""The Brian 2 backend: it runs our update statements, as an oracle, or integrates by itself."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from neurosim.backend.engine import Engine
from neurosim.backend.explicit_step import explicit_step_rows, refuse_sub_steps
from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.errors import NetworkError, describe_unknown
from neurosim.expr.tree import draws
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.program import Program
from neurosim.network.network import Network
from neurosim.network.observed import observed_definitions
from neurosim.network.validation import read_whole_number

from .methods import method_of, plain, reason_against, scheme

MODES = ("statements", "equations")


class BrianBackend:
    """Brian 2 in NumPy: slow, and independent of our engines."""

    name = "brian"
    summary = (
        "Brian 2, given our update statements (the oracle: equal bit for bit) or, "
        "with mode='equations', integrating by itself"
    )
    held_open = True
    packages = ("brian2",)
    verbs: dict[str, tuple[str, ...]] = {}

    def missing(self) -> str | None:
        """Return the missing package and the command that installs it; None if it is there."""
        if find_spec("brian2"):
            return None
        return "brian2 is missing. Run: pip install brian2==2.9.0 'numpy<2.4'"

    def lower(self, network: Network, **options: Any) -> Lowered:
        """Return report and artefact.

        Parameters
        ----------
        network : Network
        **options
            ``mode`` ("statements" or "equations"), ``replica`` (replica word of the random
            numbers).

        Raises
        ------
        NetworkError
            If an option is unknown or has a wrong value.
        """
        options = _complete(options)
        rows = list(explicit_step_rows(network))
        if options["mode"] == "equations":
            # The method of our engines says nothing about cells that Brian 2 integrates.
            rows = [row for row in rows if row.place.kind != "population" or row.place.aspect]
            rows += _integrated(network)
        else:
            rows = list(
                refuse_sub_steps(
                    rows,
                    network,
                    reason="the method 'adaptive' repeats its statements, which Brian 2 runs once "
                    "in each step.",
                    remedy="Use another method such as 'rk4', backend 'cpu', or mode='equations'.",
                )
            )

        def build(program: Program, concrete: ConcreteNetwork) -> Engine:
            # Only now: importing Brian 2 takes seconds, and a report needs nothing of it.
            with _without_side_effects():
                from .engine import BrianEngine

            return BrianEngine(program, concrete, **options)

        return Lowered(Report(self.name, network.name, tuple(rows)), Stepped(build))


@contextmanager
def _without_side_effects() -> Iterator[None]:
    """Restore the hooks that Brian 2 replaces when it is imported.

    It takes over unexpected errors, for which it writes log files, warnings, and Ctrl-C.
    """
    hook = sys.excepthook
    handler = signal.getsignal(signal.SIGINT)
    show_warning = warnings.showwarning
    try:
        yield
    finally:
        sys.excepthook = hook
        # Through `logging`, which remembers the function that it replaced.
        if warnings.showwarning is not show_warning:
            logging.captureWarnings(False)
        # Python refuses handlers of signals from any other thread.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _complete(options: dict[str, Any]) -> dict[str, Any]:
    """Return all options; raise unless they are valid."""
    defaults = {"mode": "statements", "replica": 0}
    for option in options.keys() - defaults.keys():
        unknown = describe_unknown("option", option, sorted(defaults), owner="backend 'brian'")
        raise NetworkError(unknown)
    options = defaults | options
    if options["mode"] not in MODES:
        unknown = describe_unknown("mode", str(options["mode"]), MODES)
        raise NetworkError(f"backend 'brian': {unknown} Name one of them with mode=...")
    read_whole_number(
        options["replica"], where="backend 'brian', replica", least=0, most=(1 << 32) - 1
    )
    return options


def _integrated(network: Network) -> Iterator[Row]:
    """Yield a row for each population of which Brian 2 integrates the equations."""
    observed = observed_definitions(network)
    for p in network.populations.values():
        place = Place("population", p.name)
        reason = reason_against(p.cell)
        if p.source_spikes is not None:
            yield Row(place, "exact", f"{p.source_spikes[0].size} given spikes.")
        elif reason is not None:
            yield Row(place, "impossible", reason, "Use mode='statements'.")
        elif p.name in observed:
            reason = f"it stores the definition {observed[p.name][0]!r}, which is no equation."
            yield Row(place, "impossible", reason, "Use mode='statements'.")
        elif not plain(p.cell):
            yield Row(place, "exact", "no equations to integrate.")
        else:
            method = method_of(p.cell).replace("_", " ")
            noise = (
                "; white noise is Brian 2's own"
                if any(d.kind == "xi" for tree in plain(p.cell).values() for d in draws(tree))
                else ""
            )
            yield Row(
                place,
                "approximated",
                f"Brian 2 integrates the equations, by its method {method!r}: "
                f"{scheme(p.cell)}{noise}.",
            )


backend = BrianBackend()
