"""Units: a table of common ones in coherent engine units (ms, mV, nA), others through pint."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Container
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Protocol, TypeAlias

from numpy.typing import ArrayLike

from .errors import ModelError, describe, describe_unknown

# Exact fractions: the unit of sqrt(x)**2 must be that of x, which rounded exponents would miss.
Exponents = tuple[Fraction, ...]
# In these bases the derived engine units nF, uS and Mohm follow without factors, so that equations
# are computed with the numbers as they stand. With amol a concentration counts in mM, of which
# powers have room in float32.
BASES = ("ms", "mV", "nA", "um", "K", "amol")
NUMBER: Exponents = (Fraction(0),) * len(BASES)


class PintQuantity(Protocol):
    """A quantity of pint, as far as it is read here."""

    @property
    def magnitude(self) -> Any: ...

    @property
    def units(self) -> Any: ...

    def to_base_units(self) -> Any: ...


Quantity: TypeAlias = ArrayLike | PintQuantity
"""A number, array, text such as ``"20 ms"``, or quantity of pint; plain numbers have the
declared unit."""

Time: TypeAlias = str | float | PintQuantity
"""One duration: text such as ``"20 ms"``, a quantity of pint, or a plain number of ms."""


def _exponents(**powers: int) -> Exponents:
    return tuple(Fraction(powers.get(base, 0)) for base in BASES)


TIME = _exponents(ms=1)
VOLTAGE = _exponents(mV=1)
CURRENT = _exponents(nA=1)
LENGTH = _exponents(um=1)
RATE = _exponents(ms=-1)
CAPACITANCE = _exponents(nA=1, ms=1, mV=-1)
CONDUCTANCE = _exponents(nA=1, mV=-1)
RESISTANCE = _exponents(mV=1, nA=-1)
SUBSTANCE = _exponents(amol=1)
CONCENTRATION = _exponents(amol=1, um=-3)

KINDS = {
    NUMBER: "a plain number",
    TIME: "a time",
    VOLTAGE: "a voltage",
    CURRENT: "a current",
    LENGTH: "a length",
    RATE: "a rate",
    CAPACITANCE: "a capacitance",
    CONDUCTANCE: "a conductance",
    RESISTANCE: "a resistance",
    SUBSTANCE: "an amount of substance",
    CONCENTRATION: "a concentration",
}

# name: (size in engine units, exponents). Engine units are coherent: nF = nA ms / mV,
# uS = nA / mV, Mohm = mV / nA, mM = amol / um**3.
TABLE: dict[str, tuple[float, Exponents]] = {
    "us": (1e-3, TIME),
    "ms": (1.0, TIME),
    "s": (1e3, TIME),
    "second": (1e3, TIME),
    "min": (6e4, TIME),
    "h": (3.6e6, TIME),
    "uV": (1e-3, VOLTAGE),
    "mV": (1.0, VOLTAGE),
    "V": (1e3, VOLTAGE),
    "fA": (1e-6, CURRENT),
    "pA": (1e-3, CURRENT),
    "nA": (1.0, CURRENT),
    "uA": (1e3, CURRENT),
    "mA": (1e6, CURRENT),
    "A": (1e9, CURRENT),
    "pF": (1e-3, CAPACITANCE),
    "nF": (1.0, CAPACITANCE),
    "uF": (1e3, CAPACITANCE),
    "F": (1e9, CAPACITANCE),
    "pS": (1e-6, CONDUCTANCE),
    "nS": (1e-3, CONDUCTANCE),
    "uS": (1.0, CONDUCTANCE),
    "mS": (1e3, CONDUCTANCE),
    "S": (1e6, CONDUCTANCE),
    "ohm": (1e-6, RESISTANCE),
    "kohm": (1e-3, RESISTANCE),
    "Mohm": (1.0, RESISTANCE),
    "Gohm": (1e3, RESISTANCE),
    "Hz": (1e-3, RATE),
    "kHz": (1.0, RATE),
    "um": (1.0, LENGTH),
    "mm": (1e3, LENGTH),
    "amol": (1.0, SUBSTANCE),
    "nM": (1e-6, CONCENTRATION),
    "nmolar": (1e-6, CONCENTRATION),
    "uM": (1e-3, CONCENTRATION),
    "umolar": (1e-3, CONCENTRATION),
    "mM": (1.0, CONCENTRATION),
    "mmolar": (1.0, CONCENTRATION),
    "molar": (1e3, CONCENTRATION),
}


# Names of units in expressions besides the table: a prefix and a unit, as pint reads them. Not all
# of pint's: it knows nearly every short name, so that a forgotten parameter EL would be exalitres.
_PREFIXES = "f|p|n|u|m|c|d|k|M|G|femto|pico|nano|micro|milli|centi|deci|kilo|mega|giga"
_SYMBOLS = "m|s|A|V|S|F|Hz|ohm|mol|M|K|g|L|l|C|J|N|W|Pa|T"
_WORDS = (
    "meter|metre|second|amp|ampere|volt|siemens|farad|hertz|mole|molar|kelvin|gram|liter|litre|"
    "coulomb|joule|newton|watt|pascal|tesla|minute|hour|day"
)
_IN_EXPRESSIONS = re.compile(
    rf"(?:{_PREFIXES})(?:{_SYMBOLS})|(?:{_PREFIXES})?(?:{_WORDS})s?|m|K|mol|ohm"
)


@dataclass(frozen=True)
class Unit:
    """A unit of measurement.

    Parameters
    ----------
    text : str
        As the user wrote it.
    exponents : Exponents
        Powers of `BASES`.
    size : float
        The unit in engine units: 1 V is 1000 mV.
    """

    text: str
    exponents: Exponents
    size: float = 1.0

    def from_engine(self, values: Any) -> Any:
        """Return numbers of engine units as numbers of this unit; exactly the same if it is one.

        Parameters
        ----------
        values : float or array
        """
        return values if self.size == 1.0 else values / self.size

    def show(self, value: float) -> str:
        """Return a number of engine units as text in this unit, such as ``20 pA``."""
        number = f"{self.from_engine(value):g}"
        return number if self.text == "1" else f"{number} {self.text}"

    def __str__(self) -> str:
        quantity = KINDS.get(self.exponents)
        if quantity is None:
            return f"a quantity in {self.text}"
        return quantity if self.text == "1" else f"{quantity} ({self.text})"


def multiply(a: Exponents, b: Exponents, power: int | Fraction = 1) -> Exponents:
    """Return the exponents of ``a * b**power``.

    Parameters
    ----------
    a, b : Exponents
    power : int or Fraction (1)
        -1 divides.
    """
    return tuple(x + y * power for x, y in zip(a, b, strict=True))


def name_of(exponents: Exponents) -> str:
    """Return the shortest text for a dimension in engine units, such as ``mV`` or ``nA / ms``."""
    # Readers know nF better than nA*ms/mV.
    for name in ("ms", "mV", "nA", "nF", "uS", "Mohm", "um", "mM"):
        if TABLE[name][1] == exponents:
            return name

    def factors(sign: int) -> str:
        return "*".join(
            base if abs(e) == 1 else f"{base}**{float(abs(e)):g}"
            for base, e in zip(BASES, exponents, strict=True)
            if e * sign > 0
        )

    above = factors(1) or "1"
    below = factors(-1)
    return above if not below else f"{above}/({below})" if "*" in below else f"{above}/{below}"


def of(exponents: Exponents) -> Unit:
    """Return the engine unit of a dimension."""
    return Unit(name_of(exponents), exponents)


def unit(text: str, *, where: str = "") -> Unit:
    """Read the text of a unit, such as ``"mV"``, ``"1/ms"`` or ``"nA*ms"``.

    Raises
    ------
    ModelError
        If the text is no unit that this table or pint knows; the message begins with ``where``.
    """
    try:
        # Checked before the cache is asked, which fails on a list with an error of its own.
        if not isinstance(text, str):
            raise ModelError(
                f"unit {describe(text)}: expected text. Write units such as 'mV/ms', or '1' for a "
                "plain number."
            )
        return _unit(text)
    except ModelError as error:
        raise ModelError(f"{where}: {error}" if where else str(error)) from None


@cache
# A network reads the same few units for every parameter, and parsing is slow beside a look-up.
def _unit(text: str) -> Unit:
    stripped = " ".join(text.split()) or "1"
    stripped = "percent" if stripped == "%" else stripped
    size = math.inf
    exponents = NUMBER
    try:
        size, exponents = _measure(ast.parse(stripped, mode="eval").body, text)
        # The text stands in pictures, formulas and files: no comment of Python may hide in it.
        if not re.fullmatch(r"[\w\s*/().+-]*", stripped):
            raise SyntaxError
    # Python's parser gives up on deep nesting with the last two.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # It is a ValueError as well, and its message is already the precise one.
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"unit {text[:80]!r}: cannot be read. Write units as products and powers, such as "
            "'mV/ms' or 'nA*ms**2'."
        ) from None
    except (OverflowError, ZeroDivisionError):
        pass  # the size stays infinite
    if not 0.0 < size < math.inf:
        raise ModelError(
            f"unit {text!r}: its size in ms, mV and nA is no number that can be computed with. "
            "Use a smaller power."
        )
    return Unit(stripped, exponents, size)


def _measure(tree: ast.expr, text: str) -> tuple[float, Exponents]:
    """Return size and exponents of a unit from its syntax tree."""
    match tree:
        # True equals 1 in Python.
        case ast.Constant(value=1 as one) if one is not True:
            return 1.0, NUMBER
        case ast.Name(id=name):
            return TABLE[name] if name in TABLE else _measure_with_pint(name, text)
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            (a, x), (b, y) = _measure(left, text), _measure(right, text)
            if isinstance(op, ast.Mult):
                return a * b, multiply(x, y)
            return a / b, multiply(x, y, -1)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            power = _power(right, text)
            size, exponents = _measure(left, text)
            return size ** float(power), multiply(NUMBER, exponents, power)
    piece = ast.get_source_segment(text.strip(), tree)
    raise ModelError(
        f"unit {text!r}: found {piece!r}, expected the name of a unit. "
        "Write units as products and powers, such as 'mV/ms'."
    )


def _power(tree: ast.expr, text: str) -> Fraction:
    try:
        return Fraction(str(ast.literal_eval(tree)))
    except (ValueError, SyntaxError):
        power = ast.get_source_segment(text.strip(), tree)
        raise ModelError(
            f"unit {text!r}: the power {power!r} is not a number. Write a power such as 'ms**2'."
        ) from None


@cache
def _registry() -> Any:
    # Imported at the first unit that the table lacks: it would slow down every start.
    import pint

    return pint.UnitRegistry()


@cache
def find_unit(name: str) -> tuple[float, Exponents] | None:
    """Return size in engine units and exponents of a unit that expressions know, else None.

    These are the units of `TABLE` and, read by pint, prefixes before other common ones: ``cm``,
    ``umol``, ``msiemens``. Powers are written in the expression: ``cm**2``.
    """
    if name in TABLE:
        return TABLE[name]
    if not _IN_EXPRESSIONS.fullmatch(name):
        return None
    try:
        return _measure_with_pint(name, name)
    except ModelError:
        return None


def _measure_with_pint(name: str, text: str) -> tuple[float, Exponents]:
    import pint

    registry = _registry()
    try:
        # Two amounts expose units with an offset, such as degrees Celsius: their sizes do not
        # scale.
        one, two = (measure_pint(registry.Quantity(number, name)) for number in (1.0, 2.0))
    except (pint.PintError, AttributeError):
        unknown = describe_unknown("unit", name, TABLE)
        if name in ("boolean", "integer"):
            # Types of Brian 2, which stand where units do.
            unknown = f"there is no unit {name!r}. Write 1: numbers have no types, true is 1."
        raise ModelError(f"unit {text!r}: {unknown}") from None
    if two[0] != 2.0 * one[0]:
        raise ModelError(
            f"unit {text!r}: {name!r} does not count from zero, expected a unit of which twice as "
            "many are twice as much. Use K."
        )
    return one


def measure_pint(quantity: PintQuantity) -> tuple[Any, Exponents]:
    """Return the numbers of a quantity of pint in engine units, and its dimension."""
    base = quantity.to_base_units()
    powers = {
        # pint stores powers as floats, so that a third arrives as 0.333...
        key.strip("[]"): Fraction(value).limit_denominator(12)
        for key, value in base.dimensionality.items()
    }
    foreign = powers.keys() - {"mass", "time", "current", "length", "temperature", "substance"}
    if foreign:
        raise ModelError(
            f"quantity {quantity}: its dimension has {', '.join(sorted(foreign))}, expected time, "
            "voltage, current, length, temperature or substance. Give it in these."
        )
    mass = powers.get("mass", Fraction(0))
    # volt = kg m**2 s**-3 A**-1: every kilogram becomes a volt and the remaining powers.
    exponents = (
        powers.get("time", Fraction(0)) + 3 * mass,
        mass,
        powers.get("current", Fraction(0)) + mass,
        powers.get("length", Fraction(0)) - 2 * mass,
        powers.get("temperature", Fraction(0)),
        powers.get("substance", Fraction(0)),
    )
    magnitude = base.magnitude
    if mass and "gram" in str(base.units) and "kilogram" not in str(base.units):
        magnitude = magnitude / 1000.0 ** float(mass)
    scale = math.prod(
        # From seconds, volts, amperes, metres, kelvins and moles.
        factor ** float(e)
        for factor, e in zip((1e3, 1e3, 1e9, 1e6, 1.0, 1e18), exponents, strict=True)
    )
    return magnitude * scale, exponents


_OTHER_COMMON = ("m", "K", "mol")  # units that only pint knows, and that stand beside names
_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)\s*", re.DOTALL)


def read(
    text: str,
    *,
    reserved: Container[str] = (),
    declared: Unit | None = None,
    where: str = "",
) -> tuple[float, Unit] | None:
    """Read ``"20 ms"`` as (20.0, ms); return None unless the text is a number and a unit.

    Parameters
    ----------
    text : str
    reserved : names
        Of the user: with a ``rho`` among them ``"2*rho"`` is an expression.
    declared : Unit, optional
        That of the value, if it is known.
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        If a number is followed by one word that is no unit, or the text is a quantity as well as
        an expression over names of the user: ``"5/s"`` with an ``s`` among them.
    """
    match = _QUANTITY.fullmatch(text)
    if not match:
        return None
    number = match[1]
    rest = match[2].strip()
    # "20 %" is a quantity, "20 % 3" an expression.
    if rest and not re.fullmatch(r"[\w\s*/().-]+|%", rest):
        return None
    operator = rest[:1] if rest[:1] in ("*", "/") else ""
    unit_text = rest.removeprefix(operator).strip()
    # "5 /ms" is a quantity; a unit alone cannot begin with a slash.
    if operator == "/":
        unit_text = "1/" + unit_text
    # "5 - x" is an expression, although "- x" could be parsed.
    if unit_text and unit_text[0] in "+-":
        return None
    # Without an operator after the number the text is no expression, whatever names there are.
    own = [word for word in re.findall(r"[A-Za-z]\w*", rest) if operator and word in reserved]
    try:
        quantity = float(number), unit(unit_text or "1", where=where)
    except ModelError:
        # Plainly a unit, and an unknown one.
        if not own and re.fullmatch(r"[A-Za-z]\w*", unit_text):
            raise
        return None
    if own:
        # Pint knows nearly every letter as a unit: with an own name b, nobody means bits.
        unlikely = any(word not in TABLE and word not in _OTHER_COMMON for word in own)
        unfit = declared is not None and quantity[1].exponents != declared.exponents
        if unlikely or unfit:
            return None
        # Either reading would be a wrong number in silence for those who meant the other.
        raise ModelError(
            f"{where + ': ' if where else ''}{text!r} is a quantity, and an expression over "
            f"{', '.join(map(repr, dict.fromkeys(own)))}, which has the name of a unit; expected "
            f"one of them. Write '{number} {unit_text}' for the quantity, "
            f"'({number}) {rest}' for the expression."
        )
    return quantity
