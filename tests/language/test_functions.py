"""The functions of the language: accuracy against extended precision, behaviour at the edges, the
same bits in every engine.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from fractions import Fraction

import numpy as np
import pytest
from numba import njit

from neurosim.backends.cpu.kernels import functions as cpu
from neurosim.expr.functions import ARITY, FUNCTIONS, PRIMITIVES, bind

INF, NAN = math.inf, math.nan
EXTENDED = np.longdouble
# where long double is double, the reference itself is off by up to one unit
SLACK = 0.0 if np.finfo(EXTENDED).nmant > 60 else 1.0
EDGES = [
    0.0,
    1.0,
    2.0,
    3.0,
    0.5,
    2.5,
    INF,
    NAN,
    5e-324,
    1e-310,
    2.3e-308,
    1e308,
    2.0**53 - 1,
    2.0**53 + 2,
    1 + 2**-52,
    1 - 2**-53,
    1e19,
    1e25,
]
EDGES += [
    math.pi / 2,
    math.pi,
    709.78,
    709.79,
    720.5,
    745.1,
    745.2,
    1e6,
    1e13,
    2.0**45,
    22.0,
    0.3466,
    0.7071067811865476,
    1.4142135623730951,
]
EDGES = np.array(EDGES + [-x for x in EDGES])


def powers_of_ten(low: float, high: float):
    return lambda random, n: 10.0 ** random.uniform(low, high, n)


def between(low: float, high: float):
    return lambda random, n: random.uniform(low, high, n)


def any_positive(random: np.random.Generator, n: int) -> np.ndarray:
    return random.integers(1, 0x7FF0000000000000, n).view(np.float64)


def near_turns(random: np.random.Generator, n: int) -> np.ndarray:
    return random.integers(1, 2**20, n) * (math.pi / 2)


ACCURACY = [  # function, bound in units in the last place, reference, ranges of the arguments
    ("exp", 1.0, np.exp, [between(-746, 709.7)]),
    ("exp", 1.0, np.exp, [between(-1, 1)]),
    ("log", 1.0, np.log, [any_positive]),
    ("log", 1.0, np.log, [between(0.5, 2)]),
    ("pow", 1.0, np.power, [between(0.7, 1.42), between(-2000, 2000)]),
    ("pow", 1.0, np.power, [any_positive, between(-3, 3)]),
    ("pow", 1.0, np.power, [between(0, 10), between(-10, 10)]),
    ("sin", 1.0, np.sin, [between(-10, 10)]),
    ("sin", 1.0, np.sin, [between(-1.6e6, 1.6e6)]),
    ("sin", 1.0, np.sin, [near_turns]),
    ("cos", 1.0, np.cos, [between(-10, 10)]),
    ("cos", 1.0, np.cos, [between(-1.6e6, 1.6e6)]),
    ("cos", 1.0, np.cos, [near_turns]),
    ("tanh", 2.5, np.tanh, [between(-25, 25)]),
    ("tanh", 2.5, np.tanh, [powers_of_ten(-300, 0)]),
    ("expm1_ratio", 2.0, lambda z: np.expm1(z) / z, [between(-745, 715)]),
    ("expm1_ratio", 2.0, lambda z: np.expm1(z) / z, [between(-2, 2)]),
    ("expm1_ratio", 2.0, lambda z: np.expm1(z) / z, [powers_of_ten(-300, 0)]),
    ("sqrt", 0.5, np.sqrt, [any_positive]),
    ("exprel", 2.0, lambda z: np.expm1(z) / z, [powers_of_ten(-300, 0)]),
    ("log10", 1.0, np.log10, [any_positive]),
    ("log10", 1.0, np.log10, [between(0.5, 2)]),
    ("arctan", 1.0, np.arctan, [between(-5, 5)]),
    ("arctan", 1.0, np.arctan, [powers_of_ten(-300, 300)]),
]


def largest_error(function, reference, arguments) -> float:
    """Return the largest distance from the reference, in units in the last place of the rounded
    reference.
    """
    with np.errstate(all="ignore"):
        right = reference(*(x.astype(EXTENDED) for x in arguments))
        rounded = right.astype(np.float64)
        computed = np.asarray(function(*arguments))
        error = np.abs(computed.astype(EXTENDED) - right) / np.spacing(np.abs(rounded)).astype(
            EXTENDED
        )
    return float(np.where(computed == rounded, 0.0, np.where(np.isnan(error), INF, error)).max())


def different(a, b) -> np.ndarray:
    """Return where two float64 arrays differ in a bit; a NaN equals a NaN, whatever its payload and
    sign.
    """
    a, b = np.atleast_1d(a).astype(np.float64), np.atleast_1d(b).astype(np.float64)
    return (a.view(np.int64) != b.view(np.int64)) & ~(np.isnan(a) & np.isnan(b))


def arguments_of(name: str, n: int, seed: int) -> list[np.ndarray]:
    """Return n random arguments (moderate ones and any bit pattern), then all edges, or pairs."""
    random = np.random.default_rng(seed)
    pairs = np.meshgrid(EDGES, EDGES if ARITY[name] > 1 else EDGES[:1])
    first, second = (grid.ravel() for grid in pairs)
    columns = []
    for edges in (first, second, second[::-1])[: ARITY[name]]:
        wild = random.integers(-(2**63), 2**63 - 1, n - n // 2).view(np.float64)
        columns.append(
            np.concatenate(
                [random.normal(size=n // 2) * 10.0 ** random.uniform(-3, 3, n // 2), wild, edges]
            )
        )
    if name == "where":
        columns[0] = columns[0] > 0.0
    return columns


def loop_over(function, arity: int):
    """Return a compiled loop that applies a compiled function to columns of arguments."""
    names = ", ".join(f"x{j}[i]" for j in range(arity))
    space = {"function": function}
    exec(
        f"def loop(y, {names.replace('[i]', '')}):\n    for i in range(y.size):\n        y[i] = "
        f"function({names})\n",
        space,
    )
    return njit(error_model="numpy")(space["loop"])


def pure_python(name: str, primitives=None):
    """Return a function rebuilt over Python's own numbers: no code shared with NumPy or LLVM."""
    own = {
        "_float": float,
        "_bits": lambda x: struct.unpack("<q", struct.pack("<d", x))[0],
        "_from_bits": lambda i: struct.unpack("<d", struct.pack("<Q", i & 0xFFFFFFFFFFFFFFFF))[0],
        "_where": lambda condition, a, b: a if condition else b,
        "_floor": lambda x: math.copysign(math.floor(x), x) if math.isfinite(x) else x,
        "_sqrt": lambda x: math.sqrt(x) if x >= 0.0 else x if x == 0.0 else NAN,
    }
    assert set(own) == set(PRIMITIVES)
    return bind(own | (primitives or {}))[name]


