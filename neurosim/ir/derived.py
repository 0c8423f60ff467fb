"""Derived parameters: written as text over others, they follow a change until they are set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NetworkError
from ..expr.evaluate import evaluate
from ..expr.printing import show
from ..expr.tree import Expr, names


@dataclass(frozen=True, eq=False)
class Derived:
    """Parameters of a population or projection that are written as text.

    Attributes
    ----------
    trees : parameter -> expression
        In order of dependence.
    known : name -> number or (N,)
        Values that the expressions read besides parameters, as they were when the network was
        drawn: draws, initial values, ``i``, ``N``, positions.
    """

    trees: dict[str, Expr]
    known: dict[str, Any]

    def update(
        self,
        read: Callable[[str], np.ndarray],
        changed: dict[str, np.ndarray],
        *,
        where: str,
    ) -> dict[str, np.ndarray]:
        """Return the new values of the parameters that follow changed ones.

        Parameters
        ----------
        read : callable
            Returns the present values of a name in the memory of the owner: parameters, and which
            elements still follow (``x@follows``).
        changed : name -> (1,), (N,) or (E,)
            Parameters as they will be.
        where : str
            Begins messages.

        Returns
        -------
        dict
            Name -> (1,), (N,) or (E,).

        Raises
        ------
        NetworkError
            If an expression gives a value that is not finite.
        """
        updated: dict[str, np.ndarray] = {}

        def value(name: str) -> Any:
            # New values win over those in memory.
            for values in (self.known, updated, changed):
                if name in values:
                    return values[name]
            return np.asarray(read(name), np.float64)

        # In order of dependence: a parameter may follow one that is updated here.
        for name, tree in self.trees.items():
            follows = read(f"{name}@follows")
            affected = bool(names(tree) & (changed.keys() | updated.keys()))
            if name in changed or not affected or not follows.any():
                continue
            # Elements that were set have left the expression and stay as they are.
            new = np.where(follows, evaluate(tree, value), read(name))
            if not np.isfinite(new).all():
                raise NetworkError(
                    f"{where}: {name}, which follows it, is {show(tree)!r} and gives a value that "
                    f"is not finite, expected finite numbers. Set {name!r} as well, to a value of "
                    "its own, or set another value."
                )
            # Nothing is stored here: if a later value is refused, the memory is unchanged.
            updated[name] = new
        return updated
