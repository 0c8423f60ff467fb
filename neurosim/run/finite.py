"""Checks that the values of a run stay finite, at a bounded share of its computing time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import SimulationError
from ..ir.memory import Memory
from ..ir.program import CellProgram, Program

_SHARE = 0.05  # of computing time that checks may use
_COST = 1e-10  # seconds to check a byte
_EXPLICIT = ("euler", "milstein", "heun", "rk4")  # methods that a long dt makes unstable


@dataclass(frozen=True)
class NotFinite:
    """A value that is not finite.

    Parameters
    ----------
    owner : str
        Name of the population or projection.
    member : str
        The owner and "neuron" or "edge", as messages say it.
    index : int
    variable : str
    value : float
    time : float, ms
        Beginning of the step in which it was found.
    when : str
        The time, and for how long all values were finite, as messages say it.
    remedy : str
    """

    owner: str
    member: str
    index: int
    variable: str
    value: float
    time: float
    when: str
    remedy: str = "Try a smaller dt, another method, or bounded inputs."

    def error(self) -> SimulationError:
        """Return the error that ends the run."""
        return SimulationError(
            f"{self.member} {self.index}: {self.variable} is {self.value} {self.when}, expected a "
            "finite value. The run has ended; what was recorded until then is in the error's "
            f".recording. {self.remedy}",
            population=self.owner,
            index=self.index,
            variable=self.variable,
            time=self.time,
        )


def find_in_states(
    program: Program,
    memory: Memory,
    step: int,
    *,
    suspects: Mapping[str, np.ndarray] | None,
) -> NotFinite:
    """Return the first state that is not finite, after an engine reported that there is one.

    Parameters
    ----------
    program : Program
    memory : Memory
    step : int
        The step whose integration or reset produced it.
    suspects : mapping of str to (N,) bool, optional
        Neurons that are searched, see `neurosim.backend.engine.Chunk`.
    """
    # An engine says only that some state is not finite; the search for it happens once.
    for population in program.populations.values():
        for state in population.code.states:
            values = memory[population.name, state]
            wrong = ~np.isfinite(values)
            if suspects is not None:
                wrong &= suspects[population.name]
            indices = np.flatnonzero(wrong)
            if indices.size:
                time = step * program.dt + program.dt
                return NotFinite(
                    population.name,
                    f"population {population.name!r}, neuron",
                    int(indices[0]),
                    state,
                    float(values[indices[0]]),
                    time=time,
                    when=f"at {time:.12g} ms",
                    remedy=_remedy(population.code, state, program.dt),
                )
    raise AssertionError("an engine reported a value that is not finite, but there is none")


def _remedy(code: CellProgram, state: str, dt: float) -> str:
    method = dict(code.methods).get(state)
    loop = code.sub_steps
    if loop is not None and state in loop.states:
        return (
            f"Method 'adaptive' of cell {code.name!r} gives nan if {loop.tolerances.most} "
            f"sub-steps within dt ({dt:g} ms) do not reach its tolerances, as where a value grows "
            "without bound: look for such a place in the equations, try a smaller dt, or "
            "method=ns.Adaptive(...) with more sub_steps or a larger tolerance."
        )
    if method not in _EXPLICIT:
        return NotFinite.remedy
    return (
        f"Method {method!r} is unstable where dt ({dt:g} ms) is long against the fastest change: "
        "try a smaller dt, method='exponential_euler' (it takes equations that are linear in "
        "their own state), or bounded inputs."
    )


class Watch:
    """Checks of the variables of rules, and a budget of computing time for them.

    Checks may use 5 % of computing time. During a run a check is made only when the budget covers
    two, so that one is left for the end; the first final check is free. Many short runs thus share
    one check: what an earlier run left open is found in a later one, or before a result, snapshot
    or file is returned.

    Attributes
    ----------
    checked : int
        The step at whose beginning all variables were last checked.
    """

    def __init__(self, program: Program, memory: Memory) -> None:
        self._memory = memory
        self._dt = program.dt
        self._variables = [
            # States of cells are not listed: engines check them in every step.
            (projection.name, name, "edge" if symbol.side == "edge" else "neuron")
            for projection in program.plastic.values()
            for name, symbol in projection.code.symbols
            if symbol.role == "variable"
        ]
        sizes = [memory[projection, name].nbytes for projection, name, _ in self._variables]
        self._cost = _COST * sum(sizes)
        # Enough for one check: that at the end of a first, short run is free.
        self._budget = self._cost
        self.checked = 0
        self._is_outdated = False

    def outdate(self) -> None:
        """Let the next search find what was changed after the check of the same step."""
        self._is_outdated = True

    def earn(self, elapsed: float, *, more: bool) -> bool:
        """Add a share of computing time to the budget, and return whether it covers a check.

        Parameters
        ----------
        elapsed : float, s
        more : bool
            The run continues, and its final check must be paid for as well.
        """
        if not self._variables:
            return False
        self._budget += _SHARE * elapsed
        return self._budget >= (2 if more else 1) * self._cost

    def find(self, step: int) -> NotFinite | None:
        """Return a variable that is not finite at the beginning of ``step``.

        None if there is none, or if all were checked at this step before.
        """
        if step == self.checked and not self._is_outdated:
            return None
        since = self.checked
        self.checked = step
        self._is_outdated = False
        # Not below 0: a check that a result demands is made whether it is paid or not, and must not
        # delay later ones.
        self._budget = max(self._budget - self._cost, 0.0)
        for projection, name, member in self._variables:
            values = self._memory[projection, name]
            # A sum reads each value once and allocates nothing; it may overflow where all values
            # are finite, so that only the search decides.
            if np.isfinite(values.sum()):
                continue
            indices = np.flatnonzero(~np.isfinite(values))
            if indices.size:
                time = step * self._dt
                since_time = f"{since * self._dt:.12g} ms"
                return NotFinite(
                    projection,
                    f"projection {projection!r}, {member}",
                    int(indices[0]),
                    name,
                    float(values[indices[0]]),
                    time=time,
                    when=f"at {time:.12g} ms (all were finite at {since_time})",
                )
        return None