@pytest.mark.parametrize(("name", "bound", "reference", "ranges"), ACCURACY)
def test_error_stays_below_the_bound_that_is_promised(name, bound, reference, ranges):
    random = np.random.default_rng(20)
    arguments = [values(random, 300_000) for values in ranges]
    assert largest_error(FUNCTIONS[name], reference, arguments) <= bound + SLACK


@pytest.mark.parametrize(
    ("name", "constant", "reference", "range_"),
    [
        ("exp", {"_LN2_LOW": 1.90821e-10}, np.exp, between(-700, 700)),
        ("log", {"_LN2_LOW": 1.90821e-10}, np.log, any_positive),
        ("sin", {"_PIO2_3": 0.0}, np.sin, near_turns),
    ],
)
def test_the_accuracy_check_sees_a_constant_that_is_slightly_wrong(
    name, constant, reference, range_
):
    import neurosim.expr.functions as here

    wrong = bind({**{primitive: getattr(here, primitive) for primitive in PRIMITIVES}, **constant})[
        name
    ]
    assert (
        largest_error(wrong, reference, [range_(np.random.default_rng(20), 300_000)]) > 1.0 + SLACK
    )


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("size", [1e7, 1e10, 3e13])
def test_beyond_the_accurate_range_sine_and_cosine_err_as_if_the_argument_were_rounded(name, size):
    x = np.random.default_rng(3).uniform(0.5 * size, size, 100_000)
    right = getattr(np, name)(x.astype(EXTENDED)).astype(np.float64)
    assert np.abs(FUNCTIONS[name](x) - right).max() <= size * 2.0**-52


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        (
            "exp",
            [0.0, -INF, INF, NAN, 709.79, 1e300, -745.1, -746.0, -1e300],
            [1.0, 0.0, INF, NAN, INF, INF, 5e-324, 0.0, 0.0],
        ),
        ("log", [0.0, -0.0, -1.0, -INF, INF, NAN, 1.0], [-INF, -INF, NAN, NAN, INF, NAN, 0.0]),
        ("sqrt", [0.0, -0.0, -1.0, INF, NAN, 4.0], [0.0, -0.0, NAN, INF, NAN, 2.0]),
        (
            "sin",
            [0.0, -0.0, 5e-324, -5e-324, INF, NAN, 2.0**45],
            [0.0, -0.0, 5e-324, -5e-324, NAN, NAN, NAN],
        ),
        ("cos", [0.0, -0.0, INF, NAN, -(2.0**45)], [1.0, 1.0, NAN, NAN, NAN]),
        (
            "tanh",
            [0.0, -0.0, 1e-310, -1e-310, 30.0, -INF, NAN],
            [0.0, -0.0, 1e-310, -1e-310, 1.0, -1.0, NAN],
        ),
        ("floor", [-0.5, 0.5, -0.0, 2.0, -INF, NAN], [-1.0, 0.0, -0.0, 2.0, -INF, NAN]),
        ("abs", [-0.0, -2.0, 3.0, -INF, NAN], [0.0, 2.0, 3.0, INF, NAN]),
        ("exprel", [0.0, -0.0, 1e-300, INF, -INF, NAN], [1.0, 1.0, 1.0, INF, 0.0, NAN]),
        ("log10", [0.0, -1.0, INF, NAN, 1.0, 1e22, 1e-5], [-INF, NAN, INF, NAN, 0.0, 22.0, -5.0]),
        ("arctan", [0.0, -0.0, INF, -INF, NAN], [0.0, -0.0, math.pi / 2, -math.pi / 2, NAN]),
        ("sign", [0.0, -0.0, 5e-324, -INF, NAN], [0.0, -0.0, 1.0, -1.0, NAN]),
        ("ceil", [-0.5, 0.5, -0.0, 2.0, -INF, NAN], [-0.0, 1.0, -0.0, 2.0, -INF, NAN]),
        ("int", [-1.5, 1.5, -0.5, 2.0**60, -INF, NAN], [-1.0, 1.0, -0.0, 2.0**60, -INF, NAN]),
        (
            "round",
            [0.5, 1.5, 2.5, -0.5, 0.49999999999999994, 2.0**52 + 1, -INF, NAN],
            [0.0, 2.0, 2.0, -0.0, 0.0, 2.0**52 + 1, -INF, NAN],
        ),
        (
            "expm1_ratio",
            [0.0, -0.0, 5e-324, 1e-310, INF, -INF, NAN, 717.0],
            [1.0, 1.0, 1.0, 1.0, INF, 0.0, NAN, INF],
        ),
    ],
)
def test_edges_are_as_the_table_says(name, arguments, expected):
    assert not different(FUNCTIONS[name](arguments), expected).any()


