"""Groups of Brian 2 over which statements run, and the arrays of the run under names there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup
from brian2.groups.group import CodeRunner

from neurosim.ir.memory import Key, Memory

from .text import word


class Store:
    """The arrays of a run as variables of Brian 2, whose code reads and writes `Memory` itself.

    Parameters
    ----------
    memory : Memory
    clock : Clock
    functions : dict of str to Function
        The functions that code may call.
    """

    def __init__(self, memory: Memory, clock: Clock, functions: dict[str, Any]) -> None:
        self.memory = memory
        self.clock = clock
        self.functions = functions
        self.group = self.neurons(1)
        self.names: dict[Key, str] = {}
        # The group of each variable that belongs to another one than that of the store.
        self.homes: dict[str, NeuronGroup] = {}
        self.number = count()
        # By variable, its values in a step as a function of the step's number alone.
        self.moving: dict[str, Callable[[int], np.ndarray]] = {}

    def neurons(self, size: int, model: str = "", **options: Any) -> NeuronGroup:
        """Return a group of neurons.

        Parameters
        ----------
        size : int
        model : str
            Equations; without any the group has no variables of its own.
        **options
            Of `NeuronGroup`, such as the threshold.
        """
        return NeuronGroup(size, model, clock=self.clock, namespace=self.functions, **options)

    def name(self, key: Key) -> str:
        """Return the name of an array's variable; memory and Brian 2 share its values then."""
        if key not in self.names:
            array = self.memory[key]
            name = self.names[key] = self.add(
                key[1], array.ravel(), scalar=array.size == 1 and not _written(key, self.memory)
            )
            # Brian 2 copies arrays that it is given, so memory takes over the copy; shared, nothing
            # needs to be copied back.
            self.memory.adopt(key, self.group.variables[name].get_value().reshape(array.shape))
        return self.names[key]

    def settle(self, key: Key, group: NeuronGroup, name: str) -> None:
        """Let a variable that a group of Brian 2 owns hold an array of memory.

        Parameters
        ----------
        key : (str, str)
            Of the array.
        group : NeuronGroup
        name : str
            Of the variable.
        """
        group.variables[name].set_value(self.memory[key])
        self.memory.adopt(key, group.variables[name].get_value())
        self.names[key], self.homes[name] = name, group

    def fresh(self, name: str) -> str:
        """Return a name that no group has: synapses see the variables of both their groups."""
        return f"{word(name)}_{next(self.number)}"

    def add(
        self,
        name: str,
        values: np.ndarray,
        *,
        scalar: bool = False,
        unique: bool = False,
    ) -> str:
        """Add a variable and return its name.

        Parameters
        ----------
        name : str
            Beginning of its name.
        values : (M,) array
        scalar : bool
            It has one value for all.
        unique : bool
            No two of its values are the same, so that Brian 2 may write through it as an index.
        """
        name = self.fresh(name)
        self.group.variables.add_array(
            name,
            size=values.size,
            dtype=values.dtype,
            values=values[0] if scalar else values,
            scalar=scalar,
            unique=unique,
        )
        return name

    def moves(
        self,
        name: str,
        first: np.ndarray,
        values: Callable[[int], Any],
        **options: bool,
    ) -> str:
        """Add a variable whose values are replaced before every step, and return its name.

        Parameters
        ----------
        name : str
            Beginning of its name.
        first : (M,) array
            Values until the first step.
        values : function (step) -> (M,) array or number
        **options
            ``scalar`` and ``unique`` of `add`.
        """
        name = self.add(name, first, **options)
        self.moving[name] = values
        return name

    def table(self, key: Key) -> str:
        """Return the name of the variable that holds the row of a table in force."""
        if key not in self.names:
            row = self.memory.row(*key, 0)
            self.names[key] = self.moves(
                key[1], row, lambda k: self.memory.row(*key, k), scalar=row.size == 1
            )
        return self.names[key]

    def begin(self, step: int) -> None:
        """Set all variables that change from step to step to their values in this step."""
        for name, values in self.moving.items():
            self.group.variables[name].get_value()[...] = values(step)

    def scalar(self, name: str) -> bool:
        """Return whether a variable has one value for all."""
        return name not in self.homes and self.group.variables[name].scalar


def _written(key: Key, memory: Memory) -> bool:
    """Return whether statements assign single elements, so that even size 1 has an index."""
    return (
        key in memory.initial
        or key[1].endswith("@last")
        or key[1] in ("_until", "_ring")
        or key[1].startswith("_port_")
    )


class Site:
    """A group over whose members statements run; code is written before the group exists.

    Parameters
    ----------
    store : Store
    size : int
        Number of members.
    """

    def __init__(self, store: Store, size: int) -> None:
        self.store = store
        self.size = size
        # Local names, by variable of the store and index.
        self.references: dict[tuple[str, str | None], str] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.group: Any = None

    def read(self, key: Key, at: np.ndarray | None = None) -> str:
        """Return the local name of an array; member m uses element ``at[m]``, or m without."""
        return self.refer(self.store.name(key), None if at is None else self.constant("at", at))

    def refer(self, name: str, index: str | None) -> str:
        """Return the local name of a variable of the store; ``index``: a local name or None."""
        # Brian 2 reads a scalar by index "0" from any group.
        at = name, "0" if self.store.scalar(name) else index
        if at not in self.references:
            self.references[at] = self.store.fresh(name.rpartition("_")[0])
        return self.references[at]

    def constant(self, name: str, values: np.ndarray) -> str:
        """Return the local name of an array of fixed values, one per member."""
        for known, other in self.constants.items():
            # Equal arrays share one variable: each costs memory per member, and edges are many.
            if other is values or (other.dtype == values.dtype and np.array_equal(other, values)):
                return known
        local = self.store.fresh(name)
        self.constants[local] = values
        return local

    def attach(self, group: Any) -> None:
        """Add all constants and references to the group, so that its code finds them."""
        self.group = group
        for local, values in self.constants.items():
            group.variables.add_array(
                local,
                size=self.size,
                dtype=values.dtype,
                values=values,
                constant=True,
                read_only=True,
            )
        for (name, index), local in self.references.items():
            group.variables.add_reference(
                local, self.store.homes.get(name, self.store.group), name, index=index
            )

    def runner(self, code: list[str], *, when: str, order: int) -> CodeRunner:
        """Return an object that runs code over all members in every step.

        Parameters
        ----------
        code : list of str
            Lines.
        when : str
            Slot of the schedule.
        order : int
            Position in that slot.
        """
        return CodeRunner(
            self.group,
            # Brian 2's template for code over all members of any group, whatever it computes.
            "stateupdate",
            code="\n".join(code),
            clock=self.store.clock,
            when=when,
            order=order,
        )
