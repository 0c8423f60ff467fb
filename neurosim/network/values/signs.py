"""Warnings of weights whose sign is not the one that their port takes."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ...draws.values import Distribution, Shared
from ...errors import SignWarning
from ...expr.tree import inline, names
from ...model.rule import Rule
from ...quantities import to_engine
from ...units import Unit, unit
from ..port_signs import Effect, effect_in, effect_of_port
from ..projections import Drive, Projection
from ..wiring.pair_texts import PairText

_PACKAGE = str(Path(__file__).parents[2])


def warn_of_signs(item: Projection | Drive, weight: Any = None) -> None:
    """Warn at the user's line of negative weights into a port that subtracts, or a conductance.

    Parameters
    ----------
    item : Projection or Drive
    weight : number, array or draw in the unit of the port, optional
        In place of its own.
    """
    problem = describe_signs(item, weight)
    if not problem:
        return
    noun = "drive" if isinstance(item, Drive) else "projection"
    warnings.warn(
        f"{noun} {item.name!r} (-> {item.target.name}): {problem}",
        SignWarning,
        stacklevel=_levels_to_user(),
    )


def describe_signs(item: Projection | Drive, weight: Any = None) -> str:
    """Return a sentence about weights of the wrong sign and the remedy, empty if there are none.

    Parameters
    ----------
    item, weight
        As for `warn_of_signs`.
    """
    weight = item.weight if weight is None else weight
    rule = item.rule if isinstance(item, Projection) else None
    if item.port is None or not _delivers_weight(rule):
        return ""
    cell = item.target.population.cell
    pairs = len(item.target) * (len(item.source) if isinstance(item, Projection) else 1)
    negative = _negative(weight, unit(cell.port(item.port).unit), pairs=pairs)
    if not negative:
        return ""
    effect: Effect = effect_of_port(cell, item.port)
    where = f"into port {item.port!r}"
    if effect == "subtracts":
        return (
            f"{negative} {where}, which cell {cell.name!r} subtracts: they excite. "
            "Give positive weights there, which inhibit."
        )
    if effect == "conductance":
        return (
            f"{negative} {where}, a conductance of cell {cell.name!r}: they push its voltage away "
            "from the reversal voltage. Give positive weights; the reversal voltage decides "
            "whether they excite or inhibit."
        )
    return ""


def _delivers_weight(rule: Rule | None) -> bool:
    """Return whether all that is delivered grows with the weight."""
    if rule is None:
        return True
    definitions = {d.name: d.tree for d in rule.definitions}
    statements = [s for h in rule.handlers for s in h.statements if s.target == "out"]
    delivered = [inline(s.value, definitions) for s in statements]
    return bool(delivered) and all(
        "w" in names(tree) and effect_in(tree, "w") == "adds" for tree in delivered
    )


def _negative(weight: Any, port: Unit, *, pairs: int) -> str:
    """Return words for the negative ones among weights of at most so many edges.

    Draws have not been made yet: they count if a negative weight is likelier than none.
    """
    if isinstance(weight, Distribution):
        likely = pairs * _chance_below_zero(weight, port) > 0.5
        return f"{weight} draws negative weights (low=0 bounds it)" if likely else ""
    if isinstance(weight, PairText):
        return ""  # of so many edges that values are not known yet
    if isinstance(weight, Shared):
        weight = weight.values
    values = np.atleast_1d(np.asarray(weight, np.float64))
    # The least alone is looked for first, which takes no memory.
    if not values.size or not values.min() < 0:
        return ""
    least = port.show(float(values.min()))
    if values.size == 1:
        return f"found the negative weight {least}"
    return f"found {(values < 0).sum()} negative weights of {values.size}, down to {least},"


def _chance_below_zero(draw: Distribution, port: Unit) -> float:
    """Return the probability of a negative number before bounds cut it off."""
    low, high = draw.bounds(port)
    if low >= 0:
        return 0.0
    if draw.kind == "normal":
        mean, sd = (float(to_engine(a, port, where=str(draw))) for a in draw.arguments)
        return 0.5 * math.erfc(mean / (math.sqrt(2) * sd)) if sd > 0 else float(mean < 0)
    return min(-low / (high - low), 1.0) if high > low else 1.0


def _levels_to_user() -> int:
    """Return the stack level of the first line outside of this package."""
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level = level + 1
    return level