def test_pow_follows_the_c_library_at_every_pair_of_edges():
    """The pairs hold zeros, infinities, NaN, denormals, and odd, even and fractional exponents of
    both signs.
    """
    x, y = np.meshgrid(EDGES, EDGES)
    with np.errstate(all="ignore"):
        right = np.power(x, y)
    computed = FUNCTIONS["pow"](x, y)
    special = ~np.isfinite(right) | (right == 0.0)
    assert special.sum() > 1000 and not different(computed[special], right[special]).any()
    assert (
        np.abs(computed / np.where(special, 1.0, right) - 1.0)[
            ~special & (np.abs(right) > 1e-300)
        ].max()
        <= 2.0**-52
    )


@pytest.mark.parametrize(("x", "y"), [(NAN, 0.0), (1.0, NAN), (-INF, 0.0), (1.0, INF)])
def test_pow_is_one_for_exponent_zero_and_for_base_one(x, y):
    assert FUNCTIONS["pow"](x, y) == 1.0


def test_remainders_and_quotients_are_those_of_whole_numbers_and_python_s_signs():
    """Fractions are exact: floats of any size that are less than 2**53 quotients apart."""
    random = np.random.default_rng(4)
    x, y = (random.normal(size=3000) * 10.0 ** random.uniform(-6, 6, 3000) for _ in range(2))
    remainders, quotients = FUNCTIONS["mod"](x, y), FUNCTIONS["quotient"](x, y)
    for a, b, remainder, whole in zip(x, y, remainders, quotients, strict=True):
        assert whole == Fraction(a) // Fraction(b)
        # Across zero Python adds the divisor to an exact rest, which rounds once.
        assert remainder == a % b
    exact = np.sign(x) == np.sign(y)
    assert all(
        Fraction(r) == Fraction(a) % Fraction(b)
        for a, b, r in zip(x[exact], y[exact], remainders[exact], strict=True)
    )
    assert FUNCTIONS["mod"](-1, 3) == 2 and FUNCTIONS["quotient"](-1, 3) == -1
    assert FUNCTIONS["mod"]([5, -5], INF).tolist() == [5, INF]
    for bad in ((1, 0), (INF, 2), (NAN, 2), (2, NAN), (2.0**60, 3)):
        assert np.isnan(FUNCTIONS["mod"](*bad)) and np.isnan(FUNCTIONS["quotient"](*bad))


def test_a_nan_is_not_swallowed_by_min_max_and_clip():
    nan = [NAN, NAN, 1.0]
    assert np.isnan(FUNCTIONS["min"](nan, nan[::-1])).all()
    assert np.isnan(FUNCTIONS["max"](nan, nan[::-1])).all()
    assert np.isnan(FUNCTIONS["clip"]([NAN, 1.0, 1.0], [0.0, NAN, 0.0], [2.0, 2.0, NAN])).all()


