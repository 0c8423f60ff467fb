"""Parameters written as text over others: they follow a change of what they read, until they are set themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetworkError
from ..expr.evaluate import evaluate
from ..expr.printing import show
from ..expr.tree import Expr, names

if TYPE_CHECKING:
    from .memory import Memory


@dataclass(frozen=True, eq=False)
class Written:
    """Parameters of one owner that are written as text, in order of dependence.

    Attributes
    ----------
    trees : parameter -> expression
    known : name -> number or (N,)
        What the expressions read besides parameters, as it was when the network was drawn: draws, initial values, ``i``, ``N``, positions.
    """

    trees: dict[str, Expr]
    known: dict[str, Any]

    def following(
        self, memory: Memory, owner: str, changed: dict[str, np.ndarray], *, where: str
    ) -> dict[str, np.ndarray]:
        """Return the new values of parameters that follow ``changed`` ones, (1,) or one per neuron or edge.

        Raises
        ------
        NetworkError
            If an expression gives a value that is not finite.
        """
        found: dict[str, np.ndarray] = {}

        def value(name: str) -> Any:
            for values in (self.known, found, changed):
                if name in values:
                    return values[name]
            return np.asarray(memory[owner, name], np.float64)

        for name, tree in self.trees.items():
            follows = memory[owner, f"{name}@follows"]
            if (
                name in changed
                or not follows.any()
                or not names(tree) & (changed.keys() | found.keys())
            ):
                continue
            new = np.where(follows, evaluate(tree, value), memory[owner, name])
            if not np.isfinite(new).all():
                raise NetworkError(
                    f"{where}: {name}, which follows it, is {show(tree)!r} and gives a value that is not finite, "
                    f"expected finite numbers. Set {name!r} as well, to a value of its own, or set another value."
                )
            found[name] = new
        return found
