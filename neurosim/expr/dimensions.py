"""Units of expressions: sums, comparisons and arguments are checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import ModelError, describe_unknown
from ..units import NUMBER, RATE, TIME, Exponents, find_unit, multiply, of
from .evaluate import evaluate
from .printing import show
from .tree import (
    ARITHMETIC,
    Binary,
    Call,
    Draw,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    children,
    draws,
    names,
    rewrite,
)

WORDS: dict[str, Exponents] = {
    "t": TIME,
    "dt": TIME,
    "step": NUMBER,
    "i": NUMBER,
    "N": NUMBER,
}
_SAME = {"abs", "min", "max", "clip"}  # functions whose arguments and result have one unit
# Also the largest denominator: 0.333333 is read as a third.
_LARGEST_EXPONENT = 64


def resolve_units(
    tree: Expr,
    known: Collection[str],
    *,
    where: str,
    tables: Collection[str] = (),
    noise: bool = False,
) -> Expr:
    """Turn the names of units into numbers; any other unknown name is an error.

    Names of the user come first: a gate variable ``h`` is not an hour.

    Parameters
    ----------
    tree : Expr
    known : names
        All that have a meaning here, words of the language included.
    where : str
        Begins messages.
    tables : names
        Those that may be read as ``name(t)``.
    noise : bool
        Whether ``xi`` has a meaning here.

    Raises
    ------
    ModelError
        Unknown names; a part without names that is not finite, such as ``1/0``; ``xi`` outside an
        equation of change.
    """

    def resolve(node: Expr) -> Expr:
        if isinstance(node, Lookup) and node.table not in tables:
            raise ModelError(
                f"{where}: {describe_unknown('table', node.table, tables)} "
                "Read it without (t), or make it a parameter of a cell."
            )
        if isinstance(node, Draw) and node.kind == "xi" and not noise:
            raise ModelError(
                f"{where}: {show(tree)!r}: xi is noise in continuous time, expected only in an "
                "equation 'dx/dt = ...'. Write normal()."
            )
        if not isinstance(node, Name) or node.name in known:
            return node
        unit = find_unit(node.name)
        if unit is not None:
            # The name stays with the number, so that messages and pictures show mV and not 1.0.
            return Number(unit[0], node.name)
        if node.name.startswith("xi_"):
            raise ModelError(
                f"{where}: there is no name {node.name!r}. Write xi: in each place where it "
                "stands it is noise of its own."
            )
        if node.name == "inf":
            raise ModelError(
                f"{where}: there is no name 'inf': all numbers are finite. Write max(x, low) or "
                "min(x, high) in place of clip."
            )
        raise ModelError(f"{where}: {describe_unknown('name', node.name, known)}")

    resolved = rewrite(tree, resolve)
    _require_finite(resolved, where)
    return resolved


def _require_finite(tree: Expr, where: str) -> None:
    """Refuse constant parts that are not finite."""
    # Constant parts alone can be judged now: a quotient of parameters gets its value later.
    if names(tree) or draws(tree):
        for child in children(tree):
            _require_finite(child, where)
    elif not np.isfinite(evaluate(tree, lambda name: None)):
        raise ModelError(f"{where}: {show(tree)!r} is not finite, expected a number. Correct it.")


def dimension(tree: Expr, symbols: Mapping[str, Exponents], *, where: str) -> Exponents | None:
    """Return the exponents of an expression; None for a literal zero, which suits any unit.

    Parameters
    ----------
    tree : Expr
        With units resolved.
    symbols : name -> exponents
        Of all names but the words of the language.
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        If unlike quantities are added, compared, or passed to a function.
    """
    return _Dimensions(symbols, where).measure(tree)


def expect(
    tree: Expr,
    symbols: Mapping[str, Exponents],
    expected: Exponents,
    *,
    where: str,
) -> None:
    """Refuse an expression of another dimension than expected.

    Parameters
    ----------
    tree : Expr
        With units resolved.
    symbols : name -> exponents
        Of all names but the words of the language.
    expected : Exponents
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        If the dimension differs, or `dimension` refuses the expression.
    """
    exponents = dimension(tree, symbols, where=where)
    if exponents is not None and exponents != expected:
        raise ModelError(
            f"{where}: {show(tree)!r} is {of(exponents)}, but {of(expected)} is expected. "
            "Multiply or divide it by what is missing."
        )


@dataclass(frozen=True)
class _Dimensions:
    """The exponents of every node of a tree; None: a literal zero, which suits any unit."""

    symbols: Mapping[str, Exponents]
    where: str

    def measure(self, node: Expr) -> Exponents | None:
        match node:
            case Number(value=value, unit=unit):
                measured = find_unit(unit) if unit else None
                if measured is not None:
                    return measured[1]
                return None if value == 0.0 else NUMBER
            case Name(name=name) | Lookup(table=name):
                return self.symbols[name] if name in self.symbols else WORDS[name]
            case Draw(kind=kind):
                # The variance of integrated white noise grows with time, so xi is one per root of
                # time.
                return multiply(NUMBER, RATE, Fraction(1, 2)) if kind == "xi" else NUMBER
            case Unary(op=op, operand=operand):
                return self.measure(operand) if op == "-" else self._plain(node, operand)
            case Call():
                return self._measure_call(node)
            case Binary():
                return self._measure_binary(node)

    def _measure_binary(self, node: Binary) -> Exponents | None:
        left = node.left
        right = node.right
        if node.op == "**":
            return self._measure_power(node)
        if node.op in ("*", "/"):
            a = self.measure(left)
            b = self.measure(right)
            # Zero times anything stays a zero that suits any unit.
            return None if a is None else multiply(a, b or NUMBER, 1 if node.op == "*" else -1)
        if node.op in ("and", "or"):
            return self._plain(node, left, right)
        common = self._same(node, left, right)
        # A comparison is 1 or 0, whatever is compared, and a quotient counts.
        return common if node.op in ARITHMETIC and node.op != "//" else NUMBER

    def _measure_call(self, node: Call) -> Exponents | None:
        if node.function in _SAME:
            return self._same(node, *node.arguments)
        if node.function == "where":
            condition, *values = node.arguments
            self._plain(node, condition)
            return self._same(node, *values)
        if node.function == "sign":
            self.measure(node.arguments[0])
            return NUMBER
        if node.function == "sqrt":
            inner = self.measure(node.arguments[0])
            return None if inner is None else multiply(NUMBER, inner, Fraction(1, 2))
        return self._plain(node, *node.arguments)

    def _measure_power(self, node: Binary) -> Exponents | None:
        self._plain(node, node.right)
        base = self.measure(node.left)
        exponent = node.right
        sign = 1
        if isinstance(exponent, Unary) and exponent.op == "-":
            exponent = exponent.operand
            sign = -1
        # Plain numbers may have any exponent, computed ones too.
        if base is None or base == NUMBER:
            return NUMBER
        # The unit of the result has to be known before values are.
        if not isinstance(exponent, Number) or abs(exponent.value) > _LARGEST_EXPONENT:
            raise ModelError(
                f"{self.where}: {show(node)!r}: {show(node.left)!r} is {of(base)}; a quantity with "
                f"a unit takes only a literal exponent up to {_LARGEST_EXPONENT}. "
                "Divide it by its unit."
            )
        # Exact again, so that powers which cancel leave no rest of 1e-17.
        power = Fraction(sign * exponent.value).limit_denominator(_LARGEST_EXPONENT)
        return multiply(NUMBER, base, power)

    def _same(self, node: Expr, *operands: Expr) -> Exponents | None:
        """Return the one dimension of all operands."""
        common: tuple[Expr, Exponents] | None = None
        for operand in operands:
            exponents = self.measure(operand)
            if exponents is None:
                continue
            if common is not None and exponents != common[1]:
                raise ModelError(
                    f"{self.where}: {show(node)!r}: {show(common[0])!r} is {of(common[1])} but "
                    f"{show(operand)!r} is {of(exponents)}. "
                    "Both must have one unit: multiply or divide one of them."
                )
            common = operand, exponents
        return None if common is None else common[1]

    def _plain(self, node: Expr, *operands: Expr) -> Exponents:
        """Refuse operands that are no plain numbers."""
        for operand in operands:
            exponents = self.measure(operand)
            if exponents is not None and exponents != NUMBER:
                raise ModelError(
                    f"{self.where}: {show(node)!r}: {show(operand)!r} is {of(exponents)}, but a "
                    "plain number is expected. Divide it by its unit."
                )
        return NUMBER