def test_min_max_clip_and_where_choose_what_they_say():
    assert FUNCTIONS["min"]([1, 3], 2).tolist() == [1.0, 2.0]
    assert FUNCTIONS["max"]([1, 3], 2).tolist() == [2.0, 3.0]
    assert FUNCTIONS["clip"]([-1, 1, 5], 0, 2).tolist() == [0.0, 1.0, 2.0]
    assert FUNCTIONS["clip"](1, 3, 2) == 2.0
    assert FUNCTIONS["where"]([True, False], [1, 2], 3).tolist() == [1.0, 3.0]
    assert np.signbit(FUNCTIONS["min"](0.0, -0.0)) and not np.signbit(FUNCTIONS["max"](-0.0, 0.0))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_no_argument_gives_a_warning_and_numbers_give_numbers(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in zip(*arguments_of(name, 0, 1), strict=True):
            assert type(FUNCTIONS[name](*values)) is np.float64
        assert (
            FUNCTIONS[name](*(column.reshape(2, -1) for column in arguments_of(name, 0, 1))).dtype
            == np.float64
        )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_numba_gives_the_bits_of_numpy(name):
    arguments = arguments_of(name, 1_000_000, 5)
    computed = np.empty(arguments[0].size)
    loop_over(getattr(cpu, name), ARITY[name])(computed, *arguments)
    assert not different(computed, FUNCTIONS[name](*arguments)).any()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_pure_python_gives_the_bits_of_numpy(name):
    arguments = arguments_of(name, 2000, 6)
    function = pure_python(name)
    computed = [
        function(*(value.item() for value in values)) for values in zip(*arguments, strict=True)
    ]
    assert not different(computed, FUNCTIONS[name](*arguments)).any()


def test_the_comparison_of_bits_sees_another_implementation_the_last_bit_and_the_sign_of_zero():
    x = np.linspace(0.1, 5.0, 1000)
    assert different(np.exp(x), FUNCTIONS["exp"](x)).any()
    assert different(0.0, -0.0).all()
    assert different(1.0, math.nextafter(1.0, 2.0)).all()
    assert different(NAN, 1.0).all()
    assert not different(NAN, -NAN).any()


def test_an_engine_with_a_wrong_primitive_is_found():
    """The engine flushes denormals to zero, as some hardware does."""
    arguments = arguments_of("log", 2000, 7)
    flushed = pure_python("log", {"_float": lambda x: x if abs(x) >= 2.3e-308 else 0.0})
    assert different([flushed(x.item()) for x in arguments[0]], FUNCTIONS["log"](*arguments)).any()


def faults_of(loop) -> set[str]:
    """Return what in the code of a compiled loop would make it slow, or unequal to NumPy."""
    (llvm,), (assembly,) = loop.inspect_llvm().values(), loop.inspect_asm().values()
    faults = {
        "scalar": not re.search(r"store <\d+ x (double|i64)>", llvm),
        "reordered": re.search(r"\b(fast|reassoc|contract|arcp|afn)\b", llvm),
        "contracted": re.search(r"llvm\.fmuladd|llvm\.fma\.|\bv?fn?m(add|sub)\w*", llvm + assembly),
        "library": re.search(
            r"@(llvm\.)?(exp|log|pow|sin|cos|tanh|expm1)(\.v\d+)?(\.?f64)?\(", llvm
        ),
    }
    return {fault for fault, present in faults.items() if present}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_compiled_loop_is_vectorised_without_contraction_or_library_calls(name):
    loop = loop_over(getattr(cpu, name), ARITY[name])
    columns = arguments_of(name, 8, 1)
    loop(np.empty(columns[0].size), *columns)
    assert faults_of(loop) == set()


def test_the_check_of_the_code_sees_each_of_its_faults():
    def careless(y, x):
        for i in range(1, y.size):
            y[i] = y[i - 1] * x[i] + math.exp(x[i])

    loop = njit(error_model="numpy", fastmath=True)(careless)
    loop(np.ones(8), np.ones(8))
    assert faults_of(loop) == {"scalar", "reordered", "contracted", "library"}


def test_every_function_has_its_name_arity_and_one_code_object():
    assert set(ARITY) == set(FUNCTIONS) == set(cpu.FUNCTIONS)
    assert ARITY["where"] == ARITY["clip"] == 3
    assert ARITY["pow"] == ARITY["min"] == ARITY["max"] == 2
    assert sum(ARITY.values()) == 32
    import neurosim.expr.functions as here

    for name in FUNCTIONS:
        assert getattr(cpu, name).py_func.__code__ is getattr(here, name).__code__
        assert FUNCTIONS[name].__name__ == name
