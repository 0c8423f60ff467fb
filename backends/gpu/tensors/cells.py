"""Prints the statements of a cell as pure functions over tensors: phases 2, 3 and 5 of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurosim.expr.printing import docstring
from neurosim.expr.tree import Assign, Binary, Expr, draws, names
from neurosim.ir.program import CellProgram

from .printing import draw_name, line, load, local

Values = Mapping[str, Tensor]
# Comparisons that hold from one side on: which of the two sides is the larger one then.
_LEFT_IS_LARGER = {">": True, ">=": True, "<": False, "<=": False}


@dataclass(frozen=True)
class CellFunctions:
    """The statements of a cell as functions of ``values``, names to tensors, that change nothing.

    Tensors broadcast over the last axis, the neurons; axes in front of it are samples. Names of
    ``values`` are states, parameters, constants and propagators, ``_port_x`` (the sum at port x),
    the words ``t dt i N``, ``_drawK`` for the random number of occurrence K, one per neuron, and,
    of cells with a refractory time, ``_active``, the condition that a neuron is not refractory.

    Attributes
    ----------
    source : str
        As it runs.
    integrate : values -> names to tensors
        Phase 2: the new states, and temporaries that the spike condition reads.
    detect : values -> (..., N) bool, or None
        Phase 3, for values after phase 2, whether or not a neuron is refractory. None: the cell
        never spikes.
    margin : values -> (..., N), or None
        By how much the spike condition holds, if it is one comparison: left side minus right side,
        or the reverse. None: it is no comparison.
    after : values -> names to tensors
        Phase 5: the states of neurons that spiked, for values after phase 4.
    constants : values -> names to tensors
        Constants over parameters and propagators, which the host computes in an engine.
    reads : function's name -> names
        The names of ``values`` that each function reads.
    """

    source: str
    integrate: Callable[[Values], dict[str, Tensor]]
    detect: Callable[[Values], Tensor] | None
    margin: Callable[[Values], Tensor] | None
    after: Callable[[Values], dict[str, Tensor]]
    constants: Callable[[Values], dict[str, Tensor]]
    reads: Mapping[str, tuple[str, ...]]


def cell_functions(code: CellProgram, words: Mapping[str, Any]) -> CellFunctions:
    """Print and load the statements of a cell.

    Parameters
    ----------
    code : CellProgram
    words : names of functions -> functions
        See `printing.words`.
    """
    printer = _CellPrinter(code)
    source = printer.source()
    functions = load(source, words, title=f"cell {code.name}")
    return CellFunctions(
        source,
        integrate=functions["integrate"],
        detect=functions.get("detect"),
        margin=functions.get("margin"),
        after=functions["after"],
        constants=functions["constants"],
        reads=printer.reads,
    )


class _CellPrinter:
    def __init__(self, code: CellProgram) -> None:
        self.code = code
        self.reads: dict[str, tuple[str, ...]] = {}

    def source(self) -> str:
        code = self.code
        parts = [docstring(f"Cell {code.name!r}: its equations over tensors."), "", ""]
        parts += [*self._integrate(), "", ""]
        if code.detect is not None:
            parts += [*self._expression("detect", code.detect, "({} != 0.0)"), "", ""]
            margin = _margin(code.detect)
            if margin is not None:
                parts += [*self._expression("margin", margin, "{}"), "", ""]
        parts += [*self._statements("after", code.after), "", ""]
        hosted = tuple(Assign(name, "=", tree) for name, tree in code.hosted)
        parts += self._statements("constants", hosted, new=True)
        return "\n".join(parts) + "\n"

    def _integrate(self) -> list[str]:
        read = names(self.code.detect) if self.code.detect is not None else set()
        results = [
            target
            for target in dict.fromkeys(s.target for s in self.code.integrate)
            if target in self.code.states or target in read
        ]
        return self._statements("integrate", self.code.integrate, results=results)

    def _statements(
        self,
        name: str,
        statements: tuple[Assign, ...],
        *,
        results: list[str] | None = None,
        new: bool = False,
    ) -> list[str]:
        """Return a function of statements in order, which returns their targets or ``results``."""
        body = []
        assigned: set[str] = set()
        read: dict[str, None] = {}
        for s in statements:
            own = s.target in self.code.states and not new
            needed = _names(s.value) | ({s.target} if own else set())
            frozen = name == "integrate" and s.target in self.code.frozen
            needed |= {"_active"} if frozen else set()
            read |= dict.fromkeys(sorted(needed - assigned))
            assigned.add(s.target)
            body.append(f"{local(s.target)} = {self._value(s, own=own, frozen=frozen)}")
        self.reads[name] = tuple(read)
        targets = list(dict.fromkeys(s.target for s in statements)) if results is None else results
        returned = ", ".join(f"{target!r}: {local(target)}" for target in targets)
        return _function(name, read, [*body, f"return {{{returned}}}"])

    @staticmethod
    def _value(s: Assign, *, own: bool, frozen: bool) -> str:
        value = line(s.value)
        target = local(s.target)
        if frozen:
            # Computed for all, then discarded: draws and other states do not depend on it.
            return f"where(_active, {value}, {target})"
        return f"spread({value}, {target})" if own else value

    def _expression(self, name: str, tree: Expr, form: str) -> list[str]:
        self.reads[name] = tuple(sorted(_names(tree)))
        return _function(name, self.reads[name], [f"return {form.format(line(tree))}"])


def _function(name: str, read: Iterable[str], body: list[str]) -> list[str]:
    values = [f"{local(n)} = values[{n!r}]" for n in read]
    return [f"def {name}(values):", *(f"    {text}" for text in [*values, *body])]


def _names(tree: Expr) -> set[str]:
    """Return the names of an expression in printed source, its draws included."""
    return names(tree) | {draw_name(draw) for draw in draws(tree)}


def _margin(tree: Expr) -> Expr | None:
    if not isinstance(tree, Binary) or tree.op not in _LEFT_IS_LARGER:
        return None
    left = tree.left
    right = tree.right
    return Binary("-", left, right) if _LEFT_IS_LARGER[tree.op] else Binary("-", right, left)
