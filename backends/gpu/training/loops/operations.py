"""Operations: the expressions of a step one operation at a time, and the same backward.

A tape holds lines of printed source. Each line assigns one name once, so the derivatives of a line
can be read from it: reverse-mode differentiation is the lines in reverse order. Names that are not
differentiated, such as conditions and draws, leave no lines behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.expr.tree import (
    FUNCTION_OF,
    Binary,
    Call,
    Draw,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    whole_power,
)

from ...tensors.printing import draw_name, fold

_LN10 = 2.302585092994046
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
# Of the result y and the arguments a, b, in float64: see `gradients.derivatives`.
_SLOPES: dict[str, tuple[str, ...]] = {
    "exp": ("{y}",),
    "log": ("1.0 / {a}",),
    "log10": (f"1.0 / ({{a}} * {_LN10!r})",),
    "sqrt": ("0.5 / {y}",),
    "sin": ("double_cos({a})",),
    "cos": ("-double_sin({a})",),
    "tanh": ("1.0 - {y} * {y}",),
    "arctan": ("1.0 / (1.0 + {a} * {a})",),
    "expm1_ratio": ("ratio_slope({y}, {a})",),
    "exprel": ("ratio_slope({y}, {a})",),
    "abs": ("double_sign({a})",),
    "pow": ("{b} * double_pow({a}, {b} - 1.0)", "power_slope({y}, {a})"),
    "mod": ("1.0", "-double_floor({a} / {b})"),
}


@dataclass(frozen=True)
class _Slope:
    """How the adjoint of a result contributes to that of an argument; ``@`` is the former."""

    argument: str
    text: str


class Tape:
    """Lines that compute expressions, and the lines that differentiate them.

    Parameters
    ----------
    values : name -> name in printed source
        What names of expressions mean; assignments change it.
    active : names in printed source
        Those by which is differentiated.

    Attributes
    ----------
    lines : list of str
    """

    def __init__(self, values: Mapping[str, str], active: set[str]) -> None:
        self.values = dict(values)
        self.lines: list[str] = []
        self._active = set(active)
        self._slopes: list[tuple[str, tuple[_Slope, ...]]] = []

    # ---- forward

    def assign(self, target: str, tree: Expr) -> str:
        """Compute an expression, which is a name's meaning from here on."""
        self.values[target] = self.value(tree)
        return self.values[target]

    def value(self, tree: Expr) -> str:
        """Compute an expression; return the name or literal of its value."""
        return self._value(fold(tree))

    def select(self, condition: str, first: str, second: str) -> str:
        """Compute ``where(condition, first, second)`` of names in printed source.

        Parameters
        ----------
        condition : str
            Text of a condition, which has no derivative.
        first, second : str
            Names or literals.
        """
        return self._add(
            f"where({condition}, {first}, {second})",
            _Slope(first, f"where({condition}, @, zero)"),
            _Slope(second, f"where({condition}, zero, @)"),
        )

    def condition(self, tree: Expr) -> str:
        """Return the text of an expression as a condition."""
        return f"({self.value(tree)} != zero)"

    def _value(self, tree: Expr) -> str:
        match tree:
            case Number(value=value):
                return f"real({value!r})"
            case Name(name=name) | Lookup(table=name):
                return self.values[name]
            case Draw():
                return self.values[draw_name(tree)]
            case Unary(op="-", operand=operand):
                x = self._value(operand)
                return self._add(f"-{x}", _Slope(x, "-@"))
            case Unary(operand=operand):
                return self._add(f"truth({self._value(operand)} == zero)")
            case Call(function=function, arguments=arguments):
                return self._call(function, [self._value(a) for a in arguments])
            case Binary():
                return self._binary(tree)

    def _binary(self, tree: Binary) -> str:
        if tree.op == "**":
            return self._power(tree)
        a = self._value(tree.left)
        b = self._value(tree.right)
        if tree.op in FUNCTION_OF:
            return self._call(FUNCTION_OF[tree.op], [a, b])
        if tree.op in _COMPARISONS:
            return self._add(f"truth({a} {tree.op} {b})")
        if tree.op in ("and", "or"):
            joint = "&" if tree.op == "and" else "|"
            return self._add(f"truth(({a} != zero) {joint} ({b} != zero))")
        return self._arithmetic(tree.op, a, b)

    def _arithmetic(self, op: str, a: str, b: str) -> str:
        if op == "*":
            by_a = _Slope(a, f"@ * {b}")
            by_b = _Slope(b, f"@ * {a}")
            return self._add(f"{a} * {b}", by_a, by_b)
        if op == "/":
            # By the quotient: b**2 may overflow or vanish where a / b does not.
            quotient = f"({a} / {b})"
            by_a = _Slope(a, f"@ / {b}")
            by_b = _Slope(b, f"-@ * {quotient} / {b}")
            return self._add(f"{a} / {b}", by_a, by_b)
        by_a = _Slope(a, "@")
        by_b = _Slope(b, "@" if op == "+" else "-@")
        return self._add(f"{a} {op} {b}", by_a, by_b)

    def _power(self, tree: Binary) -> str:
        power = whole_power(tree)
        if power is None:
            return self._call("pow", [self._value(tree.left), self._value(tree.right)])
        if power == 0:
            return "real(1.0)"
        # Whole powers are products, in the same order as on other engines.
        base = self._value(tree.left)
        product = base
        for _ in range(abs(power) - 1):
            product = self._arithmetic("*", product, base)
        return product if power > 0 else self._arithmetic("/", "real(1.0)", product)

    def _call(self, function: str, arguments: list[str]) -> str:
        if function == "where":
            condition, first, second = arguments
            return self.select(f"({condition} != zero)", first, second)
        if function in ("min", "max"):
            a, b = arguments
            less = "<" if function == "min" else ">"
            # The order of `expr.functions`, which decides about equal numbers and NaN.
            return self.select(f"(({a} {less} {b}) | ({a} != {a}))", a, b)
        if function == "clip":
            x, low, high = arguments
            return self._call("min", [self._call("max", [x, low]), high])
        # Derivatives are computed in float64 and rounded once, whatever the precision.
        text = f"{function}({', '.join(arguments)})"
        result = f"_{len(self.lines)}"
        wide = [f"double({x})" for x in (result, *arguments)]
        meanings = dict(zip("yab", wide, strict=False))
        slopes = [
            _Slope(x, f"real(double(@) * ({slope.format(**meanings)}))")
            for x, slope in zip(arguments, _SLOPES.get(function, ()), strict=False)
        ]
        return self._add(text, *slopes)

    def _add(self, text: str, *slopes: _Slope) -> str:
        result = f"_{len(self.lines)}"
        self.lines.append(f"{result} = {text}")
        # A result matters if an argument does; other lines have no derivative to compute.
        matter = tuple(s for s in slopes if s.argument in self._active)
        if matter:
            self._active.add(result)
            self._slopes.append((result, matter))
        return result

    # ---- backward

    def differentiate(self, adjoints: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return lines that compute adjoints, and the adjoints of all active names.

        Parameters
        ----------
        adjoints : name in printed source -> name of its adjoint
            Of results.
        """
        known = {name: adjoint for name, adjoint in adjoints.items() if name in self._active}
        lines: list[str] = []
        for result, slopes in reversed(self._slopes):
            if result not in known:
                continue
            # An argument that was used twice has two contributions, which add up.
            for slope in slopes:
                text = slope.text.replace("@", known[result])
                if slope.argument in known:
                    text = f"{known[slope.argument]} + {text}"
                adjoint = f"_d{len(lines)}"
                lines.append(f"{adjoint} = {text}")
                known[slope.argument] = adjoint
        return lines, known
