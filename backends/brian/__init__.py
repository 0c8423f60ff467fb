"""The Brian 2 backend: Brian 2 runs our own update statements and is the oracle of the other engines, or integrates the equations itself."""

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

from neurosim.backend.protocol import Report, Row, middle_rows
from neurosim.errors import NetworkError, describe_unknown
from neurosim.expr.tree import draws
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.program import Program
from neurosim.network.network import Network
from neurosim.network.validation import whole_number

from .methods import method_of, plain, reason_against, scheme

MODES = ("statements", "equations")


class BrianBackend:
    """Brian 2 in NumPy: slow, and independent of our engines."""

    name = "brian"
    summary = "Brian 2, given our update statements (the oracle: equal bit for bit) or, with mode='equations', integrating by itself"

    def missing(self) -> str | None:
        """Return what to install, if Brian 2 is not there."""
        if find_spec("brian2"):
            return None
        return "brian2 is missing. Run: pip install brian2==2.9.0 'numpy<2.4'"

    def check(self, network: Network, **options: Any) -> Report:
        """Report every population, projection and source; options as of `prepare`."""
        rows = list(middle_rows(network))
        if _options(options)["mode"] == "equations":
            rows = [row for row in rows if not row.place.startswith("population")] + list(
                _integrated(network)
            )
        return Report(self.name, network.name, tuple(rows))

    def prepare(self, program: Program, network: ConcreteNetwork, **options: Any) -> Any:
        """Return an engine. Options: ``mode`` ("statements" or "equations"), ``replica`` (replica word of the random numbers)."""
        options = _options(options)
        with _left_alone():
            from .engine import BrianEngine

        return BrianEngine(program, network, **options)


@contextmanager
def _left_alone() -> Iterator[None]:
    """Keep what Brian 2 takes over when it is imported: unexpected errors, for which it writes log files, warnings, and Ctrl-C."""
    hook, handler, shown = sys.excepthook, signal.getsignal(signal.SIGINT), warnings.showwarning
    try:
        yield
    finally:
        sys.excepthook = hook
        if warnings.showwarning is not shown:
            logging.captureWarnings(False)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Return all options, checked."""
    for option in given.keys() - {"mode", "replica"}:
        raise NetworkError(
            describe_unknown("option", option, ["mode", "replica"], owner="backend 'brian'")
        )
    found = {"mode": "statements", "replica": 0} | given
    if found["mode"] not in MODES:
        raise NetworkError(
            f"backend 'brian': {describe_unknown('mode', str(found['mode']), MODES)} Name one of them with mode=..."
        )
    whole_number(found["replica"], where="backend 'brian', replica", least=0, most=(1 << 32) - 1)
    return found


def _integrated(network: Network) -> Iterator[Row]:
    """Yield what becomes of the cells that Brian 2 integrates."""
    for p in network.populations.values():
        place, reason = f"population {p.name!r}", reason_against(p.cell)
        if p.given is not None:
            yield Row(place, "exact", f"{p.given[0].size} given spikes.")
        elif reason is not None:
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
                f"Brian 2 integrates the equations, by its method {method!r}: {scheme(p.cell)}{noise}.",
            )


backend = BrianBackend()
